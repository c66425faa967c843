//! This project's verifier, asked as a relying party asks it: everything checked, from bytes to verdict.
//!
//! What a relying party does once is outside: reading files, decoding the pinned roots, parsing the policy.

use anyhow::{Context, anyhow};
use chrysalis_attestation::{
    BACKEND, Memory, Refusal, Time, Unverified, alone,
    evidence::{CpuReport, Endorsements, Evidence, binding::Session},
    nvidia::{
        self, GpuPolicy,
        policy::{Proof, Revocation, Wanted},
    },
    policy::Policy,
    roots::Roots,
    tdx::{self, TdxPolicy},
};

use crate::{
    clock::milliseconds,
    row::{Kind, Row, Subject},
    vectors,
};

const WHY: &str = "there are no public OCSP answers";

/// Measures each subject by the library that this program was built with.
pub(crate) fn measure() -> anyhow::Result<()> {
    for subject in Subject::ALL {
        let measured = prepare(subject).and_then(milliseconds);
        Row::print(subject, Kind::Ours, ("chrysalis", BACKEND), measured)?;
    }
    Ok(())
}

type Work = Box<dyn FnMut() -> anyhow::Result<()>>;

/// What to do over and over.
pub(crate) fn prepare(subject: Subject) -> anyhow::Result<Work> {
    match subject {
        Subject::Snp => snp(),
        Subject::Tdx => tdx(),
        Subject::Gpu => gpu(),
        Subject::Composite => composite(Memory::none()),
    }
}

fn snp() -> anyhow::Result<Work> {
    let vectors::Snp {
        report,
        vcek,
        crl,
        at,
    } = vectors::Snp::load()?;
    let roots = Roots::vendors();
    let collateral = Endorsements {
        certificates: vec![vcek],
        crls: vec![crl],
        ..Endorsements::default()
    };
    Ok(Box::new(move || {
        let evidence = Evidence {
            cpu: CpuReport::Snp(report.clone()),
            claims: Vec::new(),
            gpus: Vec::new(),
            path: None,
            endorsements: Endorsements::default(),
        };
        Unverified::new(evidence)
            .authenticate(&roots, &collateral, Time(at))
            .map(drop)
            .map_err(|refusal| refused(&refusal))
    }))
}

fn tdx() -> anyhow::Result<Work> {
    let vectors::Tdx {
        quote,
        collateral,
        at,
    } = vectors::Tdx::load()?;
    let roots = tdx::IntelRoots::intel();
    let policy = TdxPolicy::genuine("the bench has no wishes");
    let collateral = tdx::IntelCollateral::parse(&collateral).map_err(|it| anyhow!("{it}"))?;
    Ok(Box::new(move || {
        let question = alone::tdx::TdxQuestion {
            policy: Some(&policy),
            ..alone::tdx::TdxQuestion::new(&roots, &collateral, Time(at))
        };
        alone::tdx::verify(&quote, &question)
            .map(drop)
            .map_err(|refusal| refused(&refusal))
    }))
}

fn gpu() -> anyhow::Result<Work> {
    let vectors::Gpu {
        report,
        chain,
        nonce,
        rims,
        at,
    } = vectors::Gpu::load()?;
    let roots = nvidia::NvidiaRoots::nvidia();
    let policy = GpuPolicy {
        proof: Proof {
            revocation: Revocation::Unchecked {
                why: WHY.to_owned(),
            },
            ..Proof::complete()
        },
        wanted: Wanted::any("the bench has no wishes"),
    };
    let collateral = nvidia::GpuCollateral {
        rims,
        ocsp: Vec::new(),
    };
    let evidence = nvidia::evidence::read(&report, Some(&chain))
        .map_err(|it| anyhow!("{it}"))
        .context("the vector's evidence")?;
    Ok(Box::new(move || {
        let question = alone::gpus::GpuQuestion {
            policy: Some(&policy),
            ..alone::gpus::GpuQuestion::new(&nonce, &roots, &collateral, Time(at))
        };
        alone::gpus::verify(&evidence, &question)
            .map(drop)
            .map_err(|refusal| refused(&refusal))
    }))
}

/// The whole walk, from the bundle's bytes to the one value that yields a TLS key, by a verifier with this memory.
pub(crate) fn composite(memory: Memory) -> anyhow::Result<Work> {
    let vectors::Composite {
        bundle,
        spki,
        nonce,
        exporter,
        policy,
        at,
    } = vectors::Composite::load()?;
    let policy = Policy::parse(&policy).map_err(|it| anyhow!("{it}"))?;
    let session = Session::Asked { nonce, exporter };
    Ok(Box::new(move || {
        Evidence::decode(&bundle)
            .map_err(Refusal::from)
            .map(|it| Unverified::new(it).remembered_by(&memory))
            .and_then(|it| it.authenticate(&policy.roots(), &Endorsements::default(), Time(at)))
            .and_then(|it| it.bind(&session, &spki))
            .and_then(|it| it.appraise(&policy))
            .map(drop)
            .map_err(|refusal| refused(&refusal))
    }))
}

fn refused(refusal: &Refusal) -> anyhow::Error {
    anyhow!("refused: {}", refusal.rejection)
}
