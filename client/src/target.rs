//! The peer to speak to: an `https` address, parsed once.

use std::{fmt, str::FromStr};

use hyper::Uri;
use rustls_pki_types::ServerName;

/// The port if an address names none.
const DEFAULT_PORT: u16 = 443;

/// Where an enclave answers. The name only finds it: trust comes from its evidence, never from its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

/// An address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not an address at all.
    #[error("`{0}` is not an address; write it as https://HOST:PORT")]
    Malformed(String),
    /// Another scheme: attested TLS is the only way in.
    #[error("`{0}` is not https; attested TLS is the only way in: write https://HOST:PORT")]
    NotHttps(String),
    /// More than host and port.
    #[error(
        "`{0}` has more than a host and a port; write https://HOST:PORT, and put the path in each request"
    )]
    HasPath(String),
}

impl Target {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a request's `Host` says.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            DEFAULT_PORT => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// The name in the TLS handshake; `None` if the host is neither a DNS name nor an IP address.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host())
            .ok()
            .map(|name| name.to_owned())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        match uri.scheme_str() {
            Some("https") => {}
            Some(_) => return Err(TargetError::NotHttps(text.to_owned())),
            None => return Err(malformed()),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(TargetError::HasPath(text.to_owned()));
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        let target = Self {
            host: authority.host().to_owned(),
            port: match authority.port_u16() {
                Some(port) => port,
                None if authority.as_str() == authority.host() => DEFAULT_PORT,
                // A user name, or a port that is not a number.
                None => return Err(malformed()),
            },
        };
        if authority.as_str().contains('@') {
            return Err(malformed());
        }
        target.server_name().ok_or_else(malformed)?;
        Ok(target)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_both_kinds_of_ip_address() {
        for (text, host, port) in [
            ("https://llm.example", "llm.example", 443),
            ("https://127.0.0.1:8443/", "127.0.0.1", 8443),
            ("https://[::1]:8443", "::1", 8443),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host(), target.port()), (host, port));
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        let parse = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(parse("http://a"), TargetError::NotHttps("http://a".into()));
        assert_eq!(
            parse("localhost"),
            TargetError::Malformed("localhost".into())
        );
        assert_eq!(
            parse("https://a:99999"),
            TargetError::Malformed("https://a:99999".into())
        );
        assert_eq!(
            parse("https://me@a"),
            TargetError::Malformed("https://me@a".into())
        );
        assert_eq!(
            parse("https://a/v1"),
            TargetError::HasPath("https://a/v1".into())
        );
    }

    #[test]
    fn writes_itself_as_it_is_read() {
        for text in ["https://llm.example", "https://[::1]:8443"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }
}
