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
/// Downloads one source archive as pip would, with its configuration, caches of certificates and proxies. pip itself would run the
/// package's own code to learn what it depends on.
const SDIST: &str = r#"
import os, sys
from pip._internal.commands import create_command
name, version, folder = sys.argv[1:]
command = create_command("download")
with command.main_context():
    options, _ = command.parse_args(["--no-binary=:all:", "--quiet", name])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options=options, session=session)
    found = finder.find_all_candidates(name)
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
        .args(["-c", SDIST, package, version.unwrap_or_default()])
        .arg(folder);
    pip(command, package, version, folder, "gz")
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
