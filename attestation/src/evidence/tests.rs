use serde_cbor::Value;
use x509_parser::asn1_rs::{FromDer, OctetString};

use super::*;
use crate::{Rejection, encoding::cbor, nvidia::MAX_RIMS};

fn evidence() -> Evidence {
    Evidence {
        cpu: CpuReport::Snp(vec![7; 1184]),
        claims: claims::tests::claims().encode(),
        gpus: Vec::new(),
        path: None,
        endorsements: Endorsements {
            certificates: vec![vec![1], vec![2]],
            crls: vec![vec![3]],
            ..Endorsements::default()
        },
    }
}

/// Every item that exists.
fn everything() -> Evidence {
    Evidence {
        cpu: CpuReport::Tdx {
            quote: vec![4; 5000],
            event_log: vec![5; 100],
        },
        gpus: vec![a_gpu(), a_gpu()],
        endorsements: Endorsements {
            tdx: b"{}".to_vec(),
            rims: vec![b"<a/>".to_vec()],
            ocsp: vec![OcspAnswer::brought_along(vec![6])],
            statements: vec![b"{}".to_vec()],
            ..evidence().endorsements
        },
        ..evidence()
    }
}

/// Sizes as in an H100's evidence.
fn a_gpu() -> GpuEvidence {
    GpuEvidence {
        report: vec![7; 4400],
        chain: vec![vec![8; 900]; 5],
    }
}

fn changed(change: impl FnOnce(&mut std::collections::BTreeMap<Value, Value>)) -> Vec<u8> {
    let Some(Value::Map(mut fields)) = cbor::decode(&everything().encode()) else {
        panic!()
    };
    change(&mut fields);
    cbor::encode(&Value::Map(fields))
}

fn refused_item(bytes: &[u8], item: &str) {
    assert_eq!(
        Evidence::decode(bytes),
        Err(Rejection::BundleItem {
            item: item.to_owned()
        })
    );
}

#[test]
fn a_bundle_comes_back_as_it_was() {
    for evidence in [evidence(), everything()] {
        assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));
    }
}

#[test]
fn a_nonce_of_somebody_else_does_not_travel() {
    let mut asked = everything();
    asked.endorsements.ocsp[0].nonce = Some([1; 32]);
    assert_eq!(Evidence::decode(&asked.encode()), Ok(everything()));
}

/// The promise of docs/spec/bundle.md.
#[test]
fn one_gpu_without_collateral_fits_in_32_kib() {
    let evidence = Evidence {
        gpus: vec![a_gpu()],
        endorsements: Endorsements {
            // VCEK, ASK and ARK, and AMD's list.
            certificates: vec![vec![1; 1700]; 3],
            crls: vec![vec![2; 900]],
            ..Endorsements::default()
        },
        ..evidence()
    };
    let size = evidence.encode().len();
    assert!(size <= 32 * 1024, "{size} bytes");
}

#[test]
fn refuses_a_bundle_over_the_limit() {
    let found = MAX_BUNDLE + 1;
    assert_eq!(
        Evidence::decode(&vec![0; found]),
        Err(Rejection::BundleTooLarge { found })
    );
}

#[test]
fn refuses_every_cut_and_every_appended_byte() {
    let bytes = evidence().encode();
    for length in (0..bytes.len()).step_by(7) {
        assert!(Evidence::decode(&bytes[..length]).is_err());
    }
    let longer = [bytes, vec![0]].concat();
    let what = "not deterministic CBOR";
    assert_eq!(
        Evidence::decode(&longer),
        Err(Rejection::BundleMalformed { what })
    );
}

#[test]
fn refuses_items_that_are_missing_unknown_or_of_another_type() {
    refused_item(
        &changed(|fields| drop(fields.remove(&Value::Text("cpu".into())))),
        "cpu",
    );
    refused_item(
        &changed(|fields| drop(fields.insert(Value::Text("extra".into()), Value::Null))),
        "extra",
    );
    refused_item(
        &changed(|fields| drop(fields.insert(Value::Text("gpus".into()), Value::Null))),
        "gpus",
    );
    refused_item(
        &changed(|fields| drop(fields.remove(&Value::Text("__cmwc_t".into())))),
        "__cmwc_t",
    );
}

/// Replaces an item's content.
fn with_content(item: &str, content: &[u8]) -> Vec<u8> {
    changed(|fields| {
        let Some(Value::Array(record)) = fields.get_mut(&Value::Text(item.into())) else {
            panic!("{item}")
        };
        record[1] = Value::Bytes(content.to_vec());
    })
}

#[test]
fn refuses_gpu_evidence_of_another_form() {
    // A map; an entry that is not a pair; a report that is not a byte string; a number longer than necessary.
    for content in [
        &[0xA0][..],
        &[0x81, 0x40],
        &[0x81, 0x82, 0x01, 0x80],
        &[0x98, 0x00],
    ] {
        refused_item(&with_content("gpus", content), "gpus");
    }
    for (count, report, chain) in [(17, 1, 1), (1, 16 * 1024 + 1, 1), (1, 1, 11)] {
        let gpu = GpuEvidence {
            report: vec![0; report],
            chain: vec![vec![]; chain],
        };
        let gpus = vec![gpu; count];
        refused_item(&Evidence { gpus, ..evidence() }.encode(), "gpus");
    }
}

#[test]
fn an_empty_item_is_left_out_and_refused_where_it_stands() {
    let smallest = Evidence {
        endorsements: Endorsements::default(),
        ..evidence()
    };
    let Some(Value::Map(fields)) = cbor::decode(&smallest.encode()) else {
        panic!()
    };
    assert_eq!(fields.len(), 4, "the type, cpu, claims and gpus");
    for (item, empty) in [
        ("event_log", &[][..]),
        ("tdx", &[]),
        ("certificates", &NO_GPUS),
        ("crls", &NO_GPUS),
        ("rims", &NO_GPUS),
        ("ocsp", &NO_GPUS),
    ] {
        refused_item(&with_content(item, empty), item);
        refused_item(&with_content(item, &[]), item);
    }
}

#[test]
fn an_event_log_is_that_of_a_td() {
    let Some(Value::Map(tdx)) = cbor::decode(&everything().encode()) else {
        panic!()
    };
    let Some(Value::Map(mut snp)) = cbor::decode(&evidence().encode()) else {
        panic!()
    };
    let log = Value::Text("event_log".into());
    snp.insert(log.clone(), tdx[&log].clone());
    refused_item(&cbor::encode(&Value::Map(snp)), "event_log");
}

#[test]
fn refuses_more_of_a_kind_than_the_limit() {
    let many = |count: usize| vec![vec![1]; count + 1];
    let endorsements = [
        (
            "certificates",
            Endorsements {
                certificates: many(MAX_CERTIFICATES),
                ..Default::default()
            },
        ),
        (
            "crls",
            Endorsements {
                crls: many(MAX_CRLS),
                ..Default::default()
            },
        ),
        (
            "rims",
            Endorsements {
                rims: many(MAX_RIMS),
                ..Default::default()
            },
        ),
        (
            "ocsp",
            Endorsements {
                ocsp: vec![OcspAnswer::brought_along(vec![1]); 65],
                ..Default::default()
            },
        ),
    ];
    for (item, endorsements) in endorsements {
        refused_item(
            &Evidence {
                endorsements,
                ..evidence()
            }
            .encode(),
            item,
        );
    }
}

#[test]
fn the_extension_is_an_octet_string() {
    let extension = evidence().certificate_extension();
    let (rest, content) = OctetString::from_der(&extension).expect("DER");
    assert!(rest.is_empty());
    assert_eq!(Evidence::decode(content.as_ref()), Ok(evidence()));
}

proptest::proptest! {
    #[test]
    fn no_changed_byte_goes_unseen(index: proptest::sample::Index, change in 1..=u8::MAX) {
        let mut bytes = everything().encode();
        let byte = index.get_mut(&mut bytes);
        *byte ^= change;
        if let Ok(changed) = Evidence::decode(&bytes) {
            proptest::prop_assert_ne!(&changed, &everything());
            proptest::prop_assert_eq!(changed.encode(), bytes);
        }
    }
}

/// As [`everything`], as one of seven questions.
fn shared() -> Evidence {
    let asked = |number| binding::Session::Asked {
        nonce: [number; 32],
        exporter: [9; 32],
    };
    let sessions: Vec<_> = (0..7).map(|it| asked(it).digest(b"spki")).collect();
    let tree = path::Tree::new(&sessions).expect("a tree");
    Evidence {
        path: tree.path(3),
        ..everything()
    }
}

#[test]
fn a_path_has_a_version_of_the_collection_of_its_own() {
    let bytes = shared().encode();
    assert_eq!(Evidence::decode(&bytes), Ok(shared()));
    let kind = Value::Text("__cmwc_t".into());
    let old = Value::Text("tag:chrysalis,2026:evidence/1".into());
    let Some(Value::Map(mut fields)) = cbor::decode(&bytes) else {
        panic!()
    };
    fields.insert(kind.clone(), old);
    refused_item(&cbor::encode(&Value::Map(fields.clone())), "path");
    fields.insert(kind, Value::Text("tag:chrysalis,2026:evidence/2".into()));
    fields.remove(&Value::Text("path".into()));
    refused_item(&cbor::encode(&Value::Map(fields)), "path");
}

#[test]
fn a_path_of_40_mb_is_refused_unread() {
    let found = 40_000_000;
    let refused = Err(Rejection::BundleTooLarge { found });
    assert_eq!(Evidence::decode(&vec![0x83; found]), refused);
    assert_eq!(
        Short::decode(&vec![0x83; found]),
        Err(Rejection::BundleTooLarge { found })
    );
}

#[test]
fn a_short_bundle_is_filled_by_its_own_rest_alone() {
    for evidence in [evidence(), everything(), shared()] {
        let bytes = Short::encode(&evidence);
        assert_eq!(Evidence::decode(&bytes), Err(Rejection::BundleShort));
        let short = Short::decode(&bytes).expect("readable").expect("short");
        let rest = Rest::of(&evidence);
        assert_eq!(short.rest(), rest.digest());
        assert_eq!(short.clone().fill(&rest), Some(evidence.clone()));
        let mut other = evidence;
        other.endorsements.crls.clear();
        assert_eq!(short.fill(&Rest::of(&other)), None);
    }
    assert_eq!(Short::decode(&everything().encode()), Ok(None));
}

#[test]
fn every_part_of_the_rest_is_in_its_digest() {
    let changes: [fn(&mut Evidence); 8] = [
        |it| it.endorsements.certificates[0].push(0),
        |it| it.endorsements.crls.clear(),
        |it| it.endorsements.tdx.push(b' '),
        |it| it.endorsements.rims[0].push(b' '),
        |it| it.endorsements.ocsp.clear(),
        |it| it.endorsements.statements.clear(),
        |it| it.gpus[0].chain[1][0] ^= 1,
        |it| {
            let CpuReport::Tdx { event_log, .. } = &mut it.cpu else {
                panic!()
            };
            event_log.clear();
        },
    ];
    let rest = *Rest::of(&shared()).digest();
    for change in changes {
        let mut other = shared();
        change(&mut other);
        assert_ne!(*Rest::of(&other).digest(), rest);
    }
    // What is new in each answer is not.
    let mut another = shared();
    another.gpus[0].report[0] ^= 1;
    another.path = None;
    another.claims.clear();
    assert_eq!(*Rest::of(&another).digest(), rest);
}

/// A short bundle with another content of one item.
fn short_with(item: &str, content: &[u8]) -> Vec<u8> {
    let Some(Value::Map(mut fields)) = cbor::decode(&Short::encode(&shared())) else {
        panic!()
    };
    let Some(Value::Array(record)) = fields.get_mut(&Value::Text(item.into())) else {
        panic!("{item}")
    };
    record[1] = Value::Bytes(content.to_vec());
    cbor::encode(&Value::Map(fields))
}

#[test]
fn refuses_short_bundles_of_another_form() {
    let refused = |item: &str, content: &[u8]| {
        let item = item.to_owned();
        let found = Short::decode(&short_with(&item, content));
        assert_eq!(found, Err(Rejection::BundleItem { item }));
    };
    refused("rest", &[0; 31]);
    refused("reports", &[0xA0]);
    refused("reports", &[0x81, 0x01]);
    refused("reports", &[]);
    let reports = |count, size| cbor::encode(&cbor::byte_strings(&vec![vec![0; size]; count]));
    refused("reports", &reports(17, 1));
    refused("reports", &reports(1, 16 * 1024 + 1));
    assert!(Short::decode(&short_with("reports", &reports(16, 1))).is_ok());
    // As many answers as the rest has chains.
    let short = Short::decode(&short_with("reports", &reports(1, 1)));
    let short = short.expect("readable").expect("short");
    assert_eq!(short.fill(&Rest::of(&shared())), None);
    let Some(Value::Map(mut fields)) = cbor::decode(&Short::encode(&shared())) else {
        panic!()
    };
    fields.insert(Value::Text("extra".into()), Value::Null);
    let extra = cbor::encode(&Value::Map(fields));
    let item = "extra".to_owned();
    assert_eq!(Short::decode(&extra), Err(Rejection::BundleItem { item }));
}

#[test]
fn a_batch_is_encoded_once_and_each_bundle_is_as_if_encoded_by_itself() {
    let sessions: Vec<_> = (0..5)
        .map(|it| {
            let (nonce, exporter) = ([it; 32], [1; 32]);
            binding::Session::Asked { nonce, exporter }.digest(b"spki")
        })
        .collect();
    let tree = path::Tree::new(&sessions).expect("a tree");
    for evidence in [evidence(), everything()] {
        let have = [[0; 32], *Rest::of(&evidence).digest()];
        let alone = Batch::new(&evidence, None);
        assert_eq!(alone.bundle(0, &[]), Some(evidence.encode()));
        assert_eq!(alone.bundle(0, &have), Some(Short::encode(&evidence)));
        assert_eq!(alone.bundle(1, &[]), None);
        assert_eq!(alone.longest(), evidence.encode().len());
        let batch = Batch::new(&evidence, Some(tree.clone()));
        for index in 0..5 {
            let evidence = Evidence {
                path: tree.path(index),
                ..evidence.clone()
            };
            assert_eq!(batch.bundle(index, &[]), Some(evidence.encode()));
            assert_eq!(batch.bundle(index, &have[..1]), Some(evidence.encode()));
            assert_eq!(batch.bundle(index, &have), Some(Short::encode(&evidence)));
            assert!(batch.longest() >= evidence.encode().len());
        }
        assert_eq!(batch.bundle(5, &[]), None);
    }
}

/// The promise of docs/spec/batch.md, with the longest path.
#[test]
fn a_short_bundle_with_one_gpu_fits_in_8_kib() {
    let sessions = vec![binding::Session::Boot.digest(b"spki"); 65_536];
    let evidence = Evidence {
        gpus: vec![a_gpu()],
        path: path::Tree::new(&sessions).and_then(|tree| tree.path(7)),
        ..evidence()
    };
    let size = Short::encode(&evidence).len();
    assert!(size <= 8 * 1024, "{size} bytes");
}
