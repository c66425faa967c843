//! The vectors in tests/vectors/network: that they are what this code makes, and that it finds in them what each expects.
//!
//! `UPDATE_VECTORS=1 cargo test -p chrysalis-network --test vectors` makes them anew. docs/spec/network.md says what they are.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]
#![expect(
    clippy::too_many_lines,
    clippy::assigning_clones,
    reason = "lists of cases"
)]

mod cases;

use std::{collections::BTreeSet, env, path::PathBuf};

use chrysalis_attestation::Time;
use chrysalis_network::{
    Asked, ClassFile, Delta, Descriptor, Endpoint, Now, Rejection, SignedListing, Signers, Upload,
    index,
};
use chrysalis_settle::SignedOffer;
use serde_json::{Value, json};

use cases::{NOW, about, descriptors, files, listings, network, offers, uploads};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/network")
}

/// Compares a file with what this code makes of it, or makes it anew.
fn same_as_committed(name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    chrysalis_test_support::same_as_committed(&folder().join(name), &text);
}

fn code<T>(outcome: &Result<T, Rejection>) -> Option<&'static str> {
    outcome.as_ref().err().map(Rejection::code)
}

#[test]
fn every_descriptor_is_read_or_refused_by_its_code() {
    let listed: Vec<Value> = descriptors()
        .into_iter()
        .map(|case| {
            let signers = Signers {
                keys: case.keys.iter().map(cases::Key::release).collect(),
                at_least: case.at_least,
            };
            let found = Descriptor::verify(&case.envelope, &signers, Time(case.now), |_| case.seen);
            assert_eq!(code(&found), case.code, "{}", case.name);
            let keys = case.keys.iter().map(|key| hex::encode(key.public()));
            json!({
                "name": case.name,
                "envelope": String::from_utf8(case.envelope).unwrap(),
                "keys": keys.collect::<Vec<_>>(),
                "at_least": case.at_least,
                "now": case.now,
                "seen": case.seen.map(|(version, payload)| json!({"version": version, "sha256": payload.to_string()})),
                "network": found.ok().map(|(network, _)| hex::encode(network.id())),
                "code": case.code,
            })
        })
        .collect();
    same_as_committed("descriptors.json", &json!(listed));
}

#[test]
fn every_offer_is_read_or_refused_by_its_code() {
    let listed: Vec<Value> = offers()
        .into_iter()
        .map(|case| {
            let found = SignedOffer::verify(&case.bytes).map_err(Rejection::from);
            assert_eq!(code(&found), case.code, "{}", case.name);
            json!({"name": case.name, "offer": hex::encode(case.bytes), "code": case.code})
        })
        .collect();
    same_as_committed("offers.json", &json!(listed));
}

/// As a client takes it: signatures, network and time, addresses, and what the evidence says.
fn judged(bytes: &[u8], exact: bool) -> Result<SignedListing, Rejection> {
    let listing = SignedListing::verify(bytes)?;
    listing.check(&network(), Time(NOW))?;
    for endpoint in &listing.listing().endpoints {
        endpoint.check_public()?;
    }
    let (claims, attested) = about();
    listing.is_about(&claims, &attested, exact)?;
    Ok(listing)
}

#[test]
fn every_listing_is_taken_or_refused_by_its_code() {
    let (claims, attested) = about();
    let listed: Vec<Value> = listings()
        .into_iter()
        .map(|case| {
            let found = judged(&case.bytes, true);
            assert_eq!(code(&found), case.code, "{}", case.name);
            json!({
                "name": case.name,
                "listing": hex::encode(case.bytes),
                "id": found.ok().map(|listing| listing.id().to_string()),
                "code": case.code,
            })
        })
        .collect();
    let classes = network()
        .classes
        .into_iter()
        .map(|it| it.weights.to_string());
    same_as_committed(
        "listings.json",
        &json!({
            "network": hex::encode(network().id()),
            "name": network().name,
            "classes": classes.collect::<Vec<_>>(),
            "now": NOW,
            "claims": serde_json::to_value(&claims).unwrap(),
            "evidence": hex::encode(attested.evidence),
            "listings": listed,
        }),
    );
}

#[test]
fn every_file_is_read_or_refused_by_its_code() {
    let listed: Vec<Value> = files()
        .into_iter()
        .map(|(kind, case)| {
            let code = match kind {
                "class" => code(&ClassFile::decode(&case.bytes)),
                "delta" => code(&Delta::decode(&case.bytes)),
                _ => code(&Now::decode(&case.bytes)),
            };
            assert_eq!(code, case.code, "{}", case.name);
            json!({"name": case.name, "kind": kind, "bytes": hex::encode(case.bytes), "code": code})
        })
        .collect();
    same_as_committed("files.json", &json!(listed));
}

#[test]
fn every_upload_is_read_or_refused_by_its_code() {
    let listed: Vec<Value> = uploads()
        .into_iter()
        .map(|case| {
            let found = Upload::decode(&case.bytes);
            assert_eq!(code(&found), case.code, "{}", case.name);
            if let Ok(upload) = found {
                assert_eq!(upload.encode(), case.bytes, "{}", case.name);
            }
            json!({"name": case.name, "body": hex::encode(case.bytes), "code": case.code})
        })
        .collect();
    same_as_committed("uploads.json", &json!(listed));
}

#[test]
fn a_file_and_what_changed_make_the_next_file() {
    let find = |name: &str| {
        let found = files().into_iter().find(|(_, case)| case.name == name);
        found.unwrap().1.bytes
    };
    let mut file = ClassFile::decode(&find("a class")).unwrap();
    let delta = Delta::decode(&find("what changed")).unwrap();
    file.apply(delta.clone()).unwrap();
    assert_eq!(file.encode(), find("the next epoch of the class"));
    let twice = file.apply(delta).unwrap_err();
    assert_eq!(twice.code(), "directory_file_malformed");
}

#[test]
fn the_index_is_the_committed_one() {
    let histories: [&[(u64, u64)]; 6] = [
        &[],
        &[(7, 0)],
        &[(7, 1)],
        &[(30, 10), (10, 10), (20, 10)],
        &[(10, 100), (1000, 50), (1000, 50)],
        &[(1, u64::MAX), (2, u64::MAX), (3, u64::MAX)],
    ];
    let text = |number: u64| number.to_string();
    let listed: Vec<Value> = histories
        .iter()
        .map(|asked| {
            let of = |&(price, capacity): &(u64, u64)| Asked { price, capacity };
            let found = index(&asked.iter().map(of).collect::<Vec<_>>());
            let asked: Vec<_> = asked.iter().map(|it| [text(it.0), text(it.1)]).collect();
            json!({"asked": asked, "index": found.map(text)})
        })
        .collect();
    let asked = [10_u64, 1, 30, 5];
    let prices: Vec<Value> = ["chat", "embedding", "rerank", "speech"]
        .iter()
        .map(|kind| json!({"kind": kind, "asked": asked.map(text), "price": text(Asked::price_of(kind, &asked))}))
        .collect();
    same_as_committed("index.json", &json!({"index": listed, "prices": prices}));
}

#[test]
fn every_address_is_read_and_public_as_committed() {
    let addresses = [
        "llm.example:443",
        "xn--bcher-kva.example:8443",
        "8.8.8.8:443",
        "[2606:4700::1111]:443",
        "10.0.0.1:443",
        "127.0.0.1:443",
        "169.254.169.254:80",
        "[::1]:443",
        "[fd00::1]:443",
        "[::ffff:10.0.0.1]:443",
        "localhost:443",
        "router.local:443",
        "LLM.example:443",
        "llm.example",
        "llm.example:0",
        "llm.example:0443",
        "llm.example:65536",
        "https://llm.example:443",
        "user@llm.example:443",
        "llm..example:443",
        "8.8.8:443",
        "[2001:DB8::1]:443",
        "",
    ];
    let listed: Vec<Value> = addresses
        .iter()
        .map(|address| {
            let read = Endpoint::parse(address);
            let public = read.as_ref().map(|it| it.check_public().is_ok());
            json!({"address": address, "public": public})
        })
        .collect();
    same_as_committed("endpoints.json", &json!(listed));
}

/// Every reason of this crate's, and the offers' of settle, has a vector.
#[test]
fn every_reason_has_a_vector() {
    let mut codes = BTreeSet::new();
    codes.extend(descriptors().iter().filter_map(|case| case.code));
    codes.extend(offers().iter().filter_map(|case| case.code));
    codes.extend(listings().iter().filter_map(|case| case.code));
    codes.extend(files().iter().filter_map(|(_, case)| case.code));
    codes.extend(uploads().iter().filter_map(|case| case.code));
    let wanted = [
        "descriptor_expired",
        "descriptor_malformed",
        "descriptor_rolled_back",
        "descriptor_signers",
        "descriptor_version_reused",
        "directory_file_malformed",
        "endpoint_private",
        "envelope_malformed",
        "listing_class",
        "listing_expired",
        "listing_malformed",
        "listing_mismatch",
        "listing_network",
        "listing_signature",
        "listing_too_long",
        "offer_malformed",
        "offer_signature",
        "upload_malformed",
    ];
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_second_implementation_judges_every_vector_alike() {
    if !chrysalis_test_support::has_node() {
        return;
    }
    let program = folder().join("../../clients/network_vectors.mjs");
    let mut node = std::process::Command::new("node");
    let output = node.arg(program).arg(folder()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{failed}");
    let counted = said.trim().strip_suffix(" vectors, 0 wrong").unwrap();
    assert!(counted.parse::<u32>().unwrap() >= 80, "{said}");
}

/// Any byte of a listing that flips is refused, whatever the byte.
#[test]
fn no_byte_of_a_listing_may_differ() {
    let honest = listings().swap_remove(0).bytes;
    for at in 0..honest.len() {
        let mut bytes = honest.clone();
        bytes[at] ^= 1;
        assert!(SignedListing::verify(&bytes).is_err(), "{at}");
    }
}
