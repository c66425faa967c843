//! Seeds of whole machines: bundles of either CPU with a GPU, its manifests and OCSP answers, as tests/vectors keeps them.

use chrysalis_attestation::evidence::{Evidence, Short};
use chrysalis_client::SavedSession;

use super::{Seed, seed};

const SNP: &[u8] = include_bytes!("../../../../vectors/bundle/snp-h100/bundle.cbor");
/// Its report answers seven questions.
const SHARED: &[u8] = include_bytes!("../../../../vectors/bundle/snp-h100-of-seven/bundle.cbor");
const TDX: &[u8] = include_bytes!("../../../../vectors/bundle/tdx-h100/bundle.cbor");

pub(super) fn seeds() -> Vec<Seed> {
    let spki = b"the enclave's SubjectPublicKeyInfo".to_vec();
    let saved = SavedSession::new(spki, [0x4E; 32], [0xE4; 32], TDX.to_vec());
    let shared = Evidence::decode(SHARED).expect("a bundle");
    let path = shared.path.as_ref().expect("a path").encode();
    let question = format!(
        r#"{{"kind":"bundle","now":"2026-12-01T12:00:00Z","files":{{"bundle":"{}"}},"words":{{"explain":"true","without":["session"]}}}}"#,
        data_encoding::BASE64.encode(SNP)
    );
    vec![
        seed("question", "snp-h100", question),
        seed("path", "of-seven", path),
        seed("short_bundle", "of-seven", Short::encode(&shared)),
        seed("bundle", "of-seven", SHARED),
        seed("bundle", "snp-h100", SNP),
        seed("bundle", "tdx-h100", TDX),
        seed("saved_session", "tdx-h100", saved.encode()),
    ]
}
