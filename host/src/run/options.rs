//! What a provider may say about a run.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use chrysalis_attestation::{
    encoding::digest::Hex,
    snp::{bits::GuestPolicy, tcb::Tcb},
};
use chrysalis_collateral::Mirrors;
use chrysalis_measure::{CpuType, MeasureError};
use chrysalis_wire::local::HostName;
use clap::Args;

use crate::{
    cashier::options::PaymentOptions,
    launch::{
        accelerator::AcceleratorChoice, gpu::PciAddress, platform::PlatformChoice,
        protection::QuoteService,
    },
    listing::options::NetworkOptions,
    relay::options::RelayOptions,
    talk::LogFormat,
};

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The image folder, as `chrysalis-image build` makes it
    #[arg(value_name = "IMAGE_DIR")]
    pub(crate) image: PathBuf,
    /// Read options that are not given here from this file: TOML, each under its name, such as `grace = 300`
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The configuration that the hardware measures
    #[arg(long, value_name = "FILE")]
    pub(crate) configuration: PathBuf,
    /// The folder with the disks that the configuration names, each as ROOT.img: what `chrysalis-image engine` and
    /// `chrysalis-image model` write with --out
    #[arg(long, value_name = "DIR")]
    pub(crate) disks: PathBuf,
    #[command(flatten)]
    pub(crate) relay: RelayOptions,
    /// Where Prometheus asks, at /metrics; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9443")]
    pub(crate) metrics: SocketAddr,
    /// A name under which Prometheus asks, besides localhost and the address of --metrics; may be repeated. Requests for other
    /// names are refused, because a web page may send them
    #[arg(long = "metrics-name", value_name = "NAME[:PORT]")]
    pub(crate) metrics_names: Vec<HostName>,
    /// Keeps sockets, the console and the simulated vendor's keys [default: `$XDG_STATE_HOME/chrysalis`,
    /// else `~/.local/state/chrysalis`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// What protects the guest's memory; `auto` takes what this machine has
    #[arg(long, value_enum, default_value_t = PlatformChoice::Auto)]
    pub(crate) platform: PlatformChoice,
    /// Only print the QEMU command that would start the guest
    #[arg(long)]
    pub(crate) print: bool,
    /// Virtual CPUs; counted in the launch digest
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) vcpus: u32,
    /// The guest's memory
    #[arg(long, value_name = "MiB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(256..))]
    pub(crate) memory: u32,
    /// The CPU type of an SNP guest, as QEMU names it; counted in the launch digest
    #[arg(long, value_name = "TYPE", default_value_t = CpuType::EPYC_V4, value_parser = named_cpu)]
    pub(crate) cpu: CpuType,
    /// An SNP ID block, in base64, as `chrysalis measure --id-key` writes it
    #[arg(long, value_name = "FILE", requires = "id_auth")]
    pub(crate) id_block: Option<PathBuf>,
    /// The authentication of the ID block, in base64
    #[arg(long, value_name = "FILE", requires = "id_block")]
    pub(crate) id_auth: Option<PathBuf>,
    /// Who makes a TDX guest's quotes: `vsock:CID:PORT` or `unix:PATH` [default: the Unix socket of Intel's service if
    /// it is there, else vsock:2:4050]
    #[arg(long, value_name = "WHERE")]
    pub(crate) quotes: Option<QuoteService>,
    /// Give the guest this GPU, by its PCI address; may be repeated
    #[arg(long = "gpu", value_name = "ADDRESS")]
    pub(crate) gpus: Vec<PciAddress>,
    /// What executes a simulated guest's instructions; `auto` takes KVM if a trial run works
    #[arg(long, value_enum, default_value_t = AcceleratorChoice::Auto)]
    pub(crate) accelerator: AcceleratorChoice,
    /// Run this enclave as a plain process instead of a VM: for tests and development, nothing is isolated
    #[arg(long, value_name = "BINARY")]
    pub(crate) without_vm: Option<PathBuf>,
    /// The guest policy that SNP's processor, or the simulated one, enforces and reports
    #[arg(long, value_name = "HEX", default_value = "0x30000", value_parser = guest_policy)]
    pub(crate) guest_policy: GuestPolicy,
    /// The firmware levels that the simulated processor reports: boot loader, TEE, SNP, microcode
    #[arg(long, value_name = "B,T,S,U")]
    pub(crate) simulated_tcb: Option<SimulatedTcb>,
    /// Once this file is there, the first simulated GPU gets into the trouble that it names: devtools, vanish, other-device or
    /// other-driver. It is for trying out what the enclave does then
    #[arg(long, value_name = "FILE")]
    pub(crate) simulated_gpu_trouble: Option<PathBuf>,
    /// Staple to the evidence what a rebuilder or the publisher signed about the image, or all statements in a folder; may be
    /// repeated. A relying party's policy names those whose statements count
    #[arg(long = "statement", value_name = "FILE|DIR")]
    pub(crate) statements: Vec<PathBuf>,
    /// Ask another address instead of a vendor's for what is stapled to the evidence: amd=URL, intel=URL, nvidia-rim=URL and so on
    #[arg(long, value_name = "SERVICE=URL")]
    pub(crate) mirror: Vec<Mirrors>,
    /// Once the guest serves, write where and what it serves, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// The longest that answers under way may take once the run is drained, by SIGTERM or `chrysalis-host drain`
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    grace: u64,
    /// Allow a drain from another machine by the token that has this SHA-256: `POST /drain` at --metrics, with
    /// `Authorization: Bearer TOKEN`. A fleet's operator gives each pod one
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub(crate) drain_token_sha256: Option<Hex<32>>,
    /// Whom the log on stderr is for: people, or programs
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log: LogFormat,
    /// Show the guest's console and every broken connection
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten, next_help_heading = "Being paid")]
    pub(crate) payment: PaymentOptions,
    #[command(flatten, next_help_heading = "Being found")]
    pub(crate) network: NetworkOptions,
}

impl RunOptions {
    /// How long a drain may take.
    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}

/// Firmware levels as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimulatedTcb(pub(crate) Tcb);

impl FromStr for SimulatedTcb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let levels: Result<Vec<u8>, _> =
            text.split(',').map(|level| level.trim().parse()).collect();
        match levels.as_deref() {
            Ok(&[bootloader, tee, snp, microcode]) => Ok(Self(Tcb {
                fmc: None,
                bootloader,
                tee,
                snp,
                microcode,
            })),
            _ => Err("give four numbers from 0 to 255, such as 10,0,27,84".to_owned()),
        }
    }
}

fn digest(text: &str) -> Result<Hex<32>, &'static str> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| "a SHA-256 is 64 hexadecimal digits: `printf %s TOKEN | sha256sum`")?;
    Ok(Hex(bytes))
}

/// A type that QEMU knows by name: a signature alone is enough to measure a guest, not to start one.
fn named_cpu(text: &str) -> Result<CpuType, String> {
    let cpu: CpuType = text
        .parse()
        .map_err(|error: MeasureError| error.to_string())?;
    match cpu.name() {
        Some(_) => Ok(cpu),
        None => Err(
            "give QEMU's name of the type, such as EPYC-Genoa: it cannot start a CPU by its signature"
                .to_owned(),
        ),
    }
}

fn guest_policy(text: &str) -> Result<GuestPolicy, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16)
        .map(GuestPolicy)
        .map_err(|_| "give a hexadecimal number of at most 64 bits, such as 0x30000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_firmware_levels_and_refuses_others() {
        let tcb = Tcb {
            fmc: None,
            bootloader: 1,
            tee: 2,
            snp: 3,
            microcode: 255,
        };
        assert_eq!("1,2,3,255".parse(), Ok(SimulatedTcb(tcb)));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,3,256", "a,b,c,d"] {
            assert!(wrong.parse::<SimulatedTcb>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_a_guest_policy_with_and_without_prefix() {
        assert_eq!(guest_policy("0xb0000"), Ok(GuestPolicy(0xb_0000)));
        assert_eq!(guest_policy("30000"), Ok(GuestPolicy(0x3_0000)));
        assert!(guest_policy("debug").is_err());
    }
}
