//! The bytecode of Python's modules, which an interpreter would make anew at every start on a read-only disk: an engine starts often,
//! in several processes. The engine's own interpreter makes it, in a [`Chamber`] of nothing but the packages that its lock pins.
//! It is taken as it is, without a look at the source (PEP 552, unchecked hash): a disk's files change together or not at all.
//!
//! The same bytes everywhere: which parts of a file share an object, and so its bytes, depends on what the same process compiled
//! before. So the files are dealt to a fixed number of processes in the order of their names, whatever the number of CPUs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{chamber::Chamber, toolchain::Toolchain};
use crate::{
    Error,
    digest::Sha256,
    files::make_once,
    inputs::{fetch::Fetcher, lock::Input, python::Python},
    parallel, progress, tool,
};

/// Where the work is, inside.
const WORK: &str = "/build";
const SOURCES: &str = "source";
const MADE: &str = "made";
/// Processes that the files are dealt to.
const SHARES: usize = 8;
const HINT: &str =
    "make sure that the packages of [python] in the recipe have the interpreter of its version";
/// Compiles one share; the arguments are the folders of sources and of what is made, the share's number, and how many there are. What
/// does not compile, such as a template, is left to whoever wants it.
const COMPILE: &str = r#"
import os, py_compile, sys
source, made, share, shares = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
files = []
for folder, _, names in os.walk(source):
    files += [os.path.relpath(os.path.join(folder, name), source) for name in names]
for path in sorted(files)[share::shares]:
    folder, name = os.path.split(path)
    name = name.removesuffix(".py") + "." + sys.implementation.cache_tag + ".pyc"
    target = os.path.join(made, folder, "__pycache__", name)
    try:
        py_compile.compile(os.path.join(source, path), target, "/" + path, doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError:
        pass
"#;

/// What to compile.
pub struct Order<'recipe> {
    /// The interpreter.
    pub python: &'recipe Python,
    /// All that is on the disk.
    pub pins: &'recipe [Input],
    /// The lock that they come from.
    pub lock: &'recipe Path,
    /// Lays the modules out in a folder as they lie on the disk.
    pub sources: &'recipe dyn Fn(&Path) -> Result<(), Error>,
}

impl Order<'_> {
    /// A folder of bytecode, each file where it belongs on the disk: from the cache, or made.
    pub fn make(&self, fetcher: &Fetcher) -> Result<PathBuf, Error> {
        let place = fetcher
            .cache
            .join("bytecode")
            .join(self.digest().to_string());
        make_once(&place, |work| self.compile(work, fetcher))?;
        Ok(place)
    }

    /// Of all that decides its bytes.
    fn digest(&self) -> Sha256 {
        let pins = self.pins.iter().map(|pin| pin.sha256.to_string());
        let own = [COMPILE.to_owned(), format!("{SHARES} {:?}", self.python)];
        let parts: Vec<_> = own.into_iter().chain(pins).collect();
        Sha256::of(parts.join("\0").as_bytes())
    }

    fn compile(&self, work: &Path, fetcher: &Fetcher) -> Result<PathBuf, Error> {
        let (source, made) = (work.join(SOURCES), work.join(MADE));
        for folder in [&source, &made] {
            fs::create_dir(folder).map_err(Error::io("create", folder))?;
        }
        progress::during("laying out Python's modules", || (self.sources)(&source))?;
        let interpreter = Toolchain::of(self.pins, self.lock, fetcher)?;
        let chamber = Chamber::of(&interpreter)?.write(work, WORK);
        // Sets are written in the order of their members' hashes.
        let chamber = chamber.with("PYTHONHASHSEED", "0");
        let program = self.python.interpreter();
        let done = AtomicUsize::new(0);
        let status = || format!(": {} of {SHARES} parts", done.load(Ordering::Relaxed));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let shares: Vec<usize> = (0..SHARES).collect();
        progress::showing("compiling Python's modules", status, || {
            parallel::each(&shares, threads, |share| {
                let mut command = chamber.command(&program, "/");
                command.args(arguments(
                    &format!("{WORK}/{SOURCES}"),
                    &format!("{WORK}/{MADE}"),
                    *share,
                ));
                tool::run(&mut command, HINT, |said| format!("failed:\n{said}"))?;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        })?;
        Ok(made)
    }
}

fn arguments(source: &str, made: &str, share: usize) -> Vec<String> {
    let fixed = ["-S", "-B", "-W", "ignore", "-c", COMPILE, source, made];
    let numbers = [share, SHARES].map(|number| number.to_string());
    fixed
        .map(str::to_owned)
        .into_iter()
        .chain(numbers)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// All bytecode of some modules, by path. The interpreter is this machine's: only its bytes are its own.
    fn made(folder: &Path, umask: &str) -> Vec<(String, Vec<u8>)> {
        let (source, made) = (folder.join(SOURCES), folder.join(MADE));
        fs::create_dir_all(source.join("a")).unwrap();
        fs::create_dir(&made).unwrap();
        for (name, text) in [
            ("a/__init__.py", "NAMES = {'x', 'y', 'z', 'w'}\n"),
            (
                "a/uses.py",
                "from a import NAMES\ndef f(): return 'x' in {'x', 'y', 'long name', 'v'}\n",
            ),
            ("a/template.py", "this is {{ no }} Python\n"),
            ("b.py", "print('long name', 1.5, (1, 2))\n"),
        ] {
            fs::write(source.join(name), text).unwrap();
        }
        for share in 0..SHARES {
            let arguments = arguments(source.to_str().unwrap(), made.to_str().unwrap(), share);
            let script = format!("umask {umask} && exec python3 \"$@\"");
            let ran = Command::new("sh")
                .args(["-c", &script, "sh"])
                .args(arguments)
                .env("PYTHONHASHSEED", "0")
                .status();
            assert!(ran.unwrap().success());
        }
        let mut found = Vec::new();
        for part in ["__pycache__", "a/__pycache__"] {
            for entry in fs::read_dir(made.join(part)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&made).unwrap().display().to_string();
                found.push((name, fs::read(path).unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn is_the_same_bytes_in_any_folder_and_never_looks_at_the_source() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let found = made(one.path(), "022");
        assert_eq!(found, made(other.path(), "077"));
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names.iter().all(|name| !name.contains("template")));
        for (name, bytes) in &found {
            // PEP 552: bit 0, a hash instead of a time; bit 1 would have it checked.
            assert_eq!(bytes[4..8], [1, 0, 0, 0], "{name}");
            let folder = one.path().to_str().unwrap().as_bytes();
            assert!(!bytes.windows(folder.len()).any(|part| part == folder));
        }
    }
}
