//! The stages of a boot. On the wire a stage is its name, so that a host also shows those of a newer image.

use std::fmt;

/// What a boot has passed, in the order in which it passes them. Some are left out where there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The kernel runs PID 1.
    KernelStarted,
    /// File systems are mounted, and what vouches for the machine is found.
    MachineReady,
    /// The GPU's driver is loaded, and the kernel takes no more code.
    DriverLoaded,
    /// The host's configuration is the measured one.
    ConfigurationAccepted,
    /// The weights' disk can be read through dm-verity.
    WeightsOpened,
    /// Every byte of the weights is the configuration's.
    WeightsVerified,
    /// The engine holds the weights.
    EngineLoaded,
    /// The engine continued the known text as it should.
    KnownAnswerGiven,
    /// The enclave has its TLS key.
    KeysMade,
    /// The GPUs are genuine, and may compute.
    GpusReady,
    /// The hardware signed for the key.
    Attested,
    /// Clients may come.
    Serving,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 12] = [
        Self::KernelStarted,
        Self::MachineReady,
        Self::DriverLoaded,
        Self::ConfigurationAccepted,
        Self::WeightsOpened,
        Self::WeightsVerified,
        Self::EngineLoaded,
        Self::KnownAnswerGiven,
        Self::KeysMade,
        Self::GpusReady,
        Self::Attested,
        Self::Serving,
    ];

    /// Its name, as people and programs see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KernelStarted => "kernel started",
            Self::MachineReady => "machine ready",
            Self::DriverLoaded => "driver loaded, kernel closed",
            Self::ConfigurationAccepted => "configuration accepted",
            Self::WeightsOpened => "weights opened",
            Self::WeightsVerified => "weights verified",
            Self::EngineLoaded => "engine loaded",
            Self::KnownAnswerGiven => "known answer given",
            Self::KeysMade => "keys made",
            Self::GpusReady => "GPUs verified and set ready",
            Self::Attested => "attested",
            Self::Serving => "serving",
        }
    }

    /// The stage of this name, if this version has one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether it waits for the weights or the engine: how long it takes is then up to the model.
    pub const fn waits_for_weights(self) -> bool {
        matches!(
            self,
            Self::WeightsOpened
                | Self::WeightsVerified
                | Self::EngineLoaded
                | Self::KnownAnswerGiven
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_found_by_its_name_and_in_order() {
        assert!(Stage::ALL.is_sorted());
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
        assert_eq!(Stage::named("weights stolen"), None);
        // Dashboards and scripts know them so.
        let names = Stage::ALL.map(Stage::name).join(" · ");
        assert_eq!(
            names,
            "kernel started · machine ready · driver loaded, kernel closed · configuration accepted · weights opened · \
             weights verified · engine loaded · known answer given · keys made · GPUs verified and set ready · attested · serving"
        );
    }
}
