//! The first step: the measured words, and on the machine itself the file systems.

use std::sync::Arc;

use chrysalis_wire::boot::Stage;

use crate::{
    clock,
    console::{Progress, since_boot_ms},
    failure::Failure,
    host::Host,
    machine::Machine,
    platform::Platform,
    trust::Trust,
    words::Words,
};

/// An enclave that knows where it runs.
pub(crate) struct Booted {
    pub(crate) ground: Arc<Ground>,
    /// On a machine of our own, the stages passed before the host could be told, each with its time since the kernel started.
    pub(crate) untold: Vec<(Stage, u64)>,
}

/// What every later step builds on.
pub(crate) struct Ground {
    pub(crate) words: Words,
    pub(crate) machine: Machine,
    pub(crate) platform: Platform,
    pub(crate) host: Arc<Host>,
    pub(crate) progress: Progress,
    pub(crate) trust: Trust,
}

impl Booted {
    /// Sets up the machine, if it is ours, and finds out what vouches for it.
    pub(crate) fn from_measured_words(
        words: impl IntoIterator<Item = String>,
    ) -> Result<Self, Failure> {
        let began = since_boot_ms();
        let words = Words::parse(words)?;
        let machine = Machine::take()?;
        let host = Arc::new(Host::new(words.host.clone()));
        let platform = Platform::find(&words, &host)?;
        tracing::info!(platform = platform.name(), "booted");
        let untold = match machine {
            Machine::Own => vec![
                (Stage::KernelStarted, began),
                (Stage::MachineReady, since_boot_ms()),
            ],
            Machine::Shared => Vec::new(),
        };
        let ground = Ground {
            progress: Progress::new(host.clone()),
            trust: Trust::default(),
            words,
            machine,
            platform,
            host,
        };
        Ok(Self {
            ground: Arc::new(ground),
            untold,
        })
    }

    /// Refuses a clock from before the image was built. The host sets the clock, and nothing here knows the right time; but
    /// whatever had expired by that day stays expired.
    pub(crate) fn require_clock(self) -> Result<Self, Failure> {
        clock::require(self.ground.words.not_before.as_deref(), clock::now())?;
        Ok(self)
    }

    /// Where to report how far the enclave has got.
    pub(crate) fn progress(&self) -> Progress {
        self.ground.progress.clone()
    }
}
