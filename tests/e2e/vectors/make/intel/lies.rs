//! Each thing that can be wrong with a TD, its quote or what Intel says of its platform, by itself.

use chrysalis_attestation::{
    Time,
    encoding::digest::sha384,
    tdx::attributes::{DEBUG, MIGRATABLE, PERFMON, SEPT_VE_DISABLE, SERVTD_EXT},
};
use chrysalis_simulate::{
    Profile, Purpose,
    intel::{QuoteVersion, event_log},
};
use serde_json::json;

use super::{
    Lie::{self, Altered, Signed},
    Scene, move_list,
};
use crate::{
    make::{
        NOW,
        forms::{FOR_AGREEMENT_ON_P256, ON_SECP256K1},
    },
    wishes::{OPEN, SOMEBODY, list},
};

const YEAR: i64 = 365 * 24 * 3600;

/// The code that must come out, what is wrong, and the lie.
#[rustfmt::skip]
pub(super) const LIES: &[(&str, &str, Lie)] = &[
    ("quote_truncated", "the quote ends early", Altered(|it| it.quote.truncate(1000))),
    ("quote_malformed", "the length of the quote's body is wrong", Altered(|it| it.quote[50] ^= 1)),
    ("quote_malformed behind-the-chain", "bytes follow the certificates, inside of what they are wrapped in", Signed(|it| it.td.after_chain = 1)),
    ("quote_malformed behind-the-certification", "bytes follow the quoting enclave's certification, inside of the signature data", Signed(|it| it.td.after_certification = 1)),
    ("quote_version", "the quote has version 6", Altered(|it| it.quote[0] = 6)),
    ("quote_key_type", "the quote names another type of key", Altered(|it| it.quote[2] = 3)),
    ("quote_tee_type", "the quote is of a TEE that nobody knows", Altered(|it| it.quote[4] = 0x82)),
    ("quote_malformed of-another-tee", "the header says that the quote is of an SGX enclave, and the body is a TD's", Altered(|it| it.quote[4] = 0)),
    ("quote_malformed of-another-body", "the header says that the quote is of a TD, and the body is an SGX enclave's", Altered(|it| {
        it.quote[48] = 1;
        it.quote[50..54].copy_from_slice(&384_u32.to_le_bytes());
    })),
    ("quote_of_enclave", "the quote is of an SGX enclave", Signed(|it| it.td.version = QuoteVersion::Enclave)),
    ("quote_body_type", "the quote's body is of a type that nobody knows", Altered(|it| it.quote[48] = 5)),
    ("quote_vendor", "another quoting enclave's vendor is named", Altered(|it| it.quote[12] ^= 1)),
    ("quote_certification", "the quote names its platform instead of certifying it", Signed(|it| it.td.certification = 1)),
    ("quote_trailing", "a byte follows the quote", Altered(|it| it.quote.push(1))),
    ("intel_certificate_malformed", "the platform's certificate is no X.509", Signed(|it| it.intel.pck.der = vec![0x30, 0])),
    ("intel_certificate_profile", "the platform's certificate is in another name", Signed(|it| it.pck(|pck| "Somebody".clone_into(&mut pck.common_name)))),
    ("intel_certificate_profile critical", "the platform's certificate has a critical extension that nobody knows", Signed(|it| it.pck(|pck| {
        pck.form.critical_extension = Some("1.3.6.1.4.1.65535.1");
    }))),
    ("intel_certificate_profile a-bit-to-spare", "the last bit of the platform's key does not count", Signed(|it| it.pck(|pck| pck.form.unused_bits_of_key = 1))),
    ("intel_certificate_profile of-the-authority", "it is not critical that the platform's authority is one", Signed(|it| it.pck_authority(|authority| {
        authority.purpose = Purpose::UncriticalAuthority;
    }))),
    ("intel_certificate_profile of-an-idle-authority", "the platform's authority may sign no certificates", Signed(|it| it.pck_authority(|authority| {
        authority.purpose = Purpose::IdleAuthority;
    }))),
    ("intel_certificate_profile of-another-signer", "somebody of another name signs what Intel says", Signed(|it| it.tcb_signer(|signer| {
        "Somebody".clone_into(&mut signer.common_name);
    }))),
    ("intel_certificate_profile of-a-signing-authority", "an authority signs what Intel says", Signed(|it| it.tcb_signer(|signer| {
        signer.purpose = Purpose::SignsAndIssues;
    }))),
    ("intel_certificate_profile of-another-curve", "the platform's certificate says that its key is on another curve of the same size", Signed(|it| it.pck(|pck| {
        pck.form.key_algorithm = Some(ON_SECP256K1.to_vec());
    }))),
    ("intel_certificate_profile of-a-key-for-agreement", "the platform's certificate says that its key is for key agreement alone", Signed(|it| it.pck(|pck| {
        pck.form.key_algorithm = Some(FOR_AGREEMENT_ON_P256.to_vec());
    }))),
    ("intel_certificate_malformed extension-twice", "the platform's certificate has an extension twice", Signed(|it| it.pck(|pck| {
        let again = pck.extensions[0].clone();
        pck.extensions.push(again);
    }))),
    ("intel_certificate_malformed version-2", "the platform's certificate is of X.509 version 2", Signed(|it| it.pck(|pck| pck.form.version_2 = true))),
    ("intel_certificate_signature", "the platform's certificate was changed", Signed(|it| *it.intel.pck.der.last_mut().expect("bytes") ^= 1)),
    ("intel_certificate_expired", "the platform's certificate ended a second ago", Signed(|it| it.pck(|pck| pck.not_after = Time(NOW.0 - 1)))),
    ("intel_certificate_not_yet_valid", "the platform's certificate begins in a second", Signed(|it| it.pck(|pck| pck.not_before = Time(NOW.0 + 1)))),
    ("pck_chain_length", "the quote lacks the root's certificate", Signed(|it| it.td.chain_length = 2)),
    ("intel_root_unknown", "TCB info ends in another root than the quote", Altered(|it| {
        let other = Scene::of_another().arrived().collateral;
        it.collateral["tcb_info_issuer_chain"] = other["tcb_info_issuer_chain"].clone();
    })),
    ("tdx_simulated_root_refused", "nobody named the simulated root", Signed(|it| it.wishes = None)),
    ("intel_crl_malformed", "the root's revocation list is empty", Altered(|it| it.collateral["root_ca_crl"] = json!("3000"))),
    ("intel_crl_issuer", "the root's list stands in for the platforms'", Altered(|it| it.collateral["pck_crl"] = it.collateral["root_ca_crl"].clone())),
    ("tdx_collateral_malformed of-another-root", "the chain of the platforms' list ends in another root than the quote", Altered(|it| {
        it.collateral["pck_crl_issuer_chain"] = Scene::of_another().arrived().collateral["pck_crl_issuer_chain"].clone();
    })),
    ("intel_crl_issuer of-another-authority", "the chain of the platforms' list begins with another authority than the quote's", Altered(|it| it.listed_by(|intel| {
        let other = Profile { common_name: "Intel SGX PCK Processor CA".to_owned(), ..intel.pck_authority.profile() };
        intel.root.issue(other).der
    }))),
    ("intel_certificate_signature of-a-list", "somebody of the root's name certified the authority of the platforms' list", Altered(|it| it.listed_by(|intel| {
        intel.pck_authority.issued_again(&Scene::of_another().intel.root)
    }))),
    ("intel_certificate_expired of-a-list", "the authority of the platforms' list has another certificate, which ended a second ago", Altered(|it| it.listed_by(|intel| {
        let ended = Profile { serial: Some(7), not_after: Time(NOW.0 - 1), ..intel.pck_authority.profile() };
        intel.root.issue(ended).der
    }))),
    ("intel_crl_signature", "the platforms' revocation list was changed", Altered(|it| it.spoil("pck_crl"))),
    ("intel_crl_expired", "both revocation lists are a year old", Signed(|it| it.move_lists(-YEAR))),
    ("intel_crl_expired of-the-root", "the root's revocation list alone is a year old", Signed(|it| move_list(&mut it.statements.root_list, -YEAR))),
    ("intel_crl_expired of-the-platforms", "the platforms' revocation list alone is a year old", Signed(|it| move_list(&mut it.statements.pck_list, -YEAR))),
    ("intel_crl_not_yet_valid", "both revocation lists are of next year", Signed(|it| it.move_lists(YEAR))),
    ("intel_certificate_revoked", "the list revokes the platform", Signed(|it| it.statements.pck_list.revoked = vec![it.intel.pck.serial()])),
    ("intel_certificate_revoked authority", "the root's list revokes the platform's authority", Signed(|it| it.statements.root_list.revoked = vec![it.intel.pck_authority.serial()])),
    ("intel_certificate_revoked signer", "the root's list revokes the signer of what Intel says", Signed(|it| it.statements.root_list.revoked = vec![it.intel.tcb_signer.serial()])),
    ("intel_certificate_revoked root", "the root's list revokes the root", Signed(|it| it.statements.root_list.revoked = vec![it.intel.root.serial()])),
    ("intel_crl_malformed narrowed", "the platforms' revocation list says that it is about end entities alone", Signed(|it| it.statements.pck_list.narrowed = true)),
    ("tdx_collateral_malformed", "the collateral has no revocation list of the platforms' authority", Altered(|it| drop(it.collateral.as_object_mut().expect("an object").remove("pck_crl")))),
    ("tdx_collateral_signature", "the signature of TCB info was changed", Altered(|it| it.spoil("tcb_info_signature"))),
    ("tdx_collateral_content", "TCB info has an FMSPC that is no hex", Signed(|it| it.statements.tcb_info["fmspc"] = json!("zz"))),
    ("tdx_collateral_kind", "the QE identity is that of SGX", Signed(|it| it.statements.qe_identity["id"] = json!("QE"))),
    ("tdx_collateral_expired", "TCB info ended a second ago", Signed(|it| it.statements.tcb_info["nextUpdate"] = json!("2026-12-01T11:59:59Z"))),
    ("tdx_collateral_not_yet_valid", "the QE identity begins in a second", Signed(|it| it.statements.qe_identity["issueDate"] = json!("2026-12-01T12:00:01Z"))),
    ("qe_report_signature", "the quoting enclave's report was changed", Altered(|it| it.quote[1230] ^= 1)),
    ("qe_report_data", "the quoting enclave names another key", Signed(|it| it.intel.quoting_enclave.report_data_flipped[32] = 1)),
    ("qe_identity_mismatch", "the quoting enclave is not the one that Intel published", Signed(|it| it.statements.qe_identity["isvprodid"] = json!(3))),
    ("qe_identity_mismatch debug", "the quoting enclave is a debug build, which Intel's mask leaves out", Signed(|it| {
        it.intel.quoting_enclave.attributes[0] |= 2;
        it.statements.qe_identity["attributesMask"] = json!(format!("F9{}{}", "F".repeat(14), "00".repeat(8)));
    })),
    ("quote_signature", "a bit of the quote's signature is flipped", Altered(|it| it.quote[710] ^= 1)),
    ("tcb_info_mismatch", "TCB info is of another platform", Signed(|it| it.statements.tcb_info["pceId"] = json!("0001"))),
    ("tdx_module_unknown", "TCB info does not know the TDX module", Signed(|it| it.td.tee_tcb_svn[1] = 9)),
    ("tdx_module_mismatch", "somebody else signed the TDX module", Signed(|it| it.td.mrsignerseam[0] = 1)),
    ("tdx_module_mismatch attributes", "the TDX module has an attribute, which Intel's mask leaves out", Signed(|it| {
        it.td.seam_attributes[0] = 1;
        it.statements.tcb_info["tdxModuleIdentities"][0]["attributesMask"] = json!("00".repeat(8));
    })),
    ("tdx_module_mismatch other-attributes", "Intel's TDX module has an attribute, and this one has none", Signed(|it| {
        it.statements.tcb_info["tdxModuleIdentities"][0]["attributes"] = json!(format!("01{}", "00".repeat(7)));
    })),
    ("tcb_not_supported", "the platform is below every level", Signed(|it| it.td.tee_tcb_svn[2] = 0)),
    ("tcb_status_unknown", "Intel says a word that nobody knows", Signed(|it| it.statements.tcb_info["tcbLevels"][0]["tcbStatus"] = json!("Splendid"))),
    ("tcb_revoked", "the quoting enclave's level is revoked", Signed(|it| it.statements.qe_identity["tcbLevels"][0]["tcbStatus"] = json!("Revoked"))),
    ("tcb_revoked though-listed", "the platform's level is revoked, whatever the policy accepts", Signed(|it| {
        it.statements.tcb_info["tcbLevels"][1]["tcbStatus"] = json!("Revoked");
        it.want("statuses", "[\"UpToDate\", \"OutOfDate\", \"OutOfDateConfigurationNeeded\"]");
    })),
    ("tcb_status_refused", "the platform is out of date", Signed(|it| it.td.tee_tcb_svn[2] = 3)),
    ("tcb_info_mismatch fmspc", "TCB info is of another family of platforms", Signed(|it| it.statements.tcb_info["fmspc"] = json!("90C06F000001"))),
    ("tcb_status_refused components", "a component of the platform is below the current level", Signed(|it| {
        it.statements.tcb_info["tcbLevels"][1]["tcb"]["sgxtcbcomponents"][15]["svn"] = json!(6);
    })),
    ("tcb_status_refused pce", "the platform's provisioning enclave is below the current level", Signed(|it| it.statements.tcb_info["tcbLevels"][1]["tcb"]["pcesvn"] = json!(14))),
    ("tcb_evaluation_below_floor", "the policy wants newer rules of Intel's", Signed(|it| it.want("minimum_evaluation", "18"))),
    ("tcb_advisory_refused", "an advisory applies that the policy refuses", Signed(|it| {
        it.statements.tcb_info["tcbLevels"][1]["advisoryIDs"] = json!(["INTEL-SA-00001"]);
        it.want("refused_advisories", "[\"INTEL-SA-00001\"]");
    })),
    ("tee_tcb_below_floor", "the TD was launched on an older module than the policy wants", Signed(|it| it.want("minimum_tee_tcb_svn", "\"08080800000000000000000000000000\""))),
    ("td_reserved", "an attribute is set that nobody knows", Signed(|it| it.td.attributes |= 2)),
    ("td_debug", "the host may debug the TD", Signed(|it| it.td.attributes |= DEBUG)),
    ("td_migratable", "the TD may be migrated", Signed(|it| it.td.attributes |= MIGRATABLE)),
    ("td_perfmon", "the TD may use performance counters", Signed(|it| it.td.attributes |= PERFMON)),
    ("td_service_td", "a service TD may be bound", Signed(|it| it.td.attributes |= SERVTD_EXT)),
    ("td_service_td extended", "a service TD is bound by the extended scheme, and only the extended body says so", Signed(|it| {
        it.td.version = QuoteVersion::V5Extended;
        it.td.extension[181] = 1;
    })),
    ("td_devices", "a device may reach into the TD's memory", Signed(|it| {
        it.td.version = QuoteVersion::V5Extended;
        it.td.extension[33] = 1;
    })),
    ("td_sept_ve", "SEPT_VE_DISABLE is not set", Signed(|it| it.td.attributes &= !SEPT_VE_DISABLE)),
    ("td_refused", "another image was measured", Signed(|it| it.td.mrtd = [9; 48])),
    ("platform_refused", "the platform has sibling threads", Signed(|it| it.want("smt", "false"))),
    ("event_log_missing", "the policy wants an event log", Signed(|it| it.wish(|wishes| wishes.unset("tdx", "event_log")))),
    ("event_log_malformed", "the event log is a single byte", Signed(|it| it.event_log = Some(vec![1]))),
    ("event_log_mismatch", "the event log makes other registers", Signed(|it| it.event_log = Some(event_log(&[(1, 4, b"\0\0\0\0")])))),
    ("event_log_mismatch open-rtmr3", "the log does not explain RTMR3, which the policy leaves open", Signed(|it| {
        it.logged();
        it.td.rtmrs[3] = [7; 48];
        it.want("rtmr3", OPEN);
    })),
    ("event_unexpected", "the policy wants another first event", Signed(|it| {
        it.logged();
        it.wish(|wishes| wishes.unset("tdx", "rtmr0"));
        it.want("rtmr0_events", &list(&[sha384(&[b"another"])]));
    })),
    ("freshness_unchecked of-a-td", "nobody asked the TD for anything", Signed(|it| it.asked = None)),
    ("rebuilders_too_few of-a-td", "no rebuilder confirms the image", Signed(|it| it.wish(|wishes| {
        wishes.set("rebuilders", "keys", format!("[\"{SOMEBODY}\"]"));
        wishes.set("rebuilders", "at_least", "1");
    }))),
];
