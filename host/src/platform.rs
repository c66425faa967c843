//! Under whose protection a guest is launched: the provider's choice, or what this machine has.

use std::{fmt, path::Path};

use anyhow::bail;

use crate::{
    cli::PlatformChoice,
    doctor::confidential::{snp_is_on, tdx_is_on},
};

/// A platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    /// The host plays the security processor.
    Simulated,
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
}

impl Platform {
    /// The one that was asked for, else the best that the kernel under `root` has on.
    pub(crate) fn choose(choice: PlatformChoice, root: &Path) -> Self {
        match choice {
            PlatformChoice::Snp => Self::Snp,
            PlatformChoice::Tdx => Self::Tdx,
            PlatformChoice::Auto if snp_is_on(root) => Self::Snp,
            PlatformChoice::Auto if tdx_is_on(root) => Self::Tdx,
            PlatformChoice::Auto | PlatformChoice::Simulated => Self::Simulated,
        }
    }

    /// Refuses a launch that this machine's kernel would refuse later, and less clearly.
    pub(crate) fn check(self, root: &Path) -> anyhow::Result<()> {
        let there = match self {
            Self::Simulated => true,
            Self::Snp => snp_is_on(root),
            Self::Tdx => tdx_is_on(root),
        };
        if !there {
            bail!(
                "this machine cannot launch under {self}: its KVM does not have it on\n\
                 hint: `chrysalis-host doctor` says what is missing; --platform simulated runs everywhere, --print shows the command"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Simulated => crate::processor::NAME,
            Self::Snp => "AMD SEV-SNP",
            Self::Tdx => "Intel TDX",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn machine(parameter: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("sys/module").join(parameter);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "Y\n").unwrap();
        root
    }

    #[test]
    fn takes_what_the_machine_has_unless_told_otherwise() {
        let amd = machine("kvm_amd/parameters/sev_snp");
        let intel = machine("kvm_intel/parameters/tdx");
        let none = machine("kvm/parameters/nested");
        let auto = |root: &tempfile::TempDir| Platform::choose(PlatformChoice::Auto, root.path());
        assert_eq!(auto(&amd), Platform::Snp);
        assert_eq!(auto(&intel), Platform::Tdx);
        assert_eq!(auto(&none), Platform::Simulated);
        let simulated = Platform::choose(PlatformChoice::Simulated, amd.path());
        assert_eq!(simulated, Platform::Simulated);
    }

    #[test]
    fn refuses_what_the_machine_has_not() {
        let amd = machine("kvm_amd/parameters/sev_snp");
        assert!(Platform::Snp.check(amd.path()).is_ok());
        let refused = Platform::Tdx.check(amd.path()).unwrap_err().to_string();
        assert!(
            refused.starts_with("this machine cannot launch under Intel TDX"),
            "{refused}"
        );
    }
}
