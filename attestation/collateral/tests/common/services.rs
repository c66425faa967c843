//! Intel's and NVIDIA's services, as a local one plays them with a simulated vendor's objects.

use chrysalis_attestation::{
    Time,
    nvidia::{GpuEvidence, needs::rim_ids},
    tdx::Collateral,
};
use chrysalis_simulate::{Nvidia, nvidia::Answer as Ocsp};
use serde_json::json;

use super::{Answer, Local, ok};

/// Where Intel's service has the TCB info of the simulated platform.
pub(crate) const TCB: &str = "/tdx/certification/v4/tcb?fmspc=90c06f000000";
const IDENTITY: &str = "/tdx/certification/v4/qe/identity";
const PCK_LIST: &str = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der";
const ROOT_LIST: &str = "/IntelSGXRootCA.der";

/// Answers as Intel does about the simulated platform.
pub(crate) fn intel(local: &Local, said: &Collateral) {
    let signed = |object: &str, body: &str, signature: [u8; 64], header: &str, chain: &str| {
        let signature = hex::encode(signature);
        let body = format!("{{\"{object}\":{body},\"signature\":\"{signature}\"}}");
        let header = format!("{header}: {}", encoded(chain));
        Answer::Whole(200, vec![header], body.into_bytes())
    };
    let tcb = signed(
        "tcbInfo",
        &said.tcb_info,
        said.tcb_info_signature,
        "TCB-Info-Issuer-Chain",
        &said.tcb_info_issuer_chain,
    );
    let identity = signed(
        "enclaveIdentity",
        &said.qe_identity,
        said.qe_identity_signature,
        "SGX-Enclave-Identity-Issuer-Chain",
        &said.qe_identity_issuer_chain,
    );
    let chain = encoded(&said.pck_crl_issuer_chain);
    let header = format!("SGX-PCK-CRL-Issuer-Chain: {chain}");
    let listed = Answer::Whole(200, vec![header], said.pck_crl.clone());
    local
        .answer(TCB, [tcb])
        .answer(IDENTITY, [identity])
        .answer(PCK_LIST, [listed])
        .answer(ROOT_LIST, [ok(&said.root_ca_crl)]);
}

/// As a header has it: percent-encoded.
fn encoded(chain: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let letter = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    chain.bytes().map(letter).collect()
}

/// Answers as NVIDIA does about a simulated GPU: both manifests, and every certificate's answer, made `at` this time.
pub(crate) fn nvidia(local: &Local, vendor: &Nvidia, gpu: &GpuEvidence, at: Time) {
    for (id, rim) in rim_ids(gpu).unwrap().iter().zip(vendor.rims()) {
        let rim = data_encoding::BASE64.encode(&rim);
        let answer = json!({"id": id, "rim": rim}).to_string();
        local.answer(&rim_path(id), [ok(answer.as_bytes())]);
    }
    respond(local, vendor, at);
}

/// Where NVIDIA's service has a manifest.
pub(crate) fn rim_path(id: &str) -> String {
    format!("/v1/rim/{id}")
}

/// Has every certificate's answer made at this time.
pub(crate) fn respond(local: &Local, vendor: &Nvidia, at: Time) {
    for (subject, issuer) in vendor.revocable() {
        let answer = Ocsp::good(&subject, &issuer, at, None).encode();
        local.respond(&Ocsp::id(&subject, &issuer), ok(&answer));
    }
}
