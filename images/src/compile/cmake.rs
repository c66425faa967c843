//! Engines in C and C++ that `CMake` builds: pinned sources in, one program out. They are compiled in a [`Chamber`] for the same
//! CPUs as the measured programs, and linked with everything that they need. What was compiled stays in the cache, under the
//! digest of all that it was made from, and is not hashed again: anyone who can write there can change what this machine builds.

use std::{
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
    thread,
};

use flate2::bufread::GzDecoder;

use super::{chamber::Chamber, toolchain::Toolchain, workspace};
use crate::{
    Error,
    digest::Sha256,
    files::{make_once, name_of},
    inputs::{engine::Compile, fetch::Fetcher, lock::Input},
    progress, tool,
};

/// Where the work is, inside.
const WORK: &str = "/build";
/// The program that is kept.
const PROGRAM: &str = "program";
/// The most that sources may unpack to: whisper.cpp's take 40 MB.
const MAX_UNPACKED: u64 = 1 << 30;
/// Configures; the arguments are the folder of sources, and options.
const CONFIGURE: &str = r#"
set -e
source=$1
shift
flags="-march=x86-64-v3 -ffile-prefix-map=/build/source=."
cmake -S "$source" -B /build/made -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_EXE_LINKER_FLAGS="-static -s" "$@"
"#;
/// Compiles; the arguments are how many at once, and what.
const COMPILE: &str = r#"cmake --build /build/made --parallel "$1" --target "$2""#;

/// The program that a recipe wants, from the cache or compiled.
pub fn program(
    wanted: &Compile,
    pin: &Input,
    recipe: &Path,
    fetcher: &Fetcher,
) -> Result<Vec<u8>, Error> {
    let toolchain = Toolchain::prepare(
        &workspace::root(recipe)?.join(workspace::TOOLCHAIN),
        fetcher,
    )?;
    let sources = fetcher.fetch(pin)?;
    let digest = digest(wanted, pin, &toolchain);
    let made = fetcher.cache.join("engines").join(digest.to_string());
    make_once(&made, |work| {
        compile(wanted, pin, &sources, &toolchain, work)
    })?;
    let path = made.join(PROGRAM);
    fs::read(&path).map_err(Error::io("read", path))
}

/// Of all that decides its bytes.
fn digest(wanted: &Compile, pin: &Input, toolchain: &Toolchain) -> Sha256 {
    let parts = [
        CONFIGURE.to_owned(),
        COMPILE.to_owned(),
        pin.sha256.to_string(),
        // Its name is the digest of its packages.
        name_of(toolchain.root()),
        format!("{wanted:?}"),
    ];
    Sha256::of(parts.join("\0").as_bytes())
}

/// Works in this folder, and says which one in it has what is kept.
fn compile(
    wanted: &Compile,
    pin: &Input,
    sources: &Path,
    toolchain: &Toolchain,
    work: &Path,
) -> Result<PathBuf, Error> {
    let source = work.join("source");
    progress::during(
        &format!("unpacking {} {}", pin.package, pin.version),
        || {
            unpack(sources, &source).map_err(|problem| Error::BadPackage {
                input: pin.name.clone(),
                problem,
            })
        },
    )?;
    correct(wanted, &source.join(&wanted.folder))?;
    let chamber = Chamber::of(toolchain)?.write(work, WORK);
    let run = |what: String, script: &str, arguments: &[String]| {
        let mut command = chamber.command("sh", WORK);
        command.args(["-c", script, "sh"]).args(arguments);
        tool::step(&what, work, command)
    };
    let folder = format!("{WORK}/source/{}", wanted.folder);
    let options = wanted.options.iter().map(|option| format!("-D{option}"));
    let arguments: Vec<_> = [folder].into_iter().chain(options).collect();
    let target = wanted.target.clone();
    run(format!("configuring {target}"), CONFIGURE, &arguments)?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let what = format!("compiling {target}, some minutes");
    run(what, COMPILE, &[jobs.to_string(), target])?;

    let done = work.join("done");
    fs::create_dir(&done).map_err(Error::io("create", &done))?;
    let program = work.join("made").join(&wanted.from);
    fs::copy(&program, done.join(PROGRAM)).map_err(Error::io("copy", program))?;
    Ok(done)
}

/// Makes the recipe's corrections: each text must be there once.
fn correct(wanted: &Compile, folder: &Path) -> Result<(), Error> {
    for edit in &wanted.edit {
        let path = folder.join(&edit.file);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let text = edit.correct(&wanted.input, &text)?;
        fs::write(&path, text).map_err(Error::io("write", path))?;
    }
    Ok(())
}

/// Unpacks an archive without the folder around everything, whose name has the version.
fn unpack(archive: &Path, folder: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|error| error.to_string())?;
    // One byte more than allowed, to tell an archive at the limit from one cut off by it.
    let bytes = GzDecoder::new(BufReader::new(file)).take(MAX_UNPACKED + 1);
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().map_err(|error| error.to_string())?;
    for entry in entries {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?;
        let inner: PathBuf = path.components().skip(1).collect();
        let kind = entry.header().entry_type();
        if kind.is_file() && !inner.as_os_str().is_empty() {
            let to = folder.join(&inner);
            let parent = to.parent().unwrap_or(folder);
            if !inner
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)))
            {
                return Err(format!("{} leads elsewhere", inner.display()));
            }
            fs::create_dir_all(parent).map_err(|error| error.to_string())?;
            entry.unpack(&to).map_err(|error| error.to_string())?;
        }
    }
    if archive.into_inner().limit() == 0 {
        return Err(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn archive(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("a.tar.gz")).unwrap();
        let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
        for path in paths {
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(0o644);
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, &b"data"[..]).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        folder
    }

    #[test]
    fn sources_lose_the_folder_around_them() {
        let folder = archive(&["engine-1/CMakeLists.txt", "engine-1/src/a.c"]);
        let to = folder.path().join("source");
        unpack(&folder.path().join("a.tar.gz"), &to).unwrap();
        assert_eq!(fs::read(to.join("src/a.c")).unwrap(), b"data");
        assert!(to.join("CMakeLists.txt").exists());
    }

    #[test]
    fn a_correction_fits_once_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.c"), "one two two").unwrap();
        let wanted = |from: &str| -> Compile {
            let text = format!(
                "input = 'a'\nfolder = 'b'\ntarget = 'c'\nfrom = 'd'\nto = 'e'\nedit = [{{ file = 'a.c', from = '{from}', to = '3' }}]"
            );
            toml::from_str(&text).unwrap()
        };
        for (from, wrong) in [("two", 2), ("none", 0)] {
            let refused = correct(&wanted(from), folder.path());
            assert!(matches!(refused, Err(Error::EditMisfit { found, .. }) if found == wrong));
        }
        correct(&wanted("one"), folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("a.c")).unwrap(), b"3 two two");
    }

    #[test]
    fn sources_that_lead_elsewhere_are_refused() {
        let folder = archive(&["engine-1/../../a.c"]);
        let refused = unpack(
            &folder.path().join("a.tar.gz"),
            &folder.path().join("source"),
        );
        assert!(refused.unwrap_err().contains("leads elsewhere"));
        fs::write(folder.path().join("b.tar.gz"), b"no archive").unwrap();
        assert!(unpack(&folder.path().join("b.tar.gz"), folder.path()).is_err());
    }
}
