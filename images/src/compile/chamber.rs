//! Runs programs where nothing on this machine can influence what they make: in a toolchain's root, with mounts at fixed
//! places, no network, no other process, no environment, no users. bubblewrap does it, as root or any other user.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

use super::toolchain::Toolchain;
use crate::{Error, tool};

const PROGRAM: &str = "bwrap";
const HINT: &str = "install bubblewrap (`make setup` does) and let it make user namespaces (sysctl user.max_user_namespaces, or \
    kernel.apparmor_restrict_unprivileged_userns=0), or be root outside a container; or name a folder of compiled programs \
    with --binaries DIR";

/// A place to run programs in.
#[derive(Debug, Clone)]
pub struct Chamber {
    arguments: Vec<OsString>,
}

impl Chamber {
    /// A chamber of this toolchain; an error if this machine cannot make one.
    pub fn of(toolchain: &Toolchain) -> Result<Self, Error> {
        let mut chamber = Self {
            arguments: ["--die-with-parent", "--unshare-all", "--clearenv"]
                .map(Into::into)
                .into(),
        };
        for directory in ["usr", "etc"] {
            let from = toolchain.root().join(directory);
            chamber = chamber.read(&from, &format!("/{directory}"));
        }
        for link in ["bin", "lib", "lib64", "sbin"] {
            chamber.add(&["--symlink", &format!("usr/{link}"), &format!("/{link}")]);
        }
        chamber.add(&["--dev", "/dev"]);
        chamber.add(&["--proc", "/proc"]);
        chamber.add(&["--tmpfs", "/tmp"]);
        chamber = chamber.with("PATH", "/usr/bin").with("HOME", "/tmp");
        chamber = chamber.with("LC_ALL", "C.UTF-8").with("TZ", "UTC");
        // Archivers and compilers that would write the time write this.
        chamber = chamber.with("SOURCE_DATE_EPOCH", "0");
        chamber = chamber.with("ZERO_AR_DATE", "1");
        chamber.check()?;
        Ok(chamber)
    }

    /// Shows a folder of this machine at a place inside.
    #[must_use]
    pub fn read(mut self, from: &Path, at: &str) -> Self {
        self.add(&[OsStr::new("--ro-bind"), from.as_os_str(), OsStr::new(at)]);
        self
    }

    /// Shows a folder of this machine at a place inside, to be written to.
    #[must_use]
    pub fn write(mut self, from: &Path, at: &str) -> Self {
        self.add(&[OsStr::new("--bind"), from.as_os_str(), OsStr::new(at)]);
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref();
        self.add(&[OsStr::new("--setenv"), OsStr::new(variable), value]);
        self
    }

    /// A program inside, in this folder inside.
    pub fn command(&self, program: &str, folder: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(&self.arguments)
            .args(["--chdir", folder, "--", program]);
        command
    }

    fn add(&mut self, words: &[impl AsRef<OsStr>]) {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        self.arguments.extend(words);
    }

    fn check(&self) -> Result<(), Error> {
        // A shell is in every root: scripts and interpreters start one.
        let mut command = self.command("sh", "/");
        command.args(["-c", ":"]);
        let problem = |said: &str| format!("cannot make a place to build in: {}", said.trim());
        tool::run(&mut command, HINT, problem).map(drop)
    }
}
