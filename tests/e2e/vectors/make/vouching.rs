//! Roots, the keys that they vouch for, and releases that those signed.

use chrysalis_attestation::{
    Time,
    encoding::digest::{Hex, sha256},
    release::{
        Checkpoint, Endorsement, Envelope, Hash, Inclusion, KeyStatement, PublicKey, ROOT,
        RevokedKey, Role, RootStatement, VouchedKey, leaf_hash,
    },
};
use serde_json::{Value, json};

use super::{
    NOW,
    release::{DAY, KIND, ORIGIN, PROJECT, Signer, files, measurements, rejected, release},
};
use crate::vector::{Common, Tree, Vector};

/// What a publisher serves, before it is signed: honest, but for what a vector changes.
struct Scene {
    /// Every root statement with those who sign it.
    roots: Vec<(RootStatement, Vec<Signer>)>,
    keys: KeyStatement,
    keys_signer: Signer,
    releaser: Signer,
    epoch: u64,
    log: Signer,
    /// Whether the log has each of root, keys and manifest.
    logged: [bool; 3],
    /// Another payload type for the key statement.
    retyped: Option<&'static str>,
}

fn first() -> Signer {
    Signer::new(0xD4)
}

fn second() -> Signer {
    Signer::new(0xD5)
}

fn root(signer: &Signer, version: u64) -> RootStatement {
    RootStatement {
        project: PROJECT.to_owned(),
        version,
        issued: Time(NOW.0 - 2 * DAY),
        expires: Time(NOW.0 + 2 * DAY),
        key: signer.key(),
    }
}

fn vouched(role: Role, key: PublicKey) -> VouchedKey {
    VouchedKey {
        role,
        key,
        not_before: Time(NOW.0 - DAY),
        expires: Time(NOW.0 + DAY),
    }
}

/// What a provider staples of a publisher's: root statement, key statement, and an endorsement of the image, with one change.
pub(super) fn stapled(change: impl FnOnce(&mut Endorsement)) -> Vec<(&'static str, Vec<u8>)> {
    let scene = Scene::new();
    let mut endorsement = Endorsement {
        project: PROJECT.to_owned(),
        release: "v1.2.7".to_owned(),
        epoch: 7,
        issued: Time(NOW.0 - DAY),
        until: Time(NOW.0 + DAY),
        measurements: measurements(),
    };
    change(&mut endorsement);
    vec![
        ("1.root.json", sealed_root(&scene.roots[0])),
        ("keys.json", scene.keys_signer.seal(scene.keys.envelope())),
        (
            "endorsement.json",
            scene.releaser.seal(endorsement.envelope(files())),
        ),
    ]
}

/// The root of [`stapled`].
pub(super) fn endorsing_root() -> String {
    first().key().id().to_string()
}

impl Scene {
    fn new() -> Self {
        let (releaser, log) = (Signer::publisher(), Signer::log());
        Self {
            roots: vec![(root(&first(), 1), vec![first()])],
            keys: KeyStatement {
                project: PROJECT.to_owned(),
                version: 2,
                issued: Time(NOW.0 - DAY),
                expires: Time(NOW.0 + DAY),
                keys: vec![
                    vouched(Role::Release, releaser.key()),
                    vouched(Role::Log, log.key()),
                ],
                revoked: Vec::new(),
            },
            keys_signer: first(),
            releaser,
            epoch: 7,
            log,
            logged: [true; 3],
            retyped: None,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self::new();
        change(&mut scene);
        scene
    }

    /// Followed by a second root, which signs the keys.
    fn followed(change: impl FnOnce(&mut RootStatement), signers: Vec<Signer>) -> Self {
        let mut next = root(&second(), 2);
        change(&mut next);
        Self::with(|scene| {
            scene.roots.push((next, signers));
            scene.keys_signer = second();
        })
    }

    /// Root, folder of keys, folder of the log, manifest.
    fn files(&self) -> (Vec<u8>, Tree, Tree, Vec<u8>) {
        let roots: Vec<Vec<u8>> = self.roots.iter().map(sealed_root).collect();
        let envelope = self.keys.envelope();
        let keys = match self.retyped {
            Some(other) => self
                .keys_signer
                .seal(Envelope::of(other, payload(&envelope))),
            None => self.keys_signer.seal(envelope),
        };
        let manifest = self.releaser.seal(release(self.epoch).envelope(files()));
        let mut folder = Tree::from([("keys.json".to_owned(), keys.clone())]);
        for ((statement, _), bytes) in self.roots.iter().zip(&roots).skip(1) {
            // Where a reader looks for it, whatever it says.
            let version = statement.version.min(2);
            folder.insert(format!("{version}.root.json"), bytes.clone());
        }
        let [root_logged, keys_logged, manifest_logged] = self.logged;
        let mut entries = Vec::new();
        if root_logged {
            entries.extend(roots.iter().cloned());
        }
        if keys_logged {
            entries.push(keys);
        }
        if manifest_logged {
            entries.push(manifest.clone());
        }
        (roots[0].clone(), folder, log(&entries, &self.log), manifest)
    }

    /// All of it, in the request.
    fn asked(&self, vector: Vector) -> Vector {
        let (root, keys, log, manifest) = self.files();
        vector
            .file("root", "root.json", root)
            .folder("keys", "keys", &keys)
            .folder("log", "log", &log)
            .file("manifest", "manifest.json", manifest)
    }

    /// The same as what was seen before, in a folder of its own.
    fn seen(&self, vector: Vector) -> Vector {
        let (root, keys, log, manifest) = self.files();
        let tree = Tree::from([
            ("root.json".to_owned(), root),
            ("manifest.json".to_owned(), manifest),
        ]);
        let seen = json!([{
            "root": "seen/root.json", "keys": "seen/keys", "log": "seen/log", "manifest": "seen/manifest.json",
        }]);
        vector
            .beside("seen", &tree)
            .beside("seen/keys", &keys)
            .beside("seen/log", &log)
            .with("seen", seen)
    }
}

fn sealed_root((statement, signers): &(RootStatement, Vec<Signer>)) -> Vec<u8> {
    let mut envelope = statement.envelope();
    for signer in signers {
        let signature = signer.sign(&envelope.to_be_signed());
        envelope = envelope.with_signature(&signer.key(), signature);
    }
    envelope.to_json().into_bytes()
}

fn payload(envelope: &Envelope) -> Vec<u8> {
    let wire: Value = serde_json::from_str(&envelope.to_json()).expect("JSON");
    let payload = wire["payload"].as_str().expect("base64");
    let payload = data_encoding::BASE64.decode(payload.as_bytes());
    payload.expect("base64")
}

/// The proofs of these entries, in RFC 6962's tree over them, filled up to a power of two.
fn log(entries: &[Vec<u8>], signer: &Signer) -> Tree {
    let mut leaves: Vec<Hash> = entries.iter().map(|it| leaf_hash(it)).collect();
    leaves.resize(entries.len().next_power_of_two(), leaf_hash(b"another"));
    let size = leaves.len() as u64;
    let mut rows = vec![leaves];
    while rows[rows.len() - 1].len() > 1 {
        let above = rows[rows.len() - 1].chunks(2);
        let above = above.map(|pair| sha256(&[&[1], &pair[0], &pair[1]]));
        rows.push(above.collect());
    }
    let top = rows.pop().expect("a root");
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: Hex(top[0]),
    };
    let signature = signer.sign(checkpoint.to_be_signed().as_bytes());
    let note = checkpoint.note(&signer.key(), &signature).expect("a note");
    let proof = |index: usize| {
        let path = rows.iter().enumerate();
        let inclusion = Inclusion {
            index: index as u64,
            path: path
                .map(|(row, hashes)| hashes[(index >> row) ^ 1])
                .collect(),
            checkpoint: note.clone(),
        };
        inclusion.to_text().into_bytes()
    };
    let named = entries.iter().enumerate().map(|(index, entry)| {
        let name = format!("proofs/{}.tlog-proof", hex::encode(leaf_hash(entry)));
        (name, proof(index))
    });
    named.collect()
}

/// Under the development root, which signs the log as well.
fn development() -> Scene {
    Scene::with(|scene| {
        let key = Signer::development().key();
        let statement = RootStatement {
            key: key.clone(),
            ..root(&first(), 1)
        };
        scene.roots = vec![(statement, vec![Signer::development()])];
        scene.keys.keys[1] = vouched(Role::Log, key);
        scene.keys_signer = Signer::development();
        scene.log = Signer::development();
    })
}

#[rustfmt::skip]
fn lies() -> Vec<(&'static str, &'static str, Scene)> {
    let soon = Time(NOW.0 + 1);
    let revoke = |scene: &mut Scene| scene.keys.revoked.push(RevokedKey { key: Signer::publisher().key().id(), since: NOW, why: "stolen".to_owned() });
    let both = || vec![second(), first()];
    vec![
        ("development_key", "the root is the development key, and nobody names it", development()),
        ("development_key vouched-for", "a root vouches for the development key", Scene::with(|it| it.keys.keys.push(vouched(Role::Release, Signer::development().key())))),
        ("envelope_payload_type keys", "the key statement is of the type of roots", Scene::with(|it| it.retyped = Some(ROOT))),
        ("envelope_payload_type root", "the root statement is of the type of keys", Scene::new()),
        ("statement_malformed keys", "the root statement lists the root key among the release keys", Scene::with(|it| it.keys.keys.push(vouched(Role::Release, first().key())))),
        ("release_root_not_vouched", "the new root is signed by itself alone", Scene::followed(|_| {}, vec![second()])),
        ("release_root_not_vouched by-another", "the new root is signed by itself and by a stranger", Scene::followed(|_| {}, vec![second(), Signer::new(0xD6)])),
        ("release_root_version_skipped", "the second root statement has version 3", Scene::followed(|it| it.version = 3, both())),
        ("release_root_project", "the second root statement is of another project", Scene::followed(|it| "other.example".clone_into(&mut it.project), both())),
        ("release_root_not_yet_valid", "the root statement is issued in a second", Scene::with(|it| it.roots[0].0.issued = soon)),
        ("release_root_expired", "the root statement has just ended", Scene::with(|it| it.roots[0].0.expires = NOW)),
        ("release_root_unknown", "another root signed the key statement", Scene::with(|it| it.keys_signer = second())),
        ("release_root_unknown old", "the old root signed the key statement after the new one took its place", {
            let mut scene = Scene::followed(|_| {}, both());
            scene.keys_signer = first();
            scene
        }),
        ("key_statement_project", "the key statement is of another project", Scene::with(|it| "other.example".clone_into(&mut it.keys.project))),
        ("key_statement_not_yet_valid", "the key statement is issued in a second", Scene::with(|it| it.keys.issued = soon)),
        ("key_statement_expired", "the key statement has just ended", Scene::with(|it| it.keys.expires = NOW)),
        ("release_key_not_vouched", "a key that the root does not vouch for signed the manifest", Scene::with(|it| it.releaser = Signer::new(0xD6))),
        ("release_key_not_vouched another-role", "the log's key signed the manifest", Scene::with(|it| it.releaser = Signer::log())),
        ("release_key_revoked", "the release key is revoked", Scene::with(revoke)),
        ("release_key_not_yet_valid", "the release key counts in a second", Scene::with(|it| it.keys.keys[0].not_before = soon)),
        ("release_key_expired", "the release key has just ended", Scene::with(|it| it.keys.keys[0].expires = NOW)),
        ("log_entry_missing", "the log does not have the manifest", Scene::with(|it| it.logged[2] = false)),
        ("log_entry_missing root", "the log does not have the root statement", Scene::with(|it| it.logged[0] = false)),
        ("log_entry_missing keys", "the log does not have the key statement", Scene::with(|it| it.logged[1] = false)),
        ("log_key_not_vouched", "the root vouches for no log key", Scene::with(|it| it.keys.keys.truncate(1))),
    ]
}

/// What was seen before, and what is asked then.
#[rustfmt::skip]
fn remembered() -> Vec<(&'static str, &'static str, Scene, Scene)> {
    let followed = || Scene::followed(|_| {}, vec![second(), first()]);
    vec![
        ("release_root_rolled_back", "the second root was seen before, and is withheld", followed(), Scene::new()),
        ("release_root_version_reused", "another root statement of this version was seen before", Scene::with(|it| it.roots[0].0.expires = Time(NOW.0 + DAY)), Scene::new()),
        ("key_statement_rolled_back", "a newer key statement was seen before", Scene::with(|it| it.keys.version = 3), Scene::new()),
        ("key_statement_version_reused", "another key statement of this version was seen before", Scene::with(|it| it.keys.expires = Time(NOW.0 + 2 * DAY)), Scene::new()),
    ]
}

pub(super) fn vectors(_: &mut Common) -> Vec<Vector> {
    let current = |name, shows| {
        let claims = json!({"release": "v1.2.7", "epoch": 7, "project": PROJECT});
        Vector::accepted(KIND, name, shows, NOW, ("current", claims))
    };
    let followed = Scene::followed(|_| {}, vec![second(), first()]);
    let mut ended = Scene::followed(|_| {}, vec![second(), first()]);
    ended.roots[0].0.expires = NOW;
    let mut vectors = vec![
        Scene::new().asked(current("vouched", "a root vouches for the release key")),
        followed.asked(current("new-root", "the old root vouches for a new one")),
        ended.asked(current(
            "old-root-ended",
            "the old root ended, after it vouched for a new one",
        )),
        development()
            .asked(current(
                "development-root",
                "the development root, by its name",
            ))
            .with("development_root", true),
    ];
    for (code, shows, scene) in lies() {
        let mut vector = scene.asked(rejected(code, shows));
        if code.ends_with(" root") && code.starts_with("envelope") {
            // The same statement, where a root is wanted.
            let (_, keys, _, _) = scene.files();
            vector = vector.replaced("root", keys["keys.json"].clone());
        }
        vectors.push(vector);
    }
    for (code, shows, before, now) in remembered() {
        vectors.push(before.seen(now.asked(rejected(code, shows))));
    }
    vectors
}
