//! `[release]`: which release a policy's digests come from, and whose root vouches for it. `chrysalis policy init` writes it.
//!
//! ```toml
//! [release]
//! name = "v0.1.4"              # required
//! root = "3fbbd461…"           # required: SHA-256 of the root key
//! development_root = "why"     # required if that is the development key, with which anyone can sign; otherwise not allowed
//! max_endorsement_age = 7      # days, 1 to 14. Default: no endorsement is wanted, and the verdict says so
//! ```

use super::{PolicyError, section::Section};
use crate::{
    encoding::digest::Hex,
    release::{ANYONE_CAN_SIGN, DEVELOPMENT_ROOT, Development, Endorser, KeyId},
};

pub(super) const KEYS: [&str; 4] = ["name", "root", "development_root", "max_endorsement_age"];
const DAY: i64 = 86_400;

/// Where a policy's digests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasePolicy {
    /// The release's name, for people.
    pub name: String,
    /// The root that vouches for the release's signer.
    pub root: KeyId,
    /// Why the policy accepts the development root, if that is its root.
    pub development: Option<String>,
    /// The most seconds since the publisher endorsed the release; `None`: no endorsement is wanted.
    pub max_endorsement_age: Option<i64>,
}

impl ReleasePolicy {
    /// Whose endorsement is wanted, if one is.
    pub(crate) fn endorser(&self) -> Option<Endorser> {
        Some(Endorser {
            root: self.root,
            development: match self.development {
                Some(_) => Development::Named,
                None => Development::Refused,
            },
            max_age: self.max_endorsement_age?,
        })
    }

    /// What a verdict says about the matching image.
    pub(crate) fn told(&self) -> String {
        let name = &self.name;
        match &self.development {
            Some(_) => format!("matches release {name}, {ANYONE_CAN_SIGN}"),
            None => format!("matches release {name}"),
        }
    }
}

/// Reads the section.
pub(super) fn policy(section: &Section<'_>) -> Result<ReleasePolicy, PolicyError> {
    const NAME: &str = "the release's name, without control characters";
    const ROOT: &str = "the SHA-256 of the root key, in hex";
    const WHY: &str = "the reason why you accept a root under which anyone can sign";
    const AGE: &str = "a number of days from 1 to 14";
    const OTHER: &str = "left out: this root is not the development root";
    let name = section.require("name", "write which release the digests come from")?;
    let root = section.require(
        "root",
        "run `chrysalis policy init --root FILE` to fill it in",
    )?;
    let text = name.text(NAME)?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(name.wrong(NAME));
    }
    let root = Hex(root.hex(ROOT)?);
    let why = section.read("development_root", |why| match why.text(WHY)?.trim() {
        "" => Err(why.wrong(WHY)),
        _ if root != DEVELOPMENT_ROOT => Err(why.wrong(OTHER)),
        reason => Ok(reason.to_owned()),
    })?;
    if root == DEVELOPMENT_ROOT && why.is_none() {
        section.require(
            "development_root",
            "use a release from a publisher that you trust, or write why you accept this root, under which anyone can sign",
        )?;
    }
    let max_endorsement_age = section.read("max_endorsement_age", |age| {
        match age.number::<u8>(AGE)? {
            days @ 1..=14 => Ok(i64::from(days) * DAY),
            _ => Err(age.wrong(AGE)),
        }
    })?;
    Ok(ReleasePolicy {
        name: text.to_owned(),
        root,
        development: why,
        max_endorsement_age,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn parse(section: &str) -> Result<Option<ReleasePolicy>, String> {
        let text = format!("version = 1\n[release]\nname = \"v1.2.3\"\n{section}");
        Policy::parse_release(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_development_root_is_refused_unless_the_policy_says_why() {
        let root = format!("root = \"{DEVELOPMENT_ROOT}\"\n");
        assert_eq!(
            parse(&root),
            Err("policy: `release.development_root` is missing; use a release from a publisher that you trust, or write why you accept this root, under which anyone can sign".to_owned())
        );
        let blank = parse(&format!("{root}development_root = \" \""));
        assert_eq!(
            blank,
            Err("policy, line 5: `release.development_root` must be the reason why you accept a root under which anyone can sign".to_owned())
        );
        let named = parse(&format!("{root}development_root = \"a demo\""));
        let named = named.expect("a policy").expect("the section");
        assert_eq!(named.development.as_deref(), Some("a demo"));
        assert_eq!(
            named.told(),
            "matches release v1.2.3, development key: anyone can sign"
        );
    }

    #[test]
    fn any_other_root_needs_no_reason_and_takes_none() {
        let root = format!("root = \"{}\"\n", "11".repeat(32));
        let read = parse(&root).expect("a policy").expect("the section");
        assert_eq!(read.told(), "matches release v1.2.3");
        assert_eq!(
            parse(&format!("{root}development_root = \"a demo\"")),
            Err("policy, line 5: `release.development_root` must be left out: this root is not the development root".to_owned())
        );
    }

    #[test]
    fn an_endorsement_is_wanted_only_if_the_policy_says_how_old_it_may_be() {
        let root = format!("root = \"{}\"\n", "11".repeat(32));
        let read = |more: &str| parse(&format!("{root}{more}"));
        let silent = read("").expect("a policy").expect("the section");
        assert_eq!(silent.endorser(), None);
        let wanted = read("max_endorsement_age = 14").expect("a policy");
        let endorser = wanted.and_then(|it| it.endorser()).expect("wanted");
        assert_eq!(
            endorser,
            Endorser {
                root: Hex([0x11; 32]),
                development: Development::Refused,
                max_age: 14 * DAY,
            }
        );
        let wrong =
            "policy, line 5: `release.max_endorsement_age` must be a number of days from 1 to 14";
        for age in ["0", "15", "256", "-1", "\"7\""] {
            let read = read(&format!("max_endorsement_age = {age}"));
            assert_eq!(read, Err(wrong.to_owned()), "{age}");
        }
    }

    #[test]
    fn the_identifier_is_that_of_the_key() {
        let key = crate::release::tests::development();
        assert_eq!(key.id(), DEVELOPMENT_ROOT);
    }
}
