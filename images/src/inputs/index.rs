//! What Debian's archives have: an index that apt itself fetches and whose signature apt itself checks, in a view of its
//! own. The machine's own lists stay as they are, and no root is needed.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{
    apt::{NO_ARCHIVE, Sources},
    lock::{Input, Kind},
};
use crate::{Error, files::name_of, progress, tool};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const HINT_APT: &str = "run this on Debian, with a network and the package debian-archive-keyring";
const HINT: &str =
    "correct package, follows or suite in the lock, or name an archive with --mirror URL";

/// Package indexes of some suites, on this machine's disk.
pub struct Index {
    suites: Vec<String>,
    view: View,
    files: Vec<(String, PathBuf)>,
}

/// A package as an index describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanza {
    suite: String,
    fields: BTreeMap<String, String>,
}

impl Index {
    /// Reads the index of a suite, and of its security updates, into a folder of apt's state.
    pub fn fetch(
        suite: &str,
        component: &str,
        sources: Sources<'_>,
        folder: &Path,
    ) -> Result<Self, Error> {
        let suites = with_security(suite);
        let view = View::make(folder)?;
        let mut list = String::new();
        for suite in &suites {
            let base = sources.first(suite).ok_or_else(|| Error::Missing {
                name: format!("the index of {suite}"),
                version: String::new(),
                file: format!("dists/{suite}"),
                tried: vec![NO_ARCHIVE.into()],
                hint: HINT,
            })?;
            // Writing to a String cannot fail.
            let _ = writeln!(
                list,
                "deb [arch=amd64 signed-by={KEYRING}] {base} {suite} {component}"
            );
        }
        view.write("parts/chrysalis.list", &list)?;
        let what = format!("reading the index of {}", suites.join(" and "));
        view.apt_get(&what, &["update", "-oAPT::Update::Error-Mode=any"])?;
        let middle = |suite: &str| format!("_dists_{suite}_{component}_binary-amd64_Packages");
        let lists = view.folder.join("lists");
        let mut files = Vec::new();
        for entry in fs::read_dir(&lists).map_err(Error::io("read", &lists))? {
            let path = entry.map_err(Error::io("read", &lists))?.path();
            let name = name_of(&path);
            if let Some(suite) = suites.iter().find(|suite| name.ends_with(&middle(suite))) {
                files.push((suite.clone(), path));
            }
        }
        files.sort();
        Ok(Self {
            suites,
            view,
            files,
        })
    }

    /// The newest version of a package in these suites.
    pub fn newest(&self, package: &str) -> Result<Stanza, Error> {
        let mut newest: Option<Stanza> = None;
        for found in self.stanzas(&|name| name == package)? {
            let newer = match &newest {
                None => true,
                Some(have) => is_newer(found.field("Version"), have.field("Version"))?,
            };
            if newer {
                newest = Some(found);
            }
        }
        newest.ok_or_else(|| self.missing(package, "(any version)"))
    }

    /// These packages and all that they depend on, each as a pin of its own name, sorted. apt decides which they are, as
    /// it would for a machine that has nothing yet; what is merely recommended stays out.
    pub fn closure(&self, packages: &[String]) -> Result<Vec<Input>, Error> {
        let mut arguments = vec!["install", "--simulate", "--no-install-recommends"];
        arguments.extend(packages.iter().map(String::as_str));
        let output = self
            .view
            .apt_get("choosing the toolchain's packages", &arguments)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut chosen: BTreeMap<&str, &str> = said.lines().filter_map(installed).collect();
        let mut pins = Vec::new();
        for stanza in self.stanzas(&|name| chosen.contains_key(name))? {
            let package = stanza.field("Package");
            if chosen.get(package) == Some(&stanza.field("Version")) {
                chosen.remove(package);
                pins.push(stanza.pin(package)?);
            }
        }
        if let Some((package, version)) = chosen.first_key_value() {
            return Err(self.missing(package, version));
        }
        pins.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(pins)
    }

    fn missing(&self, package: &str, version: &str) -> Error {
        let tried = self.suites.iter();
        Error::Missing {
            name: package.into(),
            version: version.into(),
            file: "a deb".into(),
            tried: tried.map(|suite| format!("the index of {suite}")).collect(),
            hint: HINT,
        }
    }

    fn stanzas(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Stanza>, Error> {
        let mut found = Vec::new();
        for (suite, path) in &self.files {
            let file = File::open(path).map_err(Error::io("read", path))?;
            let stanzas = stanzas(suite, wanted, BufReader::new(file));
            found.extend(stanzas.map_err(Error::io("read", path))?);
        }
        Ok(found)
    }
}

impl Stanza {
    /// A field; empty where it is missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// The package, pinned under this name.
    pub fn pin(&self, name: &str) -> Result<Input, Error> {
        let package = self.field("Package");
        let not_understood = |key: &str| {
            let key = format!("{key} of {package}");
            Error::value("the archive's index", key, "cannot be read")
        };
        let size = self.field("Size").parse();
        let sha256 = self.field("SHA256").parse();
        Ok(Input {
            name: name.into(),
            kind: Kind::Deb,
            package: package.into(),
            follows: None,
            version: self.field("Version").into(),
            suite: Some(self.suite.clone()),
            snapshot: None,
            path: self.field("Filename").into(),
            size: size.map_err(|_| not_understood("Size"))?,
            sha256: sha256.map_err(|_| not_understood("SHA256"))?,
        })
    }
}

/// apt with lists, cache and state of its own.
struct View {
    folder: PathBuf,
}

impl View {
    fn make(folder: &Path) -> Result<Self, Error> {
        for part in ["lists", "parts", "cache"] {
            let folder = folder.join(part);
            fs::create_dir_all(&folder).map_err(Error::io("create", folder))?;
        }
        let view = Self {
            folder: folder.to_owned(),
        };
        // A machine that has no package at all.
        view.write("status", "")?;
        Ok(view)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(Error::io("write", path))
    }

    fn apt_get(&self, what: &str, arguments: &[&str]) -> Result<Output, Error> {
        let option =
            |name: &str, path: &str| format!("-o{name}={}", self.folder.join(path).display());
        let mut command = Command::new("apt-get");
        command
            .env("LC_ALL", "C")
            .arg("-oDir::Etc::SourceList=/dev/null")
            .arg("-oDir::Etc::Preferences=/dev/null")
            .arg("-oDir::Etc::PreferencesParts=/dev/null")
            .arg(option("Dir::Etc::SourceParts", "parts"))
            .arg(option("Dir::State::Lists", "lists"))
            .arg(option("Dir::State::status", "status"))
            .arg(option("Dir::State::extended_states", "extended"))
            .arg(option("Dir::Cache", "cache"))
            .args(["-oAPT::Architecture=amd64", "-oAPT::Architectures=amd64"])
            .args([
                "-oAcquire::Languages=none",
                "-oAcquire::GzipIndexes=false",
                "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            ])
            .args(arguments);
        let problem = |said: &str| format!("failed:\n{}", said.trim());
        progress::during(what, || tool::run(&mut command, HINT_APT, problem))
    }
}

/// A released suite gets its fixes from its sibling first.
fn with_security(suite: &str) -> Vec<String> {
    let base = suite.trim_end_matches("-security");
    let rolling =
        ["sid", "unstable", "experimental"].contains(&base) || base.contains("-backports");
    let sibling = (!rolling).then(|| format!("{base}-security"));
    std::iter::once(base.to_owned()).chain(sibling).collect()
}

/// `Inst gcc (4:14.2.0-1 Debian:13.7/stable [amd64])` → `gcc`, `4:14.2.0-1`.
fn installed(line: &str) -> Option<(&str, &str)> {
    let (package, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
    Some((package, rest.split(' ').next()?))
}

/// The stanzas of the wanted packages in an index.
fn stanzas(
    suite: &str,
    wanted: &dyn Fn(&str) -> bool,
    reader: impl BufRead,
) -> std::io::Result<Vec<Stanza>> {
    let mut found: Vec<Stanza> = Vec::new();
    let mut inside = false;
    for line in reader.lines() {
        let line = line?;
        if let Some(package) = line.strip_prefix("Package: ") {
            inside = wanted(package);
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
    let mut dpkg = Command::new("dpkg");
    dpkg.args(["--compare-versions", left, "gt", right]);
    Ok(tool::output(&mut dpkg, HINT_APT)?.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_the_named_package() {
        let index = "Package: a\nVersion: 1\nDescription: x\n\nPackage: ab\nVersion: 9\n\nPackage: a\nVersion: 2\n";
        let found = stanzas("trixie", &|name| name == "a", index.as_bytes()).unwrap();
        let versions: Vec<&str> = found.iter().map(|stanza| stanza.field("Version")).collect();
        assert_eq!(versions, ["1", "2"]);
        assert_eq!(found[0].field("Description"), "x");
    }

    #[test]
    fn reads_what_apt_would_install() {
        let line = "Inst libc6 (2.41-12+deb13u4 Debian:13.7/stable [amd64]) []";
        assert_eq!(installed(line), Some(("libc6", "2.41-12+deb13u4")));
        assert_eq!(installed("Conf libc6 (2.41-12 Debian [amd64])"), None);
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
}
