use super::*;

fn evidence() -> Evidence {
    Evidence {
        cpu: CpuReport::Snp(vec![7; 1184]),
        claims: crate::claims::tests::claims().encode(),
        gpus: NO_GPUS.to_vec(),
        endorsements: Endorsements {
            certificates: vec![vec![1], vec![2]],
            crls: vec![vec![3]],
        },
    }
}

fn changed(change: impl FnOnce(&mut std::collections::BTreeMap<Value, Value>)) -> Vec<u8> {
    let Some(Value::Map(mut fields)) = cbor::decode(&evidence().encode()) else {
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
    assert_eq!(Evidence::decode(&evidence().encode()), Ok(evidence()));
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

#[test]
fn refuses_gpu_evidence_that_is_no_array() {
    refused_item(
        &Evidence {
            gpus: vec![0xA0],
            ..evidence()
        }
        .encode(),
        "gpus",
    );
}

#[test]
fn refuses_too_many_certificates() {
    let certificates = vec![vec![]; MAX_CERTIFICATES + 1];
    let endorsements = Endorsements {
        certificates,
        crls: vec![],
    };
    refused_item(
        &Evidence {
            endorsements,
            ..evidence()
        }
        .encode(),
        "certificates",
    );
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
        let mut bytes = evidence().encode();
        let byte = index.get_mut(&mut bytes);
        *byte ^= change;
        if let Ok(changed) = Evidence::decode(&bytes) {
            proptest::prop_assert_ne!(&changed, &evidence());
            proptest::prop_assert_eq!(changed.encode(), bytes);
        }
    }
}
