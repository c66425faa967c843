//! The room itself, with a hostile engine in it: what opens, what it can take, and how it ends. Needs root; skipped without.

mod bounds;
mod doors;
mod ends;
mod fixture;
mod refusals;
mod services;
