//! The vendors' services' answers about simulated hardware, for a test to serve. Nothing here listens on a port.

use chrysalis_attestation::{
    Rejection, Time,
    nvidia::{GpuEvidence, needs::rim_ids},
    tdx::IntelCollateral,
};
use data_encoding::BASE64;
use serde_json::json;

use crate::{Nvidia, Signer, nvidia::Answer};

/// One answer with status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The question.
    pub to: Asked,
    /// Header lines, `Name: value`.
    pub headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A GET of this path, with its query.
    Get(String),
    /// A POST whose body contains these bytes.
    About(Vec<u8>),
}

/// The path of the simulated platform's TCB info in Intel's service.
pub const TCB_INFO: &str = "/tdx/certification/v4/tcb?fmspc=90c06f000000";

/// Intel's answers about the simulated platform.
pub fn intel(said: &IntelCollateral) -> Vec<Answered> {
    let signed = |object: &str, body: &str, signature: &[u8]| {
        let signature = hex::encode(signature);
        format!("{{\"{object}\":{body},\"signature\":\"{signature}\"}}").into_bytes()
    };
    let get = |path: &str, headers: Vec<String>, body: Vec<u8>| Answered {
        to: Asked::Get(path.to_owned()),
        headers,
        body,
    };
    let issuers = |name: &str, chain: &str| vec![format!("{name}: {}", percent_encoded(chain))];
    vec![
        get(
            TCB_INFO,
            issuers("TCB-Info-Issuer-Chain", &said.tcb_info_issuer_chain),
            signed("tcbInfo", &said.tcb_info, &said.tcb_info_signature),
        ),
        get(
            "/tdx/certification/v4/qe/identity",
            issuers(
                "SGX-Enclave-Identity-Issuer-Chain",
                &said.qe_identity_issuer_chain,
            ),
            signed(
                "enclaveIdentity",
                &said.qe_identity,
                &said.qe_identity_signature,
            ),
        ),
        get(
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            issuers("SGX-PCK-CRL-Issuer-Chain", &said.pck_crl_issuer_chain),
            said.pck_crl.clone(),
        ),
        get("/IntelSGXRootCA.der", Vec::new(), said.root_ca_crl.clone()),
    ]
}

/// NVIDIA's answers about a simulated GPU: both manifests, and one about each certificate, made at this time.
pub fn nvidia(vendor: &Nvidia, gpu: &GpuEvidence, at: Time) -> Result<Vec<Answered>, Rejection> {
    let manifests = rim_ids(gpu)?.into_iter().zip(vendor.rims());
    let manifests = manifests.map(|(id, rim)| Answered {
        to: Asked::Get(rim_path(&id)),
        headers: Vec::new(),
        body: json!({"id": id, "rim": BASE64.encode(&rim)})
            .to_string()
            .into_bytes(),
    });
    Ok(manifests.chain(ocsp(vendor, at)).collect())
}

/// The path of a manifest in NVIDIA's service.
pub fn rim_path(id: &str) -> String {
    format!("/v1/rim/{id}")
}

/// NVIDIA's answers about every certificate, made at this time. Like a cache's, they repeat no nonce.
pub fn ocsp(vendor: &Nvidia, at: Time) -> Vec<Answered> {
    let good = |(subject, issuer)| Answered {
        to: Asked::About(Answer::id(&subject, &issuer)),
        headers: Vec::new(),
        body: Answer::good(&subject, &issuer, at, None).encode(),
    };
    vendor.revocable().into_iter().map(good).collect()
}

/// The answer of NVIDIA's responder to a request from the verifying library, made at this time: good, with the request's nonce.
/// `None` if it is not about one of this vendor's certificates.
pub fn responder(vendor: &Nvidia, question: &[u8], at: Time) -> Option<Vec<u8>> {
    // The nonce's extension is the last thing in the request.
    let nonce = *question.last_chunk::<32>()?;
    let is_asked = |(subject, issuer): &(Signer, Signer)| {
        let id = Answer::id(subject, issuer);
        question.windows(id.len()).any(|part| part == id)
    };
    let (subject, issuer) = vendor.revocable().into_iter().find(is_asked)?;
    Some(Answer::good(&subject, &issuer, at, Some(nonce)).encode())
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let letter = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(letter).collect()
}
