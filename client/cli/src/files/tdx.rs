//! `verify tdx`: a TD's quote, and what Intel says about its platform.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Patience, Rejection,
    alone::tdx::TdxQuestion,
    azure::vtpm::Told,
    policy::{Policy, PolicyError, ReleasePolicy},
    release::Rebuilders,
    tdx::{
        Examined, IntelCollateral, IntelRoots, Td, TdxPolicy, attributes, examine, examine_wrapped,
        policy::NOTHING_ASKED,
    },
    transcript::Expect,
};
use chrysalis_client::system_time;
use serde_json::{Value, json};

use super::{
    NO_POLICY,
    finding::{Finding, told},
    input::{MAX_EVIDENCE, read_for, read_policy, read_statements},
    kind::Place,
    vtpm,
};
use crate::{
    Outcome,
    arguments::{TdxArguments, TdxInput},
    collateral::for_quote,
};

const WITHOUT_EVENT_LOG: &str = "--without event-log";
const WITHOUT_FRESHNESS: &str = "--without freshness";

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
    let collateral = collateral(&arguments.collateral, &quote)?;
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
            let question = TdxQuestion {
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
fn collateral(path: &Path, quote: &[u8]) -> anyhow::Result<Result<IntelCollateral, Rejection>> {
    if path.is_dir() {
        return for_quote(path, quote);
    }
    let json = read_for(Place::TdxCollateral, path, MAX_EVIDENCE)?;
    Ok(IntelCollateral::parse(&json))
}

/// What a quote is held against.
struct Wanted {
    policy: TdxPolicy,
    roots: IntelRoots,
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
            roots: IntelRoots::intel(),
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
        .fold(IntelRoots::intel(), IntelRoots::and_simulated);
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
