//! What a verifier brings besides the quote: signed by Intel, whoever carried it. One JSON file holds all of it.

use serde::{Deserialize, Serialize};

use super::document::Signed;
use crate::Rejection;

/// Real collateral has 20 KB.
pub const MAX_COLLATERAL_SIZE: usize = 512 * 1024;

/// Everything that Intel's service says about a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collateral {
    /// PEM: the PCK's authority and the root.
    pub pck_crl_issuer_chain: String,
    /// The root's revocation list, DER.
    pub root_ca_crl: Vec<u8>,
    /// The PCK authority's revocation list, DER.
    pub pck_crl: Vec<u8>,
    /// PEM: the signer of TCB info and the root.
    pub tcb_info_issuer_chain: String,
    /// The object inside `tcbInfo`, byte by byte.
    pub tcb_info: String,
    /// Intel's signature over it.
    pub tcb_info_signature: [u8; 64],
    /// PEM: the signer of QE identity and the root.
    pub qe_identity_issuer_chain: String,
    /// The object inside `enclaveIdentity`, byte by byte.
    pub qe_identity: String,
    /// Intel's signature over it.
    pub qe_identity_signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    pck_crl_issuer_chain: String,
    root_ca_crl: String,
    pck_crl: String,
    tcb_info_issuer_chain: String,
    tcb_info: String,
    tcb_info_signature: String,
    qe_identity_issuer_chain: String,
    qe_identity: String,
    qe_identity_signature: String,
    /// Other tools put the PCK's chain here too; the quote's own is read.
    #[serde(default, skip_serializing, rename = "pck_certificate_chain")]
    _pck_certificate_chain: Option<String>,
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::TdxCollateralMalformed { what }
}

impl Collateral {
    /// Reads a `collateral.json`: lists and signatures in hex, the rest as text.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let found = json.len();
        if found > MAX_COLLATERAL_SIZE {
            return Err(Rejection::TdxCollateralTooLarge { found });
        }
        let file: File = serde_json::from_slice(json)
            .map_err(|_| malformed("it is not an object of the nine known fields"))?;
        let list = |text: &str| hex::decode(text).map_err(|_| malformed("a list is not hex"));
        Ok(Self {
            root_ca_crl: list(&file.root_ca_crl)?,
            pck_crl: list(&file.pck_crl)?,
            tcb_info_signature: signature(&file.tcb_info_signature)?,
            qe_identity_signature: signature(&file.qe_identity_signature)?,
            pck_crl_issuer_chain: file.pck_crl_issuer_chain,
            tcb_info_issuer_chain: file.tcb_info_issuer_chain,
            tcb_info: file.tcb_info,
            qe_identity_issuer_chain: file.qe_identity_issuer_chain,
            qe_identity: file.qe_identity,
        })
    }

    /// The `collateral.json` that [`Self::parse`] reads as this.
    pub fn encode(&self) -> Vec<u8> {
        let file = File {
            pck_crl_issuer_chain: self.pck_crl_issuer_chain.clone(),
            root_ca_crl: hex::encode(&self.root_ca_crl),
            pck_crl: hex::encode(&self.pck_crl),
            tcb_info_issuer_chain: self.tcb_info_issuer_chain.clone(),
            tcb_info: self.tcb_info.clone(),
            tcb_info_signature: hex::encode(self.tcb_info_signature),
            qe_identity_issuer_chain: self.qe_identity_issuer_chain.clone(),
            qe_identity: self.qe_identity.clone(),
            qe_identity_signature: hex::encode(self.qe_identity_signature),
            _pck_certificate_chain: None,
        };
        serde_json::to_vec(&file).expect("text is always encodable")
    }

    pub(super) fn signed_tcb_info(&self) -> Signed<'_> {
        Signed {
            which: "TCB info",
            body: &self.tcb_info,
            signature: &self.tcb_info_signature,
            issuers: &self.tcb_info_issuer_chain,
        }
    }

    pub(super) fn signed_qe_identity(&self) -> Signed<'_> {
        Signed {
            which: "QE identity",
            body: &self.qe_identity,
            signature: &self.qe_identity_signature,
            issuers: &self.qe_identity_issuer_chain,
        }
    }
}

/// Takes an answer of Intel's service apart: `{"tcbInfo":{…},"signature":"…"}`, or the same with `enclaveIdentity`.
///
/// The object comes out byte by byte as it went in, because that is what Intel signed.
pub fn split_answer<'a>(answer: &'a str, object: &str) -> Result<(&'a str, [u8; 64]), Rejection> {
    let take_apart = || {
        let rest = answer.trim_ascii().strip_prefix("{\"")?;
        let rest = rest.strip_prefix(object)?.strip_prefix("\":")?;
        let rest = rest.strip_suffix("\"}")?;
        rest.rsplit_once(",\"signature\":\"")
    };
    let (body, hex) =
        take_apart().ok_or(malformed("an answer is not one object and its signature"))?;
    Ok((body, signature(hex)?))
}

fn signature(hex: &str) -> Result<[u8; 64], Rejection> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(hex, &mut bytes)
        .map_err(|_| malformed("a signature is not 64 bytes of hex"))?;
    Ok(bytes)
}
