//! New pins. Debian's come from an index that apt itself fetches and whose signature apt itself checks, in a view of its
//! own: the machine's own lists stay as they are, and no root is needed. Python's stay, unless an upgrade is asked for.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Error,
    digest::Sha256,
    fetch::Fetcher,
    lock::{Input, Kind, Lock},
    progress,
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const HINT_INDEX: &str =
    "correct package, follows or suite in the lock, or name an archive with --mirror URL";

/// Whether Python packages move to newer versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wheels {
    /// They stay at the version that the lock names.
    Keep,
    /// They move to the newest one.
    Upgrade,
}

/// A package as an index describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stanza {
    suite: String,
    fields: BTreeMap<String, String>,
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
            Kind::Wheel => input.clone(),
        };
    }
    Ok(fresh)
}

fn refresh_deb(input: &Input, fetcher: &Fetcher) -> Result<Input, Error> {
    let suite = input.suite.as_deref().unwrap_or_default();
    let suites = with_security(suite);
    let index = Index::fetch(&suites, component(&input.path), fetcher)?;
    let missing = |name: &str| Error::Missing {
        name: name.into(),
        version: "(any version)".into(),
        file: "a deb".into(),
        tried: suites
            .iter()
            .map(|suite| format!("the index of {suite}"))
            .collect(),
        hint: HINT_INDEX,
    };
    let package = match &input.follows {
        None => input.package.clone(),
        Some(meta) => {
            let newest = index.newest(meta)?.ok_or_else(|| missing(meta))?;
            first_dependency(newest.field("Depends")).ok_or_else(|| missing(meta))?
        }
    };
    let found = index.newest(&package)?.ok_or_else(|| missing(&package))?;
    let parse_failed = |key: &str| Error::Value {
        path: "the archive's index".into(),
        key: format!("{key} of {package}"),
        problem: "is not understood".into(),
    };
    Ok(Input {
        version: found.field("Version").into(),
        suite: Some(found.suite.clone()),
        path: found.field("Filename").into(),
        size: found
            .field("Size")
            .parse()
            .map_err(|_| parse_failed("Size"))?,
        sha256: found
            .field("SHA256")
            .parse()
            .map_err(|_| parse_failed("SHA256"))?,
        package,
        ..input.clone()
    })
}

/// A released suite gets its fixes from its sibling first.
fn with_security(suite: &str) -> Vec<String> {
    let base = suite.trim_end_matches("-security");
    let rolling =
        ["sid", "unstable", "experimental"].contains(&base) || base.contains("-backports");
    let sibling = (!rolling).then(|| format!("{base}-security"));
    std::iter::once(base.to_owned()).chain(sibling).collect()
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

/// Package indexes of some suites, on this machine's disk.
struct Index {
    files: Vec<(String, PathBuf)>,
}

impl Index {
    fn fetch(suites: &[String], component: &str, fetcher: &Fetcher) -> Result<Self, Error> {
        let view = fetcher.cache.join("indexes");
        let [lists, parts, cache] = ["lists", "parts", "cache"].map(|part| view.join(part));
        for folder in [&lists, &parts, &cache] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let mut sources = String::new();
        for suite in suites {
            // The first base that apt knows for the suite; `--mirror` goes before.
            let mirror = fetcher
                .mirrors
                .iter()
                .find(|mirror| mirror.ends_with("-security") == suite.ends_with("-security"));
            let base = mirror
                .cloned()
                .or_else(|| fetcher.archives.bases(suite).into_iter().next());
            let base = base.ok_or_else(|| Error::Missing {
                name: format!("the index of {suite}"),
                version: String::new(),
                file: format!("dists/{suite}"),
                tried: vec!["nothing: this machine's apt names no Debian archive".into()],
                hint: HINT_INDEX,
            })?;
            // Writing to a String cannot fail.
            let _ = writeln!(
                sources,
                "deb [arch=amd64 signed-by={KEYRING}] {base} {suite} {component}"
            );
        }
        let list = parts.join("chrysalis.list");
        fs::write(&list, sources).map_err(Error::io("write", &list))?;
        let mut command = Command::new("apt-get");
        let option = |name: &str, path: &Path| format!("-o{name}={}", path.display());
        command
            .env("LC_ALL", "C")
            .arg("update")
            .arg("-oDir::Etc::SourceList=/dev/null")
            .arg(option("Dir::Etc::SourceParts", &parts))
            .arg(option("Dir::State::Lists", &lists))
            .arg(option("Dir::Cache", &cache))
            .args([
                "-oAPT::Architecture=amd64",
                "-oAcquire::Languages=none",
                "-oAcquire::GzipIndexes=false",
            ])
            .args([
                "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
                "-oAPT::Update::Error-Mode=any",
            ]);
        let what = format!("reading the index of {}", suites.join(" and "));
        let output = progress::during(&what, String::new, || command.output());
        let failed = |problem: String| Error::Tool {
            program: "apt-get update".into(),
            problem,
            hint: "`make lock` needs Debian's apt, its network, and the package debian-archive-keyring",
        };
        let output = output.map_err(|error| failed(format!("does not start: {error}")))?;
        if !output.status.success() {
            return Err(failed(format!(
                "failed:\n{}",
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        let middle = |suite: &str| format!("_dists_{suite}_{component}_binary-amd64_Packages");
        let mut files = Vec::new();
        for entry in fs::read_dir(&lists).map_err(Error::io("read", &lists))? {
            let path = entry.map_err(Error::io("read", &lists))?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some(suite) = suites.iter().find(|suite| name.ends_with(&middle(suite))) {
                files.push((suite.clone(), path));
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// The newest version of a package in these suites.
    fn newest(&self, package: &str) -> Result<Option<Stanza>, Error> {
        let mut newest: Option<Stanza> = None;
        for (suite, path) in &self.files {
            let file = File::open(path).map_err(Error::io("read", path))?;
            for found in
                stanzas(suite, package, BufReader::new(file)).map_err(Error::io("read", path))?
            {
                let newer = match &newest {
                    None => true,
                    Some(have) => is_newer(found.field("Version"), have.field("Version"))?,
                };
                if newer {
                    newest = Some(found);
                }
            }
        }
        Ok(newest)
    }
}

impl Stanza {
    fn field(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }
}

/// The stanzas of one package in an index.
fn stanzas(suite: &str, package: &str, reader: impl BufRead) -> std::io::Result<Vec<Stanza>> {
    let wanted = format!("Package: {package}");
    let mut found: Vec<Stanza> = Vec::new();
    let mut inside = false;
    for line in reader.lines() {
        let line = line?;
        if line.starts_with("Package: ") {
            inside = line == wanted;
            if inside {
                found.push(Stanza {
                    suite: suite.into(),
                    fields: BTreeMap::new(),
                });
            }
        } else if line.is_empty() {
            inside = false;
        }
        if let (true, Some(stanza), Some((name, value))) =
            (inside, found.last_mut(), line.split_once(": "))
        {
            stanza.fields.insert(name.into(), value.into());
        }
    }
    Ok(found)
}

/// By dpkg itself: Debian's order of versions is its own.
fn is_newer(left: &str, right: &str) -> Result<bool, Error> {
    let status = Command::new("dpkg")
        .args(["--compare-versions", left, "gt", right])
        .status();
    let status = status.map_err(|error| Error::Tool {
        program: "dpkg".into(),
        problem: format!("does not start: {error}"),
        hint: "`make lock` needs a Debian machine",
    })?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_the_named_package() {
        let index = "Package: a\nVersion: 1\nDescription: x\n\nPackage: ab\nVersion: 9\n\nPackage: a\nVersion: 2\n";
        let found = stanzas("trixie", "a", index.as_bytes()).unwrap();
        let versions: Vec<&str> = found.iter().map(|stanza| stanza.field("Version")).collect();
        assert_eq!(versions, ["1", "2"]);
        assert_eq!(found[0].field("Description"), "x");
    }

    #[test]
    fn looks_for_fixes_where_a_suite_has_them() {
        assert_eq!(with_security("trixie"), ["trixie", "trixie-security"]);
        assert_eq!(
            with_security("trixie-security"),
            ["trixie", "trixie-security"]
        );
        assert_eq!(with_security("sid"), ["sid"]);
        assert_eq!(with_security("bookworm-backports"), ["bookworm-backports"]);
    }

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
