//! `chrysalis keys add`: what it puts into the folder of keys, and each reason why it does not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

/// A configuration whose model `m` has the secret `licence`.
fn configuration() -> String {
    let (model, engine) = ("ab".repeat(32), "cd".repeat(32));
    format!(
        "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{engine}\", blocks = 1 }}\nthreads = 1\nmemory_mib = 64\n\
         [[model]]\nname = \"m\"\nkind = \"embedding\"\nengine = \"e\"\ndisk = {{ root = \"{model}\", blocks = 1 }}\n\
         weights = \"{model}\"\nsecrets = [\"licence\"]\ncontext = 64\nparallel = 1\n\
         [serving]\nqueue = 1\ndefault_max_tokens = 1\n\
         [keys]\naddress = \"a:1\"\ncertificate_sha256 = \"{model}\"\n"
    )
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("configuration.toml"), configuration()).unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        Self(folder)
    }

    fn add(&self, name: &str, value: &[u8], more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chrysalis"));
        command
            .current_dir(self.0.path())
            .args(["keys", "add", name, "--keys", "keys"])
            .args(["--configuration", "configuration.toml"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // One that refuses the rest does not wait for it.
        let _ = process.stdin.take().unwrap().write_all(value);
        process.wait_with_output().unwrap()
    }

    /// Why it does not.
    fn refused(&self, name: &str, value: &[u8], more: &[&str]) -> String {
        let output = self.add(name, value, more);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn a_secret_is_for_the_configurations_model_on_its_engine() {
    let scene = Scene::new();
    let added = scene.add("licence", b"word\n", &["--model", "m"]);
    assert!(added.status.success(), "{added:?}");
    assert_eq!(
        String::from_utf8(added.stdout).unwrap(),
        "keys/licence.secret\n"
    );
    let path = scene.0.path().join("keys/licence.secret");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (model, engine) = ("ab".repeat(32), "cd".repeat(32));
    let file = format!("chrysalis secret 1\nmodel {model} engine {engine}\n\nword\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), file);

    let there = scene.refused("licence", b"other", &["--model", "m"]);
    assert!(there.contains("hint: pass --replace"), "{there}");
    assert_eq!(fs::read_to_string(&path).unwrap(), file);
    let replaced = scene.add("licence", b"other", &["--model", "m", "--replace"]);
    assert!(replaced.status.success(), "{replaced:?}");
    assert!(fs::read_to_string(&path).unwrap().ends_with("\n\nother"));
}

#[test]
fn what_cannot_be_given_is_refused_with_a_hint() {
    let scene = Scene::new();
    let long = vec![b'v'; (64 << 10) + 1];
    for (name, value, model, says) in [
        (
            "licence",
            b"".as_slice(),
            "m",
            "has no value\nhint: give 1 to 65536 bytes",
        ),
        (
            "licence",
            &long,
            "m",
            "has more than 64 KiB\nhint: give 1 to 65536 bytes",
        ),
        ("token", b"v", "m", "does not name the secret token"),
        ("licence", b"v", "n", "has no model n"),
    ] {
        let refused = scene.refused(name, value, &["--model", model]);
        assert!(refused.contains(says), "{refused}");
    }
    let nobody = scene.refused("licence", b"v", &[]);
    assert!(nobody.contains("--model"), "{nobody}");
    assert_eq!(
        fs::read_dir(scene.0.path().join("keys")).unwrap().count(),
        0
    );
    fs::remove_dir(scene.0.path().join("keys")).unwrap();
    let nowhere = scene.refused("licence", b"v", &["--model", "m"]);
    assert!(
        nowhere.contains("hint: make keys with `chrysalis keys new`"),
        "{nowhere}"
    );
}
