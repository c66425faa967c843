//! The same bytes for two people: another folder, user, umask, time zone and language. By the program itself, since it is
//! a process that has these.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use chrysalis_image::{fetch, lock::Lock, recipe::ImageRecipe};
use workbench::Workbench;

/// One person's circumstances.
struct Person {
    umask: &'static str,
    time_zone: &'static str,
    language: &'static str,
    /// Another user than this one; takes root.
    stranger: bool,
}

const ALICE: Person = Person {
    umask: "022",
    time_zone: "UTC",
    language: "C",
    stranger: false,
};
const BORIS: Person = Person {
    umask: "077",
    time_zone: "Pacific/Kiritimati",
    language: "tr_TR.UTF-8",
    stranger: true,
};

#[test]
fn two_people_get_the_same_bytes() {
    let bench = Workbench::new();
    let archive = bench.path("archive");
    compare(
        &bench.path("recipes/image.toml"),
        &bench.path("binaries"),
        6,
        |command, folder| {
            command
                .arg("--mirror")
                .arg(&archive)
                .arg("--cache")
                .arg(folder.join("cache"));
        },
    );
}

#[test]
fn two_people_get_the_same_bytes_of_the_real_image() {
    let recipe = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cpu.toml"));
    let pins = Lock::read(&recipe.with_file_name("lock.toml"))
        .unwrap()
        .input;
    let wanted = ImageRecipe::read(recipe).unwrap();
    let sources = [&wanted.kernel, &wanted.firmware].into_iter();
    let wanted_inputs: Vec<&String> = sources
        .chain(&wanted.firmware_tdx)
        .map(|source| &source.input)
        .collect();
    let inputs = fetch::default_cache().unwrap_or_default().join("inputs");
    let cached: Vec<PathBuf> = pins
        .iter()
        .filter(|pin| wanted_inputs.contains(&&pin.name))
        .map(|pin| inputs.join(pin.sha256.to_string()))
        .collect();
    if !cached.iter().all(|path| path.exists()) {
        eprintln!("skipped: the pinned inputs are not cached; `make image` fetches them");
        return;
    }
    let bench = Workbench::new();
    for binary in &wanted.binary {
        bench.write(
            &format!("binaries/{}", binary.package),
            binary.package.as_bytes(),
        );
    }
    compare(recipe, &bench.path("binaries"), 7, |command, folder| {
        let copies = folder.join("cache/inputs");
        fs::create_dir_all(&copies).unwrap();
        for path in &cached {
            copy(path, copies.join(path.file_name().unwrap()));
        }
        open_to_everyone(&folder.join("cache"));
        open_to_everyone(&copies);
        command.arg("--cache").arg(folder.join("cache"));
    });
}

/// Builds so many files once for each person, from copies of the recipe and the programs in places of their own.
fn compare(recipe: &Path, binaries: &Path, files: usize, fetch: impl Fn(&mut Command, &Path)) {
    let top = tempfile::tempdir().unwrap();
    open_to_everyone(top.path());
    let program = top.path().join("chrysalis-image");
    copy(env!("CARGO_BIN_EXE_chrysalis-image"), &program);
    let build = |name: &str, person: &Person| {
        let folder = top.path().join(name);
        for part in ["recipes", "binaries", "."] {
            fs::create_dir_all(folder.join(part)).unwrap();
            open_to_everyone(&folder.join(part));
        }
        open_to_everyone(folder.parent().unwrap());
        for file in [recipe.to_owned(), recipe.with_file_name("lock.toml")] {
            let name = file.file_name().unwrap();
            copy(&file, folder.join("recipes").join(name));
        }
        for file in fs::read_dir(binaries).unwrap() {
            let file = file.unwrap();
            copy(file.path(), folder.join("binaries").join(file.file_name()));
        }
        let recipe = folder.join("recipes").join(recipe.file_name().unwrap());
        let mut command = person.command(&program);
        command.current_dir(&folder).arg("build").arg(recipe);
        command.arg("--binaries").arg(folder.join("binaries"));
        command.arg("--out").arg(folder.join("out"));
        fetch(&mut command, &folder);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        contents(&folder.join("out"))
    };
    let alice = build("alice", &ALICE);
    let boris = build("a place of its own/boris", &BORIS);
    assert_eq!(alice.len(), files);
    for (one, other) in alice.iter().zip(&boris) {
        assert_eq!(one.0, other.0);
        assert!(one.1 == other.1, "{} differs", one.0);
    }
    assert_eq!(alice.len(), boris.len());
}

impl Person {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {}; exec \"$@\"", self.umask), "sh"]);
        if self.stranger && is_root() {
            command.args([
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ]);
        } else if self.stranger {
            eprintln!("partly skipped: only root can build as another user, too");
        }
        command
            .arg(program)
            .env("TZ", self.time_zone)
            .env("LANG", self.language);
        command.env("LC_ALL", self.language);
        command
    }
}

fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    fs::copy(from, &to).unwrap();
    open_to_everyone(to.as_ref());
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Whatever umask the test runs under.
fn open_to_everyone(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}

/// Name, mode and bytes of every file, sorted by name.
fn contents(folder: &Path) -> Vec<(String, (u32, Vec<u8>))> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, (mode, fs::read(path).unwrap()))
        })
        .collect();
    files.sort();
    files
}
