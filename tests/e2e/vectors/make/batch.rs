//! Bundles whose report answers many questions, and every way to lie about that: docs/spec/batch.md.

use chrysalis_attestation::evidence::{Evidence, Short, path::Path};
use chrysalis_simulate::nvidia::DRIVER;
use chrysalis_tests::{
    composite::{Machine, Vendor},
    scene::{LAUNCH_DIGEST, Scene},
};
use serde_json::json;

use super::{
    AMD, NOW,
    bundle::{KIND, alone, composite},
};
use crate::vector::{Common, Vector};

type Attack = (&'static str, &'static str, fn(&mut Machine<'static>));
/// Its name, what it shows, and the path's bytes in place of those of the first of two.
type Malformed = (&'static str, &'static str, fn(&[u8]) -> Vec<u8>);

/// How many questions the honest report answers, and where the relying party's stands.
const QUESTIONS: u32 = 7;
const PLACE: u32 = 4;

/// The path of a place in a tree of as many questions, the relying party's among them at its place.
fn path(questions: u32, of: u32) -> Option<Path> {
    machine(questions).tree()?.path(of)
}

#[rustfmt::skip]
const ATTACKS: &[Attack] = &[
    ("path_mismatch", "the path is another client's", |it| {
        it.alter = |evidence| evidence.path = path(QUESTIONS, 5);
    }),
    ("path_mismatch of-another-question", "the evidence answers other clients' questions, and the path is one of theirs", |it| {
        it.place = QUESTIONS;
        it.alter = |evidence| evidence.path = path(QUESTIONS, 0);
    }),
    ("path_mismatch of-another-count", "the third of three says that it is the second of two, whose path looks the same", |it| {
        (it.questions, it.place) = (3, 2);
        it.alter = |evidence| evidence.path = evidence.path.take().and_then(|path| {
            let mut bytes = path.encode();
            bytes[1..3].copy_from_slice(&[1, 2]);
            Path::decode(&bytes).ok()
        });
    }),
    ("path_mismatch of-an-inner-node", "the question stands where an inner node of the tree is", |it| {
        (it.questions, it.place) = (4, 0);
        it.alter = |evidence| evidence.path = evidence.path.take().and_then(|path| {
            // Of the siblings the second alone, which is an inner node.
            let bytes = path.encode();
            let lie = [&[0x83, 0, 2, 0x81], &bytes[4 + 50..]].concat();
            Path::decode(&lie).ok()
        });
    }),
    ("path_mismatch of-a-report-for-one", "the report answers one question alone, and there is a path", |it| {
        it.questions = 1;
        it.alter = |evidence| evidence.path = path(QUESTIONS, PLACE);
    }),
    ("binding_mismatch without-its-path", "the path is gone", |it| it.alter = |evidence| evidence.path = None),
];

#[rustfmt::skip]
const MALFORMED: &[Malformed] = &[
    ("path_malformed", "there are two questions, and no sibling", |_| vec![0x83, 0, 2, 0x80]),
    ("path_malformed of-a-longer-way", "there are two questions, and two siblings", |honest| {
        [&[0x83, 0, 2, 0x82], &honest[4..], &honest[4..]].concat()
    }),
    ("path_malformed by-its-index", "the index is the count", |honest| [&[0x83, 2], &honest[2..]].concat()),
    ("path_malformed of-one", "a path says that there is one question", |_| vec![0x83, 0, 1, 0x80]),
    ("path_malformed of-a-negative-count", "the count is below zero", |_| vec![0x83, 0, 0x20, 0x80]),
    ("path_malformed of-a-short-sibling", "a sibling has 47 bytes", |honest| {
        [&[0x83, 0, 2, 0x81, 0x58, 47], &honest[7..]].concat()
    }),
    ("path_malformed of-many-siblings", "there are 23 siblings, more than any path has", |honest| {
        [&[0x83, 0, 2, 0x97][..], &honest[4..].repeat(23)].concat()
    }),
    ("path_malformed of-another-form", "the path is a map", |_| vec![0xA0]),
    ("batch_too_large", "the path says that 65537 questions share the report", |_| vec![0x83, 0, 0x1A, 0, 1, 0, 1, 0x80]),
];

fn machine(questions: u32) -> Machine<'static> {
    let mut machine = Machine::honest(&AMD, Vendor::Amd);
    (machine.questions, machine.place) = (questions, PLACE.min(questions - 1));
    machine
}

/// Without a GPU, whose evidence would make the vectors larger and show nothing more: what is wrong is found before it.
fn small(questions: u32) -> Machine<'static> {
    let mut machine = machine(questions);
    machine.gpus = 0;
    machine.endorsements.rims.clear();
    machine.endorsements.ocsp.clear();
    machine
}

/// A byte string in CBOR.
fn byte_string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short one");
    let head = match length {
        0..24 => vec![0x40 | length.to_be_bytes()[1]],
        24..256 => vec![0x58, length.to_be_bytes()[1]],
        _ => [&[0x59], &length.to_be_bytes()[..]].concat(),
    };
    [&head, bytes].concat()
}

/// The bytes with one part of them replaced.
fn replaced(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let place = bytes.windows(part.len()).position(|it| it == part);
    let (before, rest) = bytes.split_at(place.expect("the part is there"));
    [before, by, &rest[part.len()..]].concat()
}

/// A bundle of two questions, the first of which is the relying party's, with another path.
fn with_path(lie: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut machine = small(2);
    machine.place = 0;
    let bundle = machine.bundle();
    let path = Evidence::decode(&bundle).expect("a bundle").path;
    let honest = path.expect("a path").encode();
    replaced(&bundle, &byte_string(&honest), &byte_string(&lie(&honest)))
}

pub(super) fn vectors(_: &mut Common) -> Vec<Vector> {
    let rejected = |code, shows| Vector::rejected(KIND, code, shows, NOW);
    let shows = "a machine of AMD's with an H100, whose report answers seven questions";
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST), "gpus": [{"driver": DRIVER}]});
    let shared = Vector::accepted(KIND, "snp-h100-of-seven", shows, NOW, ("trusted", claims));
    let mut vectors = vec![composite(shared, machine(QUESTIONS).bundle())];
    for (code, shows, attack) in ATTACKS {
        let mut machine = small(QUESTIONS);
        attack(&mut machine);
        vectors.push(composite(rejected(code, shows), machine.bundle()));
    }
    for (code, shows, lie) in MALFORMED {
        vectors.push(composite(rejected(code, shows), with_path(*lie)));
    }
    let (alone_type, shared_type) = (b"evidence/1", b"evidence/2");
    let shows = "the collection's type has no path, and there is one";
    let bundle = replaced(&small(QUESTIONS).bundle(), shared_type, alone_type);
    vectors.push(composite(
        rejected("bundle_item of-another-version", shows),
        bundle,
    ));
    let shows = "the collection's type has a path, and there is none";
    let bundle = replaced(&Scene::honest(&AMD).bundle(), alone_type, shared_type);
    vectors.push(alone(
        rejected("bundle_item without-its-path", shows),
        bundle,
    ));
    let shows = "the bundle leaves out what another client has";
    let evidence = Evidence::decode(&small(QUESTIONS).bundle()).expect("a bundle");
    let short = Short::encode(&evidence);
    vectors.push(composite(rejected("bundle_short", shows), short));
    vectors
}
