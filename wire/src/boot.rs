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
    /// The disks of engines and models can be read through dm-verity.
    DisksOpened,
    /// Every byte of them is the configuration's.
    DisksVerified,
    /// The enclave has its TLS key.
    KeysMade,
    /// The GPUs are genuine, and may compute.
    GpusReady,
    /// The owners of sealed models gave their keys.
    ModelsUnsealed,
    /// The engines hold their models.
    EnginesReady,
    /// Each chat model continued the known text as it should.
    KnownAnswersGiven,
    /// The hardware signed for the key.
    Attested,
    /// Clients may come.
    Serving,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 13] = [
        Self::KernelStarted,
        Self::MachineReady,
        Self::DriverLoaded,
        Self::ConfigurationAccepted,
        Self::DisksOpened,
        Self::DisksVerified,
        Self::KeysMade,
        Self::GpusReady,
        Self::ModelsUnsealed,
        Self::EnginesReady,
        Self::KnownAnswersGiven,
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
            Self::DisksOpened => "disks opened",
            Self::DisksVerified => "disks verified",
            Self::KeysMade => "keys made",
            Self::GpusReady => "GPUs verified and set ready",
            Self::ModelsUnsealed => "models unsealed",
            Self::EnginesReady => "engines ready",
            Self::KnownAnswersGiven => "known answers given",
            Self::Attested => "attested",
            Self::Serving => "serving",
        }
    }

    /// The stage of this name, if this version has one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether it waits for disks or engines: how long it takes is then up to the models.
    pub const fn waits_for_models(self) -> bool {
        matches!(
            self,
            Self::DisksOpened
                | Self::DisksVerified
                | Self::ModelsUnsealed
                | Self::EnginesReady
                | Self::KnownAnswersGiven
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
        assert_eq!(Stage::named("keys stolen"), None);
        // Dashboards and scripts know them so.
        let names = Stage::ALL.map(Stage::name).join(" · ");
        assert_eq!(
            names,
            "kernel started · machine ready · driver loaded, kernel closed · configuration accepted · disks opened · \
             disks verified · keys made · GPUs verified and set ready · models unsealed · engines ready · known answers given · attested · serving"
        );
    }
}
