//! The verdict as the claims of an EAT attestation result: draft-ietf-rats-ear-04, with the trustworthiness vector of
//! draft-ietf-rats-ar4si-10. docs/spec/ear.md says what each claim is made from.
//!
//! The result is not signed. It is for relying parties that read EAR and trust the party that ran this verifier.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::{
    Verdict, Word,
    about::{About, Bound},
};
use crate::{
    Time,
    appraisal::{appraise::RELEASE_KEY, platform::Platform},
    evidence::binding::Session,
    nvidia::Gpu,
    transcript::Outcome,
};

const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";
const DEVELOPER: &str = "Chrysalis";
/// The submodule of the CPU, with the image and the conversation.
const CPU: &str = "cpu";
/// The kind of submodule for GPUs and the switches between them.
const GPU: &str = "gpu";

/// AR4SI's numbers: what a claim about one aspect of an attester says.
mod value {
    /// Genuine hardware; approved code; approved configuration; memory that is encrypted.
    pub(super) const AFFIRMING: i8 = 2;
    /// Affirmed by the policy, but not in line with the vendor's advice.
    pub(super) const WARNING: i8 = 32;
    /// Refused.
    pub(super) const CONTRAINDICATED: i8 = 96;
    /// A signature, or what was signed, is wrong.
    pub(super) const CRYPTOGRAPHY_FAILED: i8 = 99;
}

/// A submodule's claims, by their names in AR4SI. A claim that is absent is not made.
type Vector = Map<String, Value>;

impl Verdict<'_> {
    /// The claims set, in JSON. `issued` is the verifier's clock.
    pub fn ear(&self, issued: Time) -> Value {
        let asked = self.about.and_then(|about| match about.bound {
            Bound::Conversation(Session::Asked { nonce, .. } | Session::Keys { nonce, .. }, ..) => {
                Some(BASE64URL_NOPAD.encode(nonce))
            }
            Bound::Conversation(Session::Boot, ..) | Bound::Asked | Bound::Nothing => None,
        });
        let submods = match self.about {
            Some(about) => self.of_found(about),
            None => self.of_refusal(),
        };
        object([
            ("eat_profile", Some(PROFILE.into())),
            ("iat", Some(issued.0.into())),
            ("eat_nonce", asked.map(Value::from)),
            (
                "ear_verifier_id",
                Some(json!({
                    "developer": DEVELOPER,
                    "build": concat!("chrysalis-attestation ", env!("CARGO_PKG_VERSION")),
                })),
            ),
            ("submods", Some(submods)),
        ])
    }

    fn of_found(&self, about: About<'_>) -> Value {
        let mut submods = Map::new();
        if let Some(cpu) = about.cpu {
            let cpu = self.submod(CPU, &self.cpu(cpu), Some(cpu.claims()));
            submods.insert("cpu".to_owned(), cpu);
        }
        let devices = about.devices;
        for (place, gpu) in devices.iter().flat_map(|it| &it.gpus).enumerate() {
            let gpu = self.submod(GPU, &hardware(self.gpu(gpu)), Some(json!(gpu)));
            submods.insert(format!("gpu{place}"), gpu);
        }
        for (place, switch) in devices.iter().flat_map(|it| &it.switches).enumerate() {
            let known = switch.measurements.is_some() && self.checked("device revocation");
            let tier = tier(!switch.simulated, known && !switch.on_hold);
            let switch = self.submod(GPU, &hardware(tier), Some(json!(switch)));
            submods.insert(format!("switch{place}"), switch);
        }
        submods.into()
    }

    /// Without a policy the code and its configuration are unknown, so nothing is claimed about them.
    fn cpu(&self, cpu: &dyn Platform) -> Vector {
        let real = !cpu.is_simulated();
        let floors = ["TCB floor", "committed TCB floor", "evaluation number"];
        let waived = floors.iter().any(|floor| self.waived(floor));
        let complete = cpu.is_current() && !waived && self.checked("revocation");
        let mut vector = hardware(tier(real, complete));
        let opaque = tier(real && cpu.is_private(), true);
        vector.insert("runtime-opaque".to_owned(), opaque.into());
        if self.word == Word::Trusted {
            for (claim, checks) in [
                ("executables", &["launch digest", "MRTD"][..]),
                ("configuration", &["configuration"]),
            ] {
                let checked = self
                    .checks
                    .iter()
                    .any(|check| checks.contains(&check.name) && check.outcome == Outcome::Passed);
                if checked {
                    // The policy names its image, but anyone could have signed the release that the name came from.
                    let vouched = claim != "executables" || self.checked(RELEASE_KEY);
                    vector.insert(claim.to_owned(), tier(true, vouched).into());
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

    /// Whether no check with this name was left out.
    fn checked(&self, name: &str) -> bool {
        let skipped = Outcome::NotChecked;
        !self
            .checks
            .iter()
            .any(|check| check.name == name && check.outcome == skipped)
    }

    /// Whether the policy gives a reason why a check with this name is not made.
    fn waived(&self, name: &str) -> bool {
        self.checks
            .iter()
            .any(|check| check.name == name && check.is_open())
    }

    /// What was not checked is listed where it belongs: with the GPUs or with the CPU.
    fn verifier_claims(&self, submodule: &str) -> Value {
        let not_checked = self.checks.iter();
        let not_checked: Vec<_> = not_checked
            .filter(|check| check.outcome == Outcome::NotChecked)
            .filter(|check| check.step.starts_with("gpu-") == (submodule == GPU))
            .map(|it| json!({"step": it.step, "name": it.name, "detail": it.detail}))
            .collect();
        object([
            ("verdict", Some(json!(self.word))),
            ("code", Some(json!(self.code))),
            ("detail", Some(json!(self.detail))),
            ("result_is_unsigned", Some(json!(true))),
            ("not_checked", Some(json!(not_checked))),
            ("release_key", self.release_key().map(Into::into)),
        ])
    }

    /// The objection to the key of the release that the policy is made from, if there is one.
    fn release_key(&self) -> Option<&str> {
        let check = self.checks.iter().find(|check| check.name == RELEASE_KEY)?;
        Some(&check.detail)
    }

    /// The step shows which submodule was refused; a refused conversation counts for the CPU that was to vouch for it.
    fn of_refusal(&self) -> Value {
        let first = self.failures.first();
        let (step, code) = first.map_or(("", ""), |failure| (failure.step, failure.code));
        let (room, _) = step.split_once('-').unwrap_or((step, ""));
        let (submodule, claim, refused) = match (room, code) {
            ("gpu", _) => (GPU, "hardware", value::CONTRAINDICATED),
            ("snp" | "tdx" | "hcl", _) | (_, "product_broken") => {
                (CPU, "hardware", value::CONTRAINDICATED)
            }
            ("policy", _) => (CPU, "configuration", value::CONTRAINDICATED),
            _ => (CPU, "instance-identity", value::CRYPTOGRAPHY_FAILED),
        };
        let vector = Vector::from_iter([(claim.to_owned(), refused.into())]);
        json!({ submodule: self.submod(submodule, &vector, None) })
    }

    /// The status is the worst that the vector has.
    fn submod(&self, submodule: &str, vector: &Vector, attester: Option<Value>) -> Value {
        let worst = vector.values().filter_map(Value::as_i64).max().unwrap_or(0);
        let status = match worst {
            96.. => "contraindicated",
            32.. => "warning",
            2.. => "affirming",
            _ => "none",
        };
        object([
            ("ear_status", Some(status.into())),
            ("ear_trustworthiness_vector", Some(vector.clone().into())),
            ("ear_attester_claims", attester),
            ("ear_verifier_claims", Some(self.verifier_claims(submodule))),
        ])
    }
}

/// The claims that are made.
fn object<const N: usize>(claims: [(&str, Option<Value>); N]) -> Value {
    let made = claims
        .into_iter()
        .filter_map(|(name, claim)| Some((name.to_owned(), claim?)));
    Value::Object(made.collect())
}

/// Simulated hardware does not count as hardware.
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
