//! Purses on the local chain: random scripts that must keep every invariant, and how many it carries.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

mod many;
mod random;
mod world;
