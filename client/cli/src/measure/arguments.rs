//! The command line of `measure`.

use std::path::PathBuf;

use chrysalis_measure::{CpuType, MAX_MEMORY, MAX_VCPUS, SnpPolicy};
use clap::{Args, ValueEnum};

use crate::options::Format;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis measure build/cpu --platform snp --vcpus 2")]
pub(crate) struct MeasureArguments {
    /// An image folder, as `chrysalis-image build` makes it
    #[arg(value_name = "DIR")]
    pub(crate) image: PathBuf,
    /// The hardware that would measure it
    #[arg(long, value_enum, required_unless_present = "compare")]
    pub(crate) platform: Option<Platform>,
    /// Measure the command line of the simulated platform
    #[arg(long)]
    pub(crate) simulated: bool,
    /// Name the first thing in which another image folder differs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["platform", "simulated"])]
    pub(crate) compare: Option<PathBuf>,
    /// How to print what consists of several values
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) snp: SnpArguments,
    #[command(flatten)]
    pub(crate) tdx: TdxArguments,
}

/// What of the machine is in SNP's launch digest, and who signs it.
#[derive(Debug, Args)]
#[command(next_help_heading = "SNP")]
pub(crate) struct SnpArguments {
    /// How many virtual CPUs the guest has
    #[arg(long, value_name = "N", required_if_eq("platform", "snp"), value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    pub(crate) vcpus: Option<u32>,
    /// Which CPU type the guest sees: QEMU's name, or the CPUID signature in hex (0xa10f11) or decimal [default: EPYC-v4]
    #[arg(long, value_name = "TYPE")]
    pub(crate) cpu: Option<CpuType>,
    /// `SEV_FEATURES` of the virtual CPUs [default: 1, SNP alone]
    #[arg(long, value_name = "HEX", value_parser = hex_number)]
    pub(crate) guest_features: Option<u64>,
    /// Sign an ID block with this P-384 key
    #[arg(long, value_name = "PEM", requires_all = ["author_key", "out"])]
    pub(crate) id_key: Option<PathBuf>,
    /// The P-384 key that vouches for the ID key
    #[arg(long, value_name = "PEM", requires = "id_key")]
    pub(crate) author_key: Option<PathBuf>,
    /// Where to write id-block and id-auth, as QEMU takes them
    #[arg(long, value_name = "DIR", requires = "id_key")]
    pub(crate) out: Option<PathBuf>,
    /// The policy that the ID block demands [default: 0x30000]
    #[arg(long, value_name = "HEX", requires = "id_key", value_parser = policy)]
    pub(crate) guest_policy: Option<SnpPolicy>,
    /// Your name of a family of images [default: zeroes]
    #[arg(long, value_name = "HEX", requires = "id_key", value_parser = identifier)]
    pub(crate) family_id: Option<[u8; 16]>,
    /// Your name of the image [default: zeroes]
    #[arg(long, value_name = "HEX", requires = "id_key", value_parser = identifier)]
    pub(crate) image_id: Option<[u8; 16]>,
    /// The image's security version [default: 0]
    #[arg(long, value_name = "N", requires = "id_key")]
    pub(crate) guest_svn: Option<u32>,
}

/// What of the machine is in TDX's registers.
#[derive(Debug, Args)]
#[command(next_help_heading = "TDX")]
pub(crate) struct TdxArguments {
    /// The guest's memory
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=MAX_MEMORY))]
    pub(crate) memory: Option<u64>,
    /// A folder with QEMU's table-loader, rsdp and tables
    #[arg(long, value_name = "DIR")]
    pub(crate) acpi: Option<PathBuf>,
    /// The configuration, for MRCONFIGID
    #[arg(long, value_name = "FILE")]
    pub(crate) configuration: Option<PathBuf>,
    /// Compare a guest's event log with the image, and name the first event that differs
    #[arg(long, value_name = "FILE")]
    pub(crate) event_log: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// AMD SEV-SNP
    Snp,
    /// Intel TDX
    Tdx,
}

impl SnpArguments {
    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        // The rest needs `--id-key`.
        [
            ("--vcpus", self.vcpus.is_some()),
            ("--cpu", self.cpu.is_some()),
            ("--guest-features", self.guest_features.is_some()),
            ("--id-key", self.id_key.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}

impl TdxArguments {
    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            ("--memory", self.memory.is_some()),
            ("--acpi", self.acpi.is_some()),
            ("--configuration", self.configuration.is_some()),
            ("--event-log", self.event_log.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}

fn hex_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| "write it as up to 16 hex digits".to_owned())
}

/// Bit 17 is one in every policy that the processor takes (AMD 56860, table 10).
fn policy(text: &str) -> Result<SnpPolicy, String> {
    const ONE: u64 = 1 << 17;
    let number = hex_number(text)?;
    if number & ONE == 0 {
        return Err("bit 17 (0x20000) must be set in every policy".to_owned());
    }
    Ok(SnpPolicy(number))
}

fn identifier(text: &str) -> Result<[u8; 16], String> {
    let mut identifier = [0; 16];
    hex::decode_to_slice(text, &mut identifier)
        .map(|()| identifier)
        .map_err(|_| "write it as 32 hex digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_people_write_them() {
        assert_eq!(hex_number("0x21"), Ok(0x21));
        assert_eq!(hex_number("21"), Ok(0x21));
        for wrong in ["", "0x", "xyz", "0x10000000000000000"] {
            assert!(hex_number(wrong).is_err(), "{wrong}");
        }
        assert_eq!(policy("0x30000"), Ok(SnpPolicy::default()));
        assert!(policy("0x10000").unwrap_err().contains("bit 17"));
        assert_eq!(identifier(&"0a".repeat(16)), Ok([10; 16]));
        assert!(identifier("0a").is_err());
    }
}
