//! For whom a request to a port of this machine is meant, and from where a browser sends it.
//!
//! A web page can send requests to every port of the machine that shows it. Under a name of its own that leads to
//! 127.0.0.1 it can read the answers, too (DNS rebinding). The browser tells: `Host` has the name that the page used, and
//! `Sec-Fetch-Site` says whether a page of another site asks. A listener on such a port checks both.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 80;
/// The most bytes of a name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// A host, and a port where there is one: what `Host` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the root's dot.
    Name(String),
}

/// Not a host with or without a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as NAME or NAME:PORT, such as llm.example or host.docker.internal:8080")]
pub struct NotAHost;

/// Whom a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// This listener.
    Here,
    /// Somebody else: an answer would tell a page what is not its own.
    Elsewhere,
    /// No host, several, or none that can be read.
    Unclear,
}

impl Addressed {
    /// Reads all of a request's `Host` headers, and the authority of its target where that has one. The listener is at
    /// `local`, as the connection has it, and goes by `named` as well.
    ///
    /// A loopback name or address and the listener's own address count with its port, which may be left out when it is 80;
    /// a name of `named` counts with the port that it has there, and otherwise with the listener's port or none.
    pub fn of<'a>(
        hosts: impl IntoIterator<Item = &'a [u8]>,
        target: Option<&str>,
        local: SocketAddr,
        named: &[HostName],
    ) -> Self {
        let mut hosts = hosts.into_iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Self::Unclear;
        };
        let Some(host) = std::str::from_utf8(host).ok() else {
            return Self::Unclear;
        };
        for text in [Some(host), target].into_iter().flatten() {
            match text.parse::<HostName>() {
                Err(NotAHost) => return Self::Unclear,
                Ok(host) if host.is(local, named) => {}
                Ok(_) => return Self::Elsewhere,
            }
        }
        Self::Here
    }
}

impl HostName {
    fn is(&self, local: SocketAddr, named: &[Self]) -> bool {
        let own = match &self.host {
            Host::Address(address) => {
                address.is_loopback() || *address == local.ip().to_canonical()
            }
            Host::Name(name) => name == "localhost",
        };
        let port = self.port.unwrap_or(DEFAULT_PORT);
        (own && port == local.port()) || named.iter().any(|named| named.covers(self, local.port()))
    }

    fn covers(&self, other: &Self, listening: u16) -> bool {
        let port = match self.port {
            Some(_) => other.port == self.port,
            None => other.port.is_none_or(|port| port == listening),
        };
        port && self.host == other.host
    }
}

impl FromStr for HostName {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(NotAHost)?;
            let address: Ipv6Addr = address.parse().map_err(|_| NotAHost)?;
            (Host::Address(IpAddr::V6(address).to_canonical()), port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (name_or_address(host)?, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            // `parse` alone would take a plus sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| NotAHost)?)
            }
            _ => return Err(NotAHost),
        };
        Ok(Self { host, port })
    }
}

fn name_or_address(text: &str) -> Result<Host, NotAHost> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        return Err(NotAHost);
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

/// Whether `Sec-Fetch-Site` says that a page of another site asks, or of this machine's other ports, or something that
/// no browser says yet. `none` is an address that a person typed.
pub fn from_another_site(sec_fetch_site: &[u8]) -> bool {
    !matches!(sec_fetch_site, b"none" | b"same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addressed(host: &str, local: &str, named: &[&str]) -> Addressed {
        let named: Vec<HostName> = named.iter().map(|name| name.parse().unwrap()).collect();
        Addressed::of([host.as_bytes()], None, local.parse().unwrap(), &named)
    }

    #[test]
    fn loopback_with_the_port_is_here() {
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LocalHost.:8080",
            "[::1]:8080",
            "127.8.9.1:8080",
            "[::ffff:127.0.0.1]:8080",
        ] {
            assert_eq!(
                addressed(host, "127.0.0.1:8080", &[]),
                Addressed::Here,
                "{host}"
            );
        }
        assert_eq!(addressed("localhost", "127.0.0.1:80", &[]), Addressed::Here);
        let reached = "[::ffff:192.168.1.5]:8080";
        assert_eq!(addressed("192.168.1.5:8080", reached, &[]), Addressed::Here);
    }

    #[test]
    fn every_other_name_and_port_is_elsewhere() {
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example:8080",
            "evil.localhost:8080",
            "localhost",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:8081",
            "0.0.0.0:8080",
            "[::]:8080",
            "192.168.1.5:8080",
            "2130706433:8080",
            "0x7f000001:8080",
        ] {
            assert_eq!(
                addressed(host, "127.0.0.1:8080", &[]),
                Addressed::Elsewhere,
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_unclear() {
        for host in [
            "",
            ":8080",
            "localhost:",
            "localhost:+8080",
            "localhost:99999",
            "me@localhost:8080",
            "localhost:8080/v1",
            "localhost:8080:8080",
            "[::1",
            "::1",
            "[localhost]:8080",
            "local host:8080",
            "127.0.0.1:8080, evil.example",
        ] {
            assert_eq!(
                addressed(host, "127.0.0.1:8080", &[]),
                Addressed::Unclear,
                "{host}"
            );
        }
        let local = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(Addressed::of([], None, local, &[]), Addressed::Unclear);
        let two = [&b"127.0.0.1:8080"[..], b"127.0.0.1:8080"];
        assert_eq!(Addressed::of(two, None, local, &[]), Addressed::Unclear);
    }

    #[test]
    fn a_target_with_an_authority_must_be_here_as_well() {
        let local = "127.0.0.1:8080".parse().unwrap();
        let asked = |target| Addressed::of([&b"localhost:8080"[..]], Some(target), local, &[]);
        assert_eq!(asked("localhost:8080"), Addressed::Here);
        assert_eq!(asked("evil.example:8080"), Addressed::Elsewhere);
        assert_eq!(asked("me@localhost:8080"), Addressed::Unclear);
    }

    #[test]
    fn a_name_that_was_given_is_here() {
        let local = "127.0.0.1:8080";
        for (host, named, found) in [
            ("llm.example", "llm.example", Addressed::Here),
            ("LLM.example:8080", "llm.EXAMPLE", Addressed::Here),
            ("llm.example:443", "llm.example", Addressed::Elsewhere),
            ("llm.example:3000", "llm.example:3000", Addressed::Here),
            ("llm.example", "llm.example:3000", Addressed::Elsewhere),
            ("a.llm.example", "llm.example", Addressed::Elsewhere),
            ("10.0.0.7:8080", "10.0.0.7", Addressed::Here),
        ] {
            assert_eq!(addressed(host, local, &[named]), found, "{host} {named}");
        }
    }

    #[test]
    fn only_a_typed_address_and_the_page_itself_are_not_another_site() {
        for (said, another) in [
            (&b"none"[..], false),
            (b"same-origin", false),
            (b"same-site", true),
            (b"cross-site", true),
            (b"", true),
            (b"none, none", true),
        ] {
            assert_eq!(from_another_site(said), another);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<HostName>();
        }
    }
}
