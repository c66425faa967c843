//! A bundle of a machine that was verified before, by a verifier that remembers: compared with one that does not, and with the two
//! signatures that are new.

use chrysalis_attestation::{BACKEND, Memory};

use crate::{clock::milliseconds, floor, ours::composite};

/// Measures by the library that this program was built with.
pub(crate) fn measure() -> anyhow::Result<()> {
    let cold = milliseconds(composite(Memory::none())?)?;
    let warm = milliseconds(composite(Memory::new())?)?;
    // The CPU's report and the GPU's.
    let new = 2.0 * floor::p384()?;
    println!(
        "| {BACKEND} | {cold:.3} | {warm:.3} | {new:.3} | {:.2} |",
        warm / new
    );
    Ok(())
}
