//! The second step: the configuration. It comes from the host and must be the one with which the machine was launched.

use std::sync::Arc;

use chrysalis_attestation::{evidence::binding::host_data, nvidia::GpuPolicy, policy::Policy};
use chrysalis_wire::{boot::Stage, configuration::Configuration};

use crate::{boot::Ground, driver::Locked, failure::Failure, platform::OtherConfiguration};

/// An enclave that knows what it was launched to serve.
pub(crate) struct Configured {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
}

/// A configuration whose digest the hardware signs.
#[derive(Debug)]
pub(crate) struct Measured {
    /// What it says.
    pub(crate) configuration: Configuration,
    /// SHA-256 of its bytes; equals HOST_DATA on SEV-SNP.
    pub(crate) digest: [u8; 32],
    /// Which GPUs it wants; none if it does not mention any.
    pub(crate) gpus: Option<GpuPolicy>,
}

impl Locked {
    /// Takes the host's configuration, if it is the measured one.
    pub(crate) async fn accept_configuration(self) -> Result<Configured, Failure> {
        let ground = self.ground;
        let bytes = ground.host.configuration().await?;
        ground.platform.launched().await?.require(&bytes)?;
        for (stage, at_ms) in self.untold {
            ground.progress.passed_at(stage, at_ms).await;
        }
        // Parsed last: no byte of it counts until its digest is known to be the measured one.
        let configuration = Configuration::parse(&bytes)?;
        let gpus = Policy::gpu_of_configuration(&String::from_utf8_lossy(&bytes))
            .map_err(|error| Failure::GpuPolicy(error.to_string()))?;
        ground.progress.passed(Stage::ConfigurationAccepted).await;
        Ok(Configured {
            ground,
            measured: Arc::new(Measured {
                configuration,
                digest: host_data(&bytes),
                gpus,
            }),
        })
    }
}

impl From<OtherConfiguration> for Failure {
    fn from(OtherConfiguration { given, measured }: OtherConfiguration) -> Self {
        Self::ConfigurationRefused { given, measured }
    }
}
