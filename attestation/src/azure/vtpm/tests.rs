//! A virtual TPM with its own key, honest except for one thing.

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::{
    Pkcs1v15Sign, RsaPrivateKey,
    sha2::{Digest, Sha256},
    traits::PublicKeyParts,
};

use super::*;
use crate::{
    Patience,
    transcript::{Outcome, Transcript},
};

static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    RsaPrivateKey::new(&mut ChaCha20Rng::from_seed([1; 32]), 2048).expect("a key")
});

const NONCE: &[u8] = b"challenge";
/// The values of PCRs 0, 4 and 23.
const PCRS: [[u8; 32]; 3] = [[1; 32], [2; 32], [3; 32]];

/// A quote over [`PCRS`], and everything that comes with it.
struct Scene {
    runtime_data: String,
    quote: Vec<u8>,
    signature: Option<Vec<u8>>,
    pcrs: Option<Vec<[u8; 32]>>,
    nonce: Option<Vec<u8>>,
    pcrs_unchecked: Option<&'static str>,
}

fn base64(number: &rsa::BigUint) -> String {
    BASE64URL_NOPAD.encode(&number.to_bytes_be())
}

fn runtime_data() -> String {
    let (n, e) = (base64(KEY.n()), base64(KEY.e()));
    format!(
        r#"{{"keys":[{{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"{e}","n":"{n}"}},{{"kid":"HCLEkPub","kty":"RSA"}}],"user-data":""}}"#
    )
}

fn quote() -> Vec<u8> {
    let fields: [&[u8]; 14] = [
        &[0xFF, 0x54, 0x43, 0x47, 0x80, 0x18],
        &[0, 4],
        &[9; 4],
        &[0, 9],
        NONCE,
        &1000_u64.to_be_bytes(),
        &5_u32.to_be_bytes(),
        &6_u32.to_be_bytes(),
        &[1],
        &7_u64.to_be_bytes(),
        &[0, 0, 0, 1, 0, 0x0B, 3],
        &[0b0001_0001, 0, 0b1000_0000],
        &[0, 32],
        &sha256(&[PCRS.as_flattened()]),
    ];
    fields.concat()
}

fn sign(message: &[u8]) -> Vec<u8> {
    KEY.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message))
        .expect("a signature")
}

fn honest() -> Scene {
    Scene {
        runtime_data: runtime_data(),
        quote: quote(),
        signature: None,
        pcrs: Some(PCRS.to_vec()),
        nonce: Some(NONCE.to_vec()),
        pcrs_unchecked: None,
    }
}

impl Scene {
    /// Signs what was changed, unless there is a signature already.
    fn inspect(&self, patience: Patience) -> (Option<Told>, Vec<Rejection>, Transcript) {
        let signature = self.signature.clone();
        let signature = signature.unwrap_or_else(|| sign(&self.quote));
        let quoted = Quoted {
            quote: &self.quote,
            signature: &signature,
            pcrs: self.pcrs.as_deref(),
            nonce: self.nonce.as_deref(),
            pcrs_unchecked: self.pcrs_unchecked,
        };
        let mut inspection = Inspection::new(patience);
        let told = inspect(self.runtime_data.as_bytes(), Some(&quoted), &mut inspection);
        match inspection.finish(Ok(())) {
            Ok(((), transcript)) => (told, Vec::new(), transcript),
            Err(refusal) => {
                let failures = refusal.rejections().cloned().collect();
                (told, failures, *refusal.transcript)
            }
        }
    }
}

#[track_caller]
fn refuses(change: impl FnOnce(&mut Scene), expected: &Rejection) {
    let mut scene = honest();
    change(&mut scene);
    let (_, failures, transcript) = scene.inspect(Patience::First);
    assert_eq!(failures, std::slice::from_ref(expected));
    let last = transcript.checks().last().expect("checks");
    assert_eq!(
        (last.step, last.outcome),
        (expected.step(), Outcome::Failed)
    );
}

/// With one change, the scene passes, and these checks are skipped.
#[track_caller]
fn accepts(change: impl FnOnce(&mut Scene), left_out: &[&str]) -> Told {
    let mut scene = honest();
    change(&mut scene);
    let (told, failures, transcript) = scene.inspect(Patience::First);
    assert_eq!(failures, []);
    let open = transcript.checks().iter();
    let open = open.filter(|check| check.outcome == Outcome::NotChecked);
    assert_eq!(open.map(|check| check.name).collect::<Vec<_>>(), left_out);
    told.expect("a quote")
}

#[test]
fn tells_what_a_virtual_tpm_quoted() {
    let told = accepts(|_| (), &[]);
    assert!(told.fresh);
    assert_eq!(told.pcr(4), Some([2; 32]));
    assert_eq!(told.pcr(5), None);
    let expected = Quote {
        nonce: NONCE.to_vec(),
        clock: 1000,
        resets: 5,
        restarts: 6,
        safe: true,
        firmware: 7,
        selection: vec![0, 4, 23],
        digest: sha256(&[PCRS.as_flattened()]),
    };
    assert_eq!(told.quote, expected);
}

#[test]
fn takes_a_signature_in_the_structure_of_tpm_tools() {
    let wrapped = |size: u16| {
        let signature = sign(&quote());
        [&RSASSA_SHA256[..], &size.to_be_bytes(), &signature].concat()
    };
    accepts(|scene| scene.signature = Some(wrapped(256)), &[]);
    refuses(
        |scene| scene.signature = Some(wrapped(255)),
        &Rejection::VtpmQuoteSignature,
    );
}

#[test]
fn lists_what_nobody_asked_for_or_brought() {
    let told = accepts(|scene| scene.nonce = None, &["vTPM nonce"]);
    assert!(!told.fresh, "no nonce was asked with");
    let why = |scene: &mut Scene| {
        scene.pcrs = None;
        scene.pcrs_unchecked = Some("a test");
    };
    let told = accepts(why, &["vTPM PCRs"]);
    assert_eq!(told.pcrs, None);
    // A reason to skip the values does not excuse wrong ones.
    let wrong = |scene: &mut Scene| {
        scene.pcrs = Some(vec![[9; 32]; 3]);
        scene.pcrs_unchecked = Some("a test");
    };
    refuses(wrong, &Rejection::VtpmPcrDigest);

    let mut inspection = Inspection::new(Patience::First);
    assert_eq!(inspect(b"", None, &mut inspection), None);
    let ((), transcript) = inspection.finish(Ok(())).expect("nothing is wrong");
    assert_eq!(transcript.checks()[0].outcome, Outcome::NotChecked);
}

#[test]
fn refuses_runtime_data_without_exactly_one_rsa_key() {
    let key = |from: &'static str, to: &'static str, what| {
        refuses(
            |scene| scene.runtime_data = scene.runtime_data.replace(from, to),
            &Rejection::VtpmKey { what },
        );
    };
    let no_list = "it is not JSON with a list of keys";
    key("\"keys\"", "\"locks\"", no_list);
    key("{\"keys\"", "{\"keys\":[],\"keys\"", no_list);
    key("\"user-data\":\"\"}", "", no_list);
    let not_one = "it has no key HCLAkPub, or two";
    key("HCLAkPub", "HCLBkPub", not_one);
    key("HCLEkPub", "HCLAkPub", not_one);
    key(
        "\"kty\":\"RSA\",\"e\"",
        "\"kty\":\"EC\",\"e\"",
        "its key HCLAkPub is not RSA",
    );
    let unwritten = "its key HCLAkPub is not written as RFC 7518 requires";
    key("\"e\":\"AQAB\"", "\"f\":\"AQAB\"", unwritten);
    key("\"e\":\"AQAB\"", "\"e\":\"AQAB=\"", unwritten);
    key("\"e\":\"AQAB\"", "\"e\":\"AAEAAQ\"", unwritten);
    key("\"e\":\"AQAB\"", "\"e\":\"\"", unwritten);
    let sized = "its key HCLAkPub is shorter or longer than a TPM's";
    key("\"e\":\"AQAB\"", "\"e\":\"AQABAQAB\"", sized);
    key("\"n\":\"", "\"n\":\"AQAB\",\"m\":\"", sized);
}

#[test]
fn refuses_what_is_not_a_quote() {
    let malformed = |change: fn(&mut Vec<u8>), what| {
        refuses(
            |scene| change(&mut scene.quote),
            &Rejection::VtpmQuoteMalformed { what },
        );
    };
    malformed(|it| it[0] = 0, "it does not begin like data made by a TPM");
    malformed(|it| it[5] = 0x17, "it attests to something other than PCRs");
    malformed(|it| it[6] = 1, "a field is longer than a TPM's");
    malformed(|it| it[13] = 67, "a field is longer than a TPM's");
    malformed(|it| it[39] = 2, "its clock is neither safe nor unsafe");
    let bank = "its PCRs are not those of the SHA-256 bank";
    malformed(|it| it[51] = 2, bank);
    malformed(|it| it[53] = 4, bank);
    let size = "it selects among more or fewer than 24 PCRs";
    malformed(|it| it[54] = 4, size);
    malformed(|it| it[55..58].fill(0), "it quotes no PCR");
    malformed(|it| it[59] = 33, "a field is longer than a TPM's");
    let digest = |it: &mut Vec<u8>| {
        it[59] = 31;
        it.truncate(it.len() - 1);
    };
    malformed(digest, "its digest is not a SHA-256");
    malformed(|it| it.push(0), "bytes follow its digest");
    for length in 0..quote().len() {
        refuses(
            |scene| scene.quote.truncate(length),
            &Rejection::VtpmQuoteMalformed {
                what: "it ends too early",
            },
        );
    }
}

#[test]
fn refuses_a_quote_that_the_covered_key_did_not_sign() {
    let other = RsaPrivateKey::new(&mut ChaCha20Rng::from_seed([2; 32]), 2048).expect("a key");
    let data = runtime_data().replace(&base64(KEY.n()), &base64(other.n()));
    refuses(
        |scene| scene.runtime_data = data,
        &Rejection::VtpmQuoteSignature,
    );
    // A signature by the right key in another scheme.
    let pss = rsa::Pss::new::<Sha256>();
    let mut salt = ChaCha20Rng::from_seed([3; 32]);
    let signature = KEY.sign_with_rng(&mut salt, pss, &Sha256::digest(quote()));
    refuses(
        |scene| scene.signature = Some(signature.expect("a signature")),
        &Rejection::VtpmQuoteSignature,
    );
}

#[test]
fn refuses_every_quote_and_signature_with_one_flipped_bit() {
    let signature = sign(&quote());
    for bit in 0..quote().len() * 8 {
        let mut scene = honest();
        scene.signature = Some(signature.clone());
        scene.quote[bit / 8] ^= 1 << (bit % 8);
        let failures = scene.inspect(Patience::First).1;
        assert!(
            !failures.is_empty(),
            "bit {bit} of the quote does not count"
        );
        assert!(
            matches!(
                failures[0],
                Rejection::VtpmQuoteSignature | Rejection::VtpmQuoteMalformed { .. }
            ),
            "{failures:?}"
        );
    }
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refuses(
            |scene| scene.signature = Some(flipped),
            &Rejection::VtpmQuoteSignature,
        );
    }
}

#[test]
fn refuses_the_answer_to_another_question() {
    for asked in [&b"challengf"[..], b"challenge\0", b"challeng", b""] {
        refuses(
            |scene| scene.nonce = Some(asked.to_vec()),
            &Rejection::VtpmNonceMismatch {
                found: hex::encode(NONCE),
            },
        );
    }
}

#[test]
fn refuses_other_values_than_the_quoted_ones() {
    refuses(|scene| scene.pcrs = None, &Rejection::VtpmPcrsMissing);
    let values = |pcrs: Vec<[u8; 32]>| move |scene: &mut Scene| scene.pcrs = Some(pcrs);
    let count = |found| Rejection::VtpmPcrCount { found, quoted: 3 };
    refuses(values(PCRS[..2].to_vec()), &count(2));
    refuses(values([&PCRS[..], &PCRS[..1]].concat()), &count(4));
    refuses(
        values(vec![PCRS[1], PCRS[0], PCRS[2]]),
        &Rejection::VtpmPcrDigest,
    );
}

#[test]
fn explaining_a_quote_tells_everything_that_is_wrong_with_it() {
    let mut scene = honest();
    scene.runtime_data.clear();
    scene.nonce = Some(vec![1]);
    scene.pcrs = None;
    let (_, failures, _) = scene.inspect(Patience::All);
    let codes: Vec<_> = failures.iter().map(Rejection::code).collect();
    assert_eq!(
        codes,
        ["vtpm_key", "vtpm_nonce_mismatch", "vtpm_pcrs_missing"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512), text in ".{0,200}") {
        let mut after_magic = quote()[..6].to_vec();
        after_magic.extend_from_slice(&bytes);
        for quote in [bytes, after_magic] {
            let scene = Scene { runtime_data: text.clone(), quote, ..honest() };
            let (_, failures, _) = scene.inspect(Patience::All);
            prop_assert!(!failures.is_empty());
        }
    }
}
