//! What the vectors are made of: fixed keys, one honest of each kind, and one thing wrong at a time.

use chrysalis_attestation::{
    encoding::{
        cbor::{self, Value},
        digest::{Hex, sha256},
    },
    evidence::{
        binding::host_data,
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
    },
    release::{Envelope, PublicKey},
};
use chrysalis_network::{
    ClassFile, Descriptor, Endpoint, Listing, Now, NowEntry, ProviderId, SignedListing, Signers,
    Upload,
};
use chrysalis_settle::{Attested, EpochEvidence, Offer, Sign};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// 2026-12-01 12:00 UTC.
pub(crate) const NOW: i64 = 1_796_126_400;
const WEIGHTS: [u8; 32] = [0x33; 32];
const OTHER: [u8; 32] = [0x34; 32];

/// A key of these tests, by its seed. Anyone can sign with it.
pub(crate) struct Key(Ed25519KeyPair);

impl Key {
    pub(crate) fn seeded(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    pub(crate) fn release(&self) -> PublicKey {
        PublicKey::from_ed25519(self.public()).unwrap()
    }

    fn signs(&self, envelope: Envelope) -> Envelope {
        let signature = self.0.sign(&envelope.to_be_signed()).as_ref().to_vec();
        envelope.with_signature(&self.release(), signature)
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

fn enclave() -> Key {
    Key::seeded(3)
}

fn operator() -> Key {
    Key::seeded(4)
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) code: Option<&'static str>,
}

fn case(name: &str, bytes: Vec<u8>, code: Option<&'static str>) -> Case {
    Case {
        name: name.to_owned(),
        bytes,
        code,
    }
}

pub(crate) struct DescriptorCase {
    pub(crate) name: &'static str,
    pub(crate) envelope: Vec<u8>,
    pub(crate) keys: Vec<Key>,
    pub(crate) at_least: usize,
    pub(crate) now: i64,
    pub(crate) seen: Option<(u64, Hex<32>)>,
    pub(crate) code: Option<&'static str>,
}

fn toml() -> String {
    format!(
        r#"name = "network.example"
version = 3
expires = "2027-06-01T00:00:00Z"
policy = "{}"

[chain]
symbol = "GRAM"
global_id = -239
purse = "{}"

[[directory]]
url = "https://one.example"
key = "{}"

[[directory]]
url = "http://127.0.0.1:8090"
key = "{}"

[[class]]
name = "smollm2-135m-instruct"
weights = "{}"
"#,
        "0b".repeat(32),
        "0c".repeat(32),
        Hex(Key::seeded(5).public()),
        Hex(Key::seeded(6).public()),
        Hex(WEIGHTS)
    )
}

fn sealed(toml: &str, signers: &[u8]) -> Vec<u8> {
    let envelope = Envelope::of(chrysalis_network::NETWORK, toml.as_bytes().to_vec());
    let signed = signers
        .iter()
        .fold(envelope, |it, seed| Key::seeded(*seed).signs(it));
    signed.to_json().into_bytes()
}

pub(crate) fn network() -> Descriptor {
    let signers = Signers {
        keys: vec![Key::seeded(7).release()],
        at_least: 1,
    };
    let read = Descriptor::verify(
        &sealed(&toml(), &[7]),
        &signers,
        chrysalis_attestation::Time(NOW),
        |_| None,
    );
    read.unwrap().0
}

pub(crate) fn descriptors() -> Vec<DescriptorCase> {
    let digest = |toml: &str| Hex(sha256(&[toml.as_bytes()]));
    let of = |name, toml: &str, signers: &[u8], keys: &[u8], at_least, code| DescriptorCase {
        name,
        envelope: sealed(toml, signers),
        keys: keys.iter().copied().map(Key::seeded).collect(),
        at_least,
        now: NOW,
        seen: None,
        code,
    };
    let honest = toml();
    let changed = |from: &str, to: &str| {
        assert!(honest.contains(from), "{from}");
        honest.replace(from, to)
    };
    let malformed = Some("descriptor_malformed");
    let few = Some("descriptor_signers");
    let mut cases = vec![
        of(
            "by two of three keys",
            &honest,
            &[7, 8],
            &[7, 8, 9],
            2,
            None,
        ),
        of("by one of three keys", &honest, &[7], &[7, 8, 9], 2, few),
        of(
            "by one key that is named twice",
            &honest,
            &[7],
            &[7, 7],
            2,
            few,
        ),
        of(
            "by one key that signed twice",
            &honest,
            &[7, 7],
            &[7, 8],
            2,
            few,
        ),
        of("by a key that is not named", &honest, &[9], &[7, 8], 1, few),
        of("by nobody", &honest, &[], &[7], 0, few),
        of(
            "with a name in upper case",
            &changed("\"network.example\"", "\"Network.example\""),
            &[7],
            &[7],
            1,
            malformed,
        ),
        of(
            "with version 0",
            &changed("version = 3", "version = 0"),
            &[7],
            &[7],
            1,
            malformed,
        ),
        of(
            "with a key that nobody knows",
            &changed("version = 3", "version = 3\nfee = 1"),
            &[7],
            &[7],
            1,
            malformed,
        ),
        of(
            "with a directory at a path",
            &changed("https://one.example", "https://one.example/path"),
            &[7],
            &[7],
            1,
            malformed,
        ),
        of(
            "with two directories of one key",
            &changed(
                &Hex(Key::seeded(6).public()).to_string(),
                &Hex(Key::seeded(5).public()).to_string(),
            ),
            &[7],
            &[7],
            1,
            malformed,
        ),
        of("that is no TOML", "name", &[7], &[7], 1, malformed),
    ];
    let mut twice = honest.clone();
    twice.push_str("\n[[class]]\nname = \"another\"\nweights = \"");
    twice.push_str(&Hex(WEIGHTS).to_string());
    twice.push_str("\"\n");
    cases.push(of(
        "with two classes of one model",
        &twice,
        &[7],
        &[7],
        1,
        malformed,
    ));
    let one = |name, code| of(name, &honest, &[7], &[7], 1, code);
    let mut over = one("that is over", Some("descriptor_expired"));
    over.now = 1_811_808_000;
    let mut back = one(
        "older than one that was seen",
        Some("descriptor_rolled_back"),
    );
    back.seen = Some((4, Hex([1; 32])));
    let mut reused = one(
        "another of this version was seen",
        Some("descriptor_version_reused"),
    );
    reused.seen = Some((3, Hex([1; 32])));
    let mut again = one("seen before", None);
    again.seen = Some((3, digest(&honest)));
    let mut newer = one("newer than the one that was seen", None);
    newer.seen = Some((2, Hex([1; 32])));
    let mut other = one("in an envelope of another payload type", few);
    let envelope = Envelope::of(
        "application/vnd.chrysalis.other+toml",
        honest.clone().into_bytes(),
    );
    other.envelope = Key::seeded(7).signs(envelope).to_json().into_bytes();
    let mut broken = one("in no envelope", Some("envelope_malformed"));
    broken.envelope = b"{}".to_vec();
    cases.extend([over, back, reused, again, newer, other, broken]);
    cases
}

pub(crate) fn about() -> (Claims, Attested) {
    let claims = Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.4".to_owned(),
        configuration: host_data(b"model = \"smollm2\"\n"),
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp".to_owned(),
            disk: [0x22; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2-135m-instruct".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [0x55; 32],
            weights: WEIGHTS,
            tokenizer: Some([0x66; 32]),
            template: Some([0x44; 32]),
        }],
        known_answer: true,
        receipt_key: enclave().public(),
        hpke_key: [0x09; 32],
        epoch: 2,
        epoch_began: NOW,
        epoch_seconds: 600,
    };
    let attested = Attested {
        receipt_key: claims.receipt_key,
        claims: sha256(&[&claims.encode()]),
        epoch: claims.epoch,
        evidence: [0xEB; 32],
    };
    (claims, attested)
}

fn offer() -> Offer {
    let (claims, attested) = about();
    Offer {
        receipt_key: attested.receipt_key,
        epoch: attested.epoch,
        evidence: attested.evidence,
        configuration: claims.configuration,
        release: claims.release,
        platform: "simulated".to_owned(),
        gpus: 0,
        model: "smollm2-135m-instruct".to_owned(),
        kind: "chat".to_owned(),
        weights: WEIGHTS,
        context: 2048,
        slots: 8,
        tokens_per_second: 41,
    }
}

fn signed_offer(alter: impl FnOnce(&mut Offer)) -> Vec<u8> {
    let mut offer = offer();
    alter(&mut offer);
    offer.sign(&enclave()).unwrap().encode()
}

/// `{offer, signature}` over other fields than an offer has.
fn offer_of(alter: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let Some(Value::Map(map)) = cbor::decode(&offer().encode()) else {
        panic!("an offer is a map");
    };
    let mut fields: Vec<_> = map.into_iter().collect();
    alter(&mut fields);
    let bytes = cbor::encode(&Value::Map(fields.into_iter().collect()));
    let digest = sha256(&[
        &chrysalis_attestation::evidence::binding::label("chrysalis/offer/v1"),
        &bytes,
    ]);
    let signature = enclave().sign(&digest).unwrap();
    chrysalis_settle::fields::signed("offer", &bytes, &signature)
}

fn set(fields: &mut Vec<(Value, Value)>, name: &str, value: Value) {
    let name = Value::Text(name.to_owned());
    fields.retain(|(it, _)| *it != name);
    fields.push((name, value));
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

pub(crate) fn offers() -> Vec<Case> {
    let honest = signed_offer(|_| ());
    let evidence = honest.windows(4).position(|it| it == [0xEB; 4]).unwrap();
    let malformed = Some("offer_malformed");
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        case("honest", honest.clone(), None),
        case(
            "with eight GPUs",
            signed_offer(|it| (it.gpus, it.platform) = (8, "tdx".to_owned())),
            None,
        ),
        case(
            "a byte of its signature flipped",
            flipped(&honest, honest.len() - 1),
            Some("offer_signature"),
        ),
        case(
            "a byte of its text flipped",
            flipped(&honest, evidence),
            Some("offer_signature"),
        ),
        case("cut short", honest[..honest.len() - 1].to_vec(), malformed),
        case(
            "with a byte behind it",
            [&honest[..], &[0]].concat(),
            malformed,
        ),
        case(
            "of version 2",
            offer_of(|it| set(it, "version", Value::Integer(2))),
            malformed,
        ),
        case(
            "with a field that nobody knows",
            offer_of(|it| set(it, "fee", Value::Integer(1))),
            malformed,
        ),
        case(
            "without its weights",
            offer_of(|it| it.retain(|(name, _)| *name != text("weights"))),
            malformed,
        ),
        case(
            "of a platform that nobody knows",
            offer_of(|it| set(it, "platform", text("sgx"))),
            malformed,
        ),
        case(
            "of a kind that nobody knows",
            offer_of(|it| set(it, "kind", text("oracle"))),
            malformed,
        ),
        case(
            "with a space in its model's name",
            offer_of(|it| set(it, "model", text("a model"))),
            malformed,
        ),
        case(
            "without a slot",
            offer_of(|it| set(it, "slots", Value::Integer(0))),
            malformed,
        ),
        case(
            "with a negative number",
            offer_of(|it| set(it, "epoch", Value::Integer(-1))),
            malformed,
        ),
        case("empty", Vec::new(), malformed),
    ]
}

fn listing() -> Listing {
    Listing {
        network: network().id(),
        operator: operator().public(),
        seq: 7,
        payee: [0x0A; 32],
        lane_min: 100_000_000,
        delay_min: 3600,
        endpoints: vec![Endpoint::parse("llm.example:443").unwrap()],
        region: "eu-west".to_owned(),
        offer: signed_offer(|_| ()),
        until: NOW + 1800,
    }
}

fn signed_listing(alter: impl FnOnce(&mut Listing)) -> Vec<u8> {
    let mut listing = listing();
    alter(&mut listing);
    listing.sign(&operator()).unwrap()
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

pub(crate) fn listings() -> Vec<Case> {
    let honest = signed_listing(|_| ());
    let malformed = Some("listing_malformed");
    let mismatch = Some("listing_mismatch");
    let about = |name: &str, alter: fn(&mut Offer)| {
        let bytes = signed_listing(|it| it.offer = signed_offer(alter));
        case(name, bytes, mismatch)
    };
    // One byte more than a listing may have, in the region.
    let mut long = listing();
    long.endpoints = (0..4)
        .map(|it| endpoint(&format!("{it}.{}.example:443", "a".repeat(40))))
        .collect();
    long.region = "x".repeat(32);
    let mut most = long.sign(&operator()).unwrap();
    let room = 1024 - most.len();
    long.endpoints[0] = endpoint(&format!(
        "{}.{}.example:443",
        "b".repeat(1 + room.min(50)),
        "a".repeat(40)
    ));
    most = long.sign(&operator()).unwrap();
    let left = 1024 - most.len();
    long.endpoints[1] = endpoint(&format!(
        "{}.{}.example:443",
        "c".repeat(1 + left),
        "a".repeat(40)
    ));
    most = long.sign(&operator()).unwrap();
    assert_eq!(most.len(), 1024);
    long.endpoints[2] = endpoint(&format!("dd.{}.example:443", "a".repeat(40)));
    let more = long.sign(&operator()).unwrap();
    assert_eq!(more.len(), 1025);
    let other_key = {
        let mut listing = listing();
        listing.operator = Key::seeded(9).public();
        listing.sign(&operator()).unwrap()
    };
    let mut forged = listing();
    let last = forged.offer.len() - 1;
    forged.offer[last] ^= 1;
    vec![
        case("honest", honest.clone(), None),
        case(
            "with four addresses and no region",
            signed_listing(|it| {
                it.endpoints = [
                    "8.8.8.8:443",
                    "[2606:4700::1111]:443",
                    "a.example:1",
                    "a.example:2",
                ]
                .map(endpoint)
                .into();
                it.region = String::new();
            }),
            None,
        ),
        case("of 1 KiB", most, None),
        case("of 1 KiB and a byte", more, malformed),
        case(
            "with four thousand addresses",
            signed_listing(|it| {
                it.endpoints = (1..=4000)
                    .map(|port| endpoint(&format!("a.example:{port}")))
                    .collect();
            }),
            malformed,
        ),
        case(
            "with five addresses",
            signed_listing(|it| {
                it.endpoints = (1..=5)
                    .map(|port| endpoint(&format!("a.example:{port}")))
                    .collect();
            }),
            malformed,
        ),
        case(
            "with one address twice",
            signed_listing(|it| it.endpoints = vec![endpoint("a.example:1"); 2]),
            malformed,
        ),
        case(
            "without an address",
            signed_listing(|it| it.endpoints.clear()),
            malformed,
        ),
        case(
            "with a region of 33 letters",
            signed_listing(|it| it.region = "x".repeat(33)),
            malformed,
        ),
        case(
            "with a space in its region",
            signed_listing(|it| it.region = "the moon".to_owned()),
            malformed,
        ),
        case(
            "a byte of its signature flipped",
            flipped(&honest, honest.len() - 1),
            Some("listing_signature"),
        ),
        case(
            "by another operator than it names",
            other_key,
            Some("listing_signature"),
        ),
        case("cut short", honest[..honest.len() - 1].to_vec(), malformed),
        case(
            "with a byte behind it",
            [&honest[..], &[0]].concat(),
            malformed,
        ),
        case("empty", Vec::new(), malformed),
        case(
            "with a forged offer",
            forged.sign(&operator()).unwrap(),
            Some("offer_signature"),
        ),
        case(
            "without an offer",
            signed_listing(|it| it.offer.clear()),
            Some("offer_malformed"),
        ),
        case(
            "of another network",
            signed_listing(|it| it.network = [9; 32]),
            Some("listing_network"),
        ),
        case(
            "of a class that the network has not",
            signed_listing(|it| {
                it.offer = signed_offer(|offer| offer.weights = OTHER);
            }),
            Some("listing_class"),
        ),
        case(
            "that ends now",
            signed_listing(|it| it.until = NOW),
            Some("listing_expired"),
        ),
        case(
            "that ends in an hour",
            signed_listing(|it| it.until = NOW + 3600),
            None,
        ),
        case(
            "that ends in an hour and a second",
            signed_listing(|it| it.until = NOW + 3601),
            Some("listing_too_long"),
        ),
        case(
            "that never ends",
            signed_listing(|it| it.until = i64::MAX),
            Some("listing_too_long"),
        ),
        case(
            "at an address inside",
            signed_listing(|it| it.endpoints = vec![endpoint("10.0.0.1:443")]),
            Some("endpoint_private"),
        ),
        case(
            "with one address of two inside",
            signed_listing(|it| {
                it.endpoints = vec![endpoint("llm.example:443"), endpoint("localhost:443")];
            }),
            Some("endpoint_private"),
        ),
        about("of another model", |it| it.model = "another".to_owned()),
        about("of another kind of model", |it| {
            it.kind = "embedding".to_owned();
        }),
        about("of another release", |it| it.release = "9.9.9".to_owned()),
        about("of another configuration", |it| it.configuration = [9; 32]),
        about("of another epoch", |it| it.epoch = 3),
        about("of other evidence", |it| it.evidence = [9; 32]),
        case(
            "of another enclave",
            {
                let mut offer = offer();
                offer.receipt_key = Key::seeded(8).public();
                let signed = offer.sign(&Key::seeded(8)).unwrap().encode();
                signed_listing(|it| it.offer = signed)
            },
            mismatch,
        ),
    ]
}

fn provider(seed: u8, seq: u64) -> (ProviderId, Vec<u8>) {
    let mut listing = listing();
    listing.operator = Key::seeded(seed).public();
    listing.seq = seq;
    let bytes = listing.sign(&Key::seeded(seed)).unwrap();
    (SignedListing::verify(&bytes).unwrap().id(), bytes)
}

fn bytes_of(fields: &[(&str, Value)]) -> Vec<u8> {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| (Value::Text((*name).to_owned()), value.clone()));
    cbor::encode(&Value::Map(fields.collect()))
}

pub(crate) fn files() -> Vec<(&'static str, Case)> {
    let malformed = Some("directory_file_malformed");
    let network = network().id();
    let class = ClassFile {
        network,
        weights: WEIGHTS,
        epoch: 4,
        listings: [provider(11, 1), provider(12, 1), provider(13, 1)].into(),
    };
    let next = ClassFile {
        epoch: 5,
        listings: [provider(11, 2), provider(12, 1), provider(14, 1)].into(),
        ..class.clone()
    };
    let delta = next.since(&class);
    let ids: Vec<_> = next.listings.keys().copied().collect();
    let entry = |price, load| NowEntry { price, load };
    let now = Now {
        network,
        weights: WEIGHTS,
        at: NOW,
        epoch: 5,
        since: 4,
        index: 20_000_000,
        entries: [
            (ids[0], entry(20_000_000, 0)),
            (ids[1], entry(25_000_000, 1000)),
        ]
        .into(),
    };
    let mut empty = class.clone();
    empty.listings.clear();
    let raw = |listings: Vec<Vec<u8>>, weights: [u8; 32], version: i128| {
        bytes_of(&[
            ("version", Value::Integer(version)),
            ("network", Value::Bytes(network.to_vec())),
            ("weights", Value::Bytes(weights.to_vec())),
            ("epoch", Value::Integer(4)),
            (
                "listings",
                Value::Array(listings.into_iter().map(Value::Bytes).collect()),
            ),
        ])
    };
    let all: Vec<Vec<u8>> = class.listings.values().cloned().collect();
    let mut backwards = all.clone();
    backwards.reverse();
    let entries = now.entries.iter().flat_map(|(id, it)| {
        let mut row = id.0.to_vec();
        row.extend(it.price.to_be_bytes());
        row.extend(it.load.to_be_bytes());
        row
    });
    let entries: Vec<u8> = entries.collect();
    let now_of = |entries: &[u8]| {
        bytes_of(&[
            ("version", Value::Integer(1)),
            ("network", Value::Bytes(network.to_vec())),
            ("weights", Value::Bytes(WEIGHTS.to_vec())),
            ("at", Value::Integer(NOW.into())),
            ("epoch", Value::Integer(5)),
            ("since", Value::Integer(4)),
            ("index", Value::Integer(0)),
            ("entries", Value::Bytes(entries.to_vec())),
        ])
    };
    let forged = {
        let last = all[0].len() - 1;
        flipped(&all[0], last)
    };
    let delta_of = |gone: &[u8], put: Vec<Vec<u8>>| {
        bytes_of(&[
            ("version", Value::Integer(1)),
            ("network", Value::Bytes(network.to_vec())),
            ("weights", Value::Bytes(WEIGHTS.to_vec())),
            ("from", Value::Integer(4)),
            ("epoch", Value::Integer(5)),
            (
                "put",
                Value::Array(put.into_iter().map(Value::Bytes).collect()),
            ),
            ("gone", Value::Bytes(gone.to_vec())),
        ])
    };
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    vec![
        ("class", case("a class", class.encode(), None)),
        (
            "class",
            case("a class without listings", empty.encode(), None),
        ),
        (
            "class",
            case("the next epoch of the class", next.encode(), None),
        ),
        (
            "class",
            case(
                "a class of version 2",
                raw(all.clone(), WEIGHTS, 2),
                malformed,
            ),
        ),
        (
            "class",
            case(
                "listings of another class",
                raw(all.clone(), OTHER, 1),
                malformed,
            ),
        ),
        (
            "class",
            case(
                "listings out of order",
                raw(backwards, WEIGHTS, 1),
                malformed,
            ),
        ),
        (
            "class",
            case(
                "one listing twice",
                raw(vec![all[0].clone(), all[0].clone()], WEIGHTS, 1),
                malformed,
            ),
        ),
        (
            "class",
            case(
                "a forged listing",
                raw(vec![forged], WEIGHTS, 1),
                Some("listing_signature"),
            ),
        ),
        (
            "class",
            case(
                "a listing that is too long",
                raw(vec![vec![0; 1025]], WEIGHTS, 1),
                malformed,
            ),
        ),
        (
            "class",
            case("a class cut short", cut(class.encode()), malformed),
        ),
        ("delta", case("what changed", delta.encode(), None)),
        (
            "delta",
            case(
                "half an id that is gone",
                delta_of(&[0; 8], Vec::new()),
                malformed,
            ),
        ),
        (
            "delta",
            case(
                "an id that is gone twice",
                delta_of(&[0; 32], Vec::new()),
                malformed,
            ),
        ),
        (
            "delta",
            case("what changed, cut short", cut(delta.encode()), malformed),
        ),
        (
            "delta",
            case("a class for what changed", class.encode(), malformed),
        ),
        ("now", case("what each asks now", now.encode(), None)),
        (
            "now",
            case(
                "entries out of order",
                now_of(&[&entries[26..], &entries[..26]].concat()),
                malformed,
            ),
        ),
        (
            "now",
            case("half an entry", now_of(&entries[..13]), malformed),
        ),
        (
            "now",
            case(
                "what each asks now, cut short",
                cut(now.encode()),
                malformed,
            ),
        ),
        ("now", case("no file", Vec::new(), malformed)),
    ]
}

pub(crate) fn uploads() -> Vec<Case> {
    let malformed = Some("upload_malformed");
    let evidence = EpochEvidence {
        spki: b"a key".to_vec(),
        bundle: b"a bundle".to_vec(),
    };
    let whole = Upload {
        listing: signed_listing(|_| ()),
        evidence: Some(evidence.clone()),
    };
    let bare = Upload {
        evidence: None,
        ..whole.clone()
    };
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let listing = ("listing", bytes(&bare.listing));
    vec![
        case("with its evidence", whole.encode(), None),
        case("without", bare.encode(), None),
        case(
            "evidence alone",
            bytes_of(&[("evidence", bytes(&evidence.encode()))]),
            malformed,
        ),
        case(
            "evidence that is none",
            bytes_of(&[listing.clone(), ("evidence", bytes(b"x"))]),
            malformed,
        ),
        case(
            "with a field that nobody knows",
            bytes_of(&[listing, ("fee", Value::Integer(1))]),
            malformed,
        ),
        case("cut short", whole.encode()[..40].to_vec(), malformed),
        case("empty", Vec::new(), malformed),
    ]
}
