//! Archives of old versions: where the distribution keeps every file that its mirrors ever had, by moment. Their addresses are
//! templates of apt's configuration (`Acquire::Snapshots::URI`, see apt.conf(5)), which apt brings along since version 3.
//! Nothing of what they say is trusted: the pins decide.

use std::{io::Write, path::Path, process::Command};

use super::moment::Moment;
use crate::{Error, tool};

/// apt puts the moment in its place.
const PLACEHOLDER: &str = "@SNAPSHOTID@";
const SCOPE: &str = "Acquire::Snapshots::URI::";
/// What apt would ask for Debian, in its order, by the label and the origin that Debian's suites have.
const MAIN: [&str; 4] = [
    "Override::Label::Debian",
    "Override::Origin::Debian",
    "Label::Debian",
    "Origin::Debian",
];
/// And for its security updates, which have a label of their own.
const SECURITY: [&str; 2] = ["Override::Label::Debian-Security", "Label::Debian-Security"];
const SYSTEM: &str = "/etc/apt";
const HINT: &str = "install the package apt";

/// Templates of addresses, and why there may be too few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshots {
    main: Vec<Template>,
    security: Vec<Template>,
    problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    /// Who says it, for messages.
    by: String,
    address: String,
}

impl Snapshots {
    /// None, and why.
    pub fn none(problem: impl Into<String>) -> Self {
        Self {
            problem: Some(problem.into()),
            ..Self::default()
        }
    }

    /// Those of apt's configuration, whose folder is usually /etc/apt. apt itself reads it.
    pub fn configured(etc: &Path) -> Self {
        dump(etc).map_or_else(
            |error| {
                // The first line says it; the hint is for those whose work is apt.
                let text = error.to_string();
                Self::none(text.lines().next().unwrap_or_default())
            },
            |text| Self::of_dump(&text),
        )
    }

    /// As `apt-config dump` prints them.
    fn of_dump(text: &str) -> Self {
        let settings: Vec<(&str, &str)> = text.lines().filter_map(setting).collect();
        let named = |names: &[&str]| -> Vec<Template> {
            let found = names.iter().flat_map(|name| {
                let same = |(key, _): &&(&str, &str)| key.eq_ignore_ascii_case(name);
                settings.iter().filter(same)
            });
            // `no` says that there is none.
            let found = found.filter(|(_, address)| !matches!(*address, "" | "no"));
            found
                .map(|(key, address)| Template {
                    by: format!("{SCOPE}{key}"),
                    address: (*address).to_owned(),
                })
                .collect()
        };
        Self {
            main: named(&MAIN),
            security: named(&SECURITY),
            problem: None,
        }
    }

    /// Those that apt's library has in it, told apart by their folder: `/debian/` or `/debian-security/`.
    pub fn of_library(name: &str, bytes: &[u8]) -> Self {
        let texts = bytes
            .split(|byte| *byte == 0)
            .filter_map(|text| str::from_utf8(text).ok())
            .filter(|text| text.starts_with("http") && text.contains(PLACEHOLDER));
        let mut found = Self::default();
        for text in texts {
            let is_in = |folder: &str| text.split('/').skip(3).any(|part| part == folder);
            let templates = if is_in("debian-security") {
                &mut found.security
            } else if is_in("debian") {
                &mut found.main
            } else {
                continue;
            };
            templates.push(Template {
                by: name.to_owned(),
                address: text.to_owned(),
            });
        }
        if found.is_empty() {
            return Self::none(format!("{name} names none"));
        }
        found
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.main.is_empty() && self.security.is_empty()
    }

    /// Where a suite's file was at a moment, likeliest first; or what is in the way. Archives take a snapshot every few hours,
    /// and answer with the newest before the moment. That one may be from before the file came, the next day's is not.
    pub fn addresses(
        &self,
        suite: &str,
        moment: &Moment,
        path: &str,
    ) -> Vec<Result<String, String>> {
        let templates = if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        };
        if templates.is_empty() {
            let problem = self.problem.as_deref();
            let problem = problem.map_or(String::new(), |problem| format!(" ({problem})"));
            let none = format!("no snapshot archive: apt's {SCOPE}* has none for {suite}{problem}");
            return vec![Err(none)];
        }
        let at = |template: &Template| {
            let Template { by, address } = template;
            if !address.contains(PLACEHOLDER) {
                let faulty =
                    format!("no snapshot archive: {by} is {address}, without {PLACEHOLDER}");
                return vec![Err(faulty)];
            }
            let moments = [moment.clone(), moment.next_day()];
            let addresses = moments.map(|moment| {
                let base = address.replace(PLACEHOLDER, &moment.to_string());
                Ok(format!("{}/{path}", base.trim_end_matches('/')))
            });
            addresses.into()
        };
        templates.iter().flat_map(at).collect()
    }
}

/// `Acquire::Snapshots::URI::Origin::Debian "address";`
fn setting(line: &str) -> Option<(&str, &str)> {
    let (scope, rest) = line.split_at_checked(SCOPE.len())?;
    let (key, value) = rest.split_once(' ')?;
    let value = value.strip_prefix('"')?.strip_suffix("\";")?;
    scope.eq_ignore_ascii_case(SCOPE).then_some((key, value))
}

/// All of apt's configuration.
fn dump(etc: &Path) -> Result<String, Error> {
    let mut command = Command::new("apt-config");
    command.env("LC_ALL", "C").arg("dump");
    // apt reads this file first, and then what is in the folder that it names.
    let elsewhere = tempfile::NamedTempFile::new();
    let mut elsewhere = elsewhere.map_err(Error::io("make", "a temporary file"))?;
    if etc != Path::new(SYSTEM) {
        let written = writeln!(elsewhere, "Dir::Etc \"{}\";", etc.display());
        written.map_err(Error::io("write", elsewhere.path()))?;
        command.env("APT_CONFIG", elsewhere.path());
    }
    let problem = |said: &str| format!("failed: {}", said.lines().next().unwrap_or_default());
    let output = tool::run(&mut command, HINT, problem)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(snapshots: &Snapshots, suite: &str) -> Vec<Result<String, String>> {
        let moment = "20261129T000000Z".parse().unwrap();
        snapshots.addresses(suite, &moment, "pool/a.deb")
    }

    #[test]
    fn takes_apts_templates_in_apts_order() {
        let snapshots = Snapshots::of_dump(
            "Acquire \"\";\n\
             Acquire::Snapshots::URI \"\";\n\
             Acquire::Snapshots::URI::Origin::Debian \"http://m.example/debian/@SNAPSHOTID@/\";\n\
             acquire::snapshots::uri::override::origin::debian \"http://o.example/@SNAPSHOTID@\";\n\
             Acquire::Snapshots::URI::Label::Debian \"no\";\n\
             Acquire::Snapshots::URI::Origin::Other \"http://x.example/@SNAPSHOTID@/\";\n\
             Acquire::Snapshots::URI::Override::Label::Debian-Security \"http://s.example/@SNAPSHOTID@/\";\n",
        );
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(
            addresses(&snapshots, "trixie"),
            [
                ok("http://o.example/20261129T000000Z/pool/a.deb"),
                ok("http://o.example/20261130T000000Z/pool/a.deb"),
                ok("http://m.example/debian/20261129T000000Z/pool/a.deb"),
                ok("http://m.example/debian/20261130T000000Z/pool/a.deb"),
            ]
        );
        assert_eq!(
            addresses(&snapshots, "trixie-security").first(),
            Some(&ok("http://s.example/20261129T000000Z/pool/a.deb"))
        );
    }

    #[test]
    fn reads_what_apts_library_has_in_it() {
        let library = b"\x7fELF\0\xff\0https://s.example/debian/@SNAPSHOTID@/\0Acquire::x\0\
            https://s.example/debian-security/@SNAPSHOTID@/\0https://u.example/ubuntu/@SNAPSHOTID@/\0\
            https://s.example/@PATH@/@SNAPSHOTID@/\0@SNAPSHOTID@\0";
        let snapshots = Snapshots::of_library("libapt 3", library);
        for (suite, folder) in [("trixie", "debian"), ("trixie-security", "debian-security")] {
            let found = addresses(&snapshots, suite);
            let wanted = format!("https://s.example/{folder}/20261129T000000Z/pool/a.deb");
            assert_eq!((found.first(), found.len()), (Some(&Ok(wanted)), 2));
        }
        let none = Snapshots::of_library("libapt 2", b"\x7fELF\0text\0");
        let problem = addresses(&none, "bookworm").remove(0).unwrap_err();
        assert!(problem.contains("(libapt 2 names none)"), "{problem}");
    }

    #[test]
    fn names_a_template_without_its_placeholder() {
        let snapshots = Snapshots::of_dump(
            "Acquire::Snapshots::URI::Origin::Debian \"http://m.example/debian/\";\n",
        );
        let problem = addresses(&snapshots, "trixie").remove(0).unwrap_err();
        for part in [
            "URI::Origin::Debian",
            "http://m.example/debian/",
            PLACEHOLDER,
        ] {
            assert!(problem.contains(part), "{part} is not in: {problem}");
        }
    }

    #[test]
    fn says_that_there_is_none() {
        let problem = addresses(&Snapshots::none("because"), "trixie").remove(0);
        let problem = problem.unwrap_err();
        assert!(problem.contains("none for trixie (because)"), "{problem}");
    }
}
