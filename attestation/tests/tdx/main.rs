//! The simulated Intel before the verifier, for what the real evidence cannot show: every refusal.

mod arbitrary;
mod levels;
mod lies;
mod log;
mod scene;
