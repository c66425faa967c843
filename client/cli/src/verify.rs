//! `verify`: evidence from the network or a file, checked against a policy.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrysalis_attestation::{Found, Waivers, evidence::KeyAgreement, snp::product::Product};
use chrysalis_client::Error;
use chrysalis_verifier::{Artifact, Parts, Without, agreement, broken_product};
use clap::{Args, Subcommand, ValueEnum};

use crate::{
    files::{self, nvidia::NvidiaArguments, snp::SnpArguments, tdx::TdxArguments},
    judge::Judge,
    options::{Judging, Telling, nonce},
    outcome::Outcome,
    subject::{self, Subject},
    verdict::{self, Manner},
};

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
    /// What you require; without a policy the verdict is `genuine` at best
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Accept without this input; the verdict lists it as not checked
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) without: Vec<BundleInput>,
    /// Accept an AMD product line that is known to be broken, such as milan; with a policy, set `snp.broken` there instead
    #[arg(long, value_name = "PRODUCT", conflicts_with = "policy", value_parser = broken_product)]
    pub(crate) accept_broken: Vec<Product>,
    /// Run every possible check and report all failures, not only the first
    #[arg(long)]
    pub(crate) explain_only: bool,
    #[command(flatten)]
    pub(crate) conversation: Conversation,
    /// Save the evidence, to verify it again offline
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

/// Which conversation a bare bundle is about. A saved session and a certificate say so themselves.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "the options are named after them"
)]
pub(crate) struct Conversation {
    /// For a bundle without its session: the peer's TLS key, a public key or a certificate, DER or PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "session_nonce",
        requires = "session_exporter"
    )]
    session_key: Option<PathBuf>,
    /// For a bundle without its session: what the enclave was asked, 32 bytes in hex
    #[arg(long, value_name = "HEX", requires = "session_key", value_parser = nonce)]
    session_nonce: Option<[u8; 32]>,
    /// For a bundle without its session: the connection's RFC 9266 `tls-exporter`, 32 bytes in hex
    #[arg(long, value_name = "HEX", requires = "session_key", value_parser = nonce)]
    session_exporter: Option<[u8; 32]>,
    /// For a bundle without its session: how the connection's keys were agreed, such as X25519MLKEM768
    #[arg(long, value_name = "NAME", requires = "session_key", value_parser = agreement)]
    session_agreement: Option<KeyAgreement>,
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
    /// The firmware's identity, which GPU reports of 2023 do not have
    Fwid,
    /// A TD's event log, where a policy requires it
    EventLog,
    /// Proof that the evidence is recent, where a policy requires it
    Freshness,
    /// The conversation of a bare bundle: nothing then says who is talking, so nothing is trusted
    Session,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Verify an AMD SEV-SNP report in a file
    Snp(SnpArguments),
    /// Verify the quote of an Intel TDX guest in a file
    Tdx(TdxArguments),
    /// Verify the evidence of NVIDIA GPUs in a file
    Nvidia(NvidiaArguments),
}

pub(crate) async fn run(arguments: VerifyArguments) -> anyhow::Result<Outcome> {
    match (arguments.evidence, arguments.subject) {
        (Some(EvidenceCommand::Snp(arguments)), _) => files::snp::run(&arguments),
        (Some(EvidenceCommand::Tdx(arguments)), _) => files::tdx::run(&arguments),
        (Some(EvidenceCommand::Nvidia(arguments)), _) => files::nvidia::run(&arguments),
        (None, Some(subject)) => conversation(&subject, &arguments.options).await,
        (None, None) => bail!("nothing to verify: name an enclave as https://HOST:PORT, or a file"),
    }
}

async fn conversation(subject: &Subject, options: &VerifyOptions) -> anyhow::Result<Outcome> {
    let judge = Judge::new(
        options.policy.as_deref(),
        &options.judging,
        waivers(options),
    )?;
    let artifact = options
        .conversation
        .joined_to(subject::load(subject).await?)?;
    if let Some(path) = &options.save {
        save(path, &artifact)?;
    }
    let manner = Manner {
        telling: &options.telling,
        explain: options.explain_only,
        has_policy: judge.has_policy(),
        hint: verdict::NO_POLICY_HINT,
        now: judge.now(),
        flag: verdict::flag,
    };
    verdict::tell(found(&judge, artifact, options.explain_only)?, &manner)
}

fn found(judge: &Judge, artifact: Artifact, explain: bool) -> anyhow::Result<Result<Found, Error>> {
    let parts = match artifact.parts()? {
        Ok(parts) => parts,
        Err(rejection) => return Ok(Err(rejection.into())),
    };
    let Parts {
        evidence,
        conversation,
        agreement,
    } = parts;
    let conversation = conversation.as_ref();
    let conversation = conversation.map(|(session, spki)| (session, &spki[..]));
    Ok(judge.judge(evidence, conversation, agreement, explain))
}

/// The reasons that the command line gives.
fn waivers(options: &VerifyOptions) -> Waivers {
    let without: Vec<Without> = options.without.iter().map(|it| (*it).into()).collect();
    chrysalis_verifier::waivers(&without, &options.accept_broken)
}

impl From<BundleInput> for Without {
    fn from(input: BundleInput) -> Self {
        match input {
            BundleInput::Crl => Self::Crl,
            BundleInput::Ocsp => Self::Ocsp,
            BundleInput::Rim => Self::Rim,
            BundleInput::Fwid => Self::Fwid,
            BundleInput::EventLog => Self::EventLog,
            BundleInput::Freshness => Self::Freshness,
            BundleInput::Session => Self::Session,
        }
    }
}

impl Conversation {
    /// What a bundle becomes once the command line says which conversation it is about; anything else brings its own.
    fn joined_to(&self, artifact: Artifact) -> anyhow::Result<Artifact> {
        let (Some(key), Some(nonce), Some(exporter)) =
            (&self.session_key, self.session_nonce, self.session_exporter)
        else {
            return Ok(artifact);
        };
        if !matches!(artifact, Artifact::Bundle(_)) {
            // Said before the key is read.
            return Ok(artifact.joined_to(Vec::new(), nonce, exporter, None)?);
        }
        let spki = files::read_key(key)?;
        Ok(artifact.joined_to(spki, nonce, exporter, self.session_agreement)?)
    }
}

fn save(path: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let Artifact::Session(saved) = artifact else {
        bail!("--save keeps a conversation with an enclave; this is a file already");
    };
    fs::write(path, saved.encode()).with_context(|| format!("cannot write {}", path.display()))
}
