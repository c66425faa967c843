//! Where a provider says that it answers. The name only finds it; evidence says who it is.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::Rejection;

/// The most bytes of an address.
const MAX_ADDRESS: usize = 255;

/// A host and a port: `llm.example:443`, `192.0.2.1:8443`, `[2001:db8::1]:443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `HOST:PORT`. A host is a DNS name in lower case, or an IP address as its standard writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text
            .rsplit_once(':')
            .filter(|_| text.len() <= MAX_ADDRESS)?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| digits)?;
        let known = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(inner) => inner
                .parse::<Ipv6Addr>()
                .is_ok_and(|it| it.to_string() == inner),
            None => host.parse::<Ipv4Addr>().is_ok() || is_name(host),
        };
        known.then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port, not 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Refuses an IP address, or a name that only has a meaning inside a network, where nobody may be made to knock. What a name leads
    /// to, [`is_public`] says once it is known.
    pub fn check_public(&self) -> Result<(), Rejection> {
        let host = self.host();
        let public = match host.parse::<IpAddr>() {
            Ok(address) => is_public(address),
            Err(_) => host.contains('.') && !INSIDE.iter().any(|end| host.ends_with(end)),
        };
        if public {
            return Ok(());
        }
        Err(Rejection::EndpointPrivate {
            address: self.to_string(),
        })
    }
}

/// Names that lead nowhere on the public internet (RFC 6761, 6762, 8375, 9476 and the usual ones of home routers).
const INSIDE: [&str; 7] = [
    ".localhost",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".alt",
    ".onion",
];

impl fmt::Display for Endpoint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.host, self.port)
    }
}

/// Labels of letters, digits and inner hyphens; the last one is no number, so that no IP address is written as a name.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.starts_with(|first: char| first.is_ascii_digit());
    host.split('.').all(label) && !number
}

/// Whether an address is one of the public internet: not of this machine, of a network of its own, or of none (RFC 6890 and its registry).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || (a == 100 && (b & 0xC0) == 64)
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b & 0xFE) == 18)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    // 64:ff9b::/96 is another way to write an IPv4 address, and so is 2002::/16.
    let octets = address.octets();
    let inner = match (a, b) {
        (0x64, 0xFF9B) => octets.last_chunk(),
        (0x2002, _) => octets.get(2..6).and_then(<[u8]>::first_chunk),
        _ => None,
    };
    if let Some([a, b, c, d]) = inner {
        return is_public_v4(Ipv4Addr::new(*a, *b, *c, *d));
    }
    // Global unicast is 2000::/3; of that, documentation, Teredo, ORCHID and benchmarking are not.
    (a & 0xE000) == 0x2000
        && !(a == 0x2001 && (b == 0xDB8 || b < 0x200))
        && !(a == 0x3FFF && b < 0x1000)
        && !(a == 0x2001 && b == 2 && c == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for text in [
            "llm.example:443",
            "192.0.2.1:8443",
            "[2001:db8::1]:443",
            "a-b.c:1",
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), text);
        }
        assert_eq!(Endpoint::parse("[::1]:443").unwrap().host(), "::1");
        let long = format!("{}:443", "a.".repeat(150));
        for wrong in [
            "",
            "llm.example",
            ":443",
            "llm.example:0",
            "llm.example:0443",
            "llm.example:+443",
            "llm.example:65536",
            "LLM.example:443",
            "me@llm.example:443",
            "llm.example/v1:443",
            "llm..example:443",
            "-llm.example:443",
            "2130706433:443",
            "127.1:443",
            "0x7f.0.0.1:443",
            "::1:443",
            "[2001:0db8::1]:443",
            "[fe80::1%eth0]:443",
            "ü.example:443",
            &long,
        ] {
            assert_eq!(Endpoint::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nobody_is_sent_to_their_own_doors() {
        for inside in [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "172.31.0.1:80",
            "192.168.1.1:80",
            "169.254.169.254:80",
            "100.64.0.1:80",
            "0.0.0.0:80",
            "192.0.0.8:80",
            "198.19.0.1:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "[::1]:80",
            "[::]:80",
            "[fe80::1]:80",
            "[fd00::1]:80",
            "[ff02::1]:80",
            "[::ffff:10.0.0.1]:80",
            "[64:ff9b::a00:1]:80",
            "[2002:a00:1::]:80",
            "[2001:db8::1]:80",
            "[2001:2::1]:80",
            "[3fff:fff::1]:80",
            "localhost:80",
            "router:80",
            "printer.local:80",
            "db.internal:80",
            "nas.home.arpa:80",
        ] {
            let endpoint = Endpoint::parse(inside).unwrap_or_else(|| panic!("{inside}"));
            let refused = endpoint.check_public().unwrap_err();
            assert_eq!(refused.code(), "endpoint_private", "{inside}");
        }
        for outside in [
            "8.8.8.8:443",
            "100.128.0.1:443",
            "198.20.0.1:443",
            "[2606:4700::1111]:443",
            "[64:ff9b::808:808]:443",
            "[::ffff:8.8.8.8]:443",
            "llm.example:443",
        ] {
            let endpoint = Endpoint::parse(outside).unwrap_or_else(|| panic!("{outside}"));
            assert_eq!(endpoint.check_public(), Ok(()), "{outside}");
        }
    }
}
