//! The same bytes for two people: another folder, user, umask, time zone and language. By the program itself, since it is
//! a process that has these.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

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

/// Builds once for each person, from copies of everything in places of their own.
#[test]
fn two_people_get_the_same_bytes() {
    const OF_A_RECIPE: [&str; 6] = [
        "image.toml",
        "lock.toml",
        "toolchain.toml",
        "toolchain.lock.toml",
        "kernel/guest.config",
        "kernel/dsdt.dsl",
    ];
    let bench = Workbench::new();
    let top = tempfile::tempdir().unwrap();
    open_to_everyone(top.path());
    let program = top.path().join("chrysalis-image");
    copy(env!("CARGO_BIN_EXE_chrysalis-image"), &program);
    let build = |name: &str, person: &Person| {
        let folder = top.path().join(name);
        for part in [
            "recipes/kernel/patches",
            "recipes/kernel",
            "recipes",
            "binaries",
            ".",
        ] {
            fs::create_dir_all(folder.join(part)).unwrap();
            open_to_everyone(&folder.join(part));
        }
        open_to_everyone(folder.parent().unwrap());
        for file in OF_A_RECIPE {
            copy(
                bench.path("recipes").join(file),
                folder.join("recipes").join(file),
            );
        }
        for file in ["chrysalis-enclave", "worker"] {
            copy(
                bench.path("binaries").join(file),
                folder.join("binaries").join(file),
            );
        }
        copy(bench.path("bzImage"), folder.join("bzImage"));
        let mut command = person.command(&program);
        command
            .current_dir(&folder)
            .args(["build", "recipes/image.toml"]);
        command.arg("--binaries").arg(folder.join("binaries"));
        command.arg("--out").arg(folder.join("out"));
        command.arg("--kernel").arg(folder.join("bzImage"));
        command.arg("--mirror").arg(bench.path("archive"));
        command.arg("--cache").arg(folder.join("cache"));
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
    assert_eq!(alice.len(), 6);
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
            chrysalis_test_support::skip("only root can build as another user, too");
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
