//! Steps gpu-1 to gpu-6 for each device in turn: is it genuine? [`super::reference`] and [`super::wanted`] do the rest.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use super::{
    certificate::{Certificate, Signatures},
    chain::{Claimed, DeviceChain},
    device::{Devices, Gpu, Switch},
    evidence::{GpuEvidence, MAX_GPUS},
    fabric::check_fabric,
    kind::{Architecture, Device},
    ocsp::{Answers, Standing, Terms},
    opaque::{Opaque, SwitchOpaque},
    policy::{Proof, Revocation},
    question::{Grounds, MAX_RIMS},
    rim::{Content, Document},
    spdm::{Report, Request},
    wanted::{check_switch_wanted, check_together, check_wanted},
};
use crate::transcript::{Failed, Inspection, ensure};
use crate::{Rejection, Time, encoding::digest::Hex};

/// What is shared by all GPUs, and what was learned along the way.
pub(super) struct Procedure<'a> {
    pub(super) question: &'a Grounds<'a>,
    pub(super) answers: Answers<'a>,
    pub(super) documents: Vec<Document<'a>>,
    /// RIMs that have been verified already, by their position among the documents.
    pub(super) opened: BTreeMap<usize, Arc<Content>>,
    pub(super) signatures: Signatures,
    pub(super) until: Time,
    /// Whether any chain so far ends in a simulated root.
    pub(super) simulated: bool,
}

/// What a device answered, signed by its certified key.
struct Answer<'e, K, O> {
    /// What it is, according to the certificates.
    kind: K,
    chain: DeviceChain,
    report: Report<'e>,
    opaque: O,
    on_hold: bool,
}

/// What a device is, if it is of the expected kind.
type OfKind<K> = fn(Device) -> Option<K>;
/// Reads a device's opaque data.
type Reads<O> = fn(&[u8]) -> Result<O, Rejection>;

/// Their leaf names one anyway, and its key signed the report: only first stages that NVIDIA certified can have that key.
const SWITCHES_REPORT_NO_FWID: &str = "a switch's report contains none";

/// Steps gpu-1 to gpu-11 for the GPUs of one machine and the switches between them, in any order.
pub(crate) fn verify(
    evidence: &[GpuEvidence],
    question: &Grounds<'_>,
    inspection: &mut Inspection,
) -> Result<Devices, Failed> {
    Procedure::new(question, inspection)?.run(evidence, inspection)
}

impl<'a> Procedure<'a> {
    /// Reads the collateral: what cannot be read is refused, even if it would turn out not to be needed.
    fn new(question: &'a Grounds<'a>, inspection: &mut Inspection) -> Result<Self, Failed> {
        let collateral = question.collateral;
        let answers = Answers::parse(&collateral.ocsp);
        let answers = inspection.check(
            ("gpu-4", "OCSP answers"),
            || answers,
            |_| format!("{} can be read", collateral.ocsp.len()),
        );
        let documents = || match collateral.rims.len() {
            0..=MAX_RIMS => collateral
                .rims
                .iter()
                .map(|rim| Document::recall(rim, question.memory))
                .collect(),
            _ => Err(Rejection::RimContent {
                what: "there are too many RIMs",
            }),
        };
        let documents = inspection.check(("gpu-7", "RIMs"), documents, |found: &Vec<_>| {
            format!("{} can be read", found.len())
        });
        Ok(Self {
            question,
            answers: answers?,
            documents: documents?,
            opened: BTreeMap::new(),
            signatures: Signatures::remembered_by(question.memory),
            until: Time(i64::MAX),
            simulated: false,
        })
    }

    fn run(
        mut self,
        evidence: &[GpuEvidence],
        inspection: &mut Inspection,
    ) -> Result<Devices, Failed> {
        // Sorted and read according to their claims; the chain has to confirm these.
        let is_switch = |one: &&GpuEvidence| {
            let claimed = Claimed::by(&one.chain, self.question.memory);
            claimed.is_ok_and(|it| it.device == Ok(Device::Switch))
        };
        let (switches, gpus): (Vec<_>, Vec<_>) = evidence.iter().partition(is_switch);
        let count = || match (gpus.len(), evidence.len()) {
            (0, _) => Err(Rejection::GpuEvidenceMissing),
            (_, 1..=MAX_GPUS) => Ok(()),
            (_, found) => Err(Rejection::GpuEvidenceTooLarge { found }),
        };
        inspection.check(("gpu-2", "evidence"), count, |()| {
            let gpus = format!("of {} GPU(s)", gpus.len());
            match switches.len() {
                0 => gpus,
                switches => format!("{gpus} and {switches} switch(es)"),
            }
        })?;
        let mut found = Devices::default();
        // Explaining continues past a device that failed.
        let mut complete = Ok(());
        for (place, one) in gpus.iter().enumerate() {
            let place = format!("GPU {} of {}", place + 1, gpus.len());
            match self.gpu(one, (&place, !switches.is_empty()), inspection) {
                Ok(gpu) => found.gpus.push(gpu),
                Err(failed) => complete = Err(failed),
            }
        }
        for (place, one) in switches.iter().enumerate() {
            let place = format!("switch {} of {}", place + 1, switches.len());
            match self.switch(one, &place, inspection) {
                Ok(switch) => found.switches.push(switch),
                Err(failed) => complete = Err(failed),
            }
        }
        for gpu in &mut found.gpus {
            gpu.simulated = self.simulated;
        }
        for switch in &mut found.switches {
            switch.simulated = self.simulated;
        }
        let wanted = &self.question.policy.wanted;
        check_together(&found, gpus.len(), wanted, inspection);
        complete?;
        if !switches.is_empty() {
            check_fabric(&found, inspection);
        }
        found.until = self.until;
        Ok(found)
    }

    /// Steps 1 to 9 for one GPU. `switches`: whether there is evidence of any.
    fn gpu(
        &mut self,
        evidence: &GpuEvidence,
        (place, switches): (&str, bool),
        inspection: &mut Inspection,
    ) -> Result<Gpu, Failed> {
        let Answer {
            kind: architecture,
            chain,
            report,
            opaque,
            on_hold,
        } = self.answer(evidence, place, (architecture, Opaque::parse), inspection)?;
        check_fwid(
            &chain,
            opaque.fwid,
            self.question.policy.proof.fwid_unchecked.as_deref(),
            inspection,
        );
        let compared = self.reference(&chain, architecture, &report, &opaque, inspection);

        let gpu = Gpu {
            simulated: self.simulated,
            architecture,
            model: chain.model(),
            ueid: chain.leaf().serial_decimal(),
            identity: chain.identity(),
            nonce: Hex(report.request.nonce),
            driver: opaque.driver.to_string(),
            vbios: opaque.vbios.to_string(),
            mode: opaque.mode,
            fwid: opaque.fwid.map(Hex),
            driver_measurements: compared.as_ref().map(|(driver, _)| driver.clone()),
            vbios_measurements: compared.map(|(_, vbios)| vbios),
            on_hold,
            pdi: chain.pdi(),
            switches: opaque.switches,
            levels: opaque.levels,
            unknown_entries: opaque.others,
        };
        let wanted = &self.question.policy.wanted;
        check_wanted(&gpu, (&opaque.driver, switches), wanted, inspection);
        Ok(gpu)
    }

    /// Steps 1 to 9 for one switch.
    fn switch(
        &mut self,
        evidence: &GpuEvidence,
        place: &str,
        inspection: &mut Inspection,
    ) -> Result<Switch, Failed> {
        let Answer {
            kind: (),
            chain,
            report,
            opaque,
            on_hold,
        } = self.answer(
            evidence,
            place,
            (is_switch, SwitchOpaque::parse),
            inspection,
        )?;
        let unreported = opaque.fwid.is_none().then_some(SWITCHES_REPORT_NO_FWID);
        check_fwid(&chain, opaque.fwid, unreported, inspection);
        let measurements = self.switch_reference(&chain, &report, &opaque, inspection);
        let certified = || match chain.pdi() {
            Some(pdi) if pdi == opaque.pdi => Ok(pdi),
            _ => Err(Rejection::SwitchIdentityMismatch { found: opaque.pdi }),
        };
        let pdi = inspection.check(("gpu-9", "switch identity"), certified, |pdi| {
            format!("{pdi} is certified")
        })?;
        let switch = Switch {
            simulated: self.simulated,
            model: chain.model(),
            ueid: chain.leaf().serial_decimal(),
            identity: chain.identity(),
            pdi,
            nonce: Hex(report.request.nonce),
            firmware: opaque.firmware,
            measurements,
            on_hold,
            gpus: opaque.gpus,
        };
        let wanted = &self.question.policy.wanted;
        check_switch_wanted(&switch, opaque.lock, wanted, inspection);
        Ok(switch)
    }

    /// Steps 1 to 5: a certified device signed this answer to the question.
    fn answer<'e, K, O: fmt::Display>(
        &mut self,
        evidence: &'e GpuEvidence,
        place: &str,
        (kind, read): (OfKind<K>, Reads<O>),
        inspection: &mut Inspection,
    ) -> Result<Answer<'e, K, O>, Failed> {
        let Grounds {
            nonce, roots, now, ..
        } = *self.question;
        let asked = || {
            let request = Request::parse(&evidence.report)?;
            let found = Hex(request.nonce);
            ensure(request.nonce == *nonce, || Rejection::GpuNonceMismatch {
                found,
            })
        };
        inspection.note(("gpu-1", "nonce"), asked, |()| {
            format!("{place} answers {}", Hex(*nonce))
        });
        let report = inspection.check(
            ("gpu-2", "report"),
            || Report::parse(&evidence.report),
            |report| format!("SPDM 1.1, {} measurements", report.measurements.len()),
        );
        let opaque = report.as_ref().map_err(Clone::clone).and_then(|report| {
            inspection.check(
                ("gpu-2", "opaque data"),
                || read(report.opaque),
                O::to_string,
            )
        });

        let (chain, kind) = inspection.check(
            ("gpu-3", "device chain"),
            || {
                let chain = DeviceChain::verify(&evidence.chain, roots, now, &mut self.signatures)?;
                // Evidence was sorted by what its certificates claim.
                let kind = kind(chain.device).ok_or_else(|| {
                    chain
                        .leaf()
                        .refuse("belongs to a different kind of device than it claims")
                })?;
                Ok((chain, kind))
            },
            |(chain, _)| {
                let root = root_in_words(chain.simulated);
                format!("{}, {}, to {root}", chain.device, chain.model())
            },
        )?;
        self.until = self.until.min(chain.until);
        self.simulated |= chain.simulated;
        if chain.simulated {
            inspection.mark_simulated();
        }
        let on_hold = self.revocation(
            ("gpu-4", "device revocation"),
            &chain.revocable(),
            inspection,
        );
        let report = report?;
        inspection.note(
            ("gpu-5", "report signature"),
            || {
                let signed = chain.leaf().signed_fixed(report.signed, &report.signature);
                ensure(signed, || Rejection::GpuReportSignature)
            },
            |()| "by the certified key".to_owned(),
        );
        Ok(Answer {
            kind,
            chain,
            report,
            opaque: opaque?,
            on_hold: on_hold.unwrap_or(false),
        })
    }

    /// Whether any of these certificates is on hold; the first one that is neither good nor on hold is refused.
    pub(super) fn revocation(
        &mut self,
        check: (&'static str, &'static str),
        certificates: &[(&Certificate, &Certificate)],
        inspection: &mut Inspection,
    ) -> Option<bool> {
        let Proof {
            revocation,
            stapled_age,
            hold_accepted,
            ..
        } = &self.question.policy.proof;
        if let Revocation::Unchecked { why } = revocation {
            inspection.skip(check, why);
            return None;
        }
        let terms = Terms {
            stapled: (*revocation == Revocation::Stapled).then_some(*stapled_age),
            hold: hold_accepted.is_some(),
        };
        let now = self.question.now;
        let (answers, signatures) = (&self.answers, &mut self.signatures);
        let standings = inspection.check(
            check,
            || {
                let ask = |(subject, issuer): &(&Certificate, &Certificate)| {
                    answers.check(subject, issuer, terms, now, signatures)
                };
                certificates
                    .iter()
                    .map(ask)
                    .collect::<Result<Vec<Standing>, _>>()
            },
            |standings| told(standings, hold_accepted.as_deref(), *stapled_age),
        );
        let standings = standings.ok()?;
        self.until = standings
            .iter()
            .map(|it| it.until)
            .fold(self.until, Time::min);
        Some(standings.iter().any(|it| it.on_hold))
    }
}

fn architecture(device: Device) -> Option<Architecture> {
    match device {
        Device::Gpu(architecture) => Some(architecture),
        Device::Switch => None,
    }
}

fn is_switch(device: Device) -> Option<()> {
    (device == Device::Switch).then_some(())
}

/// A transcript's name for the root that a chain ends in.
pub(super) fn root_in_words(simulated: bool) -> &'static str {
    if simulated {
        "a simulated root"
    } else {
        "NVIDIA's root"
    }
}

/// If the report contains none, `unchecked` says why that is accepted; one that is present is always compared.
fn check_fwid(
    chain: &DeviceChain,
    reported: Option<[u8; 48]>,
    unchecked: Option<&str>,
    inspection: &mut Inspection,
) {
    const CHECK: (&str, &str) = ("gpu-6", "FWID");
    match (unchecked, reported) {
        (Some(why), None) => inspection.skip(CHECK, why),
        (_, reported) => {
            inspection.note(
                CHECK,
                || chain.check_fwid(reported),
                |fwid| format!("{} is certified", Hex(*fwid)),
            );
        }
    }
}

fn told(standings: &[Standing], hold_accepted: Option<&str>, stapled_age: Duration) -> String {
    let mut text = format!("{} good", standings.iter().filter(|it| !it.on_hold).count());
    let held = standings.iter().filter(|it| it.on_hold).count();
    if held > 0 {
        let why = hold_accepted.unwrap_or_default();
        text = format!("{text}, {held} on hold, accepted: {why}");
    }
    if standings.iter().any(|it| it.stapled) {
        let hours = stapled_age.as_secs() / 3600;
        text = format!("{text}, stapled answers, at most {hours} h old");
    }
    text
}
