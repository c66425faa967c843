//! `receipt verify`: evidence → trusted → receipt key → signature → chain → job. Everything is in files; no network but for a policy that asks
//! NVIDIA.

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Found, Trusted,
    encoding::digest::sha256,
    evidence::{Evidence, binding::Session},
};
use chrysalis_client::Error;
use chrysalis_client::content;
use chrysalis_settle::{Attested, Content, EpochEvidence, Kept, MAX_KEPT};
use clap::Args;

use super::{
    evidence,
    report::{self, Verified},
};
use crate::{
    files::read,
    judge::Judge,
    options::{Format, Judging},
    outcome::Outcome,
    printable::{print, printable},
};

/// The most bytes of a request or an answer, a recording included.
const MAX_CONTENT: usize = 32 * 1024 * 1024;
/// Why a receipt's evidence need not be fresh.
const PAST: &str = "a receipt is about the past";

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
            verify(&judge, &kept, &evidence, &content)?.map(|trusted| (kept, trusted))
        }
    };
    tell(arguments, &outcome, content)
}

/// The walk. An error where there is no verdict, for nobody could be asked.
fn verify(
    judge: &Judge,
    kept: &Kept,
    epoch: &EpochEvidence,
    content: &Content,
) -> anyhow::Result<Result<Box<Trusted>, Error>> {
    let judged = Evidence::decode(&epoch.bundle)
        .map_err(Error::from)
        .and_then(|evidence| {
            let trusted = trusted(judge, evidence.clone(), &epoch.spki)?;
            let attested = Attested::of(trusted.claims(), &evidence);
            kept.verify(&attested, content)?;
            Ok(trusted)
        });
    match judged {
        Err(error) if !error.is_verdict() => Err(error.into()),
        judged => Ok(judged),
    }
}

fn trusted(judge: &Judge, evidence: Evidence, spki: &[u8]) -> Result<Box<Trusted>, Error> {
    match judge.judge(evidence, Some((&Session::Boot, spki)), None, false)? {
        Found::Trusted(trusted) => Ok(trusted),
        _ => Err(Error::Local(
            "a policy ends in trust or in a refusal".into(),
        )),
    }
}

fn tell(
    arguments: &VerifyReceiptArguments,
    outcome: &Result<(Kept, Box<Trusted>), Error>,
    content: Content,
) -> anyhow::Result<Outcome> {
    let verified = outcome.as_ref().map(|(kept, trusted)| Verified {
        trusted,
        job: kept.job(),
        content,
        unpaid: kept.statement().tab.lane == 0,
    });
    if !arguments.quiet {
        let text = match (arguments.format, &verified) {
            (Format::Text, Ok(verified)) => verified.text(),
            (Format::Text, Err(error)) => report::refused_text(error),
            (Format::Json, Ok(verified)) => format!("{}\n", verified.json()?),
            (Format::Json, Err(error)) => format!("{}\n", report::refused_json(error)),
        };
        print(&printable(&text))?;
    }
    Ok(verified.is_ok().into())
}

/// SHA-256 of the content of a file: of a stream without its comments, else without white space at its end.
fn digest(path: Option<&Path>) -> anyhow::Result<Option<[u8; 32]>> {
    let Some(path) = path else { return Ok(None) };
    let body = read(path, MAX_CONTENT)?;
    let starts = [&b"data:"[..], b"event:", b":"];
    Ok(Some(
        if starts.iter().any(|start| body.starts_with(start)) {
            sha256(&[&content::Content::default().push(&body)])
        } else {
            sha256(&[content::of_whole(&body)])
        },
    ))
}
