//! Who may use the proxy besides the programs on this machine: what the user allows by name.

use std::str::FromStr;

use chrysalis_wire::local::HostName;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::Error;

/// The fewest and the most characters of a token.
const TOKEN: std::ops::RangeInclusive<usize> = 16..=512;
/// The number of random bytes in a generated token.
const TOKEN_BYTES: usize = 32;

/// What is allowed. By default every program on this machine is served, and nothing else.
#[derive(Default)]
pub struct Access {
    /// Names for the listener, besides those of loopback and its own address.
    pub host_names: Vec<HostName>,
    /// Web pages that may ask, and apps that are web pages.
    pub origins: Vec<Origin>,
    /// Whether other machines may ask. They need a token.
    pub remote: bool,
    /// The token that every request must show, if there is one.
    pub token: Option<Token>,
}

/// An origin as a browser writes it, such as `http://localhost:3000` or `app://obsidian.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Text that does not name one origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Not in the form of an origin.
    #[error(
        "`{0}` is not an origin; write it without a path, such as http://localhost:3000 or app://obsidian.md"
    )]
    Malformed(String),
    /// `*`, or `null`, which stands for every sandboxed page.
    #[error("`{0}` would let in pages from every site; name the one origin")]
    Everyone(String),
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if matches!(text, "*" | "null") {
            return Err(OriginError::Everyone(text.to_owned()));
        }
        let lower = text.to_ascii_lowercase();
        let parts = lower.split_once("://").filter(|(scheme, host)| {
            let first = scheme
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_lowercase());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            let outside = |byte: u8| !byte.is_ascii_graphic() || b"/?#@\\*,".contains(&byte);
            // Pages from files have no host: `file://`.
            first
                && scheme.bytes().all(plain)
                && !host.bytes().any(outside)
                && (!host.is_empty() || *scheme == "file")
        });
        let Some((scheme, host)) = parts else {
            return Err(OriginError::Malformed(text.to_owned()));
        };
        // Browsers leave out a default port.
        let host = match scheme {
            "http" => host.strip_suffix(":80").unwrap_or(host),
            "https" => host.strip_suffix(":443").unwrap_or(host),
            _ => host,
        };
        Ok(Self(format!("{scheme}://{host}")))
    }
}

impl Origin {
    /// Whether this is what an `Origin` header says.
    pub(super) fn is(&self, said: &[u8]) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(said)
    }
}

/// A secret that requests show as `Authorization: Bearer …`, as clients send an API key. Only a keyed hash of it is kept.
pub struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Too short, too long, or with characters that a header cannot carry.
    #[error(
        "a token has {} to {} letters, digits and punctuation marks, and no spaces; make one with `openssl rand -hex 32`",
        TOKEN.start(),
        TOKEN.end()
    )]
    Unusable,
    /// The system gives no random numbers.
    #[error("this machine has no random numbers")]
    NoRandom,
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Local(error.to_string())
    }
}

impl Token {
    /// The token with this text.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if !TOKEN.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unusable);
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| TokenError::NoRandom)?;
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { key, tag })
    }

    /// Generates a token, and returns its text to give to its users.
    pub fn generate() -> Result<(Self, String), TokenError> {
        let mut bytes = [0; TOKEN_BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| TokenError::NoRandom)?;
        let text = hex::encode(bytes);
        Ok((Self::new(&text)?, text))
    }

    /// Whether an `Authorization` header shows this token. Takes as long for a wrong token as for the right one.
    pub(super) fn is(&self, authorization: &[u8]) -> bool {
        let shown = match authorization.split_at_checked(b"Bearer ".len()) {
            Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"Bearer ") => shown,
            _ => return false,
        };
        hmac::verify(&self.key, shown.trim_ascii(), self.tag.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_origin_as_browsers_write_it() {
        for (text, said) in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://Chat.example:443", "https://chat.example"),
            ("app://obsidian.md", "app://obsidian.md"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("file://", "file://"),
        ] {
            assert!(
                text.parse::<Origin>().unwrap().is(said.as_bytes()),
                "{text}"
            );
        }
    }

    #[test]
    fn an_origin_is_itself_and_no_other() {
        let origin: Origin = "http://localhost:3000".parse().unwrap();
        for said in [
            "http://localhost:30000",
            "http://localhost",
            "https://localhost:3000",
            "http://localhost:3000.evil.example",
            "null",
            "",
        ] {
            assert!(!origin.is(said.as_bytes()), "{said}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_origin() {
        for text in [
            "localhost:3000",
            "http://",
            "http://a/",
            "http://a/path",
            "http://me@a",
            "http://a b",
            "http://*.example",
            "http://a,http://b",
            "1app://a",
            "://a",
            "",
        ] {
            let malformed = OriginError::Malformed(text.to_owned());
            assert_eq!(text.parse::<Origin>(), Err(malformed));
        }
        for text in ["*", "null"] {
            let everyone = OriginError::Everyone(text.to_owned());
            assert_eq!(text.parse::<Origin>(), Err(everyone));
        }
    }

    #[test]
    fn knows_its_token_and_no_other() {
        let token = Token::new("0123456789abcdef").unwrap();
        for (shown, right) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer ", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("", false),
        ] {
            assert_eq!(token.is(shown.as_bytes()), right, "{shown}");
        }
    }

    #[test]
    fn refuses_a_token_that_is_guessed_or_cannot_be_sent() {
        for text in [
            "",
            "short",
            "0123456789 abcdef",
            "0123456789abcdefé",
            &"a".repeat(513),
        ] {
            assert_eq!(Token::new(text).err(), Some(TokenError::Unusable), "{text}");
        }
    }

    #[test]
    fn makes_up_another_token_each_time() {
        let (token, text) = Token::generate().unwrap();
        assert!(token.is(format!("Bearer {text}").as_bytes()));
        assert_ne!(Token::generate().unwrap().1, text);
    }
}
