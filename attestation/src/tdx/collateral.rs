//! What a verifier brings besides the quote: signed by Intel, whoever carried it. One JSON file holds all of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, error::Category};

use super::document::Signed;
use crate::{
    Rejection,
    encoding::{base64, pem},
};

/// Real collateral has 20 KB.
pub const MAX_COLLATERAL_SIZE: usize = 512 * 1024;

/// Everything that Intel's service says about a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntelCollateral {
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

#[derive(Serialize)]
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
}

/// The same as it arrives. Tools write more beside it, such as `version`, `tee_type` and the PCK's chain: nothing of that is read. A field
/// that stands twice is an error.
#[derive(Deserialize)]
struct Arrived {
    pck_crl_issuer_chain: Option<Value>,
    root_ca_crl: Option<Value>,
    pck_crl: Option<Value>,
    tcb_info_issuer_chain: Option<Value>,
    tcb_info: Option<Value>,
    tcb_info_signature: Option<Value>,
    qe_identity_issuer_chain: Option<Value>,
    qe_identity: Option<Value>,
    qe_identity_signature: Option<Value>,
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::TdxCollateralMalformed { what }
}

/// The text of a field that must be there. Intel's library ends its texts with a NUL, which belongs to none of them.
macro_rules! text {
    ($arrived:ident, $field:ident) => {
        match $arrived.$field {
            Some(Value::String(text)) => Ok(text.trim_end_matches('\0').to_owned()),
            Some(_) => Err(malformed(concat!("`", stringify!($field), "` is not text"))),
            None => Err(malformed(concat!(
                "it has no field `",
                stringify!($field),
                "`"
            ))),
        }
    };
}

/// A revocation list of a field: hex, as most tools write it, PEM, or base64.
macro_rules! list {
    ($arrived:ident, $field:ident) => {
        list(&text!($arrived, $field)?).ok_or(malformed(concat!(
            "`",
            stringify!($field),
            "` is no list in hex, PEM or base64"
        )))
    };
}

/// A signed object and its signature: in a field each, or together as Intel's service answers and its library keeps it.
macro_rules! signed {
    ($arrived:ident, $field:ident, $signature:ident, $object:literal) => {{
        let text = text!($arrived, $field)?;
        match &$arrived.$signature {
            None if text
                .trim_ascii_start()
                .starts_with(concat!("{\"", $object, "\"")) =>
            {
                split_answer(&text, $object).map(|(body, signature)| (body.to_owned(), signature))
            }
            _ => signature(&text!($arrived, $signature)?).map(|signature| (text, signature)),
        }
    }};
}

fn list(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    if pem::is_pem(text.as_bytes()) {
        return match &mut pem::labelled(pem::REVOCATION_LIST, text.as_bytes())?[..] {
            [der] => Some(std::mem::take(der)),
            _ => None,
        };
    }
    hex::decode(text)
        .ok()
        .or_else(|| base64::decode_lines(text))
}

impl IntelCollateral {
    /// Reads a `collateral.json`: lists in hex, signatures in hex, the rest as text.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let found = json.len();
        if found > MAX_COLLATERAL_SIZE {
            return Err(Rejection::TdxCollateralTooLarge { found });
        }
        let arrived: Arrived = serde_json::from_slice(json).map_err(|error| {
            malformed(match error.classify() {
                Category::Data => "it is no JSON object, or has a field twice",
                _ => "it is not JSON",
            })
        })?;
        let (tcb_info, tcb_info_signature) =
            signed!(arrived, tcb_info, tcb_info_signature, "tcbInfo")?;
        let (qe_identity, qe_identity_signature) = signed!(
            arrived,
            qe_identity,
            qe_identity_signature,
            "enclaveIdentity"
        )?;
        Ok(Self {
            pck_crl_issuer_chain: text!(arrived, pck_crl_issuer_chain)?,
            root_ca_crl: list!(arrived, root_ca_crl)?,
            pck_crl: list!(arrived, pck_crl)?,
            tcb_info_issuer_chain: text!(arrived, tcb_info_issuer_chain)?,
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain: text!(arrived, qe_identity_issuer_chain)?,
            qe_identity,
            qe_identity_signature,
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
