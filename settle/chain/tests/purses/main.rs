//! Purses on the local chain: random scripts that must keep every invariant, and how many it carries.

mod many;
mod random;
mod world;
