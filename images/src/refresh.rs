//! New pins. Debian's come from an [`Index`] whose signature apt checks. Python's stay, unless an upgrade is asked for.

use crate::{
    Error,
    digest::Sha256,
    fetch::Fetcher,
    index::Index,
    lock::{Input, Kind, Lock},
    rust::Rustc,
    toolchain::Recipe,
};

/// Whether Python packages move to newer versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wheels {
    /// They stay at the version that the lock names.
    Keep,
    /// They move to the newest one.
    Upgrade,
}

/// Every pin anew. The lock on the disk stays as it is.
pub fn refresh(lock: &Lock, fetcher: &Fetcher, wheels: Wheels) -> Result<Lock, Error> {
    let mut fresh = lock.clone();
    for input in &mut fresh.input {
        *input = match input.kind {
            Kind::Deb => refresh_deb(input, fetcher)?,
            Kind::Wheel if wheels == Wheels::Upgrade => fetcher.pin_wheel(input, None)?,
            Kind::Wheel if input.sha256 == Sha256::UNSET => {
                let version = Some(input.version.as_str()).filter(|version| *version != "0");
                fetcher.pin_wheel(input, version)?
            }
            Kind::Wheel | Kind::Rust => input.clone(),
        };
    }
    Ok(fresh)
}

/// The pins of a toolchain: what its recipe asks for, and all that this depends on; and rustc, as this machine has it.
pub fn toolchain(recipe: &Recipe, fetcher: &Fetcher, rustc: &Rustc) -> Result<Lock, Error> {
    let index = Index::fetch(&recipe.suite, "main", fetcher)?;
    let mut input = index.closure(&recipe.packages)?;
    input.push(rustc.pin()?);
    Ok(Lock { input })
}

fn refresh_deb(input: &Input, fetcher: &Fetcher) -> Result<Input, Error> {
    let suite = input.suite.as_deref().unwrap_or_default();
    let index = Index::fetch(suite, component(&input.path), fetcher)?;
    let package = match &input.follows {
        None => input.package.clone(),
        Some(meta) => {
            let newest = index.newest(meta)?;
            first_dependency(newest.field("Depends")).unwrap_or_else(|| meta.clone())
        }
    };
    Ok(Input {
        follows: input.follows.clone(),
        ..index.newest(&package)?.pin(&input.name)?
    })
}

/// `pool/updates/main/l/…` → `main`.
fn component(path: &str) -> &str {
    path.split('/')
        .find(|part| !matches!(*part, "" | "pool" | "updates"))
        .unwrap_or("main")
}

/// `linux-image-6.12 (= 6.12-1), other` → `linux-image-6.12`.
fn first_dependency(depends: &str) -> Option<String> {
    depends
        .split([',', ' ', '|'])
        .next()
        .filter(|name| !name.is_empty())
        .map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_component_and_the_dependency_apart() {
        assert_eq!(component("pool/updates/main/l/linux/x.deb"), "main");
        assert_eq!(
            component("pool/non-free-firmware/n/x.deb"),
            "non-free-firmware"
        );
        assert_eq!(component(""), "main");
        assert_eq!(
            first_dependency("linux-image-6 (= 6-1), x").as_deref(),
            Some("linux-image-6")
        );
    }
}
