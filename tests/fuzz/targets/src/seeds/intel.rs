//! Seeds of what a TD says, and of what Intel says about its platform.

use chrysalis_attestation::tdx::EventLog;
use chrysalis_simulate::{
    Intel,
    azure::{VirtualTpm, report_data, tdreport, wrap},
    intel::{QuoteVersion, TdProfile, collateral_json, event_log},
};

use super::{Seed, seed};
use crate::{parts, targets};

/// The policy of a TD, with most of its keys.
const POLICY: &str = r#"version = 1
[tdx]
mrtd = { unchecked = "any" }
rtmr0 = { unchecked = "any" }
rtmr1 = { unchecked = "any" }
rtmr2 = { unchecked = "any" }
mrconfigid = { unchecked = "any" }
minimum_evaluation = 19
statuses = ["UpToDate", "SWHardeningNeeded"]
refused_advisories = ["INTEL-SA-01192"]
minimum_tee_tcb_svn = "06010300000000000000000000000000"
xfam = ["0x600e7"]
debug = false
dynamic_platform = true
sept_ve_disable = { unchecked = "none" }
event_log = { unchecked = "none" }
trailing = { unchecked = "none" }
"#;

pub(super) fn seeds() -> Vec<Seed> {
    let intel: &Intel = &targets::INTEL;
    let log = event_log(&[
        (1, 4, b"a separator"),
        (2, 13, b"a command line"),
        (4, 6, b"a tag"),
    ]);
    let registers = EventLog::parse(&log).expect("a log").replay();
    let td = TdProfile {
        rtmrs: registers.map(|register| register.0),
        ..TdProfile::default()
    };
    let older = TdProfile {
        version: QuoteVersion::V4,
        ..td.clone()
    };
    let extended = TdProfile {
        version: QuoteVersion::V5Extended,
        ..td.clone()
    };
    let collateral = intel.collateral(super::NOW);
    let json = collateral_json(&collateral).to_string();
    let whole = |td| parts::join(&[&log, json.as_bytes(), &intel.quote(td)]);
    let answer = format!(
        r#"{{"tcbInfo":{},"signature":"{}"}}"#,
        collateral.tcb_info,
        "00".repeat(64)
    );
    let statements = parts::join(&[
        collateral.qe_identity.as_bytes(),
        collateral.tcb_info.as_bytes(),
    ]);
    vec![
        seed("azure_td", "honest", on_azure(intel, &older)),
        seed("tdx_quote", "version-5", whole(&td)),
        seed("tdx_quote", "version-4", whole(&older)),
        seed("tdx_quote", "extended", whole(&extended)),
        seed("tdx_collateral", "file", json.as_str()),
        seed("tdx_collateral", "answer", answer),
        seed("tdx_statements", "honest", statements),
        seed("policy", "td", POLICY),
        seed("event_log", "three", log.as_slice()),
    ]
}

/// The quote of a TD in Azure's way, with an answer to the nonce that the target asks with.
fn on_azure(intel: &Intel, td: &TdProfile) -> Vec<u8> {
    let tpm = VirtualTpm::from_seed([7; 32]).expect("a key");
    let data = tpm.runtime_data();
    let td = TdProfile {
        report_data: report_data(&data),
        ..td.clone()
    };
    let pcrs = [(0, [1; 32]), (4, [2; 32])].into();
    let answer = tpm.quote(&[7; 32], &pcrs).expect("a quote");
    parts::join(&[
        answer.pcrs.as_flattened(),
        &answer.signature,
        &answer.message,
        &wrap(&tdreport(&td), &data),
        &intel.quote(&td),
    ])
}
