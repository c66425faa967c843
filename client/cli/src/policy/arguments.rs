//! The command line of `policy`.

use std::{path::PathBuf, str::FromStr};

use chrysalis_measure::{CpuType, MAX_VCPUS};
use clap::{Args, Subcommand};

use super::models::Named;
use crate::release::Publisher;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a policy that trusts exactly one image and configuration
    Init(PolicyInitArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis policy init --release v1/manifest.json --root 1.root.json --keys publication --configuration configuration.toml > policy.toml\n  chrysalis policy init --image build/cpu --vcpus 2 --configuration configuration.toml --minimum-tcb measurements/releases/minimum-tcb.toml --model smollm2-135m-instruct=$(sha256sum < smollm2.gguf | cut -c-64) > policy.toml"
)]
pub(crate) struct PolicyInitArguments {
    /// The image folder to trust
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "release",
        requires = "vcpus",
        conflicts_with_all = ["root", "keys", "key", "log", "log_key", "development_root"]
    )]
    pub(crate) image: Option<PathBuf>,
    /// How many virtual CPUs the guest has
    #[arg(long, value_name = "N", conflicts_with = "release", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    pub(crate) vcpus: Option<u32>,
    /// Which CPU type the guest sees: QEMU's name, or the CPUID signature in hex or decimal
    #[arg(long, value_name = "TYPE", default_value = "EPYC-v4")]
    pub(crate) cpu: CpuType,
    /// The manifest of a release to trust instead, on each machine that it lists
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    pub(crate) release: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) publisher: Publisher,
    /// The configuration to trust
    #[arg(long, value_name = "FILE")]
    pub(crate) configuration: PathBuf,
    /// A model that must be served, by its name in the API and the SHA-256 of its weights; may be repeated. The models that the
    /// configuration names are listed anyway, and must have these weights
    #[arg(long = "model", value_name = "NAME=DIGEST")]
    pub(crate) models: Vec<Named>,
    /// The lowest firmware levels of AMD's product lines, where no release names them: TOML with a table for each line
    #[arg(long, value_name = "FILE")]
    pub(crate) minimum_tcb: Option<PathBuf>,
    /// Leave AMD's firmware levels unchecked instead, for this reason, which verdicts repeat
    #[arg(long, value_name = "WHY", conflicts_with = "minimum_tcb", value_parser = reason)]
    pub(crate) minimum_tcb_unchecked: Option<String>,
    /// Accept TDX too, by Intel's rules with this tcbEvaluationDataNumber or a later one
    #[arg(long, value_name = "N", conflicts_with = "image", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minimum_evaluation: Option<u32>,
    /// Accept TDX too, by Intel's rules of any age, for this reason, which verdicts repeat
    #[arg(long, value_name = "WHY", conflicts_with_all = ["image", "minimum_evaluation"], value_parser = reason)]
    pub(crate) minimum_evaluation_unchecked: Option<String>,
    /// On TDX, the machine's ACPI tables: a folder with table-loader, rsdp and tables, copied from `/sys/firmware/qemu_fw_cfg/by_name/etc`
    /// of a guest
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub(crate) acpi: Option<PathBuf>,
    /// On TDX, accept any ACPI tables, for this reason, which verdicts repeat
    #[arg(long, value_name = "WHY", conflicts_with_all = ["image", "acpi"], value_parser = reason)]
    pub(crate) acpi_unchecked: Option<String>,
    /// How many GPUs there must be; by default as many as the configuration asks for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) gpus: Option<u32>,
    /// The oldest driver of the GPUs; by default what the configuration asks for
    #[arg(long, value_name = "VERSION")]
    pub(crate) minimum_driver: Option<String>,
    /// The public key of someone who must have rebuilt the image; may be repeated
    #[arg(long = "rebuilder", value_name = "FILE")]
    pub(crate) rebuilders: Vec<PathBuf>,
    /// How many of the rebuilders must confirm the image; by default all
    #[arg(long, value_name = "N", requires = "rebuilders", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) at_least: Option<u32>,
    /// Set any other key of the policy, such as `gpu.revocation="asked"` or `snp.provisional_firmware=true`; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) settings: Vec<Setting>,
    /// Trust the simulated platform of these root certificates instead of hardware: for tests only; PEM, may be repeated
    #[arg(long = "simulated-root", value_name = "FILE")]
    pub(crate) simulated_roots: Vec<PathBuf>,
}

/// A key of a policy, and its value in TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "write it as SECTION.KEY=VALUE, such as gpu.revocation=\"asked\"";
        let (name, value) = text.split_once('=').ok_or(wrong)?;
        let (section, key) = name.trim().split_once('.').ok_or(wrong)?;
        let is_key = |key: &str| {
            let plain = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit() || *it == b'_';
            !key.is_empty() && key.as_bytes().iter().all(plain)
        };
        let value = value.trim();
        let one_line = !value.is_empty() && !value.contains(char::is_control);
        if !is_key(section) || !key.split('.').all(is_key) || !one_line {
            return Err(wrong.to_owned());
        }
        Ok(Self {
            section: section.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, in words".to_owned()),
        why => Ok(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_with_words_is_a_level_left_out() {
        assert_eq!(reason(" a test "), Ok("a test".to_owned()));
        assert!(reason(" ").is_err());
    }

    #[test]
    fn a_setting_is_one_key_and_one_line() {
        let setting: Setting = "snp.minimum_tcb.genoa={ snp = 1 }".parse().expect("one");
        assert_eq!(
            (&*setting.section, &*setting.key, &*setting.value),
            ("snp", "minimum_tcb.genoa", "{ snp = 1 }")
        );
        for wrong in [
            "",
            "gpu.count",
            "count=1",
            "gpu.=1",
            ".count=1",
            "gpu.count=",
            "gpu.count=1\n[snp]",
            "gpu]\n[snp.a=1",
        ] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
    }
}
