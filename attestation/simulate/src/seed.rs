//! The folder that keeps a seeded simulated vendor between runs: the seed, and the roots in PEM for people to name in policies.
//!
//! Complete or absent, like that of the simulated AMD.

use crate::{SimulateError, store};
use chrysalis_attestation::encoding::pem;
use rsa::rand_core::{OsRng, RngCore};
use std::path::Path;

const SEED: &str = "seed";
const README: &str = "README";
const README_TEXT: &str = "\
The seed and the roots of a SIMULATED vendor. They are not a real vendor's and prove nothing about hardware.
Anyone who reads the seed can sign anything in its name. A policy accepts it only if it names the SHA-256 of the roots' DER.
Remove this folder to have a new vendor made on the next start.
";

/// Reads the seed that `folder` keeps, or draws one and puts it there together with its roots: file names and DER.
pub(crate) fn open_or_create(
    folder: &Path,
    roots: impl FnOnce(&[u8; 32]) -> Vec<(&'static str, Vec<u8>)>,
) -> Result<[u8; 32], SimulateError> {
    let _lock = store::lock(folder)?;
    let path = folder.join(SEED);
    if !path.exists() {
        let mut seed = [0; 32];
        OsRng
            .try_fill_bytes(&mut seed)
            .map_err(SimulateError::Randomness)?;
        let mut files = vec![
            (SEED, format!("{}\n", hex::encode(seed))),
            (README, README_TEXT.to_owned()),
        ];
        for (name, der) in roots(&seed) {
            files.push((name, pem::block(pem::CERTIFICATE, &der)));
        }
        store::create(folder, &files)?;
    }
    let text = std::fs::read_to_string(&path).map_err(SimulateError::disk("reading", &path))?;
    let mut seed = [0; 32];
    match hex::decode_to_slice(text.trim_ascii(), &mut seed) {
        Ok(()) => Ok(seed),
        Err(_) => Err(SimulateError::Damaged { path, what: "seed" }),
    }
}
