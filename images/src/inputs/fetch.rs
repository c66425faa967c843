//! Pinned inputs from a cache, filled from wherever this machine gets its packages: Debian's through apt's own downloader
//! or curl, Python's through pip. None of them is trusted: a file enters the cache under its digest, and only after its bytes
//! were counted and hashed. A broken transfer leaves nothing behind.

use std::{
    env,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    Error,
    digest::Sha256,
    files::{name_of, temporary_in},
    inputs::{
        apt::Archives,
        lock::{Input, Kind},
        package::Deb,
    },
    parallel, progress, tool,
};

/// Said where nothing can be tried.
pub(super) const NO_ARCHIVE: &str = "nothing: this machine's apt names no Debian archive";
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
const HINT_PIP: &str = "install Debian's package python3-pip";
/// For debs that no mirror has.
const HINT_DEB: &str = "`make lock` moves the pins to what the mirrors have today; to rebuild exactly this image, name an \
    archive of old versions with --mirror URL";
/// And for wheels.
const HINT_WHEEL: &str = "check pip's own configuration, which says where to look; `chrysalis-image lock --upgrade` moves the \
    pin to the newest version";

/// Downloads at once: most files are small, and each costs a round trip to the archive.
const DOWNLOADS: usize = 6;

/// Whose progress is shown: each input's, or that of all together.
#[derive(Clone, Copy)]
enum Talk {
    Each,
    All,
}

/// Fetches inputs into a cache.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// Where this project caches; inputs lie in a folder of their own in it.
    pub cache: PathBuf,
    /// Bases of archives to try before the machine's own: addresses, or folders.
    pub mirrors: Vec<String>,
    /// The machine's own.
    pub archives: Archives,
}

/// `$CHRYSALIS_CACHE`, or `chrysalis` where the user's caches are.
pub fn default_cache() -> Option<PathBuf> {
    let named = |variable| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("CHRYSALIS_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("chrysalis")))
        .or_else(|| named("HOME").map(|folder| folder.join(".cache/chrysalis")))
}

impl Fetcher {
    /// The input's file, from the cache or from a mirror; its bytes are the pinned ones.
    pub fn fetch(&self, input: &Input) -> Result<PathBuf, Error> {
        self.obtain(input, Talk::Each)
    }

    /// Many inputs into the cache, a few at a time.
    pub fn fetch_all(&self, what: &str, inputs: &[Input]) -> Result<(), Error> {
        let total = inputs.iter().map(|input| input.size).sum();
        let have = AtomicU64::new(0);
        let status = || progress::of(have.load(Ordering::Relaxed), total);
        progress::showing(&format!("fetching {what}"), status, || {
            parallel::each(inputs, DOWNLOADS, |input| {
                self.obtain(input, Talk::All)?;
                have.fetch_add(input.size, Ordering::Relaxed);
                Ok(())
            })
        })
    }

    /// A Debian package, unpacked in memory.
    pub fn deb(&self, input: &Input) -> Result<Deb, Error> {
        let path = self.fetch(input)?;
        let what = format!("unpacking {} {}", input.package, input.version);
        progress::during(&what, || Deb::read(&input.name, &path))
    }

    fn obtain(&self, input: &Input, talk: Talk) -> Result<PathBuf, Error> {
        let folder = self.inputs()?;
        let cached = folder.join(input.sha256.to_string());
        if cached.exists() {
            match check(&cached, input, "the cache") {
                Ok(()) => return Ok(cached),
                Err(problem) => eprintln!("  fetching {} again: {problem}", input.package),
            }
        }
        match input.kind {
            Kind::Deb => self.fetch_deb(input, &folder, &cached, talk)?,
            Kind::Rust => {
                return Err(Error::WrongKind {
                    input: input.name.clone(),
                    wanted: "deb or a wheel",
                    locked: input.kind.name(),
                });
            }
            Kind::Wheel => {
                let temporary = temporary_in(&folder)?;
                let file = pip_download(&input.package, Some(&input.version), temporary.path())?;
                check(&file, input, "pip's index")?;
                keep(&file, &cached)?;
            }
        }
        Ok(cached)
    }

    /// Takes a wheel's newest version, or the named one, into the cache, and pins it.
    pub fn pin_wheel(&self, input: &Input, version: Option<&str>) -> Result<Input, Error> {
        let folder = self.inputs()?;
        let temporary = temporary_in(&folder)?;
        let file = pip_download(&input.package, version, temporary.path())?;
        let (size, sha256) = Sha256::of_file(&file).map_err(Error::io("read", &file))?;
        let name = name_of(&file);
        // name-version-tags.whl: a version has no dash (PEP 427).
        let version = name.split('-').nth(1).unwrap_or_default().to_owned();
        keep(&file, &folder.join(sha256.to_string()))?;
        Ok(Input {
            version,
            path: name,
            size,
            sha256,
            ..input.clone()
        })
    }

    fn inputs(&self) -> Result<PathBuf, Error> {
        let folder = self.cache.join("inputs");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(folder)
    }

    /// Where a package may be. The security archive drops it for a newer one; by then a point release has usually brought it
    /// into the main archive, byte for byte.
    fn addresses(&self, input: &Input) -> Vec<String> {
        let suite = input.suite.as_deref().unwrap_or_default();
        let at = |suite: &str, path: &str| -> Vec<String> {
            let bases = self.mirrors.iter().cloned();
            let bases = bases.chain(self.archives.bases(suite));
            let address = |base: String| format!("{}/{path}", base.trim_end_matches('/'));
            bases.map(address).collect()
        };
        let mut addresses = at(suite, &input.path);
        if let Some(rest) = input.path.strip_prefix("pool/updates/") {
            let suite = suite.trim_end_matches("-security");
            addresses.extend(at(suite, &format!("pool/{rest}")));
        }
        addresses
    }

    fn fetch_deb(
        &self,
        input: &Input,
        folder: &Path,
        cached: &Path,
        talk: Talk,
    ) -> Result<(), Error> {
        let mut tried = Vec::new();
        let mut refused = None;
        for address in self.addresses(input) {
            let temporary = temporary_in(folder)?;
            let file = temporary.path().join("input");
            let what = format!("fetching {} {}", input.package, input.version);
            let have = || file.metadata().map_or(0, |metadata| metadata.len());
            let status = || progress::of(have(), input.size);
            let transfer = || download(&address, &file);
            let transferred = match talk {
                Talk::Each => progress::showing(&what, status, transfer),
                Talk::All => transfer(),
            };
            match transferred {
                Err(problem) => tried.push(format!("{address}: {problem}")),
                Ok(()) => match check(&file, input, &address) {
                    Ok(()) => return keep(&file, cached),
                    Err(problem) => refused = Some(problem),
                },
            }
        }
        if tried.is_empty() {
            tried.push(NO_ARCHIVE.into());
        }
        Err(refused.unwrap_or_else(|| Error::Missing {
            name: input.package.clone(),
            version: input.version.clone(),
            file: input.path.clone(),
            tried,
            hint: HINT_DEB,
        }))
    }
}

fn check(file: &Path, input: &Input, from: &str) -> Result<(), Error> {
    let (size, sha256) = Sha256::of_file(file).map_err(Error::io("read", file))?;
    let what = format!("{} {} from {from}", input.package, input.version);
    if size != input.size {
        return Err(Error::Truncated {
            what,
            expected: input.size,
            got: size,
        });
    }
    if sha256 != input.sha256 {
        return Err(Error::WrongHash {
            what,
            expected: input.sha256,
            got: sha256,
        });
    }
    Ok(())
}

fn keep(file: &Path, cached: &Path) -> Result<(), Error> {
    fs::set_permissions(file, Permissions::from_mode(0o644))
        .map_err(Error::io("write to", file))?;
    fs::rename(file, cached).map_err(Error::io("write", cached))
}

/// One file from an address, by apt's downloader (it knows the machine's proxies) or curl; or from a folder.
fn download(address: &str, to: &Path) -> Result<(), String> {
    if let Some(path) = local(address) {
        return fs::copy(path, to)
            .map(drop)
            .map_err(|error| error.to_string());
    }
    let (program, mut command) = if Path::new(APT_HELPER).exists() {
        let mut command = Command::new(APT_HELPER);
        command.arg("download-file").arg(address).arg(to);
        ("apt-helper", command)
    } else {
        let mut command = Command::new("curl");
        command.args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--output",
        ]);
        command.arg(to).arg(address);
        ("curl", command)
    };
    let output = command
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said
        .lines()
        .find(|line| line.starts_with("E: ") || line.starts_with("curl: "));
    let reason = reason
        .unwrap_or("failed")
        .trim_start_matches("E: Failed to fetch ");
    // apt repeats the address in a spelling of its own.
    let words = reason
        .split_whitespace()
        .filter(|word| !word.contains("://"));
    Err(words.collect::<Vec<_>>().join(" "))
}

fn local(address: &str) -> Option<&str> {
    match address.strip_prefix("file:") {
        Some(path) => Some(path.strip_prefix("//").unwrap_or(path)),
        None => (!address.contains("://")).then_some(address),
    }
}

/// A wheel by pip, from wherever pip is configured to look. Installs and runs nothing of it.
fn pip_download(package: &str, version: Option<&str>, folder: &Path) -> Result<PathBuf, Error> {
    let wanted = version.map_or(package.to_owned(), |version| {
        format!("{package}=={version}")
    });
    let mut command = Command::new("python3");
    command
        .args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-cache-dir",
            "download",
            "--quiet",
        ])
        .args([
            "--no-deps",
            "--only-binary=:all:",
            "--progress-bar=off",
            "--dest",
        ])
        .arg(folder)
        .arg(&wanted);
    let what = format!("fetching {wanted} by pip");
    let output = progress::during(&what, || tool::output(&mut command, HINT_PIP))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        if said.contains("No module named pip") {
            return Err(tool::failed(&command, "has no module pip", HINT_PIP));
        }
        let reason = said
            .lines()
            .rfind(|line| line.starts_with("ERROR"))
            .unwrap_or("it failed");
        return Err(Error::Missing {
            name: package.into(),
            version: version.unwrap_or("(any version)").into(),
            file: "a wheel".into(),
            tried: vec![format!("pip: {reason}")],
            hint: HINT_WHEEL,
        });
    }
    let files = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let files = files.map_err(Error::io("read", folder))?;
    let wheel = files
        .iter()
        .map(fs::DirEntry::path)
        .find(|path| path.extension().is_some_and(|end| end == "whl"));
    wheel.ok_or_else(|| tool::failed(&command, "downloaded no wheel", HINT_PIP))
}
