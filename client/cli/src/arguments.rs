//! The command line, as clap reads it. Every verb's help ends in an example.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrysalis_attestation::{
    Time,
    azure::vtpm::MAX_NONCE,
    snp::{
        broken::{self, Broken},
        product::Product,
    },
};
use chrysalis_client::{
    Target,
    proxy::{HostName, Origin},
};
use chrysalis_collateral::{MirrorError, Mirrors};
use chrysalis_measure::{CpuType, MAX_VCPUS};
use clap::{Args, Parser, Subcommand, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    log::LogCommand,
    measure::MeasureArguments,
    release::{AuditArguments, Publisher, ReleaseCommand},
    subject::Subject,
};

/// Know what answers before a byte of prompt leaves.
#[derive(Debug, Parser)]
#[command(
    name = "chrysalis",
    version,
    arg_required_else_help = true,
    after_help = "Example:\n  chrysalis policy init --release v1/manifest.json --root 1.root.json --keys publication --configuration configuration.toml > policy.toml\n  chrysalis verify https://llm.example --policy policy.toml\n  chrysalis proxy https://llm.example --policy policy.toml --listen 127.0.0.1:8080"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify an enclave, or evidence in a file, against a policy
    Verify(Box<VerifyArguments>),
    /// Fetch what evidence needs from its vendors, so that `verify` needs no network
    Fetch(FetchArguments),
    /// Explain evidence field by field, without trusting it
    Show(ShowArguments),
    /// Verify an enclave, then ask it one question and stream the answer
    Chat(ChatArguments),
    /// Serve an OpenAI-compatible endpoint on this machine that forwards over verified connections only
    Proxy(ProxyArguments),
    /// Compute what the hardware will say about an image you built
    Measure(MeasureArguments),
    /// Sign what an image is, or check what was signed
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis release verify manifest.json --key release.pub"
    )]
    Release(ReleaseCommand),
    /// Rebuild a release and say whether it is the same, or where it differs
    Audit(AuditArguments),
    /// Keep or check a transparency log of releases
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis log verify log/ --key log.pub"
    )]
    Log(LogCommand),
    /// Make policies
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis policy init --release manifest.json --key release.pub --configuration configuration.toml > policy.toml"
    )]
    Policy(PolicyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a policy that trusts exactly one image and configuration
    Init(PolicyInitArguments),
}

/// What a relying party brings.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// A store of `chrysalis fetch`, or a folder of certificates and revocation lists (.pem, .der, .crt, .cer, .crl), for
    /// evidence that carries none
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// What a rebuilder signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Judge as at this moment instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
}

/// Who is asked where a policy says `revocation = "asked"`.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// With revocation = "asked" in the policy: ask another responder than NVIDIA's whether GPUs' certificates are revoked
    #[arg(long, value_name = "nvidia-ocsp=URL", value_parser = responder)]
    pub(crate) mirror: Option<Mirrors>,
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit code 0: trusted or, without a policy, genuine. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify https://llm.example --policy policy.toml --save evidence.cbor\n  chrysalis verify evidence.cbor --policy policy.toml"
)]
pub(crate) struct VerifyArguments {
    #[command(subcommand)]
    pub(crate) evidence: Option<EvidenceCommand>,
    /// An enclave (https://HOST:PORT), a saved session, a certificate, a bare bundle, or `-` for stdin
    #[arg(value_name = "URL|FILE", required = true)]
    pub(crate) subject: Option<Subject>,
    #[command(flatten)]
    pub(crate) options: VerifyOptions,
}

/// How a conversation is judged and told.
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// What you want; without one, evidence is found genuine at best
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Go without; the verdict then lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<BundleInput>,
    /// Accept a product line of AMD's that is known to be broken, such as milan; with a policy, `snp.broken` says so
    #[arg(long, value_name = "PRODUCT", conflicts_with = "policy", value_parser = broken_product)]
    pub(crate) accept_broken: Vec<Product>,
    /// Run every check that can be run and report all failures, not only the first
    #[arg(long)]
    pub(crate) explain_only: bool,
    #[command(flatten)]
    pub(crate) conversation: Conversation,
    /// Keep the evidence, to verify it again offline
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = VerdictFormat::Text)]
    pub(crate) format: VerdictFormat,
    /// Say nothing; the exit code is the verdict
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print every check
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

/// Which conversation a bare bundle is about. A saved session and a certificate say so themselves.
#[derive(Debug, Args)]
pub(crate) struct Conversation {
    /// For a bundle without its session: the peer's TLS key, a public key or a certificate, DER or PEM
    #[arg(long, value_name = "FILE", requires = "nonce", requires = "exporter")]
    pub(crate) key: Option<PathBuf>,
    /// For a bundle without its session: what the enclave was asked, 32 bytes in hex
    #[arg(long, value_name = "HEX", requires = "key", value_parser = nonce)]
    pub(crate) nonce: Option<[u8; 32]>,
    /// For a bundle without its session: the connection's RFC 9266 `tls-exporter`, 32 bytes in hex
    #[arg(long, value_name = "HEX", requires = "key", value_parser = nonce)]
    pub(crate) exporter: Option<[u8; 32]>,
}

/// What a verification of a conversation may go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BundleInput {
    /// AMD's revocation list
    Crl,
    /// OCSP answers: whether GPUs' certificates are revoked
    Ocsp,
    /// Reference manifests: whether GPUs' firmware is one that NVIDIA published
    Rim,
    /// The firmware's identity in GPU reports of 2023, which lack it
    Fwid,
    /// A TD's event log, where a policy asks for it
    EventLog,
    /// Knowing that the evidence is not old, where a policy asks for it
    Freshness,
    /// The conversation of a bare bundle: then nothing says who talks, and nothing is trusted
    Session,
}

/// How a verdict is printed.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Say nothing; the exit code is the verdict
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print every check
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Verify an AMD SEV-SNP report in a file
    Snp(SnpArguments),
    /// Verify the quote of an Intel TDX guest in a file
    Tdx(TdxArguments),
    /// Verify the evidence of NVIDIA GPUs in a file
    Nvidia(NvidiaArguments),
    /// Verify a saved session in a file
    Bundle(BundleArguments),
}

/// What all evidence in files is judged and told by.
#[derive(Debug, Args)]
pub(crate) struct FileOptions {
    /// What you want; without one, the verdict is `genuine` at best
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Judge as at this moment instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
    /// Run every check that can be run and report all failures, not only the first
    #[arg(long)]
    pub(crate) explain_only: bool,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify snp --report report.bin --cert vcek.der --crl genoa.crl"
)]
pub(crate) struct SnpArguments {
    /// The report: 1184 bytes, or Azure's HCL report around it, bare, in hex or base64; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) report: PathBuf,
    /// VCEK or VLEK certificate (DER, PEM, a certificate table such as configfs-tsm's auxblob, or Azure's THIM answer), and others of its chain
    #[arg(
        long = "cert",
        value_name = "FILE",
        required_unless_present = "collateral"
    )]
    pub(crate) certificates: Vec<PathBuf>,
    /// The root's revocation list (DER or PEM)
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) lists: Vec<PathBuf>,
    /// A store of `chrysalis fetch`, for what the other options do not bring
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// What the guest was asked to put into `REPORT_DATA`: up to 64 bytes in hex, filled up with zeros
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    #[command(flatten)]
    pub(crate) tpm: TpmArguments,
    /// What a rebuilder signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    /// Go without; the verdict then lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<SnpInput>,
    /// Accept a product line that is known to be broken, such as milan; with a policy, `snp.broken` says so
    #[arg(long, value_name = "PRODUCT", conflicts_with = "policy", value_parser = broken_product)]
    pub(crate) accept_broken: Vec<Product>,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of a report may go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SnpInput {
    /// Revocation list
    Crl,
    /// Knowing, by --report-data or --nonce, that the evidence is not old
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted
    Pcrs,
}

/// The quote of Azure's virtual TPM, beside the evidence whose HCL report names its key.
#[derive(Debug, Args)]
pub(crate) struct TpmArguments {
    /// The quote of Azure's virtual TPM, whose key the HCL report covers: its message (`TPMS_ATTEST`), or the JSON of Azure's guests
    #[arg(long, value_name = "FILE")]
    pub(crate) tpm_quote: Option<PathBuf>,
    /// The quote's signature, bare or as TPM tools write it; JSON brings its own
    #[arg(long, value_name = "FILE", requires = "tpm_quote")]
    pub(crate) tpm_signature: Option<PathBuf>,
    /// Values of the quoted PCRs (SHA-256), one after the other in their order, as bytes or hex; JSON brings its own
    #[arg(long, value_name = "FILE", requires = "tpm_quote")]
    pub(crate) tpm_pcrs: Option<PathBuf>,
    /// What the virtual TPM was asked: up to 66 bytes in hex
    #[arg(long, value_name = "HEX", requires = "tpm_quote", value_parser = tpm_nonce)]
    pub(crate) nonce: Option<TpmNonce>,
}

/// What a virtual TPM is asked with: as many bytes as it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TpmNonce(pub(crate) Vec<u8>);

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify tdx --quote quote.bin --collateral collateral.json"
)]
pub(crate) struct TdxArguments {
    /// The quote: bytes, hex or base64; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) quote: PathBuf,
    /// What Intel says about the platform: TCB info, QE identity and revocation lists with their chains, in one JSON object
    /// or in a store of `chrysalis fetch`
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) collateral: PathBuf,
    /// Azure's HCL report, around the TDREPORT that the quote was made of
    #[arg(long, value_name = "FILE")]
    pub(crate) hcl_report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tpm: TpmArguments,
    /// What was measured into the run-time registers: the CCEL table's data
    #[arg(long, value_name = "FILE")]
    pub(crate) event_log: Option<PathBuf>,
    /// What the TD was asked to put into `REPORTDATA`: up to 64 bytes in hex, filled up with zeros
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    /// What a rebuilder signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    /// Go without; the verdict then lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<TdxInput>,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of a quote may go without, though a policy asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TdxInput {
    /// Event log: what made the run-time registers
    EventLog,
    /// Knowing, by --report-data or --nonce, that the evidence is not old
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted
    Pcrs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify nvidia --report report.bin --chain chain.pem --nonce 931d…4dfcb --rim driver.xml --rim vbios.xml --without ocsp"
)]
pub(crate) struct NvidiaArguments {
    /// The report: bytes, hex or base64; or JSON with all GPUs: of NVIDIA's attestation SDK, a request to its service, `evidences`, a CMW collection; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) report: PathBuf,
    /// The device's certificates, PEM, from the leaf to the root; JSON brings its own
    #[arg(long, value_name = "FILE")]
    pub(crate) chain: Option<PathBuf>,
    /// Evidence of the switches between GPUs in protected-PCIe mode: the JSON of NVIDIA's attestation SDK; it may also stand
    /// among that of the GPUs
    #[arg(long, value_name = "FILE")]
    pub(crate) switches: Option<PathBuf>,
    /// What the GPUs were asked: 32 bytes in hex
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    pub(crate) nonce: [u8; 32],
    /// A reference manifest of the driver, the VBIOS or a switch's firmware: XML, or the answer of NVIDIA's RIM service
    #[arg(long = "rim", value_name = "FILE")]
    pub(crate) rims: Vec<PathBuf>,
    /// An OCSP answer (DER)
    #[arg(long = "ocsp", value_name = "FILE")]
    pub(crate) answers: Vec<PathBuf>,
    /// A store of `chrysalis fetch`, for what the other options do not bring
    #[arg(long, value_name = "DIR")]
    pub(crate) collateral: Option<PathBuf>,
    /// Go without; the verdict then lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<GpuInput>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    #[command(flatten)]
    pub(crate) options: FileOptions,
}

/// What a verification of GPUs may go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GpuInput {
    /// OCSP answers: whether certificates are revoked
    Ocsp,
    /// Reference manifests: whether the firmware is one that NVIDIA published
    Rim,
    /// The firmware's identity in reports of 2023, which lack it
    Fwid,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis verify bundle evidence.cbor --policy policy.toml")]
pub(crate) struct BundleArguments {
    /// A saved session, a certificate, a bare bundle, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) options: VerifyOptions,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: all of it is there. 1: a vendor's answer is no, or something in the store no longer holds. \
                  2: not all could be asked for.\n\nExample:\n  chrysalis fetch report.bin --into collateral\n  \
                  chrysalis fetch --status collateral\n  chrysalis verify snp --report report.bin --collateral collateral"
)]
pub(crate) struct FetchArguments {
    /// Reports, quotes, GPU evidence (a bare report with its chain in PEM), saved sessions, certificates or enclaves
    /// (https://HOST:PORT), or `-` for stdin
    #[arg(value_name = "EVIDENCE", required_unless_present = "status")]
    pub(crate) evidence: Vec<Subject>,
    /// The folder to keep it in
    #[arg(long, value_name = "DIR", required_unless_present = "status")]
    pub(crate) into: Option<PathBuf>,
    /// Ask another address instead of a vendor's; SERVICE is amd, intel, intel-root, nvidia-rim or nvidia-ocsp
    #[arg(long, value_name = "SERVICE=URL", conflicts_with = "status")]
    pub(crate) mirror: Vec<Mirrors>,
    /// Fetch what is fresh in the folder too
    #[arg(long, conflicts_with = "status")]
    pub(crate) refresh: bool,
    /// Which of Intel's rules to ask for on how current a TDX platform must be
    #[arg(long, value_enum, default_value_t = Update::Standard, conflicts_with = "status")]
    pub(crate) update: Update,
    /// Fetch nothing: say what of this folder is fresh, and until when
    #[arg(long, value_name = "DIR", conflicts_with_all = ["evidence", "into"])]
    pub(crate) status: Option<PathBuf>,
    /// With --status: as at this moment instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "status")]
    pub(crate) at: Option<Time>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Say nothing; the exit code tells
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Which of Intel's rules on how current a TDX platform must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Update {
    /// Those that Intel applies by default, up to a year after it published what they ask for
    Standard,
    /// Those of Intel's newest evaluation, from the day of its publication: more platforms are out of date by them
    Early,
}

impl From<Update> for chrysalis_collateral::Update {
    fn from(update: Update) -> Self {
        match update {
            Update::Standard => Self::Standard,
            Update::Early => Self::Early,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis show https://llm.example\n  chrysalis show evidence.cbor"
)]
pub(crate) struct ShowArguments {
    /// An enclave (https://HOST:PORT), or a saved session, bundle, certificate or 1184-byte report, or `-` for stdin
    #[arg(value_name = "URL|FILE")]
    pub(crate) subject: Subject,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis chat https://llm.example \"What is a chrysalis?\" --policy policy.toml"
)]
pub(crate) struct ChatArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What to ask, or `-` for stdin
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: String,
    /// What you want of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// The model; by default the one in the enclave's claims
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The most tokens of the answer
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// 0 answers with the likeliest token every time; at most 2
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f32>,
    /// The same seed and question give the same answer
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    /// Instructions before the question
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis proxy https://llm.example --policy policy.toml\n  curl http://127.0.0.1:8080/v1/models\n\n\
                  For an app that is a page:\n  chrysalis proxy https://llm.example --policy policy.toml --allow-origin app://obsidian.md\n\n\
                  For other machines, which show the token as their API key:\n  chrysalis proxy https://llm.example --policy policy.toml \
                  --listen 192.168.1.5:8080 --allow-remote --token-file token"
)]
pub(crate) struct ProxyArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What you want of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Let other machines in, where --listen names an address that they reach: every request then shows the token
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// The token that every request shows as its API key, at least 16 characters; without a file, --allow-remote makes one
    /// up and prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A name under which programs reach the proxy, such as host.docker.internal, besides localhost and its own address; may
    /// be repeated
    #[arg(long = "host-name", value_name = "NAME[:PORT]")]
    pub(crate) host_names: Vec<HostName>,
    /// An app that is a web page, by its origin as the browser writes it (`app://obsidian.md`, `http://localhost:3000`); may
    /// be repeated. Other pages are refused
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<Origin>,
    /// How long to wait before verifying again, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) reverify: Duration,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis policy init --release v1/manifest.json --root 1.root.json --keys publication --configuration configuration.toml > policy.toml\n  chrysalis policy init --image build/cpu --vcpus 2 --configuration configuration.toml --minimum-tcb measurements/releases/minimum-tcb.toml > policy.toml"
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
    /// Trust the simulated platform of these root certificates instead of hardware: for tests only; PEM, may be repeated
    #[arg(long = "simulated-root", value_name = "FILE")]
    pub(crate) simulated_roots: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictFormat {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
    /// For programs that read EAT attestation results: the claims set, not signed
    Ear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

pub(crate) fn moment(text: &str) -> Result<Time, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(|moment| Time(moment.unix_timestamp()))
        .map_err(|_| "write it as 2026-12-01T12:00:00Z".to_owned())
}

/// A product line by its name in policies. A sound one is not to be accepted ahead of its day.
fn broken_product(text: &str) -> Result<Product, String> {
    let known = |broken: &Broken| broken.product.name().to_lowercase();
    let found = broken::KNOWN.iter().find(|broken| known(broken) == text);
    found.map(|broken| broken.product).ok_or_else(|| {
        let all: Vec<_> = broken::KNOWN.iter().map(known).collect();
        format!("known to be broken: {}", all.join(", "))
    })
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, in words".to_owned()),
        why => Ok(why.to_owned()),
    }
}

/// The one service that a verification asks.
fn responder(text: &str) -> Result<Mirrors, String> {
    if text.starts_with("nvidia-ocsp=") || !text.contains('=') {
        return text.parse().map_err(|error: MirrorError| error.to_string());
    }
    Err(
        "only nvidia-ocsp is asked here; `chrysalis fetch` asks the others ahead of time"
            .to_owned(),
    )
}

fn nonce(text: &str) -> Result<[u8; 32], String> {
    let mut nonce = [0; 32];
    hex::decode_to_slice(text, &mut nonce)
        .map(|()| nonce)
        .map_err(|_| "write it as 64 hex digits".to_owned())
}

fn tpm_nonce(text: &str) -> Result<TpmNonce, String> {
    let nonce = hex::decode(text).map_err(|_| "write it as hex digits".to_owned())?;
    if nonce.is_empty() || nonce.len() > MAX_NONCE {
        return Err(format!("it has from 1 to {MAX_NONCE} bytes"));
    }
    Ok(TpmNonce(nonce))
}

fn report_data(text: &str) -> Result<[u8; 64], String> {
    let mut data = [0; 64];
    let given = hex::decode(text).map_err(|_| "write it as hex digits".to_owned())?;
    let place = data
        .get_mut(..given.len())
        .filter(|_| !given.is_empty())
        .ok_or("it has from 1 to 64 bytes")?;
    place.copy_from_slice(&given);
    Ok(data)
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 30s, 5m or 1h".to_owned();
    let (number, seconds) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match u64::from(number).checked_mul(seconds) {
        None | Some(0) => Err(wrong()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        let mut open = vec![Arguments::command()];
        while let Some(command) = open.pop() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example:\n  chrysalis "),
                "{}",
                command.get_name()
            );
            open.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn reads_times_as_people_write_them() {
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        for wrong in ["", "5", "0s", "-1s", "5 m", "m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment("1970-01-01T00:01:00Z"), Ok(Time(60)));
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn only_a_broken_line_is_accepted_as_one_and_only_with_words_is_a_level_left_out() {
        assert_eq!(broken_product("milan"), Ok(Product::Milan));
        let error = "known to be broken: milan".to_owned();
        for sound in ["genoa", "turin", "Milan", ""] {
            assert_eq!(broken_product(sound), Err(error.clone()), "{sound}");
        }
        assert_eq!(reason(" a test "), Ok("a test".to_owned()));
        assert!(reason(" ").is_err());
    }

    #[test]
    fn only_nvidias_responder_has_a_mirror_here() {
        assert!(responder("nvidia-ocsp=https://ocsp.example").is_ok());
        for wrong in ["amd=https://kds.example", "https://ocsp.example/?a=b"] {
            assert!(
                responder(wrong).unwrap_err().contains("only nvidia-ocsp"),
                "{wrong}"
            );
        }
        for wrong in ["nvidia-ocsp", "nvidia-ocsp=ocsp.example"] {
            assert!(responder(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_what_was_asked_for_as_hex() {
        assert_eq!(nonce(&"0a".repeat(32)), Ok([10; 32]));
        assert!(nonce("0a").is_err());
        assert_eq!(tpm_nonce("0a0B"), Ok(TpmNonce(vec![10, 11])));
        for wrong in ["", "0", "xy", &"00".repeat(MAX_NONCE + 1)] {
            assert!(tpm_nonce(wrong).is_err(), "{wrong}");
        }
        let mut data = [0; 64];
        data[0] = 10;
        assert_eq!(report_data("0A"), Ok(data));
        for wrong in ["", "0", "xy", &"00".repeat(65)] {
            assert!(report_data(wrong).is_err(), "{wrong}");
        }
    }
}
