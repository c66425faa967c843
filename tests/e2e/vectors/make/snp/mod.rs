//! Reports of a simulated Genoa, with their certificates.

mod lies;
mod vectors;

use chrysalis_attestation::{
    evidence::binding::host_data,
    release::Endorsement,
    snp::{bits::PlatformInfo, report::Report, tcb::Tcb},
};
use chrysalis_simulate::{
    Amd, AskProfile, CrlProfile, Form, Launch, PssParameters, TCB, VcekProfile,
};
use chrysalis_tests::scene::{CONFIGURATION, LAUNCH_DIGEST};

pub(super) use vectors::vectors;

use super::{
    AMD, MILAN, NOW,
    vouching::{endorsing_root, stapled},
};
use crate::{
    vector::Vector,
    wishes::{Wishes, list},
};

const KIND: &str = "snp";
/// What the guest was asked to put into its report.
const ASKED: [u8; 64] = [0x5A; 64];
/// The certificates, as they stand in a scene.
const VCEK: usize = 0;
const ASK: usize = 1;
const ARK: usize = 2;
const NAMES: [&str; 3] = ["vcek.der", "ask.der", "ark.der"];

/// A report and everything it is checked against. Honest until one thing is changed.
pub(super) struct Scene {
    /// Who signs the report.
    amd: &'static Amd,
    report: Report,
    /// VCEK, ASK, ARK, and whatever else.
    certificates: Vec<(&'static str, Vec<u8>)>,
    lists: Vec<Vec<u8>>,
    /// What a publisher signed.
    statements: Vec<(&'static str, Vec<u8>)>,
    pub(super) wishes: Option<Wishes>,
    asked: Option<[u8; 64]>,
    /// What somebody does to the report once it is signed.
    alter: fn(&mut Vec<u8>),
}

type Lie = (&'static str, &'static str, fn(&mut Scene));

const AMDS_NAME: &str = "Advanced Micro Devices";

impl Scene {
    pub(super) fn honest() -> Self {
        Self::of(&AMD)
    }

    fn of(amd: &'static Amd) -> Self {
        let launch = Launch::new(LAUNCH_DIGEST, host_data(CONFIGURATION), [0x1D; 32]);
        let endorsements = amd.endorsements();
        Self {
            amd,
            report: amd.report(&launch, ASKED),
            certificates: NAMES.into_iter().zip(endorsements.certificates).collect(),
            lists: endorsements.crls,
            statements: Vec::new(),
            wishes: Some(wishes()),
            asked: Some(ASKED),
            alter: |_| (),
        }
    }

    /// Issues the VCEK's certificate anew.
    fn vcek(&mut self, change: impl FnOnce(&mut VcekProfile)) {
        let mut profile = AMD.vcek_profile(NOW);
        change(&mut profile);
        self.certificates[VCEK].1 = AMD.issue_vcek(&profile).expect("a certificate");
    }

    /// On a machine of a product line that is known to be broken, wanted but for that.
    fn of_milan() -> Self {
        let mut wishes = wishes_for("milan");
        wishes.simulated(&[MILAN.root_sha256()]);
        Self {
            wishes: Some(wishes),
            ..Self::of(&MILAN)
        }
    }

    /// Issues the ASK's certificate anew.
    fn ask(&mut self, change: impl FnOnce(&mut AskProfile)) {
        self.certificates[ASK].1 = AMD.issue_ask(NOW, change).expect("an ASK");
    }

    /// The same, signed as ever and by a name that says otherwise.
    fn ask_by(&mut self, change: impl FnOnce(&mut PssParameters)) {
        let mut parameters = PssParameters::default();
        change(&mut parameters);
        self.ask(|ask| ask.form.algorithm = Some(parameters.algorithm()));
    }

    fn list(&mut self, profile: &CrlProfile) {
        self.lists = vec![AMD.issue_crl(profile).expect("a list")];
    }

    fn platform(&mut self, change: impl FnOnce(u64) -> u64) {
        self.report.platform_info = PlatformInfo(change(self.report.platform_info.0));
    }

    fn wish(&mut self, change: impl FnOnce(&mut Wishes)) {
        self.wishes.as_mut().map(change);
    }

    fn want(&mut self, key: &str, value: impl Into<String>) {
        self.wish(|wishes| wishes.set("snp", key, value));
    }

    /// Wants an endorsement of the last week, and has this one.
    fn endorsed(&mut self, change: impl FnOnce(&mut Endorsement)) {
        self.wish(|wishes| {
            wishes.set("release", "name", "\"v1.2.7\"");
            wishes.set("release", "root", format!("\"{}\"", endorsing_root()));
            wishes.set("release", "max_endorsement_age", "7");
        });
        self.statements = stapled(change);
    }

    /// The report as it arrives.
    fn report(&self) -> Vec<u8> {
        let mut report = self.amd.sign(&self.report).to_vec();
        (self.alter)(&mut report);
        report
    }

    /// Adds everything but the report.
    pub(super) fn around(self, vector: Vector) -> Vector {
        let mut vector = vector.with_some("report_data", self.asked.map(hex::encode));
        for (name, der) in self.certificates {
            vector = vector.one_of("cert", name, der);
        }
        for (place, list) in self.lists.into_iter().enumerate() {
            let name = if place == 0 {
                "crl.der"
            } else {
                "crl-stale.der"
            };
            vector = vector.one_of("crl", name, list);
        }
        for (name, statement) in self.statements {
            vector = vector.one_of("statement", name, statement);
        }
        match self.wishes {
            Some(wishes) => vector.file("policy", "policy.toml", wishes.text()),
            None => vector,
        }
    }

    /// Without anybody asking: what Azure's paravisor puts in is not for a guest to choose.
    pub(super) fn of_nobody(mut self) -> Self {
        self.asked = None;
        self
    }
}

/// A policy for exactly the honest guest.
pub(super) fn wishes() -> Wishes {
    wishes_for("genoa")
}

/// The same on a machine of this product line.
fn wishes_for(line: &str) -> Wishes {
    let mut wishes = Wishes::default();
    wishes.set("snp", "launch_digest", list(&[LAUNCH_DIGEST]));
    let Tcb {
        bootloader,
        tee,
        snp,
        microcode,
        ..
    } = TCB;
    let floor = format!(
        "{{ bootloader = {bootloader}, tee = {tee}, snp = {snp}, microcode = {microcode} }}"
    );
    wishes.set("snp", &format!("minimum_tcb.{line}"), floor);
    wishes.set("configuration", "sha256", list(&[host_data(CONFIGURATION)]));
    wishes.simulated(&[AMD.root_sha256()]);
    wishes
}

/// An ASK whose signature says that its last bit does not count. That bit is zero in one of two: the first of those.
fn ask_with_a_bit_to_spare() -> Vec<u8> {
    let issue = |serial: u64, unused_bits_of_signature: u8| {
        let form = Form {
            unused_bits_of_signature,
            ..Form::default()
        };
        let issued = AMD.issue_ask(NOW, |ask| (ask.serial, ask.form) = (serial, form));
        issued.expect("an ASK")
    };
    let is_even = |serial: &u64| issue(*serial, 0).last().is_some_and(|it| it % 2 == 0);
    let serial = (1..1000).find(is_even).expect("every other one is");
    issue(serial, 1)
}

fn pose(vcek: &mut VcekProfile) {
    AMDS_NAME.clone_into(&mut vcek.organisation);
    AMDS_NAME.clone_into(&mut vcek.issuer_organisation);
}

/// A VCEK's head, which points behind the end, and the closing one.
fn cut_table() -> Vec<u8> {
    let vcek = 0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128;
    let mut table = vcek.to_be_bytes().to_vec();
    table.extend(48_u32.to_le_bytes());
    table.extend(1000_u32.to_le_bytes());
    table.resize(48, 0);
    table
}
