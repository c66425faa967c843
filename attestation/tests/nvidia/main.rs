//! The simulated NVIDIA before the verifier, for what no public evidence shows: OCSP answers, a decoder that is on, manifests
//! that are signed and still wrong.

mod arbitrary;
mod device;
mod fabric;
mod forms;
mod manifests;
mod newer;
mod revocation;
mod scene;
