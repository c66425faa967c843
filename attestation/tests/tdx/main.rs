//! The simulated Intel before the verifier, for what the real evidence cannot show: every refusal.

mod arbitrary;
mod azure;
mod certificates;
mod fields;
mod levels;
mod lies;
mod log;
mod newer;
mod scene;
