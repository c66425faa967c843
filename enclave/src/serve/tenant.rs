//! Who asks: an API key of the configuration, or else the connection. A client with no key, or another, is not turned away: most
//! clients cannot do without one. A key is never kept, and never logged.

use chrysalis_wire::configuration::Tenant as Known;
use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::error::ApiError;
use crate::engine::Tenant;

/// Where Anthropic's clients send their key.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The most bytes of a key.
const MAX_KEY: usize = 1024;

/// Who asks. `connection` is what only the two ends of this connection know.
pub(super) fn of(
    headers: &HeaderMap,
    known: &[Known],
    connection: &[u8; 32],
) -> Result<Tenant, ApiError> {
    if let Some(key) = key(headers)? {
        let hash = hash(&[key]);
        if known.iter().any(|known| is_hash(&known.key_sha256, &hash)) {
            return Ok(Tenant(hash));
        }
    }
    Ok(Tenant(hash(&[b"connection", connection])))
}

fn key(headers: &HeaderMap) -> Result<Option<&[u8]>, ApiError> {
    let mut keys = Vec::new();
    for value in headers.get_all(AUTHORIZATION) {
        let value = value.as_bytes().trim_ascii();
        let (scheme, key) = value
            .split_at_checked(6)
            .ok_or_else(ApiError::bad_credentials)?;
        let separated = key.is_empty() || key.starts_with(b" ");
        if !scheme.eq_ignore_ascii_case(b"bearer") || !separated {
            return Err(ApiError::bad_credentials());
        }
        keys.push(key.trim_ascii());
    }
    if keys.len() > 1 {
        return Err(ApiError::bad_credentials());
    }
    if keys.is_empty() {
        keys.extend(headers.get_all(X_API_KEY).iter().map(HeaderValue::as_bytes));
    }
    match keys.as_slice() {
        // Clients without a key send an empty one.
        [] | [[]] => Ok(None),
        [key] if key.len() <= MAX_KEY && key.iter().all(u8::is_ascii_graphic) => Ok(Some(key)),
        _ => Err(ApiError::bad_credentials()),
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let digest = digest(&SHA256, &parts.concat());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Takes as long whatever the bytes are.
fn is_hash(known: &str, hash: &[u8; 32]) -> bool {
    let mut expected = [0; 32];
    let valid = hex::decode_to_slice(known, &mut expected).is_ok();
    let differing = expected
        .iter()
        .zip(hash)
        .fold(0, |differing, (a, b)| differing | (a ^ b));
    valid && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(headers: &[(HeaderName, &str)]) -> Result<Tenant, u16> {
        let known = [Known {
            name: "alice".to_owned(),
            key_sha256: hex::encode(hash(&[b"secret"])),
        }];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        of(&map, &known, &[7; 32]).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn a_known_key_is_the_tenant_and_any_other_is_not() {
        let alice = Tenant(hash(&[b"secret"]));
        let connection = who(&[]).unwrap();
        assert_ne!(alice, connection);
        for value in ["Bearer secret", "bearer secret", "BEARER  secret"] {
            assert_eq!(who(&[(AUTHORIZATION, value)]), Ok(alice), "{value}");
        }
        assert_eq!(who(&[(X_API_KEY, "secret")]), Ok(alice));
        for value in ["Bearer other", "Bearer", "Bearer "] {
            assert_eq!(who(&[(AUTHORIZATION, value)]), Ok(connection), "{value}");
        }
        let (map, known) = (HeaderMap::new(), []);
        assert_ne!(of(&map, &known, &[8; 32]).unwrap(), connection);
    }

    #[test]
    fn credentials_that_are_no_key_are_refused() {
        let long = format!("Bearer {}", "k".repeat(MAX_KEY + 1));
        for value in [
            "Basic YTpi",
            "secret",
            "",
            "Bearersecret",
            "Bearer a b",
            &long,
        ] {
            assert_eq!(who(&[(AUTHORIZATION, value)]), Err(401), "{value}");
        }
        let twice = [(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer a")];
        assert_eq!(who(&twice), Err(401));
        assert_eq!(who(&[(X_API_KEY, "a"), (X_API_KEY, "b")]), Err(401));
    }
}
