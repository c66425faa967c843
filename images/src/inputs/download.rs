//! Single files from elsewhere, by the programs that this machine is set up with: apt's downloader or curl for addresses, pip for
//! Python's packages. Nothing of what is downloaded runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, progress, tool};

const APT_HELPER: &str = "/usr/lib/apt/apt-helper";
const HINT_PIP: &str = "install Debian's package python3-pip";
/// Downloads one file as pip would, with its configuration, caches of certificates and proxies: the named one, or the newest source
/// archive of a version. pip itself would take the wheel that suits this machine, and run a source archive's own code to learn what
/// it depends on.
const ONE_FILE: &str = r#"
import os, sys
from pip._internal.commands import create_command
from pip._internal.models.wheel import Wheel
name, version, file, folder = sys.argv[1:]
Wheel.supported = lambda wheel, tags: True
command = create_command("download")
with command.main_context():
    kind = "--only-binary=:all:" if file.endswith(".whl") else "--no-binary=:all:"
    options, _ = command.parse_args([kind, "--quiet", name])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options=options, session=session, ignore_requires_python=True)
    found = finder.find_all_candidates(name)
    if file:
        found = [it for it in found if it.link.filename == file]
    else:
        found = [it for it in found if str(it.version) == version or not version and not it.version.is_prerelease]
        found = [it for it in found if it.link.filename.endswith(".tar.gz")]
    if not found:
        sys.exit("ERROR: no index has it")
    link = max(found, key=lambda it: it.version).link
    answer = session.get(link.url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True)
    answer.raise_for_status()
    with open(os.path.join(folder, os.path.basename(link.filename)), "wb") as file:
        for piece in answer.iter_content(1 << 20):
            file.write(piece)
"#;
/// Resolves and downloads as a Python of another version would: pip chooses wheels by options, but reads conditions such as
/// `python_version < "3.12"` by the Python that it runs in.
const RESOLVE: &str = r#"
import sys
from pip._vendor.packaging import markers
own = markers.default_environment
version, full = sys.argv[1], sys.argv[1] + ".0"
markers.default_environment = lambda: own() | {"python_version": version, "python_full_version": full, "implementation_version": full}
from pip._internal.cli.main import main
sys.exit(main(sys.argv[2:]))
"#;
/// The newest C library, as `manylinux` counts it, that wheels may want: Debian 13 has 2.41.
const NEWEST_LIBC: u32 = 41;
/// Pip's own folder, while it resolves.
const WORK: &str = "work";
/// The oldest that any wheel names.
const OLDEST_LIBC: u32 = 5;
const HINT_RESOLVE: &str =
    "correct requirements in the recipe's [python], or check pip's own configuration";
/// For wheels and source archives that no index has.
const HINT_WHEEL: &str = "check pip's own configuration, which says where to look; `chrysalis-image lock --upgrade` moves the \
    pin to the newest version";

/// One file from an address, by apt's downloader (it knows the machine's proxies) or curl; or from a folder.
pub(super) fn download(address: &str, to: &Path) -> Result<(), String> {
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
pub(super) fn wheel(package: &str, version: Option<&str>, folder: &Path) -> Result<PathBuf, Error> {
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
    pip(command, package, version, folder, "whl")
}

/// The sources of a Python package, from the same places. Installs and runs nothing of them.
pub(super) fn sdist(package: &str, version: Option<&str>, folder: &Path) -> Result<PathBuf, Error> {
    let mut command = Command::new("python3");
    command
        .args(["-c", ONE_FILE, package, version.unwrap_or_default(), ""])
        .arg(folder);
    pip(command, package, version, folder, "gz")
}

/// The file of this name of a Python package, whether or not it suits this machine.
pub(super) fn named(package: &str, version: &str, file: &str, to: &Path) -> Result<PathBuf, Error> {
    let mut command = Command::new("python3");
    command
        .args(["-c", ONE_FILE, package, version, file])
        .arg(to);
    let (_, end) = file.rsplit_once('.').unwrap_or_default();
    pip(command, package, Some(version), to, end)
}

/// Wheels for an interpreter of this version: what pip resolves, or without their dependencies. Installs and runs nothing of them.
pub(super) fn resolve(
    python: &str,
    requirements: &[String],
    dependencies: bool,
    folder: &Path,
) -> Result<(), Error> {
    let mut command = Command::new("python3");
    command
        .args(["-c", RESOLVE, python])
        .args(["--disable-pip-version-check", "--no-cache-dir", "download"])
        .args(["--quiet", "--progress-bar=off", "--only-binary=:all:"])
        .arg(format!("--python-version={python}"))
        .arg("--implementation=cp")
        .arg(format!("--abi=cp{}", python.replace('.', "")))
        .args(["--abi=abi3", "--abi=none"]);
    for libc in (OLDEST_LIBC..=NEWEST_LIBC).rev() {
        command.arg(format!("--platform=manylinux_2_{libc}_x86_64"));
    }
    for platform in ["manylinux2014", "manylinux2010", "manylinux1", "linux"] {
        command.arg(format!("--platform={platform}_x86_64"));
    }
    if !dependencies {
        command.arg("--no-deps");
    }
    command
        .arg("--dest")
        .arg(folder)
        .arg("--")
        .args(requirements);
    // Where it unpacks what it looks into: gigabytes, for which /tmp may have no room.
    let work = folder.join(WORK);
    fs::create_dir_all(&work).map_err(Error::io("create", &work))?;
    command.env("TMPDIR", &work);
    let have = || format!(": {} MB so far", progress::megabytes(bytes_in(folder)));
    let what = "resolving and fetching Python packages by pip";
    let output = progress::showing(what, have, || tool::output(&mut command, HINT_PIP))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let errors = said.lines().filter(|line| line.starts_with("ERROR"));
    let problem = errors.take(3).collect::<Vec<_>>().join("\n");
    Err(tool::failed(
        &command,
        format!("(pip) failed:\n{problem}"),
        HINT_RESOLVE,
    ))
}

/// The bytes of all files in a folder and below. What cannot be read, as it is just being removed, does not count.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Runs pip, which leaves one file in a folder.
fn pip(
    mut command: Command,
    package: &str,
    version: Option<&str>,
    folder: &Path,
    end: &str,
) -> Result<PathBuf, Error> {
    let version = version.unwrap_or("(any version)");
    let what = format!("fetching {package} {version} by pip");
    let output = progress::during(&what, || tool::output(&mut command, HINT_PIP))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        if said.contains("No module named") {
            return Err(tool::failed(&command, "has no module pip", HINT_PIP));
        }
        let mut lines = said.lines().rev().filter(|line| !line.is_empty());
        let reason = lines.clone().find(|line| line.starts_with("ERROR"));
        let reason = reason.or_else(|| lines.next()).unwrap_or("it failed");
        return Err(Error::Missing {
            name: package.into(),
            version: version.into(),
            file: format!("a file *.{end}"),
            tried: vec![format!("pip: {reason}")],
            hint: HINT_WHEEL,
        });
    }
    let files = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let files = files.map_err(Error::io("read", folder))?;
    let file = files
        .iter()
        .map(fs::DirEntry::path)
        .find(|path| path.extension().is_some_and(|found| found == end));
    file.ok_or_else(|| tool::failed(&command, format!("downloaded no *.{end}"), HINT_PIP))
}
