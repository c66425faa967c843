//! What the real evidence cannot show: every refusal, by a vendor of the tests' own.

mod arbitrary;
mod levels;
mod lies;
mod log;
mod vendor;
