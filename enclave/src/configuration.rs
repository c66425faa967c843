//! The second step: the configuration comes from the host and must be the one that the machine was launched with.

use std::sync::Arc;

use chrysalis_attestation::{
    binding::host_data, nvidia::GpuPolicy, policy::Policy, snp::report::Report,
};
use chrysalis_wire::configuration::Configuration;

use crate::{
    boot::{Booted, Ground},
    failure::Failure,
    platform::PlatformError,
};

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
    /// SHA-256 of its bytes; equals HOST_DATA.
    pub(crate) digest: [u8; 32],
    /// Which GPUs it wants; none if it says nothing of them.
    pub(crate) gpus: Option<GpuPolicy>,
}

impl Booted {
    /// Takes the host's configuration, if it is the measured one.
    pub(crate) async fn accept_configuration(self) -> Result<Configured, Failure> {
        let ground = self.ground;
        let bytes = ground.host.configuration().await?;
        let digest = host_data(&bytes);
        let signed = ground.platform.report([0; 64]).await?;
        require_measured(&digest, &signed.report)?;
        // Parsed last: no byte of it means anything before its digest is known to be the measured one.
        let configuration = Configuration::parse(&bytes)?;
        let gpus = Policy::gpu_of_configuration(&String::from_utf8_lossy(&bytes))
            .map_err(|error| Failure::GpuPolicy(error.to_string()))?;
        ground.progress.passed("configuration accepted").await;
        Ok(Configured {
            ground,
            measured: Arc::new(Measured {
                configuration,
                digest,
                gpus,
            }),
        })
    }
}

fn require_measured(digest: &[u8; 32], report: &[u8]) -> Result<(), Failure> {
    let report =
        Report::parse(report).map_err(|rejection| PlatformError::Report(rejection.to_string()))?;
    if report.host_data == *digest {
        return Ok(());
    }
    Err(Failure::ConfigurationRefused {
        given: hex::encode(digest),
        measured: hex::encode(report.host_data),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::report;

    #[test]
    fn takes_the_measured_configuration() {
        require_measured(&[7; 32], &report([0; 64], [7; 32])).unwrap();
    }

    #[test]
    fn refuses_another_configuration_and_names_both() {
        let refused = require_measured(&[7; 32], &report([0; 64], [8; 32])).unwrap_err();
        assert_eq!(refused.code(), "configuration_refused");
        let text = refused.to_string();
        assert!(
            text.contains(&"07".repeat(32)) && text.contains(&"08".repeat(32)),
            "{text}"
        );
    }
}
