//! What is seen.

use crate::spec::Image;

/// A machine of the fleet, as its host tells (`/ready`, `/healthz`, `/metrics`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Unlike any other's.
    pub name: String,
    /// What it runs.
    pub image: Image,
    /// How far it is.
    pub state: State,
}

/// How far a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was started, and does not serve yet.
    Booting,
    /// It takes work. `load` is `chrysalis_utilisation` in thousandths.
    Serving {
        /// In thousandths of what it computes at once.
        load: u32,
    },
    /// It finishes what it does, and takes nothing new.
    Draining,
    /// It ended, by itself or because it was drained. Nothing of it is under way.
    Ended,
}
