//! Quotes of a simulated Intel's TD, beside what its service says about the platform.

mod lies;
mod vectors;

use chrysalis_attestation::{Time, encoding::digest::sha256, tdx::EventLog};
use chrysalis_simulate::{
    CrlProfile, Intel, Profile,
    intel::{Statements, TdProfile, collateral_json, event_log},
};
use serde_json::{Value, json};

pub(super) use vectors::vectors;

use super::{NOW, pem};
use crate::{
    vector::Vector,
    wishes::{OPEN, Wishes, list},
};

const KIND: &str = "tdx";
/// What the TD was asked to put into its report.
const ASKED: [u8; 64] = [0x5A; 64];
pub(super) const MRTD: [u8; 48] = [0xD2; 48];
/// What the firmware measures between its own work and the next program's.
const SEPARATOR: &[u8] = &[0; 4];

/// A TD and everything it is checked against. Honest until one thing is changed.
pub(super) struct Scene {
    intel: Intel,
    pub(super) td: TdProfile,
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

impl Scene {
    fn honest() -> Self {
        Self::seeded(0xB1)
    }

    /// Where the paravisor puts this into the report, and the virtual TPM is asked instead of the TD.
    pub(super) fn on_azure(report_data: [u8; 64]) -> Self {
        let mut scene = Self::honest();
        scene.td.report_data = report_data;
        scene.asked = None;
        scene
    }

    /// Adds all of it, unaltered.
    pub(super) fn complete(self, vector: Vector) -> Vector {
        let vector = self.arrived().add(vector);
        self.around(vector)
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

    /// Issues the certificate of the platform's authority anew, and that of the platform.
    fn pck_authority(&mut self, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.intel.pck_authority.profile();
        change(&mut profile);
        self.intel.pck_authority = self.intel.root.issue(profile);
        self.pck(|_| ());
    }

    /// Issues the certificate anew of the key that signs TCB info and QE identity.
    fn tcb_signer(&mut self, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.intel.tcb_signer.profile();
        change(&mut profile);
        self.intel.tcb_signer = self.intel.root.issue(profile);
    }

    /// Moves both revocation lists by so many seconds.
    fn move_lists(&mut self, seconds: i64) {
        let statements = &mut self.statements;
        for list in [&mut statements.root_list, &mut statements.pck_list] {
            move_list(list, seconds);
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

    /// Says of the platforms' list that an authority with this certificate, below the root, issued it.
    fn listed_by(&mut self, certificate: fn(&Intel) -> Vec<u8>) {
        let intel = Scene::honest().intel;
        let chain = [certificate(&intel), intel.root.der];
        self.collateral["pck_crl_issuer_chain"] = json!(pem(&chain));
    }

    fn add(&self, vector: Vector) -> Vector {
        let vector = vector.file("quote", "quote.bin", self.quote.clone());
        vector.file("collateral", "collateral.json", self.collateral.to_string())
    }
}

/// Moves a revocation list by so many seconds.
fn move_list(list: &mut CrlProfile, seconds: i64) {
    list.this_update.0 += seconds;
    list.next_update = list.next_update.map(|it| Time(it.0 + seconds));
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
