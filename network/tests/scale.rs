//! docs/reference/scale.md's figures, recomputed from real encodings. `UPDATE_SCALE=1 cargo test -p chrysalis-network --test scale` writes
//! them anew.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{collections::BTreeMap, env, fmt::Write, fs, path::PathBuf};

use chrysalis_network::{
    ClassFile, Endpoint, Listing, MAX_CLASS_FILE, MAX_DELTA, MAX_NOW, Now, NowEntry, SignedListing,
};
use chrysalis_settle::{
    CREDENTIAL_LENGTH, Offer, Report, STATEMENT_LENGTH, Sign,
    price::{Load, Price},
};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// What is assumed: providers, models, clients, and lanes of each client.
const PROVIDERS: u64 = 5000;
const CLASSES: u64 = 50;
const CLIENTS: u64 = 1_000_000;
const LANES: u64 = 3;
/// Seconds between two cuts of a class, and the share of listings that each changes, in hundredths.
const CUT: u64 = 600;
const CHANGED: u64 = 5;
const DAY: u64 = 86_400;

struct Key(Ed25519KeyPair);

impl Key {
    fn seeded(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self(Ed25519KeyPair::from_seed_unchecked(&bytes).unwrap())
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

/// What an ordinary provider lists: an H100 with a model of a usual name, at two addresses.
fn listing(number: u64, seq: u64) -> Vec<u8> {
    let (enclave, operator) = (Key::seeded(2 * number), Key::seeded(2 * number + 1));
    let offer = Offer {
        receipt_key: enclave.public(),
        epoch: 144,
        evidence: [3; 32],
        configuration: [4; 32],
        release: "0.1.4".to_owned(),
        platform: "snp".to_owned(),
        gpus: 8,
        model: "llama-3.3-70b-instruct".to_owned(),
        kind: "chat".to_owned(),
        weights: [5; 32],
        context: 131_072,
        slots: 256,
        tokens_per_second: 4000,
    };
    let listing = Listing {
        network: [6; 32],
        operator: operator.public(),
        seq: 1_796_126_400_000 + seq,
        payee: [7; 32],
        lane_min: 100_000_000,
        delay_min: 21_600,
        endpoints: ["gpu-17.provider.example:443", "[2001:db8:17::1]:443"]
            .map(|it| Endpoint::parse(it).unwrap())
            .into(),
        region: "eu-west".to_owned(),
        offer: offer.sign(&enclave).unwrap().encode(),
        until: 1_796_129_400,
    };
    listing.sign(&operator).unwrap()
}

fn report() -> Vec<u8> {
    let enclave = Key::seeded(0);
    let report = Report {
        receipt_key: enclave.public(),
        weights: [5; 32],
        epoch: 100_000,
        price: Price {
            floor: 20_000_000,
            x: 1_250_000,
        },
        rates: [1_000_000, 250_000, 3_000_000, 0],
        asked: [36_000_000, 9_000_000, 108_000_000, 0],
        load: Load {
            used: 13_824_000,
            capacity: 15_360_000,
        },
        jobs: 9000,
        failed: 12,
        revenue: 26_000_000,
        tabs: 400,
        first_token_ms: 180,
        tokens_per_second: 4000,
        ended: 1_796_126_400,
    };
    report.sign(&enclave).unwrap().encode()
}

fn class(providers: u64, changed: u64) -> ClassFile {
    let listings = (0..providers).map(|number| {
        let bytes = listing(number, u64::from(number < changed));
        (SignedListing::verify(&bytes).unwrap().id(), bytes)
    });
    ClassFile {
        network: [6; 32],
        weights: [5; 32],
        epoch: u64::from(changed > 0),
        listings: listings.collect(),
    }
}

fn now(class: &ClassFile) -> Now {
    let entry = NowEntry {
        price: 108_000_000,
        load: 900,
    };
    Now {
        network: class.network,
        weights: class.weights,
        at: 1_796_126_400,
        epoch: 1,
        since: 0,
        index: 108_000_000,
        entries: class
            .listings
            .keys()
            .map(|id| (*id, entry))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// With a separator between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

fn table() -> String {
    let providers = PROVIDERS / CLASSES * 2;
    let (listing, report) = (length(&listing(1, 0)), length(&report()));
    let (before, after) = (
        class(providers, 0),
        class(providers, providers * CHANGED / 100),
    );
    let (full, delta) = (
        length(&after.encode()),
        length(&after.since(&before).encode()),
    );
    let now = length(&now(&after).encode());
    let entry = now / providers;
    let a_claim = 36;
    let rows = [
        (
            "a listing, with the offer and both signatures",
            listing,
            "B",
        ),
        ("a report", report, "B"),
        (
            "a credential; what is signed of a receipt",
            (CREDENTIAL_LENGTH + STATEMENT_LENGTH) as u64,
            "B",
        ),
        ("all listings of a class of 200", full, "B"),
        ("what changed in it, at 5 % each ten minutes", delta, "B"),
        ("the same for a day", delta * (DAY / CUT), "B a day"),
        ("what each of its providers asks now", now, "B a minute"),
        ("all 5,000 listings", listing * PROVIDERS, "B"),
        (
            "all reports, one a minute and provider",
            report * PROVIDERS,
            "B a minute",
        ),
        (
            "the same, kept for 30 days",
            report * PROVIDERS * 30 * DAY / 60,
            "B",
        ),
        (
            "a million clients that ask for the prices of one class",
            now * CLIENTS / 60,
            "B a second",
        ),
        (
            "the same, and for what changed",
            (now * CUT / 60 + delta) * CLIENTS / CUT,
            "B a second",
        ),
        (
            "writes of a directory: listings each 20 minutes, reports each minute",
            PROVIDERS / 60 + PROVIDERS / 1200,
            "a second",
        ),
        ("lanes", CLIENTS * LANES, "lanes"),
        (
            "orders and claims, 36 of each a client and year",
            CLIENTS * 2 * a_claim / (365 * DAY),
            "a second",
        ),
        (
            "the most listings of a class, by its file",
            MAX_CLASS_FILE as u64 / (full / providers),
            "listings",
        ),
        (
            "the most that one cut may change",
            MAX_DELTA as u64 / (full / providers),
            "listings",
        ),
        (
            "the most providers of a class, by its prices",
            MAX_NOW as u64 / entry,
            "providers",
        ),
    ];
    let mut text = String::from("| what | |\n|---|---|\n");
    for (what, number, unit) in rows {
        writeln!(text, "| {what} | {} {unit} |", grouped(number)).unwrap();
    }
    text
}

#[test]
fn the_page_has_what_the_encodings_give() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/scale.md");
    let page = fs::read_to_string(&path).unwrap();
    let (start, end) = ("<!-- computed -->\n", "<!-- end -->");
    let (before, rest) = page.split_once(start).unwrap();
    let (committed, after) = rest.split_once(end).unwrap();
    let table = table();
    if env::var_os("UPDATE_SCALE").is_some() {
        fs::write(&path, [before, start, &table, end, after].concat()).unwrap();
    } else {
        assert_eq!(committed, table, "UPDATE_SCALE=1 writes it anew");
    }
}
