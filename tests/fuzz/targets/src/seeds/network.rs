//! Seeds of networks: the vectors that two implementations agree on.

use serde_json::Value;

use super::{Seed, seed};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/network");

fn vectors(name: &str) -> Value {
    let text = std::fs::read(format!("{FOLDER}/{name}.json")).expect("vectors");
    serde_json::from_slice(&text).expect("JSON")
}

/// Those that are taken.
fn good(cases: &Value) -> impl Iterator<Item = &Value> {
    let cases = cases.as_array().expect("a list").iter();
    cases.filter(|case| case["code"].is_null())
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    hex(case[name].as_str().expect("text"))
}

fn hex(text: &str) -> Vec<u8> {
    let hex = data_encoding::HEXLOWER.decode(text.as_bytes());
    hex.expect("hex")
}

/// The key that signs the descriptors among the seeds.
pub(crate) fn network_key() -> [u8; 32] {
    let cases = vectors("descriptors");
    let key = cases[0]["keys"][0].as_str().expect("a key");
    hex(key).try_into().expect("32 bytes")
}

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for case in good(&vectors("descriptors")) {
        let envelope = case["envelope"].as_str().expect("text");
        seeds.push(seed("descriptor", "honest", envelope));
    }
    for case in good(&vectors("offers")) {
        seeds.push(seed("listing", "offer", bytes(case, "offer")));
    }
    for case in good(&vectors("listings")["listings"]) {
        seeds.push(seed("listing", "listing", bytes(case, "listing")));
    }
    seeds.push(seed("listing", "address", "[2001:db8::1]:443"));
    for case in good(&vectors("files")) {
        let name = match case["kind"].as_str() {
            Some("class") => "class",
            Some("delta") => "delta",
            _ => "now",
        };
        seeds.push(seed("directory_file", name, bytes(case, "bytes")));
    }
    for case in good(&vectors("uploads")) {
        seeds.push(seed("upload", "honest", bytes(case, "body")));
    }
    seeds
}
