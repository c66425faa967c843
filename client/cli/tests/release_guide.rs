//! docs/guide/release.md, command by command: each runs in one folder, and prints what the guide shows of it. Where no image is built
//! (`CHRYSALIS_IMAGE`, or build/cpu), the first manifest is one of a made-up image; every other command is the guide's own.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrysalis_attestation::{
    Time,
    digest::Hex,
    release::{Development, Measurements, Release, SnpMeasurement, Subject},
};
use chrysalis_image::publish::{Passphrase, SigningKey};
use tempfile::TempDir;

/// A command of the guide, and what it shows of the output.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// Indented blocks: a command begins with `$ `, a line that ends in `\` goes on, and the rest is output.
fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in guide.lines().filter_map(|line| line.strip_prefix("    ")) {
        let command = line.strip_prefix("$ ");
        match (command, steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some(step)) if goes_on => {
                step.command.push('\n');
                step.command.push_str(line.trim());
            }
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("output before any command: {line}"),
        }
        goes_on = line.ends_with('\\') && (command.is_some() || goes_on);
    }
    steps
}

/// Whether some line of the output is as shown, where `…` stands for anything, and the end of a line may be left out.
fn printed(output: &str, shown: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim_end);
    let first = parts.next().unwrap_or_default();
    let parts: Vec<_> = parts.map(str::trim_start).collect();
    let behind = |rest: &str, part: &str| rest.find(part).map(|at| at + part.len());
    output.lines().any(|line| {
        let Some(mut rest) = line.strip_prefix(first) else {
            return false;
        };
        parts.iter().all(|part| {
            let end = behind(rest, part);
            rest = &rest[end.unwrap_or(0)..];
            end.is_some()
        })
    })
}

struct Room(TempDir);

/// Where `chrysalis` and `chrysalis-image` are.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chrysalis")).parent().unwrap()
}

impl Room {
    /// A folder that the guide's commands find the programs in, and this repository's releases.
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        symlink(root().join("measurements"), room.path("measurements")).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, command: &str) -> Output {
        let programs = programs();
        assert!(
            programs.join("chrysalis-image").exists(),
            "no chrysalis-image: cargo build -p chrysalis-image"
        );
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-euc", command])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("XDG_STATE_HOME", self.path("state"))
            .output()
            .unwrap()
    }

    /// What `release make` would sign, of an image that nobody built.
    fn made_up(&self, command: &str) {
        let words: Vec<_> = command.split_whitespace().collect();
        let option = |name: &str| {
            let at = words.iter().position(|word| *word == name).expect(name);
            words.get(at + 1).expect("a value").trim_matches('"')
        };
        let key = SigningKey::read(
            &self.path(option("--key")),
            &Passphrase::File(self.path(option("--passphrase-file"))),
            Development::Refused,
        );
        let release = Release {
            project: Some(option("--project").to_owned()),
            release: "v0.0.0".to_owned(),
            epoch: option("--epoch").parse().unwrap(),
            issued: Time(1_790_000_000),
            expires: Time(4_000_000_000),
            inputs: Vec::new(),
            toolchain: None,
            measurements: Measurements {
                snp: vec![SnpMeasurement {
                    vcpus: 1,
                    cpu: "EPYC-v4".to_owned(),
                    guest_features: 1,
                    simulated: false,
                    launch_digest: Hex([7; 48]),
                }],
                tdx: Vec::new(),
            },
            minimum_tcb: BTreeMap::new(),
        };
        let files = vec![Subject::new("kernel", [1; 32])];
        let sealed = key.unwrap().seal(release.envelope(files)).unwrap();
        let out = self.path(option("--out"));
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("manifest.json"), sealed).unwrap();
    }
}

fn image() -> Option<PathBuf> {
    let image = env::var_os("CHRYSALIS_IMAGE").map_or(root().join("build/cpu"), PathBuf::from);
    image.join("image.json").exists().then_some(image)
}

#[test]
fn every_command_of_the_guide_does_what_the_guide_shows() {
    let guide = fs::read_to_string(root().join("docs/guide/release.md")).unwrap();
    let room = Room::new();
    let image = image();
    if let Some(image) = &image {
        fs::create_dir(room.path("build")).unwrap();
        symlink(image.canonicalize().unwrap(), room.path("build/cpu")).unwrap();
    } else {
        println!("no image: `release make` signs a made-up one");
    }
    let mut ran = 0;
    for Step { command, shown } in steps(&guide) {
        if command.starts_with("scripts/release ") {
            // It would write into the repository; the next test runs it on a copy.
            continue;
        }
        if image.is_none() && command.starts_with("chrysalis release make ") {
            room.made_up(&command);
            continue;
        }
        let output = room.run(&command);
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        let refused = shown.iter().any(|line| line.starts_with("not trusted: "));
        let wanted = i32::from(refused);
        assert_eq!(output.status.code(), Some(wanted), "{command}\n{said}");
        for line in &shown {
            assert!(
                printed(&said, line),
                "{command}\nno line {line:?} in\n{said}"
            );
        }
        ran += 1;
    }
    assert!(ran >= 25, "{ran} commands");
}

#[test]
fn the_script_signs_the_next_release_under_the_development_root() {
    let Some(image) = image() else {
        chrysalis_test_support::skip("no image: make image");
        return;
    };
    let room = Room::new();
    let copied = room.run("cp -rL measurements/releases copy");
    assert!(copied.status.success(), "{copied:?}");
    let script = root().join("scripts/release");
    let run = |words: &str| {
        let mut command = Command::new(&script);
        command.args(words.split(' ')).arg(&image);
        command.env("CHRYSALIS_RELEASES", room.path("copy"));
        command.env("CHRYSALIS_TOOLS", programs());
        let output = command.output().unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (signed, said) = run("v99.0.0 99 2099-01-01");
    assert!(signed, "{said}");
    assert!(said.contains("release v99.0.0 "), "{said}");
    assert!(
        said.contains("warning development key: anyone can sign"),
        "{said}"
    );
    // Another client takes it, and then no older one.
    let verify = |release: &str| {
        room.run(&format!(
            "chrysalis release verify copy/{release}/manifest.json --root measurements/releases/1.root.json --keys copy --development-root"
        ))
    };
    assert!(verify("v99.0.0").status.success());
    let older = String::from_utf8(verify("v0.1.3").stdout).unwrap();
    assert!(
        older.starts_with("not trusted: release_rolled_back\n"),
        "{older}"
    );
    // A release is never signed twice.
    let (again, said) = run("v99.0.0 100 2099-01-01");
    assert!(!again && said.contains("is there already"), "{said}");
}

#[test]
fn nothing_secret_is_left_to_read() {
    // The keys that the guide makes are encrypted, and only their owner can read them.
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new();
    fs::write(room.path("passphrase"), "correct horse battery staple").unwrap();
    let made =
        room.run("chrysalis-image key release --key release.pem --passphrase-file passphrase");
    assert!(made.status.success(), "{made:?}");
    let key = room.path("release.pem");
    let text = fs::read_to_string(&key).unwrap();
    assert!(
        text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
        "{text}"
    );
    let permissions = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(permissions & 0o077, 0, "{permissions:o}");
    // No option takes the passphrase itself.
    for verb in ["root", "release", "log", "vouch", "revoke"] {
        let help = room.run(&format!("chrysalis-image key {verb} --help"));
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains("--passphrase-file <FILE>"), "{help}");
        assert!(!help.contains("--passphrase <"), "{help}");
    }
    // Without a terminal and without a file there is no key.
    let refused = room.run("setsid -w chrysalis-image key log --key log.pem < /dev/null");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no terminal"), "{said}");
    assert!(!room.path("log.pem").exists());
}

#[test]
fn the_publishers_verbs_refuse_what_clients_would_not_take() {
    let room = Room::new();
    fs::write(room.path("passphrase"), "correct horse battery staple").unwrap();
    let yes = |command: &str| {
        let output = room.run(command);
        assert!(output.status.success(), "{command}: {output:?}");
    };
    let cannot = |command: &str, why: &str| {
        let output = room.run(command);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains(why), "{command}: {said}");
    };
    let make = "chrysalis-image key root --passphrase-file passphrase --expires 2099-01-01 --out p";
    cannot(
        &format!("{make} --project 'No Name' --key a.pem"),
        "no name that a project has",
    );
    cannot(
        &format!("{make} --project chrysalis --key a.pem"),
        "anyone can sign",
    );
    yes(&format!("{make} --project releases.example --key root.pem"));
    cannot(
        &format!("{make} --project releases.example --key other.pem"),
        "has a root statement already",
    );
    let development = "measurements/releases/development/root.pem";
    cannot(
        &format!("{make} --project a --key {development}"),
        "anyone can sign with it",
    );
    yes("chrysalis-image key release --key release.pem --passphrase-file passphrase");
    let sign = "--passphrase-file passphrase --expires 2099-01-01";
    cannot(
        &format!("chrysalis-image key vouch p --root-key release.pem --release release.pub {sign}"),
        "is not the key of the newest root statement",
    );
    cannot(
        &format!("chrysalis-image key vouch p --root-key root.pem --release root.pub {sign}"),
        "it lists the root key itself",
    );
    cannot(
        &format!("chrysalis-image key revoke p release.pub --root-key root.pem --why lost {sign}"),
        "revoke a key that was vouched for",
    );
    cannot(
        "chrysalis-image key vouch p --root-key root.pem --passphrase-file passphrase --expires 2020-01-01",
        "give a later day",
    );
    cannot(
        &format!(
            "chrysalis-image key vouch p --root-key root.pem --release measurements/releases/development/root.pub {sign}"
        ),
        "anyone can sign with it",
    );
    assert!(!room.path("p/keys.json").exists());
}
