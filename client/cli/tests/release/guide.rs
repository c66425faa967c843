//! docs/guide/release.md, command by command: each runs in one folder, and prints what the guide shows of it. Where no image is built
//! (`CHRYSALIS_IMAGE`, or build/cpu), the first manifest is one of a made-up image; every other command is the guide's own.

use std::{fs, os::unix::fs::symlink, process::Command};

use chrysalis_attestation::release::Development;
use chrysalis_image::publish::{Passphrase, SigningKey};

use crate::{
    page::{Step, printed, steps},
    room::{Room, image, programs, root},
};

/// What `release make` would sign, of an image that was never built.
fn made_up(room: &Room, command: &str) {
    let words: Vec<_> = command.split_whitespace().collect();
    let option = |name: &str| {
        let at = words.iter().position(|word| *word == name).expect(name);
        words.get(at + 1).expect("a value").trim_matches('"')
    };
    let key = SigningKey::read(
        &room.path(option("--key")),
        &Passphrase::File(room.path(option("--passphrase-file"))),
        Development::Refused,
    );
    let out = format!("{}/manifest.json", option("--out"));
    let epoch = option("--epoch").parse().unwrap();
    room.made_up(&key.unwrap(), Some(option("--project")), epoch, &out);
}

#[test]
fn every_command_of_the_guide_does_what_the_guide_shows() {
    let guide = fs::read_to_string(root().join("docs/guide/release.md")).unwrap();
    let room = Room::new();
    let image = image();
    if let Some(image) = &image {
        fs::create_dir(room.path("build")).unwrap();
        symlink(image, room.path("build/cpu")).unwrap();
    }
    let mut ran = 0;
    for Step { command, shown } in steps(&guide) {
        if command.starts_with("scripts/release ") {
            // It would write into the repository; the next test runs it on a copy.
            continue;
        }
        if image.is_none() && command.starts_with("chrysalis-image release make ") {
            made_up(&room, &command);
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
    let Some(image) = image() else { return };
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
    assert!(!again && said.contains("exists already"), "{said}");
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
    let make = "chrysalis-image key root --passphrase-file passphrase --expires 2099-01-01 --out p";
    room.cannot(
        &format!("{make} --project 'No Name' --key a.pem"),
        "no name that a project has",
    );
    room.cannot(
        &format!("{make} --project chrysalis --key a.pem"),
        "anyone can sign",
    );
    room.yes(&format!("{make} --project releases.example --key root.pem"));
    room.cannot(
        &format!("{make} --project releases.example --key other.pem"),
        "has a root statement already",
    );
    let development = "measurements/releases/development/root.pem";
    room.cannot(
        &format!("{make} --project a --key {development}"),
        "anyone can sign with it",
    );
    room.yes("chrysalis-image key release --key release.pem --passphrase-file passphrase");
    let sign = "--passphrase-file passphrase --expires 2099-01-01";
    room.cannot(
        &format!("chrysalis-image key vouch p --root-key release.pem --release release.pub {sign}"),
        "is not the key of the newest root statement",
    );
    room.cannot(
        &format!("chrysalis-image key vouch p --root-key root.pem --release root.pub {sign}"),
        "it lists the root key itself",
    );
    room.cannot(
        &format!("chrysalis-image key revoke p release.pub --root-key root.pem --why lost {sign}"),
        "revoke a key that was vouched for",
    );
    room.cannot(
        "chrysalis-image key vouch p --root-key root.pem --passphrase-file passphrase --expires 2020-01-01",
        "give a later day",
    );
    room.cannot(
        &format!(
            "chrysalis-image key vouch p --root-key root.pem --release measurements/releases/development/root.pub {sign}"
        ),
        "anyone can sign with it",
    );
    assert!(!room.path("p/keys.json").exists());
}
