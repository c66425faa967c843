//! The vectors in tests/vectors/settle: that they are what this code makes, and that it finds in them what each expects. And what
//! must hold of every byte.
//!
//! `UPDATE_VECTORS=1 cargo test -p chrysalis-settle --test vectors` makes them anew. docs/spec/receipt.md and price.md say what they are.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

mod cases;
mod prices;

use std::{collections::BTreeSet, env, path::PathBuf};

use chrysalis_settle::{
    Content, Credential, End, EpochEvidence, JobRepeated, Kept, NUMBERS_KEPT, NoReceipt,
    NotAdmitted, Receipt, Rejection, Sign, SignedReport, Statement, Tab, TabId, Tabs, TabsFull,
    Tag, money,
};
use serde_json::{Value, json};

use cases::{
    ANSWER, Key, REQUEST, Scene, attested, done, enclave, kept, kept_wrong, number, open, paid,
    quote, receipts, unpaid,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/settle")
}

/// Compares a file with what this code makes of it, or makes it anew.
fn same_as_committed(name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    chrysalis_test_support::same_as_committed(&folder().join(name), &text);
}

fn tab(tab: &TabId) -> Value {
    json!({"purse": hex::encode(tab.purse), "lane": tab.lane, "branch": tab.branch})
}

fn evidence() -> Value {
    let attested = attested();
    json!({
        "receipt_key": hex::encode(attested.receipt_key),
        "claims": hex::encode(attested.claims),
        "epoch": attested.epoch,
        "evidence": hex::encode(attested.evidence),
    })
}

fn scene(scene: &Scene) -> Value {
    json!({
        "tab": tab(&scene.tab),
        "seq": scene.standing.seq,
        "cumulative": scene.standing.cumulative,
        "head": hex::encode(scene.standing.head),
        "job": hex::encode(scene.job),
        "request_sha256": hex::encode(scene.request),
        "answer_sha256": scene.answer.map(hex::encode),
        "quote": scene.quote.as_ref().map(|quote| hex::encode(quote.encode())),
        "price": scene.quote.as_ref().map(|quote| quote.price),
        "attested": evidence(),
    })
}

fn code<T>(outcome: &Result<T, Rejection>) -> Option<&'static str> {
    outcome.as_ref().err().map(Rejection::code)
}

#[test]
fn statements_and_credentials_are_the_committed_ones() {
    let spend = Key::seeded(2);
    let cap = Statement {
        tag: Tag::Cap,
        tab: paid(),
        amount: 300_000_000,
        last: enclave().public(),
    };
    let owed = Statement {
        tag: Tag::Receipt,
        amount: 100_000_000,
        last: [9; 32],
        ..cap
    };
    let statement = |name: &str, statement: &Statement, key: &Key| {
        json!({
            "name": name,
            "statement": hex::encode(statement.encode()),
            "digest": hex::encode(statement.digest()),
            "key": hex::encode(key.public()),
            "signature": hex::encode(key.signed(&statement.digest())),
        })
    };
    let credential = Credential {
        tab: paid(),
        cap: cap.amount,
        signature: spend.signed(&cap.digest()),
    };
    let statements = json!({
        "statements": [statement("cap", &cap, &spend), statement("receipt", &owed, &enclave())],
        "credential": {
            "bytes": hex::encode(credential.encode()),
            "spend_key": hex::encode(spend.public()),
            "receipt_key": hex::encode(enclave().public()),
        },
        "quote": {"bytes": hex::encode(quote().encode()), "digest": hex::encode(quote().digest())},
        "unpaid_quote": hex::encode(money::unpaid_quote()),
        "unpaid_purse": {"exporter": hex::encode(cases::EXPORTER), "purse": hex::encode(unpaid().purse)},
    });
    same_as_committed("statements.json", &statements);
}

#[test]
fn every_receipt_is_accepted_or_refused_by_its_code() {
    let cases = receipts();
    let listed: Vec<Value> = cases
        .iter()
        .map(|case| {
            assert_eq!(
                code(&case.scene.accept(&case.receipt)),
                case.code,
                "{}",
                case.name
            );
            json!({
                "name": case.name,
                "scene": scene(&case.scene),
                "receipt": hex::encode(&case.receipt),
                "code": case.code,
            })
        })
        .collect();
    same_as_committed("receipts.json", &json!(listed));
}

#[test]
fn every_kept_receipt_is_verified_or_refused_by_its_code() {
    let content = Content {
        request: Some(REQUEST),
        answer: Some(ANSWER),
    };
    let honest = [
        ("honest", kept(false).encode(), None),
        ("with-evidence", kept(true).encode(), None),
    ];
    let wrong = kept_wrong();
    let wrong = wrong
        .into_iter()
        .map(|(name, file, code)| (name, file, Some(code)));
    let listed: Vec<Value> = honest
        .into_iter()
        .chain(wrong)
        .map(|(name, file, expected)| {
            let outcome =
                Kept::decode(&file).and_then(|kept| kept.verify(&attested(), &content).cloned());
            assert_eq!(code(&outcome), expected, "{name}");
            json!({"name": name, "file": hex::encode(&file), "code": expected})
        })
        .collect();
    let vectors = json!({
        "attested": evidence(),
        "request_sha256": hex::encode(REQUEST),
        "answer_sha256": hex::encode(ANSWER),
        "files": listed,
    });
    same_as_committed("kept.json", &vectors);
}

/// Each bit of each byte: none is accepted, and each is refused by one of these codes.
#[test]
fn every_flipped_byte_of_a_receipt_is_refused() {
    let case = &receipts()[0];
    let mut codes = BTreeSet::new();
    for at in 0..case.receipt.len() {
        for bit in 0..8 {
            let mut other = case.receipt.clone();
            other[at] ^= 1 << bit;
            let refused = code(&case.scene.accept(&other));
            codes.insert(refused.unwrap_or_else(|| panic!("byte {at}, bit {bit}")));
        }
    }
    let expected = [
        "job_malformed",
        "receipt_chain",
        "receipt_malformed",
        "receipt_signature",
    ];
    assert_eq!(codes, expected.into());
}

#[test]
fn every_flipped_byte_of_a_kept_receipt_is_refused() {
    let file = kept(false).encode();
    let mut codes = BTreeSet::new();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut other = file.clone();
            other[at] ^= 1 << bit;
            let outcome = Kept::decode(&other)
                .and_then(|kept| kept.verify(&attested(), &Content::default()).cloned());
            codes.insert(code(&outcome).unwrap_or_else(|| panic!("byte {at}, bit {bit}")));
        }
    }
    let expected = [
        "job_malformed",
        "receipt_chain",
        "receipt_file_malformed",
        "receipt_signature",
        "statement_malformed",
    ];
    assert_eq!(codes, expected.into());
}

#[test]
fn a_kept_receipt_has_at_most_a_kibibyte() {
    let length = kept(false).encode().len();
    assert!(length <= 1024, "{length}");
    assert!(Kept::is_one(&kept(false).encode()) && Kept::is_one(&kept(true).encode()));
    assert!(!Kept::is_one(&[0xA4, 0x63]));
}

#[test]
fn an_enclaves_chain_is_accepted_link_by_link() {
    let (_tabs, at_enclave) = open(unpaid());
    let mut tab = Tab::new(unpaid(), enclave().public());
    for seq in 1..=5 {
        let running = at_enclave.begin(number(seq)).unwrap();
        assert_eq!(running.number(), number(seq));
        let attested = attested();
        let receipt = at_enclave
            .end(running, &done(&attested), &enclave())
            .unwrap();
        assert_eq!(at_enclave.last(), Some(receipt.clone()));
        let expected = chrysalis_settle::Expected {
            job: number(seq),
            request: REQUEST,
            answer: Some(ANSWER),
            attested: &attested,
            quote: None,
        };
        let kept = tab.accept(&receipt, &expected).unwrap();
        assert_eq!((kept.job().seq, tab.standing().seq), (seq, seq));
        assert_eq!(Kept::decode(&kept.encode()), Ok(kept));
    }
}

#[test]
fn a_number_is_used_once_among_the_last_thousand() {
    let (_tabs, tab) = open(unpaid());
    for seq in 0..NUMBERS_KEPT as u64 {
        let _ = tab.begin(number(seq)).unwrap();
    }
    assert_eq!(tab.begin(number(0)), Err(JobRepeated));
    let _ = tab.begin(number(NUMBERS_KEPT as u64)).unwrap();
    assert!(tab.begin(number(0)).is_ok());
    assert_eq!(tab.begin(number(2)), Err(JobRepeated));
}

/// A key that was overwritten.
struct Gone;

impl Sign for Gone {
    fn sign(&self, _: &[u8; 32]) -> Option<[u8; 64]> {
        None
    }
}

#[test]
fn a_sum_that_does_not_fit_is_not_begun_and_without_a_key_there_is_no_receipt() {
    let tabs = Tabs::new(enclave().public(), 4);
    let attested = attested();
    let much = chrysalis_settle::Done {
        amount: u64::MAX,
        ..done(&attested)
    };
    let credential = Credential {
        tab: paid(),
        cap: u64::MAX,
        signature: [0; 64],
    };
    let begin = |seq, bound| tabs.admit(&credential, number(seq), bound, u64::MAX, 0);
    let (tab, running) = begin(1, u64::MAX).unwrap();
    let first = tab.end(running, &much, &enclave()).unwrap();
    assert!(matches!(begin(2, 1), Err(NotAdmitted::TooLow { .. })));
    let (_, running) = begin(2, 0).unwrap();
    let gone = tab.end(running, &done(&attested), &Gone);
    assert_eq!(gone, Err(NoReceipt::NoKey));
    assert_eq!(tab.last(), Some(first));
}

#[test]
fn a_left_tab_makes_room_and_one_in_use_does_not() {
    let tabs = Tabs::new(enclave().public(), 2);
    let id = |exporter| TabId::unpaid(&[exporter; 32]);
    let first = tabs.open(id(1)).unwrap();
    tabs.open(id(2)).unwrap();
    assert_eq!(tabs.open(id(1)).unwrap().id(), first.id());
    assert_eq!(tabs.open(id(3)).unwrap_err(), TabsFull);
    tabs.leave(&id(1));
    assert!(tabs.find(&id(1)).is_some());
    tabs.open(id(3)).unwrap();
    assert!(tabs.find(&id(1)).is_none());
    tabs.forget(&id(2));
    assert!(tabs.find(&id(2)).is_none());
    tabs.open(id(4)).unwrap();
    assert_eq!(tabs.open(id(5)).unwrap_err(), TabsFull);
}

#[test]
fn only_a_receipt_that_no_answer_delivered_is_kept_for_its_client() {
    let (_tabs, tab) = open(unpaid());
    let attested = attested();
    for (seq, end, owed) in [(1, End::Cancelled, true), (2, End::Stop, false)] {
        let running = tab.begin(number(seq)).unwrap();
        let done = chrysalis_settle::Done {
            end,
            ..done(&attested)
        };
        tab.end(running, &done, &enclave()).unwrap();
        assert_eq!(tab.is_owed_a_receipt(), owed);
    }
}

#[test]
fn files_that_are_no_kept_receipts_are_refused() {
    let what = |bytes: &[u8]| match Kept::decode(bytes) {
        Err(Rejection::KeptMalformed { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        what(&vec![0; chrysalis_settle::MAX_KEPT + 1]),
        "it is too long"
    );
    assert_eq!(what(&[0x01]), "not a map");
    assert_eq!(what(&[0xA0]), "no job");
    let evidence = EpochEvidence {
        spki: vec![1; 2049],
        bundle: vec![2],
    };
    assert!(EpochEvidence::decode(&evidence.encode()).is_err());
    let mut with = kept(true);
    with.evidence = Some(evidence);
    assert_eq!(what(&with.encode()), "no evidence of an epoch");
    let whole = kept(true).encode();
    for length in 0..whole.len() {
        assert!(Kept::decode(&whole[..length]).is_err());
    }
    let small = kept(true).evidence.unwrap();
    assert_eq!(EpochEvidence::decode(&small.encode()), Ok(small));
}

#[test]
fn no_bytes_panic() {
    for seed in 0..=255_u8 {
        let bytes: Vec<u8> = (0..u16::from(seed))
            .map(|at| at.to_le_bytes()[0].wrapping_mul(seed))
            .collect();
        let _ = (
            Receipt::decode(&bytes),
            Kept::decode(&bytes),
            Credential::decode(&bytes),
        );
        let _ = (Statement::decode(&bytes), money::Quote::decode(&bytes));
        let _ = SignedReport::verify(&bytes);
    }
}
