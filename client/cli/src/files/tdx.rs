//! `verify tdx`: a TD's quote, and what Intel says about its platform.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Patience, Rejection,
    alone::tdx::Question,
    azure::vtpm::Told,
    policy::{Policy, PolicyError, ReleasePolicy},
    release::Rebuilders,
    tdx::{
        Collateral, Examined, Roots, Td, TdxPolicy, attributes, examine, examine_wrapped,
        policy::NOTHING_ASKED,
    },
    transcript::Expect,
};
use chrysalis_client::system_time;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    NO_POLICY,
    finding::{Finding, told},
    input::{MAX_EVIDENCE, read_for, read_policy, read_statements},
    kind::Place,
    vtpm::{self, TpmArguments},
};
use crate::{
    collateral::for_quote,
    options::{FileOptions, report_data},
    outcome::Outcome,
    spelling,
};

const WITHOUT_EVENT_LOG: &str = "--without event-log";
const WITHOUT_FRESHNESS: &str = "--without freshness";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: genuine or, with a policy, trusted. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis verify tdx --quote quote.bin --quote-collateral collateral.json"
)]
pub(crate) struct TdxArguments {
    /// The quote: bytes, hex or base64; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) quote: PathBuf,
    /// What Intel says about the platform: TCB info, QE identity and revocation lists with their chains, in one JSON object
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "collateral",
        conflicts_with = "collateral"
    )]
    pub(crate) quote_collateral: Option<PathBuf>,
    /// A folder that `chrysalis fetch` filled with the same
    #[arg(long, value_name = "DIR", value_parser = folder)]
    pub(crate) collateral: Option<PathBuf>,
    /// Azure's HCL report, around the TDREPORT that the quote was made of
    #[arg(long, value_name = "FILE")]
    pub(crate) hcl_report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tpm: TpmArguments,
    /// What was measured into the run-time registers: the CCEL table's data
    #[arg(long, value_name = "FILE")]
    pub(crate) event_log: Option<PathBuf>,
    /// What the TD was asked to put into `REPORTDATA`: up to 64 bytes in hex, padded with zeros
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    /// What a rebuilder signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,
    /// Accept without this input; the verdict lists it as not checked
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
    /// Proof by --report-data or --tpm-nonce that the evidence is recent
    Freshness,
    /// Values of the PCRs that a virtual TPM quoted
    Pcrs,
}

pub(crate) fn run(arguments: &TdxArguments) -> anyhow::Result<Outcome> {
    let options = &arguments.options;
    let has_policy = options.policy.is_some();
    let Wanted {
        policy,
        roots,
        rebuilders,
        release,
    } = wanted(arguments)?;
    let statements = read_statements(&arguments.statements)?;
    let quote = read_for(Place::Quote, &arguments.quote, MAX_EVIDENCE)?;
    let collateral = collateral(arguments, &quote)?;
    let event_log = match &arguments.event_log {
        Some(path) => Some(read_for(Place::EventLog, path, MAX_EVIDENCE)?),
        None => None,
    };
    let hcl_report = read_hcl_report(arguments)?;
    let vtpm = vtpm::Files::read(&arguments.tpm)?;
    if vtpm.is_some() && hcl_report.is_none() {
        bail!("nothing names the vTPM's key: its quote goes with --hcl-report");
    }
    let finding = match collateral {
        Ok(collateral) => {
            let question = Question {
                roots: &roots,
                collateral: &collateral,
                event_log: event_log.as_deref(),
                policy: &policy,
                now: options.at.unwrap_or_else(system_time),
            };
            let patience = if options.explain_only {
                Patience::All
            } else {
                Patience::First
            };
            let mut examined = match &hcl_report {
                Some(wrapped) => {
                    let without_pcrs = arguments.without.contains(&TdxInput::Pcrs);
                    let quoted = vtpm.as_ref();
                    let quoted = quoted.map(|files| files.quoted(&arguments.tpm, without_pcrs));
                    examine_wrapped(&quote, wrapped, quoted.as_ref(), &question, patience)
                }
                None => examine(&quote, &question, patience),
            };
            if let Some(rebuilders) = &rebuilders {
                examined = examined.confirmed_by(rebuilders, &statements);
            }
            if let Some(release) = &release {
                examined = examined.of_release(release);
            }
            finding(&examined, has_policy.then_some(&policy))
        }
        Err(rejection) => Finding::unreadable(has_policy, rejection),
    };
    finding.tell(&options.telling, options.explain_only)
}

/// Azure's, as bytes.
fn read_hcl_report(arguments: &TdxArguments) -> anyhow::Result<Option<Vec<u8>>> {
    let path = arguments.hcl_report.as_ref();
    path.map(|path| read_for(Place::HclReport, path, MAX_EVIDENCE))
        .transpose()
}

/// What Intel says: one JSON object, or what a store of `chrysalis fetch` has for this quote.
fn collateral(
    arguments: &TdxArguments,
    quote: &[u8],
) -> anyhow::Result<Result<Collateral, Rejection>> {
    match (&arguments.collateral, &arguments.quote_collateral) {
        (Some(store), _) => for_quote(store, quote),
        (None, Some(path)) => {
            let json = read_for(Place::TdxCollateral, path, MAX_EVIDENCE)?;
            Ok(Collateral::parse(&json))
        }
        (None, None) => bail!("give --quote-collateral FILE or --collateral DIR"),
    }
}

/// A folder: what v0.1.4 took as a file here has an option of its own.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() {
        return Err(format!("it is a file; {}", spelling::COLLATERAL));
    }
    Ok(path)
}

/// What a quote is checked against.
struct Wanted {
    policy: TdxPolicy,
    roots: Roots,
    /// Who must confirm the image, if anybody.
    rebuilders: Option<Rebuilders>,
    /// Which release its digests are from, if they are from one.
    release: Option<ReleasePolicy>,
}

/// What the file wants, or that every genuine, current TD will do; with what the command line adds.
fn wanted(arguments: &TdxArguments) -> anyhow::Result<Wanted> {
    let mut wanted = match &arguments.options.policy {
        Some(path) => read(&read_policy(path)?)
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("the policy {} cannot be used", path.display()))?,
        None => Wanted {
            policy: TdxPolicy::genuine(NO_POLICY),
            roots: Roots::intel(),
            rebuilders: None,
            release: None,
        },
    };
    let policy = &mut wanted.policy;
    let goes_without = |input| arguments.without.contains(&input);
    if goes_without(TdxInput::EventLog) {
        let why = &mut policy.event_log_unchecked;
        why.get_or_insert_with(|| WITHOUT_EVENT_LOG.to_owned());
    }
    if let Some(asked) = arguments.report_data {
        policy.report_data = Expect::AnyOf(vec![asked]);
    } else if policy.report_data == NOTHING_ASKED && goes_without(TdxInput::Freshness) {
        let why = WITHOUT_FRESHNESS.to_owned();
        policy.report_data = Expect::Unchecked { why };
    }
    Ok(wanted)
}

fn read(text: &str) -> Result<Wanted, PolicyError> {
    let simulated = Policy::parse_simulation(text)?;
    let roots = simulated
        .into_iter()
        .fold(Roots::intel(), Roots::and_simulated);
    Ok(Wanted {
        policy: Policy::parse_tdx(text)?,
        roots,
        rebuilders: Policy::parse_rebuilders(text)?,
        release: Policy::parse_release(text)?,
    })
}

fn finding(examined: &Examined, policy: Option<&TdxPolicy>) -> Finding {
    let mut finding = Finding {
        policy: policy.is_some(),
        failures: examined.failures().to_vec(),
        transcript: examined.transcript().clone(),
        until: examined.until(),
        claims: Value::Null,
        lines: Vec::new(),
        broken: None,
    };
    if let Some(td) = examined.td() {
        finding.claims = claims(td, examined.vtpm());
        let image = told(policy.map(|it| &it.mrtd));
        finding.lines = lines(td, image, &finding);
        finding.lines.extend(examined.vtpm().map(vtpm::line));
    }
    finding
}

fn lines(td: &Td, image: String, finding: &Finding) -> Vec<[String; 3]> {
    let genuine = if finding.transcript.simulated() {
        "SIMULATED, not Intel hardware"
    } else {
        "genuine"
    };
    let digest = td.report.mrtd.to_string();
    let mut lines = vec![
        [
            "cpu".to_owned(),
            format!("Intel TDX, {}", td.platform.fmspc),
            format!(
                "{genuine}, {} by Intel's evaluation {}",
                td.status, td.evaluation
            ),
        ],
        [
            "image".to_owned(),
            digest.chars().take(12).chain(['…']).collect(),
            image,
        ],
    ];
    if let Some(log) = &td.event_log {
        lines.push([
            "log".to_owned(),
            format!("{} events", log.events.len()),
            "make the run-time registers".to_owned(),
        ]);
    }
    lines
}

/// What a genuine quote says, as text and lower-case hex.
fn claims(td: &Td, told: Option<&Told>) -> Value {
    let (report, platform) = (&td.report, &td.platform);
    let [rtmr0, rtmr1, rtmr2, rtmr3] = &report.rtmr;
    json!({
        "platform": "tdx",
        "version": td.version,
        "layout": report.layout,
        "measurement": report.mrtd,
        "rtmr0": rtmr0,
        "rtmr1": rtmr1,
        "rtmr2": rtmr2,
        "rtmr3": rtmr3,
        "report_data": report.report_data,
        "mrconfigid": report.mrconfigid,
        "mrowner": report.mrowner,
        "mrownerconfig": report.mrownerconfig,
        "mrservicetd": report.mrservicetd,
        "mrseam": report.mrseam,
        "mrsignerseam": report.mrsignerseam,
        "extended": report.extended,
        "attributes": format!("{:#x}", report.attributes),
        "debug": report.attributes & (attributes::DEBUG | attributes::PROFILING) != 0,
        "xfam": format!("{:#x}", report.xfam),
        "tcb": report.tee_tcb_svn,
        "current_tcb": report.tee_tcb_svn_2,
        "cpu_svn": platform.cpu_svn,
        "pce_svn": platform.pcesvn,
        "qe_svn": td.qe_svn,
        "status": td.status,
        "lagging": td.lagging,
        "platform_status": td.platform_status,
        "module_status": td.module_status,
        "qe_status": td.qe_status,
        "advisories": td.advisories,
        "tcb_date": td.tcb_date,
        "evaluation": td.evaluation,
        "fmspc": platform.fmspc,
        "pceid": platform.pceid,
        "ppid": platform.ppid,
        "platform_instance": platform.instance,
        "configuration": platform.configuration,
        "event_log": td.event_log.as_ref().map(|log| &log.events),
        "vtpm": told.map(vtpm::claims),
        "trailing_bytes": td.trailing_bytes,
    })
}
