//! Endorsements: one that counts, and each way in which one does not.

use super::{
    tests::{DAY, NOW, PROJECT, Signer, at, files, measured, measurements},
    *,
};
use crate::{Rejection, Time};

/// The launch digest that is endorsed.
const ENDORSED: u8 = 5;
const WEEK: i64 = 7 * DAY;

/// What a provider staples; each part can be changed before it is signed.
struct Scene {
    root: RootStatement,
    keys: KeyStatement,
    endorsement: Endorsement,
    signers: [Signer; 2],
    more: Vec<Vec<u8>>,
    endorser: Endorser,
    now: Time,
}

fn root(signer: &Signer, version: u64) -> RootStatement {
    RootStatement {
        project: PROJECT.to_owned(),
        version,
        issued: at(-90),
        expires: at(90),
        key: signer.key(),
    }
}

impl Scene {
    fn new() -> Self {
        let [root_key, release_key] = [Signer::new(40), Signer::new(41)];
        Self {
            root: root(&root_key, 1),
            keys: KeyStatement {
                project: PROJECT.to_owned(),
                version: 3,
                issued: at(-20),
                expires: at(20),
                keys: vec![VouchedKey {
                    role: Role::Release,
                    key: release_key.key(),
                    not_before: at(-20),
                    expires: at(15),
                }],
                revoked: Vec::new(),
            },
            endorsement: Endorsement {
                project: PROJECT.to_owned(),
                release: "v1.2.3".to_owned(),
                epoch: 7,
                issued: at(-3),
                until: at(11),
                measurements: measurements(ENDORSED),
            },
            endorser: Endorser {
                root: root_key.key().id(),
                development: Development::Refused,
                max_age: WEEK,
            },
            signers: [root_key, release_key],
            more: Vec::new(),
            now: NOW,
        }
    }

    fn stapled(&self) -> Vec<Vec<u8>> {
        let [root_key, release_key] = &self.signers;
        let mut stapled = vec![
            release_key.seal(self.endorsement.clone().envelope(files())),
            root_key.seal(self.keys.envelope()),
            root_key.seal(self.root.envelope()),
        ];
        stapled.extend(self.more.clone());
        stapled
    }

    fn confirm(&self) -> Result<Endorsed, Rejection> {
        let stapled = self.stapled();
        self.endorser
            .confirm(&stapled, &measured(ENDORSED), self.now)
    }
}

/// What a provider staples for an image with this launch digest, endorsed three days before [`NOW`], and the root behind it.
pub(crate) fn stapled(launch_digest: u8) -> (KeyId, Vec<Vec<u8>>) {
    let mut scene = Scene::new();
    scene.endorsement.measurements = measurements(launch_digest);
    (scene.endorser.root, scene.stapled())
}

#[track_caller]
fn rejects(change: impl FnOnce(&mut Scene), expected: Rejection) {
    let mut scene = Scene::new();
    change(&mut scene);
    assert_eq!(scene.confirm(), Err(expected));
}

fn missing(what: &str) -> Rejection {
    Rejection::EndorsementMissing {
        what: what.to_owned(),
    }
}

/// No endorsement of what was measured.
fn none() -> Rejection {
    missing(&format!("an endorsement of {}", measured(ENDORSED)))
}

#[test]
fn the_publishers_word_counts_until_it_is_too_old() {
    let endorsed = Scene::new().confirm().expect("endorsed");
    assert_eq!(
        (endorsed.release.as_str(), endorsed.issued),
        ("v1.2.3", at(-3))
    );
    // The policy's week, before the endorsement's own end.
    assert_eq!(endorsed.until, at(4));
}

#[test]
fn it_ends_with_the_first_thing_that_it_rests_on() {
    for (change, until) in [
        ((|it| it.endorsement.until = at(1)) as fn(&mut Scene), at(1)),
        (|it| it.keys.keys[0].expires = at(2), at(2)),
        (|it| it.keys.expires = at(3), at(3)),
        (|it| it.root.expires = at(2), at(2)),
    ] {
        let mut scene = Scene::new();
        change(&mut scene);
        assert_eq!(scene.confirm().expect("endorsed").until, until);
    }
}

#[test]
fn the_newest_of_several_counts_in_any_order() {
    for older_first in [true, false] {
        let mut scene = Scene::new();
        let mut stapled = scene.stapled();
        scene.endorsement.issued = at(-1);
        stapled.extend(scene.stapled());
        // And one that has expired.
        scene.endorsement.until = at(-1);
        scene.endorsement.issued = at(-4);
        stapled.extend(scene.stapled());
        if older_first {
            stapled.reverse();
        }
        let endorsed = scene.endorser.confirm(&stapled, &measured(ENDORSED), NOW);
        assert_eq!(endorsed.expect("endorsed").until, at(6));
    }
}

#[test]
fn it_is_followed_from_the_named_root_to_the_newest() {
    let mut scene = Scene::new();
    let next = Signer::new(42);
    let envelope = root(&next, 2).envelope();
    let signature = scene.signers[0].sign(&envelope.to_be_signed());
    let statement = next.seal(envelope.with_signature(&scene.signers[0].key(), signature));
    scene.more.push(statement);
    // The old root's key statement counts no longer.
    let of_the_new = format!("a key statement of root {}", scene.endorser.root);
    assert_eq!(scene.confirm(), Err(missing(&of_the_new)));
    scene.more.push(next.seal(scene.keys.envelope()));
    assert!(scene.confirm().is_ok());
    // One that the old root did not sign is no successor.
    let stranger = Signer::new(43);
    scene.more[0] = stranger.seal(root(&stranger, 2).envelope());
    assert!(scene.confirm().is_ok());
}

#[test]
fn rejects_what_no_statement_vouches_for() {
    let id = Signer::new(40).key().id();
    let other = Signer::new(44).key().id();
    rejects(
        |it| it.endorser.root = other,
        missing(&format!("the statement of root {other}")),
    );
    rejects(
        |it| it.keys.project = "other.example".to_owned(),
        missing(&format!("a key statement of root {id}")),
    );
    let scene = Scene::new();
    for left_out in 0..3 {
        let mut stapled = scene.stapled();
        stapled.remove(left_out);
        let found = scene.endorser.confirm(&stapled, &measured(ENDORSED), NOW);
        assert!(
            matches!(found, Err(Rejection::EndorsementMissing { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn rejects_the_word_of_others_and_about_others() {
    rejects(|it| it.signers[1] = Signer::new(45), none());
    rejects(|it| it.endorsement.measurements = measurements(6), none());
    rejects(
        |it| it.endorsement.project = "other.example".to_owned(),
        none(),
    );
    rejects(|it| it.keys.keys[0].role = Role::Log, none());
    // What the key signed of another kind.
    let mut scene = Scene::new();
    let manifest = scene.signers[1].seal(tests::release(7).envelope(files()));
    let mut stapled = scene.stapled();
    stapled[0] = manifest;
    assert_eq!(
        scene.endorser.confirm(&stapled, &measured(ENDORSED), NOW),
        Err(none())
    );
    // Behind more statements than are read.
    scene.more = vec![b"nonsense".to_vec(); MAX_STATEMENTS];
    let mut stapled = scene.stapled();
    stapled.reverse();
    let found = scene.endorser.confirm(&stapled, &measured(ENDORSED), NOW);
    assert!(matches!(found, Err(Rejection::EndorsementMissing { .. })));
}

#[test]
fn rejects_an_endorsement_before_its_time_and_after() {
    rejects(
        |it| it.endorsement.issued = at(1),
        Rejection::EndorsementNotYetValid { from: at(1) },
    );
    rejects(
        |it| it.endorsement.until = NOW,
        Rejection::EndorsementExpired { until: NOW },
    );
    rejects(
        |it| it.endorser.max_age = 3 * DAY,
        Rejection::EndorsementTooOld {
            issued: at(-3),
            days: 3,
        },
    );
}

#[test]
fn rejects_keys_and_roots_that_do_not_count_now() {
    let key = Signer::new(41).key().id();
    rejects(
        |it| it.keys.keys[0].expires = NOW,
        Rejection::ReleaseKeyExpired { key, until: NOW },
    );
    rejects(
        |it| {
            it.keys.revoked.push(RevokedKey {
                key,
                since: at(-1),
                why: "stolen".to_owned(),
            });
        },
        Rejection::ReleaseKeyRevoked { key },
    );
    rejects(
        |it| it.keys.expires = NOW,
        Rejection::KeyStatementExpired { until: NOW },
    );
    rejects(
        |it| it.root.expires = NOW,
        Rejection::ReleaseRootExpired { until: NOW },
    );
}

#[test]
fn rejects_an_endorsement_that_makes_no_sense() {
    let malformed = |what: &str| Rejection::StatementMalformed {
        what: what.to_owned(),
    };
    let year = "it counts for more than 14 days";
    rejects(
        |it| it.endorsement.until = Time(at(11).0 + 1),
        malformed(year),
    );
    rejects(
        |it| it.endorsement.until = it.endorsement.issued,
        malformed("it ends before it begins"),
    );
    rejects(
        |it| it.endorsement.project = "Other".to_owned(),
        malformed("its project is not a valid name"),
    );
    rejects(
        |it| it.endorsement.epoch = 1 << 53,
        malformed("its epoch is over 2^53 - 1"),
    );
}

#[test]
fn the_development_root_endorses_only_where_it_is_named() {
    let mut scene = Scene::new();
    scene.signers[0] = Signer::development();
    scene.root.key = scene.signers[0].key();
    scene.endorser.root = DEVELOPMENT_ROOT;
    let refused = missing(&format!("the statement of root {DEVELOPMENT_ROOT}"));
    assert_eq!(scene.confirm(), Err(refused));
    scene.endorser.development = Development::Named;
    assert!(scene.confirm().is_ok());
}
