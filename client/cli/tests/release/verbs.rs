//! `release`, `audit`, `log` and `policy init --release`, with keys that openssl makes and this test throws away. The other
//! implementation of DSSE is `securesystemslib`, in `CHRYSALIS_PYTHON`. Says which one it misses, and passes.

use std::{env, fs, path::Path, process::Command};

use chrysalis_attestation::release::{Development, PublicKey};
use chrysalis_image::publish::{Passphrase, SigningKey};
use data_encoding::BASE64;
use serde_json::Value;

use crate::room::{Room, image, releases, root};

/// A room with keys.
fn scene() -> Room {
    let room = Room::new();
    for name in ["release", "log", "stranger"] {
        room.yes(&format!(
            "openssl genpkey -algorithm ed25519 -out {name}.pem"
        ));
    }
    room.yes("openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out rebuilder.pem");
    for name in ["release", "log", "stranger", "rebuilder"] {
        room.yes(&format!(
            "openssl pkey -in {name}.pem -pubout -out {name}.pub"
        ));
    }
    room
}

/// A manifest of an image that was never built, signed by one of the keys.
fn signed_by(room: &Room, key: &str, epoch: u64, out: &str) {
    let key = room.path(&format!("{key}.pem"));
    let key = SigningKey::read(&key, &Passphrase::Terminal, Development::Refused);
    room.made_up(&key.unwrap(), None, epoch, out);
}

fn make(room: &Room, image: &Path, epoch: u64, out: &str) {
    let image = image.display();
    room.yes(&format!(
        "chrysalis-image release make {image} --epoch {epoch} --issued 2026-11-01T00:00:00Z --expires 2099-01-01 --key release.pem \
         --out {out} --vcpus 1,2 --cpu EPYC-v4"
    ));
}

/// A copy of the image in which one file is another.
fn changed(image: &Path, scene: &Room, name: &str, bytes: &[u8]) {
    let folder = scene.path("changed");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(image).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    fs::write(folder.join(name), bytes).unwrap();
    let digest = chrysalis_attestation::encoding::digest::sha256(&[bytes]);
    let path = folder.join("image.json");
    let mut description: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for file in description["files"].as_array_mut().unwrap() {
        if file["path"] == name {
            file["sha256"] = hex::encode(digest).into();
        }
    }
    fs::write(path, description.to_string()).unwrap();
}

#[test]
fn a_release_is_verified_remembered_and_never_left_for_an_older_one() {
    let Some(image) = image() else { return };
    let scene = scene();
    make(&scene, &image, 1, "v1");
    make(&scene, &image, 2, "v2");
    make(&scene, &image, 2, "other");
    let verify =
        |folder: &str| format!("chrysalis release verify {folder}/manifest.json --key release.pub");
    assert!(scene.yes(&verify("v1")).contains("epoch 1, no step back"));
    let told: Value =
        serde_json::from_str(&scene.yes(&format!("{} --format json", verify("v2")))).unwrap();
    assert_eq!(
        (&told["verdict"], &told["release"]["epoch"]),
        (&"current".into(), &2.into())
    );
    scene.no(&verify("v1"), "release_rolled_back");
    // The same bytes again are the same release.
    scene.yes(&verify("other"));
    let future = "2100-01-01T00:00:00Z";
    scene.no(
        &format!("{} --at {future}", verify("v2")),
        "release_expired",
    );
    scene.no(
        &format!("{} --at 2026-01-01T00:00:00Z", verify("v2")),
        "release_not_yet_valid",
    );
    scene.no(
        "chrysalis release verify v2/manifest.json --key stranger.pub",
        "envelope_key_unknown",
    );
    scene.cannot(
        "chrysalis release verify v2/manifest.json --key release.pem",
        "openssl pkey -pubout",
    );
    let again = format!(
        "chrysalis-image release make {} --epoch 3 --expires 2099-01-01 --key release.pem --out v2",
        image.display()
    );
    scene.cannot(&again, "is there already");
    fs::write(scene.path("state/chrysalis/releases.toml"), "epoch = 0").unwrap();
    scene.cannot(&verify("v1"), "mend or restore it");
}

#[test]
fn a_release_is_endorsed_for_days_by_any_key_and_not_beyond_its_end() {
    let scene = scene();
    signed_by(&scene, "release", 1, "v1/manifest.json");
    let endorse = |from: &str, until: &str, more: &str| {
        format!(
            "chrysalis-image release endorse v1/manifest.json --issued {from} --expires {until} {more} --out v1/endorsement.json"
        )
    };
    let said = scene.yes(&endorse("2026-12-01", "2026-12-15", "--key release.pem"));
    let told = "release v1, epoch 1, endorsed until 2026-12-15 00:00 UTC\n";
    assert!(said.starts_with(told), "{said}");
    // The next takes its place, whoever signs it.
    let other = "--key stranger.pem --signed-by release.pub";
    let said = scene.yes(&endorse("2026-12-08", "2026-12-20", other));
    assert!(said.contains("until 2026-12-20"), "{said}");
    scene.cannot(
        &endorse("2026-12-01", "2026-12-16", "--key release.pem"),
        "it counts for more than 14 days",
    );
    scene.cannot(
        &endorse("2026-12-01", "2026-12-02", "--key stranger.pem"),
        "did not sign this",
    );
    scene.cannot(
        &endorse("2096-10-01", "2096-10-10", "--key release.pem"),
        "before the endorsement would",
    );
}

#[test]
fn an_audit_says_the_same_signs_it_or_names_the_first_difference() {
    let Some(image) = image() else { return };
    let scene = scene();
    make(&scene, &image, 1, "v1");
    let audit = |folder: &Path| {
        format!(
            "chrysalis audit --image {} --against v1/manifest.json --key release.pub",
            folder.display()
        )
    };
    let sign = format!(
        "{} --sign rebuilder.pem --statement statement.json",
        audit(&image)
    );
    assert!(scene.yes(&sign).contains("the same: release v"));

    let line = fs::read_to_string(image.join("cmdline")).unwrap();
    changed(
        &image,
        &scene,
        "cmdline",
        format!("{} debug", line.trim_end()).as_bytes(),
    );
    let output = scene.run(&format!(
        "{} --released {}",
        audit(&scene.path("changed")),
        image.display()
    ));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("differs: file cmdline\nreleased  "),
        "{said}"
    );
    assert!(said.contains("\nfirst     cmdline"), "{said}");

    fs::write(scene.path("changed/initrd"), "another").unwrap();
    scene.cannot(
        &audit(&scene.path("changed")),
        "initrd is not the file that image.json describes",
    );
    let manifest = fs::read_to_string(scene.path("v1/manifest.json")).unwrap();
    fs::write(
        scene.path("v1/manifest.json"),
        manifest.replace("eyJ", "eyI"),
    )
    .unwrap();
    scene.no(&audit(&image), "envelope_signature");
}

#[test]
fn a_log_shows_its_files_and_is_refused_when_it_forks_or_shrinks() {
    let scene = scene();
    for name in ["one", "two", "three"] {
        fs::write(scene.path(name), name).unwrap();
    }
    let append = |log: &str, files: &str| {
        format!("chrysalis-image log append {log} {files} --origin log.example --key log.pem")
    };
    scene.yes(&append("log", "one two"));
    scene.yes("chrysalis log verify log --key log.pub");
    scene.yes("chrysalis log verify log --key log.pub --entry two");
    assert!(
        scene
            .yes("chrysalis log prove log two")
            .starts_with("c2sp.org/tlog-proof@v1\nindex 1\n")
    );
    scene.cannot(
        "chrysalis log verify log --key log.pub --entry three",
        "may not have this file",
    );
    scene.cannot(&append("log", "one"), "in the log already");
    scene.cannot(
        "chrysalis-image log append log three --origin other.example --key log.pem",
        "a log only grows",
    );
    scene.cannot(
        "chrysalis-image log append p256 three --origin log.example --key rebuilder.pem",
        "signs with an Ed25519 key",
    );
    scene.no(
        "chrysalis log verify log --key stranger.pub",
        "checkpoint_unsigned",
    );

    scene.yes(&append("log", "three"));
    let grown = scene.path("log/consistency/2");
    let proof = fs::read(&grown).unwrap();
    fs::remove_file(&grown).unwrap();
    scene.no(
        "chrysalis log verify log --key log.pub",
        "log_growth_missing",
    );
    fs::write(&grown, proof).unwrap();
    scene.yes("chrysalis log verify log --key log.pub");

    scene.yes(&append("fork", "one three two"));
    scene.no("chrysalis log verify fork --key log.pub", "log_forked");
    scene.no(
        "chrysalis log verify fork --key log.pub --entry two",
        "log_forked",
    );
    scene.yes(&append("old", "one"));
    scene.no("chrysalis log verify old --key log.pub", "log_shrunk");
    fs::write(scene.path("log/entries/000001"), "rewritten").unwrap();
    scene.no("chrysalis log verify log --key log.pub", "log_forked");
}

#[test]
fn a_release_in_a_log_becomes_a_policy() {
    let Some(image) = image() else { return };
    let scene = scene();
    make(&scene, &image, 1, "v1");
    fs::write(scene.path("statement"), "something else").unwrap();
    fs::write(scene.path("configuration.toml"), "").unwrap();
    scene.yes("chrysalis-image log append log statement v1/manifest.json --origin log.example --key log.pem");
    let verify =
        "chrysalis release verify v1/manifest.json --key release.pub --log log --log-key log.pub";
    assert!(scene.yes(verify).contains("one of 2 entries"));

    let init = "chrysalis policy init --release v1/manifest.json --key release.pub --configuration configuration.toml";
    scene.cannot(
        init,
        "does not say which firmware will do; give --minimum-tcb FILE",
    );
    fs::write(
        scene.path("levels.toml"),
        "genoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }",
    )
    .unwrap();
    let policy = scene.yes(&format!("{init} --minimum-tcb levels.toml"));
    let policy = chrysalis_attestation::policy::Policy::parse(&policy).unwrap();
    let chrysalis_attestation::transcript::Expect::AnyOf(digests) =
        policy.snp.unwrap().launch_digest
    else {
        panic!("the digests are checked");
    };
    let measured = scene.yes(&format!(
        "chrysalis measure {} --platform snp --vcpus 2",
        image.display()
    ));
    assert!(
        digests
            .iter()
            .any(|digest| hex::encode(digest) == measured.trim())
    );
    assert_eq!(digests.len(), 2, "hardware's alone");
}

#[test]
fn securesystemslib_takes_our_envelopes_and_we_take_its() {
    let (Some(image), Some(python)) = (image(), env::var_os("CHRYSALIS_PYTHON")) else {
        chrysalis_test_support::skip("no CHRYSALIS_PYTHON with securesystemslib");
        return;
    };
    let script = root().join("tests/clients/dsse.py");
    let scene = scene();
    let dsse = |words: &str| {
        let output = Command::new(&python)
            .arg(&script)
            .args(words.split(' '))
            .current_dir(scene.path("."))
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    };
    for (epoch, key) in [(1, "release"), (2, "rebuilder")] {
        let folder = format!("by-{key}");
        scene.yes(&format!(
            "chrysalis-image release make {} --epoch {epoch} --expires 2099-01-01 --key {key}.pem --out {folder} --vcpus 1 --cpu EPYC-v4",
            image.display()
        ));
        let ours = format!("{folder}/manifest.json");
        let payload = dsse(&format!("verify {ours} {key}.pub")).expect("it takes ours");
        assert_eq!(dsse(&format!("verify {ours} stranger.pub")), None);
        fs::write(scene.path("payload"), &payload).unwrap();
        let theirs = dsse(&format!("sign payload {key}.pem")).expect("it signs");
        fs::write(scene.path("theirs.json"), theirs).unwrap();
        scene.yes(&format!(
            "chrysalis release verify theirs.json --key {key}.pub"
        ));
        scene.no(
            "chrysalis release verify theirs.json --key stranger.pub",
            "envelope_key_unknown",
        );
    }
}

/// What this repository released: signed by one of its keys, by our word and by an independent one.
#[test]
fn what_was_released_verifies_by_both() {
    let releases = releases();
    let entries = fs::read_dir(&releases).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // One for several releases, or each its own.
    let own = paths.iter().map(|path| path.join("release.pub"));
    let keys = paths.iter().cloned().chain(own.filter(|it| it.exists()));
    let keys: Vec<_> = keys
        .filter(|path| path.extension().is_some_and(|it| it == "pub"))
        .map(|path| {
            (
                PublicKey::read(&fs::read(&path).unwrap()).unwrap().id(),
                path,
            )
        })
        .collect();
    let manifests: Vec<_> = paths
        .iter()
        .map(|path| path.join("manifest.json"))
        .filter(|manifest| manifest.exists())
        .collect();
    assert!(!manifests.is_empty());
    for manifest in manifests {
        let envelope: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
        let payload = BASE64.decode(envelope["payload"].as_str().unwrap().as_bytes());
        let statement: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
        let named = envelope["signatures"][0]["keyid"].as_str().unwrap();
        let key = keys.iter().find(|(id, _)| id.to_string() == named);
        let (_, key) = key.expect("the key lies with the release, or beside it");
        let (manifest, key) = (manifest.display(), key.display());
        // Each on its own day, and by somebody who has seen no other.
        let issued = statement["predicate"]["issued"].as_str().unwrap();
        let said = scene().yes(&format!(
            "chrysalis release verify {manifest} --key {key} --at {issued}"
        ));
        let name = statement["predicate"]["release"].as_str().unwrap();
        assert!(said.starts_with(&format!("release {name} ")), "{said}");
        if let Some(python) = env::var_os("CHRYSALIS_PYTHON") {
            let script = root().join("tests/clients/dsse.py");
            let mut theirs = Command::new(&python);
            theirs
                .arg(script)
                .args(["verify", &manifest.to_string(), &key.to_string()]);
            assert!(theirs.output().unwrap().status.success(), "{manifest}");
        }
    }
}

/// What the newest release says, as text: JSON.
fn newest_release() -> String {
    let releases = releases();
    let folders = fs::read_dir(releases).unwrap();
    let manifests = folders.map(|entry| entry.unwrap().path().join("manifest.json"));
    let statements = manifests.filter(|it| it.exists()).map(|manifest| {
        let envelope: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
        let payload = envelope["payload"].as_str().unwrap();
        let text = String::from_utf8(BASE64.decode(payload.as_bytes()).unwrap()).unwrap();
        let statement: Value = serde_json::from_str(&text).unwrap();
        (statement["predicate"]["epoch"].as_u64(), text)
    });
    statements.max().unwrap().1
}

#[test]
fn the_guide_shows_what_the_newest_release_measures() {
    let release = newest_release();
    let root = root();
    let guide = fs::read_to_string(root.join("docs/guide/measure.md")).unwrap();
    let digests = guide.lines().filter_map(|line| {
        let (what, digest) = line.trim().rsplit_once(' ')?;
        what.trim().starts_with("launch").then_some(digest)
    });
    let digests: Vec<_> = digests.filter(|digest| digest.len() == 96).collect();
    assert!(!digests.is_empty());
    for digest in digests {
        assert!(release.contains(digest), "{digest}");
    }
}

/// While all of v0.1.0 to v0.1.3 are current.
const AT: &str = "--at 2026-11-30T00:00:00Z";
/// What v0.1.0 to v0.1.3 were signed by.
const FIRST: [(&str, &str); 4] = [
    ("v0.1.0", "release-2026-11-22.pub"),
    ("v0.1.1", "release-2026-11-22.pub"),
    ("v0.1.2", "release-2026-11-28.pub"),
    ("v0.1.3", "release.pub"),
];

fn by_its_key(release: &str) -> String {
    let folder = releases();
    let folder = folder.display();
    let (_, key) = FIRST.iter().find(|(name, _)| *name == release).unwrap();
    format!("chrysalis release verify {folder}/{release}/manifest.json --key {folder}/{key} {AT}")
}

fn by_the_root(release: &str) -> String {
    let folder = releases();
    let folder = folder.display();
    format!(
        "chrysalis release verify {folder}/{release}/manifest.json --root {folder}/1.root.json --keys {folder} {AT}"
    )
}

#[test]
fn whoever_saw_v0_1_3_refuses_what_came_before_under_whatever_key() {
    let named = |command: String| format!("{command} --development-root");
    for newest in [by_its_key("v0.1.3"), named(by_the_root("v0.1.3"))] {
        let scene = scene();
        scene.yes(&newest);
        for (older, _) in &FIRST[..3] {
            scene.no(&by_its_key(older), "release_rolled_back");
            scene.no(&named(by_the_root(older)), "release_rolled_back");
        }
        scene.yes(&newest);
    }
}

#[test]
fn what_v0_1_3_remembered_by_key_counts_for_the_project_and_is_kept() {
    let scene = scene();
    let state = scene.path("state/chrysalis/releases.toml");
    let old = format!(
        "[release.bad6d7d957f5363012f088c098ce1f0aecb57383f2d174c5ebc3246df5d0b012]\nepoch = 4\npayload = \"{0}\"\n\n\
         [release.{1}]\nepoch = 9\npayload = \"{0}\"\n\n\
         [log.{1}]\norigin = \"log.example\"\nsize = 3\nroot = \"{0}\"\n",
        "11".repeat(32),
        "22".repeat(32),
    );
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    fs::write(&state, &old).unwrap();
    scene.no(&by_its_key("v0.1.1"), "release_rolled_back");
    scene.no(&by_its_key("v0.1.3"), "release_epoch_reused");
    // Of another project nothing was seen, and what was seen of other keys is not lost.
    scene.yes(&format!("{} --project other.example", by_its_key("v0.1.0")));
    let kept = fs::read_to_string(&state).unwrap();
    for line in old.lines().filter(|line| !line.is_empty()) {
        assert!(kept.contains(line), "{line} is gone:\n{kept}");
    }
    // A key that was remembered is one of whichever project it is asked for.
    let stranger = PublicKey::read(&fs::read(scene.path("stranger.pub")).unwrap()).unwrap();
    let old = old.replace(&"22".repeat(32), &stranger.id().to_string());
    fs::write(&state, old).unwrap();
    signed_by(&scene, "stranger", 8, "stranger.json");
    let verify = format!(
        "chrysalis release verify stranger.json --key stranger.pub --project a.example {AT}"
    );
    scene.no(&verify, "release_rolled_back");
}

#[test]
fn the_development_root_is_refused_unless_it_is_named_and_told_in_every_output() {
    let warning = "development key: anyone can sign";
    let scene = scene();
    let verify = by_the_root("v0.1.3");
    scene.no(&verify, "development_key");
    let named = format!("{verify} --development-root");
    assert!(scene.yes(&named).contains(&format!("warning {warning}\n")));
    let json: Value = serde_json::from_str(&scene.yes(&format!("{named} --format json"))).unwrap();
    assert_eq!(
        (&json["verdict"], &json["warning"]),
        (&"current".into(), &warning.into())
    );
    let root = json["root"]["key"].as_str().unwrap();

    let folder = releases();
    let folder = folder.display();
    let log = format!("chrysalis log verify {folder}/log --key {folder}/development/root.pub");
    scene.no(&log, "development_key");
    let told = scene.yes(&format!("{log} --development-root"));
    assert!(told.contains(&format!("warning {warning}\n")), "{told}");

    fs::write(scene.path("configuration.toml"), "").unwrap();
    let init = format!(
        "chrysalis policy init --release {folder}/v0.1.3/manifest.json --root {folder}/1.root.json --keys {folder} --configuration configuration.toml"
    );
    let refused = scene.run(&init);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let policy = scene.yes(&format!("{init} --development-root"));
    assert!(
        policy.contains(&format!("# Warning: {warning}.")),
        "{policy}"
    );
    let parse = chrysalis_attestation::policy::Policy::parse;
    let release = parse(&policy).unwrap().release.unwrap();
    assert_eq!(
        (release.name.as_str(), release.root.to_string()),
        ("v0.1.3", root.to_owned())
    );
    assert!(release.development.is_some());
    // Nobody signs by accident with it.
    scene.cannot(
        &format!(
            "chrysalis-image log append log configuration.toml --origin a --key {folder}/development/root.pem"
        ),
        "anyone can sign with it",
    );
    // Without its reason the policy is none.
    let silent: String = policy
        .lines()
        .filter(|line| !line.starts_with("development_root"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(
        parse(&silent)
            .unwrap_err()
            .to_string()
            .contains("anyone can sign")
    );
}

#[test]
fn the_development_key_is_no_publishers_key() {
    let scene = scene();
    let key = releases().join("development/root.pub");
    let key = key.display();
    signed_by(&scene, "release", 1, "manifest.json");
    for command in [
        format!("chrysalis release verify manifest.json --key {key} {AT}"),
        format!(
            "chrysalis release verify manifest.json --key release.pub --log log --log-key {key} {AT}"
        ),
    ] {
        scene.no(&command, "development_key");
    }
    scene.cannot(
        &format!("chrysalis release verify manifest.json {AT}"),
        "whose release is it?",
    );
    // Named as the key of a log, it is told as well.
    let root = releases().join("development/root.pem");
    scene.yes(&format!(
        "chrysalis-image log append log manifest.json --origin a --key {} --development-root",
        root.display()
    ));
    let told = scene.yes(&format!(
        "chrysalis release verify manifest.json --key release.pub --log log --log-key {key} {AT} --development-root"
    ));
    assert!(
        told.contains("warning development key: anyone can sign\n"),
        "{told}"
    );
}

#[test]
fn all_that_was_released_is_in_the_log_and_vouched_for() {
    for (release, _) in FIRST {
        let told = scene().yes(&format!("{} --development-root", by_the_root(release)));
        assert!(told.starts_with(&format!("release {release} ")), "{told}");
        assert!(told.contains("\nlog     chrysalis/development "), "{told}");
    }
    // Every manifest there is, and every statement, whichever was added since.
    let folder = releases();
    let scene = scene();
    let check = |file: &Path| {
        let (log, key) = (folder.join("log"), folder.join("development/root.pub"));
        scene.yes(&format!(
            "chrysalis log verify {} --key {} --development-root --entry {}",
            log.display(),
            key.display(),
            file.display()
        ));
    };
    check(&folder.join("1.root.json"));
    check(&folder.join("keys.json"));
    let folders = fs::read_dir(&folder).unwrap();
    let manifests = folders.map(|entry| entry.unwrap().path().join("manifest.json"));
    let manifests: Vec<_> = manifests.filter(|it| it.exists()).collect();
    assert!(manifests.len() >= 4);
    for manifest in &manifests {
        check(manifest);
    }
}

#[test]
fn the_lint_lets_one_private_key_in_by_its_digest() {
    let root = root();
    let scene = scene();
    let copy = scene.path("repository");
    let development = copy.join("measurements/releases/development");
    fs::create_dir_all(&development).unwrap();
    let key = fs::read_to_string(root.join("measurements/releases/development/root.pem")).unwrap();
    let git = Command::new("git")
        .arg("init")
        .arg("-q")
        .arg(&copy)
        .status();
    assert!(git.unwrap().success());
    let lint = || {
        let output = Command::new(root.join("scripts/keys")).arg(&copy).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    };
    let (passed, said) = lint();
    assert!(
        !passed && said.contains("is not the development key"),
        "{said}"
    );
    fs::write(development.join("root.pem"), &key).unwrap();
    assert!(lint().0, "{:?}", lint());
    let other = fs::read_to_string(scene.path("release.pem")).unwrap();
    for (name, bytes) in [
        ("measurements/releases/development/root.pem", other.clone()),
        (
            "measurements/releases/development/root.pem",
            format!("{key}{other}"),
        ),
        ("measurements/releases/development/other.pem", other),
        ("key.pem", key.clone()),
        ("encrypted.pem", key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
    ] {
        let path = copy.join(name);
        let before = fs::read(&path).ok();
        fs::write(&path, bytes).unwrap();
        let (passed, said) = lint();
        assert!(!passed, "{name}: {said}");
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    assert!(lint().0);
}
