//! The measured programs: compiled so that the same commit gives the same bytes in any folder, for any user. cargo runs
//! with the pinned compiler, a short list of the user's environment, and no path of this machine in its output. The C
//! compiler and C library are the machine's own; which they were is written beside the programs.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    digest::Sha256,
    manifest::{Origin, Toolchain},
};

/// The only platform that has measured programs.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Where the facts about programs stand, beside them.
const FACTS: &str = "binaries.json";
/// All that a build may see of the user's environment: where tools and sources are, and how to reach them.
const ENVIRONMENT: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_JOBS",
    "CARGO_NET_OFFLINE",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "CARGO_TERM_COLOR",
    "RUSTUP_HOME",
    "RUSTUP_AUTO_INSTALL",
    "LIBCLANG_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// A folder of programs, and what is known about them.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    facts: Option<Facts>,
}

/// What a build writes down about its programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    toolchain: Toolchain,
    binaries: Vec<Fact>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    package: String,
    version: String,
    sha256: Sha256,
}

impl Binaries {
    /// Programs that somebody else compiled. Their facts hold for those whose bytes they name, and for no other.
    pub fn given(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FACTS);
        let facts = match fs::read(&path) {
            Err(_) => None,
            Ok(bytes) => Some(
                serde_json::from_slice(&bytes).map_err(|problem| Error::Value {
                    path,
                    key: "the file".into(),
                    problem: format!("does not parse: {problem}"),
                })?,
            ),
        };
        Ok(Self {
            folder: folder.to_owned(),
            facts,
        })
    }

    /// The folder they lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program's bytes and origin.
    pub fn read(&self, package: &str) -> Result<(Vec<u8>, Origin), Error> {
        let path = self.folder.join(package);
        let bytes = fs::read(&path).map_err(|_| Error::NoProgram {
            package: package.into(),
            folder: self.folder.clone(),
        })?;
        let digest = Sha256::of(&bytes);
        let facts = self.facts.iter().flat_map(|facts| &facts.binaries);
        let fact = facts
            .into_iter()
            .find(|fact| fact.package == package && fact.sha256 == digest);
        let origin = match fact {
            Some(fact) => Origin::Built {
                package: package.into(),
                version: fact.version.clone(),
            },
            None => Origin::Given {
                package: package.into(),
            },
        };
        Ok((bytes, origin))
    }

    /// What compiled them, where that is known.
    pub fn toolchain(&self) -> Option<Toolchain> {
        self.facts.as_ref().map(|facts| facts.toolchain.clone())
    }
}

/// A checkout of this workspace and what cargo says about it.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    packages: Vec<Package>,
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    source: Option<String>,
}

impl Workspace {
    /// The workspace around a file, such as a recipe. Fetches what its Cargo.lock names.
    pub fn around(path: &Path) -> Result<Self, Error> {
        let absolute = path.canonicalize().map_err(Error::io("read", path))?;
        let root = absolute
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").exists());
        let root = root.ok_or_else(|| Error::Tool {
            program: "cargo".into(),
            problem: format!("has no workspace around {}", path.display()),
            hint: "name a folder of compiled programs with --binaries DIR",
        })?;
        check_compiler(root)?;
        let mut command = clean("cargo", root);
        command.args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            TARGET,
        ]);
        let metadata = output(command)?;
        let metadata: Metadata =
            serde_json::from_str(&metadata).map_err(|problem| Error::Tool {
                program: "cargo metadata".into(),
                problem: format!("printed what does not parse: {problem}"),
                hint: "run it by hand to see",
            })?;
        Ok(Self {
            root: root.to_owned(),
            target: metadata.target_directory.join("image"),
            packages: metadata.packages,
        })
    }

    /// cargo with the environment and flags of measured programs.
    pub fn cargo(&self) -> Result<Command, Error> {
        let prefixes = self.prefixes()?;
        let mut flags: Vec<OsString> = vec![
            "-Ctarget-feature=+crt-static".into(),
            "-Ctarget-cpu=x86-64-v3".into(),
        ];
        let mut c_flags: Vec<String> = Vec::new();
        for (from, to) in prefixes {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()).into());
            c_flags.push(format!("-ffile-prefix-map={}={to}", from.display()));
        }
        let mut command = clean("cargo", &self.root);
        command
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                flags.join(&OsString::from("\x1f")),
            )
            .env("CFLAGS", c_flags.join(" "))
            .env("CXXFLAGS", c_flags.join(" "))
            // What a user's cargo configuration may say about these does not count here.
            .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc")
            .env("CARGO_BUILD_TARGET", TARGET)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .env("CC", "gcc")
            .env("CXX", "g++")
            .env("SOURCE_DATE_EPOCH", "0")
            .env("ZERO_AR_DATE", "1");
        Ok(command)
    }

    /// Compiles the programs of these packages, and writes down what compiled them.
    pub fn build(&self, packages: &[&str]) -> Result<Binaries, Error> {
        let mut command = self.cargo()?;
        command.args(["build", "--release", "--locked"]);
        for package in packages {
            command.args(["--package", package]);
        }
        run(command)?;
        let folder = self.target.join(TARGET).join("release");
        let facts = Facts {
            toolchain: self.toolchain()?,
            binaries: packages
                .iter()
                .map(|package| self.fact(&folder, package))
                .collect::<Result<_, _>>()?,
        };
        let path = folder.join(FACTS);
        let mut text = serde_json::to_string_pretty(&facts).expect("strings always serialise");
        text.push('\n');
        fs::write(&path, text).map_err(Error::io("write", path))?;
        Ok(Binaries {
            folder,
            facts: Some(facts),
        })
    }

    fn fact(&self, folder: &Path, package: &str) -> Result<Fact, Error> {
        let path = folder.join(package);
        let (_, sha256) = Sha256::of_file(&path).map_err(Error::io("read", &path))?;
        let found = self.packages.iter().find(|found| found.name == package);
        Ok(Fact {
            package: package.into(),
            version: found.map(|found| found.version.clone()).unwrap_or_default(),
            sha256,
        })
    }

    /// Every path of this machine that a compiler could write into a program, and what stands there instead. Where
    /// prefixes overlap, the later one wins. The workspace itself is not among them: cargo names its files relative to
    /// it, and a flag that differs between two checkouts would compile llama.cpp anew for each.
    fn prefixes(&self) -> Result<Vec<(PathBuf, String)>, Error> {
        // A mirror or a vendor folder has a name of its own for the registry, so cargo is asked.
        let outside = self
            .packages
            .iter()
            .filter(|package| package.source.is_some());
        let sources: BTreeSet<PathBuf> = outside
            .filter_map(|package| Some(package.manifest_path.parent()?.parent()?.to_owned()))
            .collect();
        let rustc = Rustc::of(&self.root)?;
        let standard_library = rustc.sysroot.join("lib/rustlib/src/rust");
        let mut prefixes: Vec<_> = sources
            .into_iter()
            .map(|folder| (folder, "/cargo".to_owned()))
            .collect();
        prefixes.push((standard_library, format!("/rustc/{}", rustc.commit)));
        prefixes.push((self.target.clone(), "/target".to_owned()));
        Ok(prefixes)
    }

    fn toolchain(&self) -> Result<Toolchain, Error> {
        let rustc = Rustc::of(&self.root)?;
        let mut version = clean("gcc", &self.root);
        version.arg("--version");
        let mut library = clean("gcc", &self.root);
        library.arg("-print-file-name=libc.a");
        let library = PathBuf::from(output(library)?.trim());
        let (_, c_library) = Sha256::of_file(&library).map_err(Error::io("read", &library))?;
        Ok(Toolchain {
            rustc: format!("{} {}", rustc.release, rustc.commit),
            c_compiler: output(version)?.lines().next().unwrap_or_default().into(),
            c_library,
        })
    }
}

struct Rustc {
    release: String,
    commit: String,
    sysroot: PathBuf,
}

impl Rustc {
    fn of(root: &Path) -> Result<Self, Error> {
        let mut version = clean("rustc", root);
        version.arg("-vV");
        let version = output(version)?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let mut sysroot = clean("rustc", root);
        sysroot.args(["--print", "sysroot"]);
        Ok(Self {
            release: field("release:"),
            commit: field("commit-hash:"),
            sysroot: output(sysroot)?.trim().into(),
        })
    }
}

/// Without rustup, nobody else makes sure that the compiler is the pinned one.
fn check_compiler(root: &Path) -> Result<(), Error> {
    let path = root.join("rust-toolchain.toml");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let pins: toml::Table = toml::from_str(&text).map_err(|problem| Error::Malformed {
        path,
        problem: Box::new(problem),
    })?;
    let wanted = pins
        .get("toolchain")
        .and_then(|toolchain| toolchain.get("channel"));
    let wanted = wanted.and_then(toml::Value::as_str).unwrap_or_default();
    let found = Rustc::of(root)?.release;
    if wanted == found {
        return Ok(());
    }
    Err(Error::Toolchain {
        wanted: wanted.into(),
        found,
    })
}

/// A program in the workspace with nothing of the user's environment but the list above.
fn clean(program: &str, root: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    for variable in ENVIRONMENT {
        if let Some(value) = env::var_os(variable) {
            command.env(variable, value);
        }
    }
    command
}

fn output(mut command: Command) -> Result<String, Error> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(&command, &format!("does not start: {error}")))?;
    if !output.status.success() {
        return Err(failed(&command, "failed; its own words are above"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose talk goes to stderr: stdout is for data.
fn run(mut command: Command) -> Result<(), Error> {
    let status = command.stdout(Stdio::null()).status();
    match status {
        Err(error) => Err(failed(&command, &format!("does not start: {error}"))),
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed(&command, "failed; its own words are above")),
    }
}

fn failed(command: &Command, problem: &str) -> Error {
    Error::Tool {
        program: command.get_program().to_string_lossy().into_owned(),
        problem: problem.into(),
        hint: "a build of measured programs needs rustup, gcc, g++, cmake and libclang; `make setup` installs them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_hold_only_for_the_bytes_they_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a", "built");
        let facts = format!(
            r#"{{"toolchain": {{"rustc": "r", "c_compiler": "c", "c_library": "{0}"}},
                "binaries": [{{"package": "a", "version": "1", "sha256": "{0}"}}]}}"#,
            Sha256::of(b"built")
        );
        write(FACTS, &facts);
        let built = Origin::Built {
            package: "a".into(),
            version: "1".into(),
        };
        let given = Origin::Given {
            package: "a".into(),
        };
        let origin = || Binaries::given(folder.path()).unwrap().read("a").unwrap().1;
        assert_eq!(origin(), built);
        write("a", "changed");
        assert_eq!(origin(), given);
    }
}
