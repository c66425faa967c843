//! What stands under an enclave, as listings and directories speak of it.

use chrysalis_attestation::{Cpu, Peer, encoding::digest::sha256, evidence::binding::label};

use crate::{Rejection, SignedListing};

/// What vouches for the enclave, in an offer's word.
fn platform(cpu: &Cpu) -> &'static str {
    match cpu {
        _ if cpu.simulated() => "simulated",
        Cpu::Snp(_) => "snp",
        Cpu::Tdx(_) => "tdx",
        _ => "",
    }
}

/// Which chip it is: `SHA-256(label("chrysalis/chip/v1") ‖ platform ‖ id)`. The id is SNP's chip id, or the PPID of a TDX platform. Chips
/// that their hosts mask are all one.
pub fn chip(cpu: &Cpu) -> [u8; 32] {
    let id = match cpu {
        Cpu::Snp(genuine) => genuine.report().chip_id.to_vec(),
        Cpu::Tdx(genuine) => genuine.td().platform.ppid.0.to_vec(),
        _ => Vec::new(),
    };
    sha256(&[&label("chrysalis/chip/v1"), platform(cpu).as_bytes(), &id])
}

impl SignedListing {
    /// Does the offer name the hardware that the evidence shows?
    pub fn is_on(&self, peer: &Peer) -> Result<(), Rejection> {
        let offer = self.offer();
        let gpus = u64::try_from(peer.gpus().len()).unwrap_or(u64::MAX);
        for (same, what) in [
            (offer.platform == platform(peer.cpu()), "platform"),
            (offer.gpus == gpus, "number of GPUs"),
        ] {
            if !same {
                return Err(Rejection::ListingMismatch { what });
            }
        }
        Ok(())
    }
}
