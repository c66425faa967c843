//! rustc, as rustup brings it: which one this machine has for the workspace, and whether its bytes are the pinned ones.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error,
    digest::Sha256,
    files::read_toml,
    inputs::lock::{Input, Kind},
    tool,
};

/// For cargo and rustc.
pub(super) const HINT: &str = "run `make setup`: a build of measured programs needs rustup and bubblewrap, everything else is pinned";
/// What the toolchain's lock calls it.
pub const PACKAGE: &str = "rustc";
/// What of its folder decides bytes: these programs, and every file of these folders, the compiler's own libraries and those
/// that are linked in. Other components, such as clippy or documentation, may be there or not.
const PROGRAMS: [&str; 3] = [
    "bin/cargo",
    "bin/rustc",
    "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-objcopy",
];
const LIBRARIES: [&str; 2] = ["lib", "lib/rustlib/x86_64-unknown-linux-gnu/lib"];
/// All that cargo and rustup may see of the user's environment: where they are, and how to reach a network.
const ENVIRONMENT: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_NET_OFFLINE",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "RUSTUP_HOME",
    "RUSTUP_AUTO_INSTALL",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// The compiler that a workspace gets on this machine.
#[derive(Debug)]
pub struct Rustc {
    /// Its version, such as `1.95.0`.
    pub release: String,
    /// The commit it was made from.
    pub commit: String,
    /// Its folder.
    pub sysroot: PathBuf,
}

impl Rustc {
    /// Asks for it. Without rustup, only this makes sure that it is the release that the workspace names.
    pub fn of(workspace: &Path) -> Result<Self, Error> {
        let mut version = clean("rustc", workspace);
        version.arg("-vV");
        let version = output(version)?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let mut sysroot = clean("rustc", workspace);
        sysroot.args(["--print", "sysroot"]);
        let found = Self {
            release: field("release:"),
            commit: field("commit-hash:"),
            sysroot: output(sysroot)?.trim().into(),
        };
        let wanted = wanted(workspace)?;
        if wanted == found.release {
            return Ok(found);
        }
        Err(Error::Toolchain {
            wanted,
            found: found.release,
        })
    }

    /// Whether its bytes are the pinned ones.
    pub fn check(&self, pin: &Input) -> Result<(), Error> {
        let found = self.pin()?;
        if found.sha256 == pin.sha256 {
            return Ok(());
        }
        Err(Error::OtherRust {
            sysroot: self.sysroot.clone(),
            expected: pin.sha256,
            got: found.sha256,
        })
    }

    /// Pins what is there: the digest is over a line for each file, `SHA-256, blank, path`, sorted.
    pub fn pin(&self) -> Result<Input, Error> {
        let mut files: Vec<PathBuf> = PROGRAMS.iter().map(Into::into).collect();
        for folder in LIBRARIES {
            let full = self.sysroot.join(folder);
            for entry in fs::read_dir(&full).map_err(Error::io("read", &full))? {
                let entry = entry.map_err(Error::io("read", &full))?;
                if entry.path().is_file() {
                    files.push(Path::new(folder).join(entry.file_name()));
                }
            }
        }
        let mut size = 0;
        let mut lines = Vec::new();
        for path in files {
            let full = self.sysroot.join(&path);
            let (length, digest) = Sha256::of_file(&full).map_err(Error::io("read", full))?;
            size += length;
            lines.push(format!("{digest} {}\n", path.display()));
        }
        lines.sort();
        Ok(Input {
            name: PACKAGE.into(),
            kind: Kind::Rust,
            package: PACKAGE.into(),
            follows: None,
            version: self.release.clone(),
            suite: None,
            snapshot: None,
            path: String::new(),
            size,
            sha256: Sha256::of(lines.concat().as_bytes()),
        })
    }
}

/// The release that a workspace names.
fn wanted(workspace: &Path) -> Result<String, Error> {
    let path = workspace.join("rust-toolchain.toml");
    let pins: toml::Table = read_toml(&path)?;
    let toolchain = pins.get("toolchain");
    let channel = toolchain.and_then(|toolchain| toolchain.get("channel"));
    Ok(channel
        .and_then(toml::Value::as_str)
        .unwrap_or_default()
        .into())
}

/// A program in a workspace with nothing of the user's environment but the list above.
pub fn clean(program: &str, workspace: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(workspace)
        .env_clear()
        .env("LC_ALL", "C.UTF-8");
    for variable in ENVIRONMENT {
        if let Some(value) = env::var_os(variable) {
            command.env(variable, value);
        }
    }
    command
}

/// What a program prints.
pub fn output(mut command: Command) -> Result<String, Error> {
    let problem = |_: &str| "failed; what it printed is above".to_owned();
    let output = tool::run(command.stderr(Stdio::inherit()), HINT, problem)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rustc() -> (tempfile::TempDir, Rustc) {
        let sysroot = tempfile::tempdir().unwrap();
        for file in PROGRAMS {
            let path = sysroot.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        for folder in LIBRARIES {
            let folder = sysroot.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("libone.so"), "one").unwrap();
        }
        let found = Rustc {
            release: "1.0.0".into(),
            commit: "c".into(),
            sysroot: sysroot.path().into(),
        };
        (sysroot, found)
    }

    #[test]
    fn refuses_a_compiler_with_one_other_library() {
        let (sysroot, rustc) = rustc();
        let pin = rustc.pin().unwrap();
        fs::write(sysroot.path().join("bin/rustfmt"), "not asked about").unwrap();
        rustc.check(&pin).unwrap();
        for folder in LIBRARIES {
            let library = sysroot.path().join(folder).join("libone.so");
            fs::write(&library, "two").unwrap();
            let error = rustc.check(&pin).unwrap_err();
            assert!(matches!(error, Error::OtherRust { expected, .. } if expected == pin.sha256));
            fs::write(&library, "one").unwrap();
        }
    }
}
