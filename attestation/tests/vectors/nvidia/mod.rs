//! Real reports of H100 and Blackwell GPUs, their chains, and NVIDIA's reference manifests.

mod chains;
mod manifests;
mod many;
mod reports;
mod switches;

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Rejection, Time,
    alone::{
        Verified,
        gpus::{GpuQuestion, verify},
    },
    nvidia::{
        Devices, GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots,
        evidence::read,
        policy::{Proof, Revocation, Wanted},
    },
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::expected::{bytes, expected, shelf};

const WHY: &str = "this test is about something else";
/// 2026-03-01: both RIMs of 550.90.07 are valid.
const MARCH_2026: Time = Time(1_772_323_200);
const COMPLETE: &str = "h100-550.90.07";
const DRIVER_RIM: &str = "NV_GPU_DRIVER_GH100_550.90.07.swidtag";
const VBIOS_RIM: &str = "NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag";

fn vectors() -> Option<PathBuf> {
    shelf("nvidia")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn array<const N: usize>(hex_text: &str) -> [u8; N] {
    hex::decode(hex_text)
        .expect("hex")
        .try_into()
        .expect("the length")
}

fn moment(text: &str) -> Time {
    Time(
        OffsetDateTime::parse(text, &Rfc3339)
            .expect("a time")
            .unix_timestamp(),
    )
}

/// Only the report and its chain.
fn without_collateral() -> GpuPolicy {
    GpuPolicy {
        proof: Proof {
            revocation: Revocation::Unchecked {
                why: WHY.to_owned(),
            },
            rims_unchecked: Some(WHY.to_owned()),
            ..Proof::complete()
        },
        wanted: Wanted::any(WHY),
    }
}

/// With RIMs; there are no public OCSP answers.
fn with_rims() -> GpuPolicy {
    let mut policy = without_collateral();
    policy.proof.rims_unchecked = None;
    policy
}

struct Case {
    evidence: Vec<GpuEvidence>,
    nonce: [u8; 32],
    collateral: GpuCollateral,
    policy: GpuPolicy,
    now: Time,
}

impl Case {
    fn load(folder: &Path) -> Self {
        let evidence = read(
            &bytes(folder.join("report.bin")),
            Some(&bytes(folder.join("chain.pem"))),
        )
        .expect("evidence");
        let nonce = array(text(&expected(folder)["fields"], "nonce"));
        Self {
            evidence,
            nonce,
            collateral: GpuCollateral::default(),
            policy: without_collateral(),
            now: MARCH_2026,
        }
    }

    fn complete(vectors: &Path) -> Self {
        let mut case = Self::load(&vectors.join(COMPLETE));
        let rim = |name| bytes(vectors.join(COMPLETE).join("rim").join(name));
        case.collateral.rims = vec![rim(DRIVER_RIM), rim(VBIOS_RIM)];
        case.policy = with_rims();
        case
    }

    fn ask<T>(&self, ask: impl FnOnce(&[GpuEvidence], &GpuQuestion<'_>) -> T) -> T {
        let roots = NvidiaRoots::nvidia();
        let Self {
            evidence,
            nonce,
            collateral,
            policy,
            now,
        } = self;
        ask(
            evidence,
            &GpuQuestion {
                policy: Some(policy),
                ..GpuQuestion::new(nonce, &roots, collateral, *now)
            },
        )
    }

    fn verify(&self) -> Result<Verified<Devices>, Rejection> {
        self.ask(verify).map_err(|refusal| refusal.rejection)
    }

    fn code(&self) -> Option<&'static str> {
        self.verify().err().map(|rejection| rejection.code())
    }
}
