//! A folder of pinned Debian packages, unpacked and nothing more, in which what must come out the same everywhere is
//! compiled: the same compiler, tools, headers and paths, whatever the machine around it has.
//!
//! A program in it sees this folder as `/`, its work as `/build`, and neither a network nor an environment of the user's.
//! That takes a user namespace and no root. The folder is made once, kept in the cache under the digest of its inputs, and
//! trusted there like every other file of the user who runs this.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error,
    digest::{Hasher, Sha256},
    error::HINT_BUILD,
    fetch::Fetcher,
    lock::Input,
    package, progress,
};

/// Where the work stands inside, wherever it is outside.
const WORK: &str = "build";
/// What Debian's package base-files brings: everything lives in /usr.
const LINKS: [(&str, &str); 4] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
];
/// Run by the shell of the namespace: `$1` is the root, `$2` the work, the rest what is run. Its devices are the
/// machine's; of its file systems it sees nothing else.
const ENTER: &str = r#"
set -e
mount --bind "$2" "$1/build"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /dev "$1/dev"
root=$1
shift 2
exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/usr/sbin HOME=/build LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0 "$@"
"#;
/// Lines of a failed command's output that are shown.
const SHOWN_LINES: usize = 20;

/// A build root that is there.
#[derive(Debug, Clone)]
pub struct BuildRoot {
    folder: PathBuf,
}

impl BuildRoot {
    /// The root of these inputs: from the cache, or unpacked into it.
    pub fn of(inputs: &[&Input], fetcher: &Fetcher) -> Result<Self, Error> {
        let roots = fetcher.cache.join("roots");
        let folder = roots.join(name(inputs).to_string());
        if folder.exists() {
            return Ok(Self { folder });
        }
        fs::create_dir_all(&roots).map_err(Error::io("create", &roots))?;
        let draft = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(&roots)
            .map_err(Error::io("write to", &roots))?;
        let failed = || Error::io("write to", draft.path());
        for (link, to) in LINKS {
            fs::create_dir_all(draft.path().join(to)).map_err(failed())?;
            symlink(to, draft.path().join(link)).map_err(failed())?;
        }
        for mount in [WORK, "dev", "tmp"] {
            fs::create_dir(draft.path().join(mount)).map_err(failed())?;
        }
        for input in inputs {
            let file = fetcher.fetch(input)?;
            let what = format!("unpacking {} {}", input.package, input.version);
            progress::during(&what, String::new, || {
                package::unpack_into(&input.name, &file, draft.path())
            })?;
        }
        // Debian's scripts choose one of several awks; nothing else of theirs is missed.
        let awk = draft.path().join("usr/bin/awk");
        if !awk.exists() {
            symlink("mawk", awk).map_err(failed())?;
        }
        match fs::rename(draft.path(), &folder) {
            Ok(()) => {}
            // Somebody else was faster, with the same bytes.
            Err(_) if folder.exists() => {}
            Err(error) => return Err(Error::io("write", &folder)(error)),
        }
        Ok(Self { folder })
    }

    /// Runs a command with `work` as its `/build`, which it may change.
    pub fn run(&self, what: &str, work: &Path, command: &[&str]) -> Result<(), Error> {
        let mut namespace = Command::new("unshare");
        namespace
            .args(["--user", "--map-root-user", "--mount", "--net", "--ipc"])
            .args(["--pid", "--fork", "--kill-child"])
            .args(["sh", "-c", ENTER, "sh"])
            .args([self.folder.as_path(), work])
            .args(command)
            .stdin(Stdio::null());
        let output = progress::during(what, String::new, || namespace.output());
        let output = output.map_err(|error| Error::Tool {
            program: "unshare".into(),
            problem: format!("does not start: {error}"),
            hint: "install util-linux",
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let start = lines.len().saturating_sub(SHOWN_LINES);
        Err(Error::BuildFailed {
            what: what.into(),
            log: lines[start..].join("\n"),
            hint: HINT_BUILD,
        })
    }
}

/// The digest that stands for all of them, in any order.
fn name(inputs: &[&Input]) -> Sha256 {
    let mut digests: Vec<Sha256> = inputs.iter().map(|input| input.sha256).collect();
    digests.sort_unstable();
    let mut hasher = Hasher::default();
    for digest in digests {
        hasher.update(&digest.0);
    }
    hasher.finish()
}
