//! `receipt verify`: evidence → trusted → receipt key → signature → chain → job. Everything is in files; no network but for a policy that asks
//! NVIDIA.

use std::path::{Path, PathBuf};

use chrysalis_attestation::evidence::{Evidence, binding::Session};
use chrysalis_client::Error;
use chrysalis_settle::{Content, EpochEvidence, Kept, MAX_KEPT};
use chrysalis_verifier::{MAX_CONTENT, PAST, Receipt, Refused, content_digest};
use clap::Args;

use super::evidence;
use crate::{
    files::read,
    judge::Judge,
    options::{Format, Judging},
    outcome::Outcome,
    printable::{print, printable},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: verified. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis receipt verify receipts/0a0b0c0d0e0f00010203040506070809.receipt --policy policy.toml"
)]
pub(crate) struct VerifyReceiptArguments {
    /// A receipt that `chrysalis proxy --receipts` kept, or `chrysalis receipt pack` made
    #[arg(value_name = "FILE")]
    pub(crate) receipt: PathBuf,
    /// What you require of the enclave that signed it
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// The evidence that it names, where it is neither in its file nor beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,
    /// The request's body: that the receipt is about it
    #[arg(long, value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,
    /// The answer's body, of a stream what came before the receipt: that the receipt is about it
    #[arg(long, value_name = "FILE")]
    pub(crate) answer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Print nothing; the exit code is the verdict
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

pub(super) fn run(arguments: &VerifyReceiptArguments) -> anyhow::Result<Outcome> {
    let judge = Judge::of_the_past(&arguments.policy, &arguments.judging, PAST)?;
    let content = Content {
        request: digest(arguments.request.as_deref())?,
        answer: digest(arguments.answer.as_deref())?,
    };
    let file = read(&arguments.receipt, MAX_KEPT)?;
    let outcome = match Kept::decode(&file) {
        Err(rejection) => Err(rejection.into()),
        Ok(kept) => {
            let path = &arguments.receipt;
            let evidence = evidence::of(&kept, path, arguments.evidence.as_deref())?;
            verify(&judge, kept, &evidence, content)?
        }
    };
    tell(arguments, &outcome)
}

/// The walk. The outer error where there is no verdict, for nobody could be asked.
fn verify(
    judge: &Judge,
    kept: Kept,
    epoch: &EpochEvidence,
    content: Content,
) -> anyhow::Result<Result<Receipt, Refused>> {
    let evidence = match Evidence::decode(&epoch.bundle) {
        Ok(evidence) => evidence,
        Err(rejection) => return Ok(Err(Refused::Evidence(Box::new(rejection.into())))),
    };
    let conversation = Some((&Session::Boot, &epoch.spki[..]));
    Ok(
        match judge.judge(evidence.clone(), conversation, None, false) {
            Ok(found) => Receipt::verify(kept, &evidence, found, content),
            Err(Error::Refused(refusal)) => Err(Refused::Evidence(refusal)),
            Err(error) => return Err(error.into()),
        },
    )
}

fn tell(
    arguments: &VerifyReceiptArguments,
    outcome: &Result<Receipt, Refused>,
) -> anyhow::Result<Outcome> {
    if !arguments.quiet {
        let text = match (arguments.format, outcome) {
            (Format::Text, Ok(verified)) => verified.text(),
            (Format::Text, Err(refused)) => refused.text(),
            (Format::Json, Ok(verified)) => format!("{}\n", verified.json()),
            (Format::Json, Err(refused)) => format!("{}\n", refused.json()),
        };
        print(&printable(&text))?;
    }
    Ok(outcome.is_ok().into())
}

/// SHA-256 of the content of a file.
fn digest(path: Option<&Path>) -> anyhow::Result<Option<[u8; 32]>> {
    let body = path.map(|path| read(path, MAX_CONTENT)).transpose()?;
    Ok(body.as_deref().map(content_digest))
}
