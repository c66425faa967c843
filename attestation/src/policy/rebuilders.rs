//! `[rebuilders]`: who may confirm the image under their own keys, and how many of them must.
//!
//! ```toml
//! [rebuilders]
//! keys = ["MCowBQYDK2VwAyEA…", "MFkwEwYHKoZIzj0CAQ…"]   # required: SubjectPublicKeyInfo, DER, in base64
//! at_least = 2                                          # required: from 1 to the number of keys
//! ```

use super::{PolicyError, section::Section};
use crate::{
    encoding::base64,
    release::{PublicKey, Rebuilders},
};

pub(super) const KEYS: [&str; 2] = ["keys", "at_least"];
/// The most keys: each is tried on each statement.
const MAX_KEYS: usize = 16;

/// Reads the section.
pub(super) fn policy(section: &Section<'_>) -> Result<Rebuilders, PolicyError> {
    const KEY: &str = "a list of up to 16 distinct public keys: Ed25519 or P-256, DER in base64 as between the lines of a PEM file, and not the development key, with which anyone can sign";
    const AT_LEAST: &str = "a number from 1 to the number of keys";
    let keys_field = section.require(
        "keys",
        "name those whose rebuilds count; `openssl pkey -in KEY.pem -pubout` prints such a key",
    )?;
    let keys = keys_field.list(|field| {
        base64::decode(field.text(KEY)?)
            .and_then(|der| PublicKey::from_spki(&der).ok())
            .ok_or_else(|| field.wrong(KEY))
    })?;
    let distinct = |(at, key)| !keys.iter().take(at).any(|other| other == key);
    if keys.len() > MAX_KEYS || !keys.iter().enumerate().all(distinct) {
        return Err(keys_field.wrong(KEY));
    }
    let at_least = section.require(
        "at_least",
        "write how many of the keys must confirm an image",
    )?;
    match at_least.number(AT_LEAST)? {
        number if (1..=keys.len()).contains(&number) => Ok(Rebuilders {
            keys,
            at_least: number,
        }),
        _ => Err(at_least.wrong(AT_LEAST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const ONE: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const TWO: &str = "MCowBQYDK2VwAyEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

    /// Its private half is in this repository.
    const DEVELOPMENT: &str = "MCowBQYDK2VwAyEAmAE/I14+i2KiYvTZxDTfHAj5bFDQmWS+vjBGDwN2YNE=";

    fn parse(section: &str) -> Result<Option<Rebuilders>, String> {
        let text = format!("version = 1\n[rebuilders]\n{section}");
        Policy::parse_rebuilders(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_keys_and_how_many_of_them() {
        let read = parse(&format!("keys = [\"{ONE}\", \"{TWO}\"]\nat_least = 2"));
        let Rebuilders { keys, at_least } = read.expect("a policy").expect("the section");
        assert_eq!((keys.len(), at_least), (2, 2));
        assert_eq!(Policy::parse_rebuilders("version = 1"), Ok(None));
    }

    #[test]
    fn refuses_what_could_never_or_always_be_met() {
        let at_least =
            "policy, line 4: `rebuilders.at_least` must be a number from 1 to the number of keys";
        for number in ["0", "2", "\"1\""] {
            let text = format!("keys = [\"{ONE}\"]\nat_least = {number}");
            assert_eq!(parse(&text), Err(at_least.to_owned()), "{number}");
        }
        let keys = "policy, line 3: `rebuilders.keys` must be a list of up to 16 distinct public keys: Ed25519 or P-256, DER in base64 as between the lines of a PEM file, and not the development key, with which anyone can sign";
        for list in [
            format!("[\"{ONE}\", \"{ONE}\"]"),
            "[\"AAAA\"]".to_owned(),
            "[\"not base64\"]".to_owned(),
            format!("[\"{DEVELOPMENT}\"]"),
        ] {
            let text = format!("keys = {list}\nat_least = 1");
            assert_eq!(parse(&text), Err(keys.to_owned()), "{list}");
        }
        assert_eq!(
            parse(&format!("keys = [\"{ONE}\"]")),
            Err("policy: `rebuilders.at_least` is missing; write how many of the keys must confirm an image".to_owned())
        );
    }
}
