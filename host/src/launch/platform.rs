//! Under whose protection a guest is launched: the provider's choice, or what this machine has.

use std::{fmt, fs, path::Path};

use anyhow::bail;
use clap::ValueEnum;

use crate::simulation::processor::NAME;

/// What protects the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlatformChoice {
    /// What this machine has
    Auto,
    /// Nothing: the host plays the security processor
    Simulated,
    /// AMD SEV-SNP
    Snp,
    /// Intel TDX
    Tdx,
}

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
    /// The requested one, or else the best that the kernel under `root` has on.
    pub(crate) fn choose(choice: PlatformChoice, root: &Path) -> Self {
        match choice {
            PlatformChoice::Snp => Self::Snp,
            PlatformChoice::Tdx => Self::Tdx,
            PlatformChoice::Auto if Self::Snp.is_on(root) => Self::Snp,
            PlatformChoice::Auto if Self::Tdx.is_on(root) => Self::Tdx,
            PlatformChoice::Auto | PlatformChoice::Simulated => Self::Simulated,
        }
    }

    /// Whether the KVM under `root` can start such guests.
    pub(crate) fn is_on(self, root: &Path) -> bool {
        let switch = match self {
            Self::Simulated => return true,
            Self::Snp => "kvm_amd/parameters/sev_snp",
            Self::Tdx => "kvm_intel/parameters/tdx",
        };
        let text = fs::read_to_string(root.join("sys/module").join(switch));
        text.is_ok_and(|text| matches!(text.trim(), "Y" | "1"))
    }

    /// Refuses a launch that this machine's kernel would refuse later, and less clearly.
    pub(crate) fn check(self, root: &Path) -> anyhow::Result<()> {
        if !self.is_on(root) {
            bail!(
                "this machine cannot launch under {self}: its KVM does not have it on\n\
                 hint: run `chrysalis-host doctor` to see what is missing, or use --platform simulated, which runs everywhere; --print \
                 shows the command"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Simulated => NAME,
            Self::Snp => "AMD SEV-SNP",
            Self::Tdx => "Intel TDX",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn refuses_what_the_machine_does_not_have() {
        let amd = machine("kvm_amd/parameters/sev_snp");
        assert!(Platform::Snp.check(amd.path()).is_ok());
        let refused = Platform::Tdx.check(amd.path()).unwrap_err().to_string();
        assert!(
            refused.starts_with("this machine cannot launch under Intel TDX"),
            "{refused}"
        );
    }
}
