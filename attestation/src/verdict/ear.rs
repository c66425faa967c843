//! The verdict as the claims of an EAT attestation result: draft-ietf-rats-ear-04, with the trustworthiness vector of
//! draft-ietf-rats-ar4si-10. docs/spec/ear.md says what each claim is made of.
//!
//! The result is not signed. It is for relying parties that read EAR and trust whoever ran this verifier.

use serde_json::{Map, Value, json};

use super::{Verdict, Word};
use crate::{Cpu, Peer, Time, nvidia::Gpu};

const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";
const DEVELOPER: &str = "Chrysalis";

/// AR4SI's numbers: what a claim about one aspect of an attester says.
mod value {
    /// Genuine hardware; approved code; approved configuration; memory that is encrypted.
    pub(super) const AFFIRMING: i8 = 2;
    /// Affirmed as far as somebody's policy goes, which is not the vendor's advice.
    pub(super) const WARNING: i8 = 32;
    /// Refused.
    pub(super) const CONTRAINDICATED: i8 = 96;
    /// A signature, or what was signed, does not hold.
    pub(super) const CRYPTOGRAPHY_FAILED: i8 = 99;
}

/// A submodule's claims, by their names in AR4SI. One that is not there is not made.
type Vector = Map<String, Value>;

impl Verdict<'_> {
    /// The claims set, in JSON. `issued` is the verifier's clock.
    pub fn ear(&self, issued: Time) -> Value {
        let submods = match self.peer {
            Some(peer) => self.of_peer(peer),
            None => self.of_refusal(),
        };
        json!({
            "eat_profile": PROFILE,
            "iat": issued.0,
            "ear_verifier_id": {
                "developer": DEVELOPER,
                "build": concat!("chrysalis-attestation ", env!("CARGO_PKG_VERSION")),
            },
            "submods": submods,
        })
    }

    fn of_peer(&self, peer: &Peer) -> Value {
        let mut submods = Map::new();
        let cpu = submod(self.cpu(peer), peer.cpu.claims());
        submods.insert("cpu".to_owned(), cpu);
        for (place, gpu) in peer.gpus.iter().enumerate() {
            submods.insert(
                format!("gpu{place}"),
                submod(hardware(self.gpu(gpu)), json!(gpu)),
            );
        }
        submods.into()
    }

    /// Without a policy nobody knows the code or its configuration, so nothing is claimed about them.
    fn cpu(&self, peer: &Peer) -> Vector {
        let up_to_date = match &peer.cpu {
            Cpu::Snp(_) => true,
            Cpu::Tdx(genuine) => genuine.td().status == crate::tdx::Status::UpToDate,
        };
        let real = !peer.cpu.simulated();
        let mut vector = hardware(tier(real, up_to_date && self.checked("revocation")));
        if real {
            vector.insert("runtime-opaque".to_owned(), value::AFFIRMING.into());
        }
        if self.word == Word::Trusted {
            for (claim, checks) in [
                ("executables", &["launch digest", "MRTD"][..]),
                ("configuration", &["configuration"]),
            ] {
                let checked = self.checks.iter().any(|check| {
                    checks.contains(&check.name) && check.outcome == super::Outcome::Passed
                });
                if checked {
                    vector.insert(claim.to_owned(), value::AFFIRMING.into());
                }
            }
        }
        vector
    }

    fn gpu(&self, gpu: &Gpu) -> i8 {
        let measured = gpu.driver_measurements.is_some() && gpu.vbios_measurements.is_some();
        let revocation = self.checked("device revocation");
        tier(!gpu.simulated, measured && revocation && !gpu.on_hold)
    }

    /// Whether nothing of this name was left unchecked.
    fn checked(&self, name: &str) -> bool {
        let skipped = super::Outcome::NotChecked;
        !self
            .checks
            .iter()
            .any(|check| check.name == name && check.outcome == skipped)
    }

    /// Who refused is told by the step; a refusal of the conversation is one of the CPU that was to vouch for it.
    fn of_refusal(&self) -> Value {
        let step = self.checks.last().map_or("", |check| check.step);
        let (room, _) = step.split_once('-').unwrap_or((step, ""));
        let (submodule, claim, refused) = match room {
            "gpu" => ("gpu", "hardware", value::CONTRAINDICATED),
            "snp" | "tdx" | "hcl" => ("cpu", "hardware", value::CONTRAINDICATED),
            "policy" => ("cpu", "configuration", value::CONTRAINDICATED),
            _ => ("cpu", "instance-identity", value::CRYPTOGRAPHY_FAILED),
        };
        let vector = Vector::from_iter([(claim.to_owned(), refused.into())]);
        let detail = json!({ "rejection": self.code, "detail": self.detail });
        json!({ submodule: submod(vector, detail) })
    }
}

/// Simulated hardware is no hardware.
fn tier(real: bool, complete: bool) -> i8 {
    match (real, complete) {
        (true, true) => value::AFFIRMING,
        (true, false) => value::WARNING,
        (false, _) => value::CONTRAINDICATED,
    }
}

fn hardware(value: i8) -> Vector {
    Vector::from_iter([("hardware".to_owned(), value.into())])
}

/// The status is the worst that the vector has.
fn submod(vector: Vector, claims: Value) -> Value {
    let worst = vector.values().filter_map(Value::as_i64).max().unwrap_or(0);
    let status = match worst {
        96.. => "contraindicated",
        32.. => "warning",
        2.. => "affirming",
        _ => "none",
    };
    json!({
        "ear_status": status,
        "ear_trustworthiness_vector": vector,
        "ear_verifier_claims": { "signed": false, "chrysalis": claims },
    })
}
