//! Where this machine's apt gets Debian from: the archives that pinned paths are looked for in. Reads apt's own source
//! lists, both formats; nothing of what it finds is trusted, the pins decide.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::snapshot::Snapshots;

/// Said where nothing can be tried.
pub(super) const NO_ARCHIVE: &str = "nothing: this machine's apt names no Debian archive";

/// Bases of Debian archives, in the order in which apt names them.
#[derive(Debug, Clone, Default)]
pub struct Archives {
    main: Vec<String>,
    security: Vec<String>,
    /// apt's folder of configuration; none where nothing was read.
    etc: Option<PathBuf>,
    snapshots: Arc<OnceLock<Snapshots>>,
}

/// Where to look for packages: archives that the user names, then those that apt knows.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'fetcher> {
    /// Bases of archives: addresses, or folders.
    pub mirrors: &'fetcher [String],
    /// Those of apt.
    pub archives: &'fetcher Archives,
}

impl Sources<'_> {
    /// Every base that may have packages of a suite.
    pub fn bases(&self, suite: &str) -> Vec<String> {
        let mirrors = self.mirrors.iter().cloned();
        mirrors.chain(self.archives.bases(suite)).collect()
    }

    /// The base to read a suite's index from.
    pub fn first(&self, suite: &str) -> Option<String> {
        let alike =
            |mirror: &&String| mirror.ends_with("-security") == suite.ends_with("-security");
        let mirror = self.mirrors.iter().find(alike).cloned();
        mirror.or_else(|| self.archives.bases(suite).into_iter().next())
    }
}

/// One entry of a source list, of either format.
#[derive(Debug, Default)]
struct Entry {
    addresses: Vec<String>,
    suites: Vec<String>,
    signed_by: String,
}

impl Archives {
    /// Those of apt's configuration in this folder, usually /etc/apt. None if there is no apt.
    pub fn read(etc: &Path) -> Self {
        let mut archives = Self {
            etc: Some(etc.to_owned()),
            ..Self::default()
        };
        let parts = fs::read_dir(etc.join("sources.list.d"))
            .into_iter()
            .flatten();
        let mut files: Vec<_> = parts.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for file in std::iter::once(etc.join("sources.list")).chain(files) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let entries = match file.extension().and_then(|extension| extension.to_str()) {
                Some("list") => text.lines().filter_map(parse_line).collect(),
                Some("sources") => parse_stanzas(&text),
                _ => Vec::new(),
            };
            for entry in entries {
                archives.add(&entry);
            }
        }
        archives
    }

    /// Where packages of a suite may be. A mirror has the archives of other suites under the same base.
    pub fn bases(&self, suite: &str) -> Vec<String> {
        if !suite.ends_with("-security") {
            return self.main.clone();
        }
        let siblings = self.main.iter().map(|base| format!("{base}-security"));
        let mut bases = self.security.clone();
        bases.extend(siblings.filter(|base| !self.security.contains(base)));
        bases
    }

    /// The snapshot archives that apt's configuration names; where it names none, those that `otherwise` finds. Looked for once.
    pub(super) fn snapshots(&self, otherwise: impl FnOnce() -> Snapshots) -> &Snapshots {
        self.snapshots.get_or_init(|| {
            let configured = self.etc.as_deref().map(Snapshots::configured);
            configured
                .filter(|found| !found.is_empty())
                .unwrap_or_else(otherwise)
        })
    }

    fn add(&mut self, entry: &Entry) {
        let by_debian = entry.signed_by.contains("debian-archive-keyring");
        let for_security = entry
            .suites
            .iter()
            .any(|suite| suite.ends_with("-security"));
        for address in entry
            .addresses
            .iter()
            .flat_map(|address| through_list(address))
        {
            let base = address.trim_end_matches('/').to_owned();
            let names = |part| base.split('/').skip(1).any(|segment| segment == part);
            let security = names("debian-security") || for_security;
            if !is_fetchable(&base) || !(by_debian || names("debian") || names("debian-security")) {
                continue;
            }
            let bases = if security {
                &mut self.security
            } else {
                &mut self.main
            };
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
}

fn is_fetchable(address: &str) -> bool {
    ["http://", "https://", "file:"]
        .iter()
        .any(|scheme| address.starts_with(scheme))
}

/// Debian's cloud machines name their mirrors in a file of their own: `mirror+file:/etc/apt/mirrors/debian.list`.
fn through_list(address: &str) -> Vec<String> {
    let Some(path) = address.strip_prefix("mirror+file:") else {
        return vec![address.to_owned()];
    };
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .map(Into::into)
        .collect()
}

/// `deb [options] address suite component…`
fn parse_line(line: &str) -> Option<Entry> {
    let rest = line.trim().strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(bracket) => bracket.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(Into::into);
    Some(Entry {
        addresses: vec![words.next()?],
        suites: vec![words.next()?],
        signed_by: options.into(),
    })
}

/// Stanzas of `Field: value` lines (deb822), an empty line between two.
fn parse_stanzas(text: &str) -> Vec<Entry> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stanzas = lines.split(|line| line.trim().is_empty());
    stanzas.filter_map(parse_stanza).collect()
}

fn parse_stanza(lines: &[&str]) -> Option<Entry> {
    let mut entry = Entry::default();
    let (mut binary, mut enabled) = (false, true);
    let mut field = String::new();
    for line in lines {
        // A line that starts with a space continues the field before it.
        let value = match line.split_once(':') {
            Some((name, value)) if !line.starts_with([' ', '\t']) => {
                field = name.to_ascii_lowercase();
                value
            }
            _ => line,
        };
        let words = value.split_whitespace().map(str::to_owned);
        match field.as_str() {
            "types" => binary |= words.into_iter().any(|word| word == "deb"),
            "uris" => entry.addresses.extend(words),
            "suites" => entry.suites.extend(words),
            "signed-by" => entry.signed_by.push_str(value),
            "enabled" => enabled = !["no", "false", "0", "off"].contains(&value.trim()),
            _ => {}
        }
    }
    (binary && enabled).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Archives {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir(etc.path().join("sources.list.d")).unwrap();
        for (path, text) in files {
            fs::write(etc.path().join(path), text).unwrap();
        }
        Archives::read(etc.path())
    }

    #[test]
    fn reads_stanzas() {
        let archives = read(&[(
            "sources.list.d/debian.sources",
            "# the archive\nTypes: deb deb-src\nURIs: http://a.example/debian/\n http://b.example/debian\nSuites: bookworm\n\n\
             Types: deb\nURIs: http://s.example/debian-security\nSuites: bookworm-security\n\n\
             Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\n",
        )]);
        assert_eq!(
            archives.bases("forky"),
            ["http://a.example/debian", "http://b.example/debian"]
        );
        assert_eq!(
            archives.bases("trixie-security"),
            [
                "http://s.example/debian-security",
                "http://a.example/debian-security",
                "http://b.example/debian-security"
            ]
        );
    }

    #[test]
    fn reads_lines_and_leaves_out_what_is_not_debian() {
        let archives = read(&[
            (
                "sources.list",
                "deb [ arch=amd64 ] https://a.example/debian bookworm main\ndeb-src http://x.example/debian b main\n",
            ),
            (
                "sources.list.d/other.list",
                "deb https://packages.example/apt stable main\n# deb http://c.example/debian b main\n",
            ),
            (
                "sources.list.d/odd.list",
                "deb [signed-by=/k/debian-archive-keyring.gpg] http://d.example/deb12 bookworm main\n",
            ),
            (
                "sources.list.d/ignored.save",
                "deb http://e.example/debian bookworm main\n",
            ),
        ]);
        assert_eq!(
            archives.bases("trixie"),
            ["https://a.example/debian", "http://d.example/deb12"]
        );
    }

    #[test]
    fn follows_a_list_of_mirrors() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("debian.list");
        fs::write(&list, "http://m.example/debian\tpriority:1\n").unwrap();
        let line = format!("deb mirror+file:{} bookworm main\n", list.display());
        assert_eq!(
            read(&[("sources.list", &line)]).bases("trixie"),
            ["http://m.example/debian"]
        );
    }

    #[test]
    fn finds_none_where_there_is_no_apt() {
        let archives = Archives::read(Path::new("/nonexistent"));
        assert!(archives.bases("trixie").is_empty());
        assert!(archives.bases("trixie-security").is_empty());
    }
}
