//! What the operator of a fleet does next: [`reconcile()`] is told what is wanted and what is seen, and says what to start, to drain and to
//! remove. It has no clock, no cluster and no network, so its properties are tested by themselves (`tests/properties.rs`).
//!
//! It keeps three promises, whatever it is told:
//!
//! - it starts nothing that relying parties would refuse: an image has to be in the policy first;
//! - it leaves as many machines serving as [`Spec`] says, so an image that never boots costs a fleet no more than that;
//! - it ends nothing that serves but by draining it.

mod reconcile;
mod seen;
mod spec;

pub use reconcile::{Action, reconcile};
pub use seen::{Machine, State};
pub use spec::{Image, NoProgress, Spec};
