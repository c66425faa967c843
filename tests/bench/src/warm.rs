//! A bundle of a machine that was verified before, by a verifier that remembers: compared with one that does not, and with the two
//! signatures that are new.

use anyhow::anyhow;
use chrysalis_attestation::{
    BACKEND, Memory, Refusal, Time, Unverified,
    evidence::{Endorsements, Evidence, binding::Session},
    policy::Policy,
};

use crate::{clock::milliseconds, floor, vectors};

/// Measures by the library that this program was built with.
pub(crate) fn measure() -> anyhow::Result<()> {
    let cold = milliseconds(prepare(Memory::none)?)?;
    let memory = Memory::new();
    let warm = milliseconds(prepare(move || memory.clone())?)?;
    // The CPU's report and the GPU's.
    let new = 2.0 * floor::p384()?;
    println!(
        "| {BACKEND} | {cold:.3} | {warm:.3} | {new:.3} | {:.2} |",
        warm / new
    );
    Ok(())
}

/// Verifies so often, and remembers.
pub(crate) fn repeat(times: u32) -> anyhow::Result<()> {
    let memory = Memory::new();
    let mut work = prepare(move || memory.clone())?;
    (0..times).try_for_each(|_| work())
}

/// The whole walk, from the bundle's bytes to the one value that yields a TLS key.
fn prepare(memory: impl Fn() -> Memory) -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
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
    Ok(move || {
        Evidence::decode(&bundle)
            .map_err(Refusal::from)
            .map(|it| Unverified::new(it).remembered_by(&memory()))
            .and_then(|it| it.authenticate(&policy.roots(), &Endorsements::default(), Time(at)))
            .and_then(|it| it.bind(&session, &spki))
            .and_then(|it| it.appraise(&policy))
            .map(drop)
            .map_err(|refusal| anyhow!("refused: {}", refusal.rejection))
    })
}
