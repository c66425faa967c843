//! The digest that the machine was launched with, where each kind of hardware keeps it.

use chrysalis_attestation::{encoding::digest::sha384, evidence::binding::host_data};

/// What the hardware says the machine was launched with: here the provider put the configuration's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launched {
    /// SEV-SNP's HOST_DATA: SHA-256.
    HostData([u8; 32]),
    /// TDX's MRCONFIGID: SHA-384.
    ConfigurationId([u8; 48]),
}

/// Two digests that differ, in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherConfiguration {
    /// That of what the host supplied.
    pub(crate) given: String,
    /// What the hardware says.
    pub(crate) measured: String,
}

impl Launched {
    /// Checks that the machine was launched with this configuration.
    pub(crate) fn require(&self, configuration: &[u8]) -> Result<(), OtherConfiguration> {
        let (given, measured) = match self {
            Self::HostData(measured) => {
                (hex::encode(host_data(configuration)), hex::encode(measured))
            }
            Self::ConfigurationId(measured) => {
                (hex::encode(sha384(&[configuration])), hex::encode(measured))
            }
        };
        if given == measured {
            return Ok(());
        }
        Err(OtherConfiguration { given, measured })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_configuration_that_either_hardware_names() {
        Launched::HostData(host_data(b"text"))
            .require(b"text")
            .unwrap();
        Launched::ConfigurationId(sha384(&[b"text"]))
            .require(b"text")
            .unwrap();
    }

    #[test]
    fn refuses_another_configuration_and_names_both() {
        let refused = Launched::HostData([8; 32]).require(b"text").unwrap_err();
        assert_eq!(refused.given, hex::encode(host_data(b"text")));
        assert_eq!(refused.measured, "08".repeat(32));
        let refused = Launched::ConfigurationId([8; 48])
            .require(b"text")
            .unwrap_err();
        assert_eq!(refused.given, hex::encode(sha384(&[b"text"])));
        assert_eq!(refused.measured, "08".repeat(48));
    }
}
