//! `chrysalis-image network` and `key operator`: who signs a network's descriptor, one after the other, and what they may not sign.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::room::Room;

const GOOD: &str = r#"name = "network.example"
version = 1
expires = "2099-01-01T00:00:00Z"
policy = "abababababababababababababababababababababababababababababababab"

[chain]
global_id = -3
purse = "abababababababababababababababababababababababababababababababab"

[[directory]]
url = "https://directory.example"
key = "abababababababababababababababababababababababababababababababab"

[[class]]
name = "tiny"
weights = "abababababababababababababababababababababababababababababababab"
"#;

/// A room with the keys of three people, and a descriptor.
fn scene() -> Room {
    let room = Room::new();
    for name in ["alice", "bob", "carol"] {
        room.yes(&format!(
            "openssl genpkey -algorithm ed25519 -out {name}.pem && openssl pkey -in {name}.pem -pubout -out {name}.pub"
        ));
    }
    fs::write(room.path("network.toml"), GOOD).unwrap();
    room
}

/// What it says on its way out, having done nothing.
#[track_caller]
fn refused(scene: &Room, command: &str) -> String {
    let output = scene.run(command);
    assert_eq!(output.status.code(), Some(2), "{command}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn sign(keys: &str, more: &str) -> String {
    format!("chrysalis-image network sign network.toml {keys} --out network.json {more}")
}

fn show(keys: &str) -> String {
    format!("chrysalis-image network show network.json {keys}")
}

#[test]
fn several_people_sign_one_after_the_other() {
    let scene = scene();
    let said = scene.yes(&sign("--key alice.pem", ""));
    assert!(
        said.starts_with(
            "network network.example, version 1, until 2099-01-01 00:00 UTC\nsigned  "
        ),
        "{said}"
    );
    let two = "--key alice.pub --key bob.pub";
    let said = refused(&scene, &show(two));
    assert!(
        said.contains("1 of the named keys signed the descriptor; 2 have to")
            && said.contains("hint: "),
        "{said}"
    );
    let said = scene.yes(&sign("--key bob.pem", "--add"));
    assert!(said.contains("network.json, 2 signatures"), "{said}");
    let shown = scene.yes(&show(two));
    for line in [
        "network    network.example, version 1, until 2099-01-01 00:00 UTC",
        "chain      GRAM, global id -3, purse abab",
        "directory  https://directory.example abab",
        "class      tiny abab",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(shown.matches("signed ").count(), 2);
    let three = "--key alice.pub --key bob.pub --key carol.pub";
    refused(&scene, &show(three));
    let shown = scene.yes(&show(&format!("{three} --at-least 2")));
    assert_eq!(shown.matches("signed ").count(), 2, "{shown}");
    let said = refused(&scene, &show(&format!("{three} --at-least 4")));
    assert!(said.contains("is not 1 to 3"), "{said}");
    // All at once is the same.
    scene.yes("mv network.json one-by-one.json");
    scene.yes(&sign("--key alice.pem --key bob.pem", ""));
    scene.yes("cmp network.json one-by-one.json");
}

#[test]
fn nobody_signs_what_the_others_did_not() {
    let scene = scene();
    let said = refused(&scene, &sign("--key bob.pem", "--add"));
    assert!(said.contains("leave --add out"), "{said}");
    scene.yes(&sign("--key alice.pem", ""));
    for (keys, more, why) in [
        ("--key bob.pem", "", "is there already"),
        ("--key alice.pem", "--add", "has a signature of"),
    ] {
        let said = refused(&scene, &sign(keys, more));
        assert!(said.contains(why), "{said}");
    }
    let other = GOOD.replace("directory.example", "another.example");
    fs::write(scene.path("network.toml"), other).unwrap();
    let said = refused(&scene, &sign("--key bob.pem", "--add"));
    assert!(said.contains("holds another descriptor"), "{said}");
    let said = refused(&scene, &show("--key carol.pub"));
    assert!(said.contains("0 of the named keys signed"), "{said}");
}

#[test]
fn what_no_reader_takes_is_not_signed_and_the_line_is_named() {
    let scene = scene();
    for (text, why) in [
        (GOOD.replace("version = 1", "version = one"), "line 2"),
        (GOOD.replace("[[class]]", "[[classes]]"), "line 14"),
        (
            GOOD.replace("version = 1", "version = 0"),
            "its version is 0",
        ),
        (GOOD.replace("2099-", "2019-"), "expired"),
        (GOOD.replace("https://directory", "directory"), "address"),
    ] {
        fs::write(scene.path("network.toml"), text).unwrap();
        let said = refused(&scene, &sign("--key alice.pem", ""));
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
        assert!(!scene.path("network.json").exists());
    }
}

#[test]
fn the_development_key_signs_only_where_it_is_named() {
    let scene = scene();
    let key = "--key measurements/releases/development/root.pem";
    let said = refused(&scene, &sign(key, ""));
    assert!(said.contains("development key"), "{said}");
    let said = scene.yes(&sign(key, "--development-root"));
    assert!(said.contains("nyone can sign"), "{said}");
}

#[test]
fn an_operators_key_is_private_and_opens_without_anybody() {
    let scene = scene();
    let said = scene.yes("chrysalis-image key operator --key operator.pem");
    assert!(
        said.starts_with("operator key ") && said.ends_with("operator.pub\n"),
        "{said}"
    );
    let file = fs::metadata(scene.path("operator.pem")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    scene.yes("openssl pkey -in operator.pem -pubout | cmp - operator.pub");
    let said = refused(&scene, "chrysalis-image key operator --key operator.pem");
    assert!(said.contains("is there already"), "{said}");
}
