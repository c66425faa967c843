//! What Intel's service says about a platform: TCB info, QE identity and two revocation lists.

use super::{Intel, extension::FMSPC, pem};
use crate::{
    CrlProfile,
    x509::{after, rfc3339},
};
use chrysalis_attestation::{Time, tdx::IntelCollateral};
use serde_json::{Value, json};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Intel's statements are valid for 30 days.
const AGE: i64 = 14 * DAY;

/// The service's statements before they are signed. Tests may change any of them.
#[derive(Debug, Clone)]
pub struct Statements {
    /// The content of `tcbInfo`.
    pub tcb_info: Value,
    /// The content of `enclaveIdentity`.
    pub qe_identity: Value,
    /// The root's revocation list.
    pub root_list: CrlProfile,
    /// The revocation list of the authority that issues platforms' certificates.
    pub pck_list: CrlProfile,
}

/// A level of TCB info: its components are at `svn`, its PCE is at 13. The first two of TDX belong to the module.
pub fn level(svn: u8, status: &str, date: &str) -> Value {
    let components = |first: [u8; 3]| -> Vec<Value> {
        let all = first.into_iter().chain([0; 13]);
        all.map(|svn| json!({ "svn": svn })).collect()
    };
    json!({
        "tcb": {
            "sgxtcbcomponents": components([svn, svn, svn]),
            "pcesvn": 13,
            "tdxtcbcomponents": components([svn, 0, svn]),
        },
        "tcbDate": date,
        "tcbStatus": status,
    })
}

/// A level of the TDX module or of the quoting enclave.
pub fn enclave_level(svn: u16, status: &str) -> Value {
    json!({"tcb": {"isvsvn": svn}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": status})
}

impl Statements {
    /// States that the platform, its module and its quoting enclave are up to date, and that nothing is revoked.
    fn honest(now: Time) -> Self {
        let text = |seconds| rfc3339(after(now, seconds));
        let zero = "00".repeat(48);
        let mask = "F".repeat(16);
        let list = CrlProfile::empty(after(now, -HOUR));
        Self {
            tcb_info: json!({
                "id": "TDX", "version": 3,
                "issueDate": text(-AGE), "nextUpdate": text(AGE),
                "fmspc": hex::encode_upper(FMSPC), "pceId": "0000", "tcbType": 0,
                "tcbEvaluationDataNumber": 18,
                "tdxModule": {
                    "mrsigner": zero, "attributes": "00".repeat(8), "attributesMask": mask,
                },
                "tdxModuleIdentities": [{
                    "id": "TDX_01", "mrsigner": zero, "attributes": "00".repeat(8),
                    "attributesMask": mask,
                    "tcbLevels": [enclave_level(7, "UpToDate"), enclave_level(3, "OutOfDate")],
                }],
                // Deliberately not in order: a verifier has to sort them.
                "tcbLevels": [
                    level(2, "OutOfDate", "2023-01-01T00:00:00Z"),
                    level(5, "UpToDate", "2025-01-01T00:00:00Z"),
                ],
            }),
            qe_identity: json!({
                "id": "TD_QE", "version": 2,
                // Due a day earlier, to show which of the two limits a verdict.
                "issueDate": text(-AGE), "nextUpdate": text(AGE - DAY),
                "tcbEvaluationDataNumber": 17,
                "miscselect": "00000000", "miscselectMask": "FFFFFFFF",
                "attributes": format!("11{}", "00".repeat(15)),
                "attributesMask": format!("FB{}{}", "F".repeat(14), "00".repeat(8)),
                "mrsigner": "DC".repeat(32), "isvprodid": 2,
                "tcbLevels": [enclave_level(4, "UpToDate"), enclave_level(2, "OutOfDate")],
            }),
            root_list: list.clone(),
            pck_list: list,
        }
    }

    /// Gives the platform this status at the levels that it reports: one of Intel's, such as `OutOfDate`.
    #[must_use]
    pub fn with_status(mut self, status: &str) -> Self {
        self.tcb_info["tcbLevels"] = json!([level(5, status, "2025-01-01T00:00:00Z")]);
        self
    }
}

impl Intel {
    /// What the service says about the platform at this time, to be changed and issued.
    pub fn statements(&self, now: Time) -> Statements {
        Statements::honest(now)
    }

    /// Signs the service's statements, whatever they say.
    pub fn issue(&self, statements: &Statements) -> IntelCollateral {
        let tcb_info = in_order(statements.tcb_info.clone()).to_string();
        let qe_identity = in_order(statements.qe_identity.clone()).to_string();
        let sign = |text: &str| {
            let signature = self.tcb_signer.sign_fixed(text.as_bytes());
            signature.try_into().unwrap_or([0; 64])
        };
        let issuers = pem(&[&self.tcb_signer, &self.root]);
        IntelCollateral {
            pck_crl_issuer_chain: pem(&[&self.pck_authority, &self.root]),
            root_ca_crl: self.root.revocation_list(&statements.root_list),
            pck_crl: self.pck_authority.revocation_list(&statements.pck_list),
            tcb_info_issuer_chain: issuers.clone(),
            tcb_info_signature: sign(&tcb_info),
            tcb_info,
            qe_identity_issuer_chain: issuers,
            qe_identity_signature: sign(&qe_identity),
            qe_identity,
        }
    }

    /// What a relying party needs in addition to the quote; [`collateral_json`] makes a file of it.
    pub fn collateral(&self, now: Time) -> IntelCollateral {
        self.issue(&self.statements(now))
    }
}

/// With its keys in alphabetical order, regardless of how `serde_json` is built: a seed always signs the same bytes.
fn in_order(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// Collateral as in `collateral.json`, for tests to change; [`IntelCollateral::parse`] reads it.
pub fn collateral_json(collateral: &IntelCollateral) -> Value {
    in_order(serde_json::from_slice(&collateral.encode()).unwrap_or_default())
}
