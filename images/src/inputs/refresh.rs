//! New pins. Debian's come from an [`Index`] whose signature apt checks. Python's stay unless an upgrade is requested.

use std::collections::BTreeMap;

use super::{
    fetch::Fetcher,
    index::Index,
    lock::{Input, Kind, Lock},
    moment::Moment,
    recipe::ToolchainRecipe,
};
use crate::{Error, digest::Sha256};

/// Whether Python packages move to newer versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wheels {
    /// They stay at the version that the lock names.
    Keep,
    /// They move to the newest one.
    Upgrade,
}

/// Every pin anew; a pin that moves is of this moment. The lock on disk stays as it is.
pub fn refresh(
    lock: &Lock,
    fetcher: &Fetcher,
    wheels: Wheels,
    now: &Moment,
) -> Result<Lock, Error> {
    let mut fresh = lock.clone();
    let mut debs: BTreeMap<(String, String), Vec<&mut Input>> = BTreeMap::new();
    for input in &mut fresh.input {
        match input.kind {
            Kind::Deb => {
                let suite = input.suite.clone().unwrap_or_default();
                let component = component(&input.path).to_owned();
                debs.entry((suite, component)).or_default().push(input);
            }
            Kind::Wheel | Kind::Sdist if wheels == Wheels::Upgrade => {
                *input = fetcher.pin_python(input, None)?;
            }
            Kind::Wheel | Kind::Sdist if input.sha256 == Sha256::UNSET => {
                let version = Some(input.version.as_str()).filter(|version| *version != "0");
                *input = fetcher.pin_python(input, version)?;
            }
            Kind::Wheel | Kind::Sdist | Kind::Rust => {}
        }
    }
    // An index is read once, whatever the number of its packages.
    for ((suite, component), inputs) in debs {
        let index = fetcher.index(&suite, &component)?;
        for input in inputs {
            *input = dated(refresh_deb(input, &index)?, Some(input), now);
        }
    }
    Ok(fresh)
}

/// The pins of a toolchain: what its recipe asks for, with all dependencies; and rustc, if it is the one that this machine has. A pin that is not
/// in the old lock is of this moment.
pub fn toolchain(
    recipe: &ToolchainRecipe,
    old: &Lock,
    fetcher: &Fetcher,
    rustc: Option<Input>,
    now: &Moment,
) -> Result<Lock, Error> {
    let pins = fetcher
        .index(&recipe.suite, "main")?
        .closure(&recipe.packages)?;
    let dated = pins.into_iter().map(|pin| {
        let before = old.input.iter().find(|before| before.name == pin.name);
        dated(pin, before, now)
    });
    Ok(Lock {
        input: dated.chain(rustc).collect(),
    })
}

/// The pin with its moment: the old one as long as the bytes are the same, for the suite had them then.
pub(super) fn dated(pin: Input, before: Option<&Input>, now: &Moment) -> Input {
    let same = before.filter(|before| before.sha256 == pin.sha256);
    let moment = same.and_then(|before| before.snapshot.clone());
    Input {
        snapshot: moment.or_else(|| Some(now.clone())),
        ..pin
    }
}

fn refresh_deb(input: &Input, index: &Index) -> Result<Input, Error> {
    let package = match &input.follows {
        None => input.package.clone(),
        Some(meta) => follow(&input.package, meta, index)?,
    };
    Ok(Input {
        follows: input.follows.clone(),
        ..index.newest(&package)?.pin(&input.name)?
    })
}

/// Today's name of a package: the dependency of a meta package, or of its first dependency, whose name differs only in the
/// version in it.
fn follow(package: &str, meta: &str, index: &Index) -> Result<String, Error> {
    let newest = index.newest(meta)?;
    let same = |depends| dependencies(depends).find(|name| alike(name, package));
    if let Some(found) = same(newest.field("Depends")) {
        return Ok(found.into());
    }
    let first = dependencies(newest.field("Depends")).next().unwrap_or(meta);
    let newest = index.newest(first)?;
    Ok(same(newest.field("Depends")).unwrap_or(first).into())
}

/// `linux-image-6.12 (= 6.12-1), other` → `linux-image-6.12`, `other`.
fn dependencies(depends: &str) -> impl Iterator<Item = &str> {
    let names = depends.split([',', '|']);
    names.filter_map(|name| name.split_whitespace().next())
}

/// Whether two names differ only in the version in them, which starts with a digit and ends before a dash.
fn alike(left: &str, right: &str) -> bool {
    let around = |name: &str| {
        let start = name.find(|character: char| character.is_ascii_digit());
        let (before, rest) = name.split_at_checked(start?)?;
        let after = rest.find('-').and_then(|end| rest.get(end..));
        Some((before.to_owned(), after.unwrap_or_default().to_owned()))
    };
    around(left).is_some() && around(left) == around(right)
}

/// `pool/updates/main/l/…` → `main`.
fn component(path: &str) -> &str {
    path.split('/')
        .find(|part| !matches!(*part, "" | "pool" | "updates"))
        .unwrap_or("main")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_component_and_the_dependencies_apart() {
        assert_eq!(component("pool/updates/main/l/linux/x.deb"), "main");
        assert_eq!(
            component("pool/non-free-firmware/n/x.deb"),
            "non-free-firmware"
        );
        assert_eq!(component(""), "main");
        let names: Vec<&str> = dependencies("linux-image-6 (= 6-1), x | y").collect();
        assert_eq!(names, ["linux-image-6", "x", "y"]);
        assert_eq!(dependencies("").next(), None);
    }

    #[test]
    fn a_pin_keeps_its_moment_until_it_moves() {
        let moment = |text: &str| text.parse::<Moment>().unwrap();
        let pin = |sha256: &[u8], snapshot: Option<&str>| Input {
            name: "a".into(),
            kind: Kind::Deb,
            package: "a".into(),
            follows: None,
            version: "1".into(),
            suite: Some("trixie".into()),
            snapshot: snapshot.map(moment),
            path: "pool/a.deb".into(),
            size: 1,
            sha256: Sha256::of(sha256),
        };
        let now = moment("20270101T000000Z");
        let (old, undated) = (pin(b"1", Some("20261129T000000Z")), pin(b"1", None));
        assert_eq!(dated(pin(b"1", None), Some(&old), &now), old);
        for (fresh, before) in [
            (pin(b"2", None), Some(&old)),
            (pin(b"1", None), Some(&undated)),
            (pin(b"1", None), None),
        ] {
            assert_eq!(dated(fresh, before, &now).snapshot, Some(now.clone()));
        }
    }

    #[test]
    fn knows_a_package_of_another_version() {
        let (old, new) = (
            "linux-headers-6.12.1+deb13-common",
            "linux-headers-6.12.107+deb13-common",
        );
        assert!(alike(old, new));
        assert!(!alike(old, "linux-headers-6.12.107+deb13-cloud-amd64"));
        assert!(!alike(old, "linux-image-6.12.107+deb13-common"));
        assert!(alike(
            "linux-kbuild-6.12.1+deb13",
            "linux-kbuild-6.12.107+deb13"
        ));
        assert!(!alike("linux-base", "linux-base"));
    }
}
