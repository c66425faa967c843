//! Quotes of a simulated Intel's TD, beside what its service says about the platform.

use chrysalis_attestation::{
    Time,
    digest::{sha256, sha384},
    tdx::{
        EventLog,
        attributes::{DEBUG, MIGRATABLE, PERFMON, SEPT_VE_DISABLE, SERVTD_EXT},
    },
};
use chrysalis_simulate::{
    Intel, Profile,
    intel::{QuoteVersion, Statements, TdProfile, collateral_json, event_log},
};
use serde_json::{Value, json};

use super::NOW;
use crate::{
    vector::{Common, Vector},
    wishes::{OPEN, Wishes, list},
};

const KIND: &str = "tdx";
const YEAR: i64 = 365 * 24 * 3600;
/// What the TD was asked to put into its report.
const ASKED: [u8; 64] = [0x5A; 64];
const MRTD: [u8; 48] = [0xD2; 48];
/// What the firmware measures between its own work and the next program's.
const SEPARATOR: &[u8] = &[0; 4];

/// A TD and all that it is held against. Honest until one thing is changed.
struct Scene {
    intel: Intel,
    td: TdProfile,
    statements: Statements,
    wishes: Option<Wishes>,
    asked: Option<[u8; 64]>,
    event_log: Option<Vec<u8>>,
}

/// The same as it arrives.
struct Arrived {
    quote: Vec<u8>,
    collateral: Value,
}

enum Lie {
    /// In what is signed or wanted.
    Signed(fn(&mut Scene)),
    /// In what arrives.
    Altered(fn(&mut Arrived)),
}
use Lie::{Altered, Signed};

#[rustfmt::skip]
const LIES: &[(&str, &str, Lie)] = &[
    ("quote_truncated", "the quote ends early", Altered(|it| it.quote.truncate(1000))),
    ("quote_malformed", "the length of the quote's body is wrong", Altered(|it| it.quote[50] ^= 1)),
    ("quote_version", "the quote has version 6", Altered(|it| it.quote[0] = 6)),
    ("quote_key_type", "the quote names another type of key", Altered(|it| it.quote[2] = 3)),
    ("quote_tee_type", "the quote is of a TEE that nobody knows", Altered(|it| it.quote[4] = 0x82)),
    ("quote_of_enclave", "the quote is of an SGX enclave", Signed(|it| it.td.version = QuoteVersion::Enclave)),
    ("quote_body_type", "the quote's body is of a type that nobody knows", Altered(|it| it.quote[48] = 4)),
    ("quote_vendor", "another quoting enclave's vendor is named", Altered(|it| it.quote[12] ^= 1)),
    ("quote_certification", "the quote names its platform instead of certifying it", Signed(|it| it.td.certification = 1)),
    ("quote_trailing", "a byte follows the quote", Altered(|it| it.quote.push(1))),
    ("intel_certificate_malformed", "the platform's certificate is no X.509", Signed(|it| it.intel.pck.der = vec![0x30, 0])),
    ("intel_certificate_profile", "the platform's certificate is in another name", Signed(|it| it.pck(|pck| "Somebody".clone_into(&mut pck.common_name)))),
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
    ("intel_crl_signature", "the platforms' revocation list was changed", Altered(|it| it.spoil("pck_crl"))),
    ("intel_crl_expired", "both revocation lists are a year old", Signed(|it| it.move_lists(-YEAR))),
    ("intel_crl_not_yet_valid", "both revocation lists are of next year", Signed(|it| it.move_lists(YEAR))),
    ("intel_certificate_revoked", "the list revokes the platform", Signed(|it| it.statements.pck_list.revoked = vec![it.intel.pck.serial()])),
    ("tdx_collateral_malformed", "the collateral has a field that nobody knows", Altered(|it| it.collateral["more"] = json!(1))),
    ("tdx_collateral_signature", "the signature of TCB info was changed", Altered(|it| it.spoil("tcb_info_signature"))),
    ("tdx_collateral_content", "TCB info has an FMSPC that is no hex", Signed(|it| it.statements.tcb_info["fmspc"] = json!("zz"))),
    ("tdx_collateral_kind", "the QE identity is that of SGX", Signed(|it| it.statements.qe_identity["id"] = json!("QE"))),
    ("tdx_collateral_expired", "TCB info ended a second ago", Signed(|it| it.statements.tcb_info["nextUpdate"] = json!("2026-12-01T11:59:59Z"))),
    ("tdx_collateral_not_yet_valid", "the QE identity begins in a second", Signed(|it| it.statements.qe_identity["issueDate"] = json!("2026-12-01T12:00:01Z"))),
    ("qe_report_signature", "the quoting enclave's report was changed", Altered(|it| it.quote[1230] ^= 1)),
    ("qe_report_data", "the quoting enclave names another key", Signed(|it| it.intel.quoting_enclave.report_data_flipped[32] = 1)),
    ("qe_identity_mismatch", "the quoting enclave is not the one that Intel published", Signed(|it| it.statements.qe_identity["isvprodid"] = json!(3))),
    ("quote_signature", "a bit of the quote's signature is flipped", Altered(|it| it.quote[710] ^= 1)),
    ("tcb_info_mismatch", "TCB info is of another platform", Signed(|it| it.statements.tcb_info["pceId"] = json!("0001"))),
    ("tdx_module_unknown", "TCB info does not know the TDX module", Signed(|it| it.td.tee_tcb_svn[1] = 9)),
    ("tdx_module_mismatch", "somebody else signed the TDX module", Signed(|it| it.td.mrsignerseam[0] = 1)),
    ("tcb_not_supported", "the platform is below every level", Signed(|it| it.td.tee_tcb_svn[2] = 0)),
    ("tcb_status_unknown", "Intel says a word that nobody knows", Signed(|it| it.statements.tcb_info["tcbLevels"][0]["tcbStatus"] = json!("Splendid"))),
    ("tcb_revoked", "the quoting enclave's level is revoked", Signed(|it| it.statements.qe_identity["tcbLevels"][0]["tcbStatus"] = json!("Revoked"))),
    ("tcb_revoked though-listed", "the platform's level is revoked, whatever the policy accepts", Signed(|it| {
        it.statements.tcb_info["tcbLevels"][1]["tcbStatus"] = json!("Revoked");
        it.want("statuses", "[\"UpToDate\", \"OutOfDate\", \"OutOfDateConfigurationNeeded\"]");
    })),
    ("tcb_status_refused", "the platform is out of date", Signed(|it| it.td.tee_tcb_svn[2] = 3)),
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
    ("td_sept_ve", "SEPT_VE_DISABLE is not set", Signed(|it| it.td.attributes &= !SEPT_VE_DISABLE)),
    ("td_refused", "another image was measured", Signed(|it| it.td.mrtd = [9; 48])),
    ("platform_refused", "the platform has sibling threads", Signed(|it| it.want("smt", "false"))),
    ("event_log_missing", "the policy wants an event log", Signed(|it| it.wish(|wishes| wishes.unset("tdx", "event_log")))),
    ("event_log_malformed", "the event log is a single byte", Signed(|it| it.event_log = Some(vec![1]))),
    ("event_log_mismatch", "the event log makes other registers", Signed(|it| it.event_log = Some(event_log(&[(1, 4, b"\0\0\0\0")])))),
    ("event_unexpected", "the policy wants another first event", Signed(|it| {
        it.logged();
        it.wish(|wishes| wishes.unset("tdx", "rtmr0"));
        it.want("rtmr0_events", &list(&[sha384(&[b"another"])]));
    })),
    ("freshness_unchecked of-a-td", "nobody asked the TD for anything", Signed(|it| it.asked = None)),
    ("rebuilders_too_few of-a-td", "no rebuilder confirms the image", Signed(|it| it.wish(|wishes| {
        wishes.set("rebuilders", "keys", "[\"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\"]");
        wishes.set("rebuilders", "at_least", "1");
    }))),
];

/// Files that are refused for their length alone: the option, and how many zeros stand in for it.
const TOO_LARGE: [(&str, &str, &str, u64); 3] = [
    (
        "quote_too_large",
        "the quote has a byte too many",
        "quote",
        64 * 1024 + 1,
    ),
    (
        "tdx_collateral_too_large",
        "the collateral has a byte too many",
        "collateral",
        512 * 1024 + 1,
    ),
    (
        "event_log_too_large",
        "the event log has a byte too many",
        "event_log",
        1024 * 1024 + 1,
    ),
];

impl Scene {
    fn honest() -> Self {
        Self::seeded(0xB1)
    }

    /// Another vendor, whose certificates have the same names.
    fn of_another() -> Self {
        Self::seeded(0xB2)
    }

    fn seeded(seed: u8) -> Self {
        let intel = Intel::from_seed(&[seed; 32], NOW);
        Self {
            td: TdProfile {
                mrtd: MRTD,
                report_data: ASKED,
                ..TdProfile::default()
            },
            statements: intel.statements(NOW),
            wishes: Some(wishes(&intel)),
            asked: Some(ASKED),
            event_log: None,
            intel,
        }
    }

    /// Issues the platform's certificate anew.
    fn pck(&mut self, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.intel.pck.profile();
        change(&mut profile);
        self.intel.pck = self.intel.pck_authority.issue(profile);
    }

    /// Moves both revocation lists by so many seconds.
    fn move_lists(&mut self, seconds: i64) {
        let statements = &mut self.statements;
        for list in [&mut statements.root_list, &mut statements.pck_list] {
            list.this_update.0 += seconds;
            list.next_update = list.next_update.map(|it| Time(it.0 + seconds));
        }
    }

    fn wish(&mut self, change: impl FnOnce(&mut Wishes)) {
        self.wishes.as_mut().map(change);
    }

    fn want(&mut self, key: &str, value: &str) {
        self.wish(|wishes| wishes.set("tdx", key, value));
    }

    /// Has a log of two events, which the policy wants.
    fn logged(&mut self) {
        let log = event_log(&[(1, 4, SEPARATOR), (2, 13, b"console=ttyS0\0")]);
        let registers = EventLog::parse(&log).expect("a log").replay();
        self.td.rtmrs = registers.map(|register| register.0);
        self.event_log = Some(log);
        for (key, register) in ["rtmr0", "rtmr1"].into_iter().zip(self.td.rtmrs) {
            self.want(key, &list(&[register]));
        }
        self.wish(|wishes| wishes.unset("tdx", "event_log"));
    }

    fn arrived(&self) -> Arrived {
        Arrived {
            quote: self.intel.quote(&self.td),
            collateral: collateral_json(&self.intel.issue(&self.statements)),
        }
    }

    /// Adds everything that does not arrive.
    fn around(self, vector: Vector) -> Vector {
        let mut vector = vector.with_some("report_data", self.asked.map(hex::encode));
        if let Some(log) = self.event_log {
            vector = vector.file("event_log", "log.bin", log);
        }
        match self.wishes {
            Some(wishes) => vector.file("policy", "policy.toml", wishes.text()),
            None => vector,
        }
    }
}

impl Arrived {
    /// Changes the last byte, which belongs to a signature.
    fn spoil(&mut self, field: &str) {
        let text = self.collateral[field].as_str().expect("hex");
        let mut bytes = hex::decode(text).expect("hex");
        *bytes.last_mut().expect("bytes") ^= 1;
        self.collateral[field] = json!(hex::encode(bytes));
    }

    fn add(&self, vector: Vector) -> Vector {
        let vector = vector.file("quote", "quote.bin", self.quote.clone());
        vector.file("collateral", "collateral.json", self.collateral.to_string())
    }
}

/// A policy for exactly the honest TD.
fn wishes(intel: &Intel) -> Wishes {
    let mut wishes = Wishes::default();
    wishes.set("tdx", "mrtd", list(&[MRTD]));
    for key in ["rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid"] {
        wishes.set("tdx", key, list(&[[0_u8; 48]]));
    }
    wishes.set("tdx", "minimum_evaluation", "17");
    wishes.set("tdx", "event_log", OPEN);
    wishes.simulated(&[sha256(&[intel.root()])]);
    wishes
}

pub(super) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    let Arrived { quote, collateral } = honest.arrived();
    common.insert("tdx/quote.bin".to_owned(), quote);
    let collateral = collateral.to_string().into_bytes();
    common.insert("tdx/collateral.json".to_owned(), collateral);
    let wanted = honest.wishes.as_ref().expect("wishes").text();
    common.insert("tdx/policy.toml".to_owned(), wanted.into());
    let mut vectors = accepted();
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        if let Signed(change) = lie {
            change(&mut scene);
        }
        let mut arrived = scene.arrived();
        if let Altered(change) = lie {
            change(&mut arrived);
        }
        let vector = arrived.add(Vector::rejected(KIND, code, shows, NOW));
        vectors.push(scene.around(vector));
    }
    for (code, shows, key, zeros) in TOO_LARGE {
        let scene = Scene::honest();
        let vector = scene
            .arrived()
            .add(Vector::rejected(KIND, code, shows, NOW));
        vectors.push(scene.around(vector.zeros(key, zeros)));
    }
    vectors
}

fn accepted() -> Vec<Vector> {
    let claims = |version: u16| {
        json!({
            "measurement": hex::encode(MRTD), "report_data": hex::encode(ASKED), "version": version,
            "status": "UpToDate", "evaluation": 17, "fmspc": "90c06f000000",
        })
    };
    let accepted = |name, shows, version, scene: Scene| {
        let outcome = ("trusted", claims(version));
        let vector = Vector::accepted(KIND, name, shows, NOW, outcome);
        let vector = scene.arrived().add(vector);
        scene.around(vector)
    };
    let mut older = Scene::honest();
    older.td.version = QuoteVersion::V4;
    let mut logged = Scene::honest();
    logged.logged();
    let mut one_by_one = Scene::honest();
    one_by_one.logged();
    one_by_one.wish(|wishes| wishes.unset("tdx", "rtmr0"));
    one_by_one.want("rtmr0_events", &list(&[sha384(&[SEPARATOR])]));
    vec![
        accepted(
            "honest",
            "nobody lies, in a quote of version 5",
            5,
            Scene::honest(),
        ),
        accepted(
            "honest-version-4",
            "nobody lies, in a quote of version 4",
            4,
            older,
        ),
        accepted(
            "events-one-by-one",
            "the policy wants each event of RTMR0",
            5,
            one_by_one,
        ),
        accepted("event-log", "an event log makes the registers", 5, logged),
    ]
}
