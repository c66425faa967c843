//! The steps of docs/spec/verification.md for each GPU in turn, gpu-1 to gpu-6; what follows is in the files beside.

use std::collections::BTreeMap;

use super::{
    certificate::{Certificate, Signatures},
    chain::DeviceChain,
    evidence::{GpuEvidence, MAX_GPUS},
    inspection::{Inspection, ensure},
    ocsp::{Answers, Standing, Terms},
    opaque::Opaque,
    policy::{Proof, Revocation},
    rim::{Content, Document},
    spdm::{Report, Request},
    verify::{Gpu, MAX_RIMS, Question},
    wanted::{check_together, check_wanted},
};
use crate::{Rejection, Time, digest::Hex};

/// What is the same for all GPUs, and what was learned along the way.
pub(super) struct Procedure<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) answers: Answers<'a>,
    pub(super) documents: Vec<Document<'a>>,
    /// RIMs that were verified already, by their place among the documents.
    pub(super) opened: BTreeMap<usize, Content>,
    pub(super) signatures: Signatures,
    pub(super) until: Time,
    /// Whether any chain so far ends in a simulated root.
    pub(super) simulated: bool,
}

impl<'a> Procedure<'a> {
    /// Reads the collateral: what cannot be read is refused, even if it should turn out not to be needed.
    pub(super) fn new(question: &'a Question<'a>, inspection: &mut Inspection<'_>) -> Option<Self> {
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
                .map(|rim| Document::parse(rim))
                .collect(),
            _ => Err(Rejection::RimContent {
                what: "there are too many RIMs",
            }),
        };
        let documents = inspection.check(("gpu-7", "RIMs"), documents, |found: &Vec<_>| {
            format!("{} can be read", found.len())
        });
        Some(Self {
            question,
            answers: answers?,
            documents: documents?,
            opened: BTreeMap::new(),
            signatures: Signatures::default(),
            until: Time(i64::MAX),
            simulated: false,
        })
    }

    pub(super) fn run(
        mut self,
        evidence: &[GpuEvidence],
        inspection: &mut Inspection<'_>,
    ) -> Option<(Vec<Gpu>, Time)> {
        let count = || match evidence.len() {
            0 => Err(Rejection::GpuEvidenceMissing),
            1..=MAX_GPUS => Ok(()),
            found => Err(Rejection::GpuEvidenceTooLarge { found }),
        };
        inspection.check(("gpu-2", "evidence"), count, |()| {
            format!("of {} GPU(s)", evidence.len())
        })?;
        let mut gpus = Vec::new();
        for (place, one) in evidence.iter().enumerate() {
            let place = format!("GPU {} of {}", place + 1, evidence.len());
            gpus.extend(self.gpu(one, &place, inspection));
        }
        // Explaining goes on past a GPU that failed, so those that passed may be fewer.
        let complete = gpus.len() == evidence.len();
        for gpu in &mut gpus {
            gpu.simulated = self.simulated;
        }
        check_together(
            &gpus,
            evidence.len(),
            &self.question.policy.wanted,
            inspection,
        );
        complete.then_some((gpus, self.until))
    }

    /// Steps 1 to 9 for one GPU.
    fn gpu(
        &mut self,
        evidence: &GpuEvidence,
        place: &str,
        inspection: &mut Inspection<'_>,
    ) -> Option<Gpu> {
        let Question {
            nonce,
            roots,
            policy,
            now,
            ..
        } = *self.question;
        let proof = &policy.proof;
        let asked = || {
            let request = Request::parse(&evidence.report)?;
            let found = Hex(request.nonce);
            ensure(request.nonce == *nonce, || Rejection::GpuNonceMismatch {
                found,
            })
        };
        inspection.check(("gpu-1", "nonce"), asked, |()| {
            format!("{place} answers {}", Hex(*nonce))
        });
        let report = inspection.check(
            ("gpu-2", "report"),
            || Report::parse(&evidence.report),
            |report| format!("SPDM 1.1, {} measurements", report.measurements.len()),
        );
        let opaque = report.as_ref().and_then(|report| {
            inspection.check(
                ("gpu-2", "opaque data"),
                || Opaque::parse(report.opaque),
                |opaque| format!("driver {}, VBIOS {}", opaque.driver, opaque.vbios),
            )
        });

        let chain = inspection.check(
            ("gpu-3", "device chain"),
            || DeviceChain::verify(&evidence.chain, roots, now, &mut self.signatures),
            |chain| {
                let root = root_in_words(chain.simulated);
                format!("{}, {}, to {root}", chain.architecture, chain.model())
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
        inspection.check(
            ("gpu-5", "report signature"),
            || {
                let signed = chain.leaf().signed_fixed(report.signed, &report.signature);
                ensure(signed, || Rejection::GpuReportSignature)
            },
            |()| "by the certified key".to_owned(),
        );
        let opaque = opaque?;
        check_fwid(&chain, &opaque, proof, inspection);
        let compared = self.reference(&chain, &report, &opaque, inspection);

        let gpu = Gpu {
            simulated: self.simulated,
            architecture: chain.architecture,
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
            on_hold: on_hold.unwrap_or(false),
        };
        check_wanted(&gpu, &opaque.driver, &policy.wanted, inspection);
        Some(gpu)
    }

    /// Whether any of these certificates is on hold; the first that is not good is refused.
    pub(super) fn revocation(
        &mut self,
        check: (&'static str, &'static str),
        certificates: &[(&Certificate<'_>, &Certificate<'_>)],
        inspection: &mut Inspection<'_>,
    ) -> Option<bool> {
        let Proof {
            revocation,
            hold_accepted,
            ..
        } = &self.question.policy.proof;
        if let Revocation::Unchecked { why } = revocation {
            inspection.skip(check, why);
            return None;
        }
        let terms = Terms {
            stapled: *revocation == Revocation::Stapled,
            hold: hold_accepted.is_some(),
        };
        let now = self.question.now;
        let (answers, signatures) = (&self.answers, &mut self.signatures);
        let standings = inspection.check(
            check,
            || {
                let ask = |(subject, issuer): &(&Certificate<'_>, &Certificate<'_>)| {
                    answers.check(subject, issuer, terms, now, signatures)
                };
                certificates
                    .iter()
                    .map(ask)
                    .collect::<Result<Vec<Standing>, _>>()
            },
            |standings| told(standings, hold_accepted.as_deref()),
        )?;
        self.until = standings
            .iter()
            .map(|it| it.until)
            .fold(self.until, Time::min);
        Some(standings.iter().any(|it| it.on_hold))
    }
}

/// How a transcript calls the root that a chain ends in.
pub(super) fn root_in_words(simulated: bool) -> &'static str {
    if simulated {
        "a simulated root"
    } else {
        "NVIDIA's root"
    }
}

fn check_fwid(
    chain: &DeviceChain<'_>,
    opaque: &Opaque,
    proof: &Proof,
    inspection: &mut Inspection<'_>,
) {
    const CHECK: (&str, &str) = ("gpu-6", "FWID");
    match (&proof.fwid_unchecked, opaque.fwid) {
        (Some(why), None) => inspection.skip(CHECK, why),
        (_, reported) => {
            inspection.check(
                CHECK,
                || chain.check_fwid(reported),
                |fwid| format!("{} is certified", Hex(*fwid)),
            );
        }
    }
}

fn told(standings: &[Standing], hold_accepted: Option<&str>) -> String {
    let mut text = format!("{} good", standings.iter().filter(|it| !it.on_hold).count());
    let held = standings.iter().filter(|it| it.on_hold).count();
    if held > 0 {
        let why = hold_accepted.unwrap_or_default();
        text = format!("{text}, {held} on hold, accepted: {why}");
    }
    if standings.iter().any(|it| it.stapled) {
        text.push_str(", answers brought along without a nonce");
    }
    text
}
