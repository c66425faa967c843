//! What to trust of a release: whatever its manifest says, once it is verified, current and no step back.

use std::path::Path;

use anyhow::bail;
use chrysalis_attestation::{
    Rejection,
    encoding::digest::{Hex, sha384},
    policy::{ReleasePolicy, SnpTemplate, TdxTemplate},
    release::{ANYONE_CAN_SIGN, MAX_ENVELOPE, MachineEvent, Release, VerifiedRelease},
    tdx::policy::Evaluation,
};
use chrysalis_client::system_time;
use chrysalis_measure::{AcpiTables, CommandLine};

use super::{arguments::PolicyInitArguments, floors};
use crate::{files::read, seen::State};

const TDX_LEFT_OUT: &str = "note: the release runs on Intel TDX as well. The policy accepts that once you say how recent Intel's rules must be: \
    --minimum-evaluation N, the tcbEvaluationDataNumber of Intel's TCB info";
/// One of a machine's ACPI tables.
type Table = fn(&AcpiTables) -> &[u8];
/// The events that count ACPI tables, as releases name them, and which of them each counts.
const ACPI: [(&str, Table); 3] = [
    ("ACPI table loader", |tables| &tables.loader),
    ("ACPI root pointer", |tables| &tables.rsdp),
    ("ACPI tables", |tables| &tables.tables),
];
/// Why a policy of `--development-root` accepts it.
const NAMED: &str = "named with --development-root";

/// What is to be trusted, of whichever origin.
pub(super) struct Wanted {
    pub(super) title: String,
    pub(super) release: Option<ReleasePolicy>,
    pub(super) snp: Option<SnpTemplate>,
    pub(super) tdx: Option<TdxTemplate>,
}

/// Reads and verifies the manifest, for the measurements of this command line.
pub(super) fn wanted(
    manifest: &Path,
    which: CommandLine,
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Result<Wanted, Rejection>> {
    let manifest = read(manifest, MAX_ENVELOPE)?;
    let mut state = State::open()?;
    let vetted = arguments
        .publisher
        .signed(&manifest, system_time(), &state)?;
    let found = vetted.and_then(|vetted| Ok((vetted.current(&state)?, vetted)));
    let (verified, vetted) = match found {
        Ok(found) => found,
        Err(rejection) => return Ok(Err(rejection)),
    };
    vetted.remember(&verified, &mut state);
    state.save()?;
    let development = vetted.is_development();
    if development {
        eprintln!("warning: {ANYONE_CAN_SIGN}");
    }
    let until = vetted.until();
    let VerifiedRelease { release, .. } = verified;
    let wanted = of(&release, which == CommandLine::Simulated, arguments)?;
    let title = format!(
        "Trusts release {}, epoch {}, with one configuration.\n\
         The release ends {until}: make a new policy of the next one.\nSigned by key {}, {}.",
        printable(&release.release),
        release.epoch,
        vetted.signer(),
        match vetted.root() {
            Some(root) => format!("for which root {root} vouches"),
            None => "for which no root vouches".to_owned(),
        }
    );
    let title = if development {
        format!("{title}\nWarning: {ANYONE_CAN_SIGN}.")
    } else {
        title
    };
    let release = vetted.root().map(|root| ReleasePolicy {
        name: printable(&release.release),
        root,
        development: development.then(|| NAMED.to_owned()),
        // `--set release.max_endorsement_age=7` wants one.
        max_endorsement_age: None,
    });
    Ok(Ok(Wanted {
        title,
        release,
        ..wanted
    }))
}

pub(super) fn of(
    release: &Release,
    simulated: bool,
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Wanted> {
    let measurements = &release.measurements;
    let mut launch_digest: Vec<[u8; 48]> = Vec::new();
    for line in &measurements.snp {
        // CPU types of one model measure alike.
        if line.simulated == simulated && !launch_digest.contains(&line.launch_digest.0) {
            launch_digest.push(line.launch_digest.0);
        }
    }
    let snp = if launch_digest.is_empty() {
        None
    } else {
        Some(SnpTemplate {
            launch_digest,
            minimum_tcb: floors::of_release(release.minimum_tcb.clone(), arguments)?,
        })
    };
    let mut registers = measurements
        .tdx
        .iter()
        .filter(|line| line.simulated == simulated);
    let line = registers.next();
    let tdx = line.zip(evaluation(arguments));
    let tdx = tdx.map(|(line, minimum_evaluation)| {
        let Hex(mrtd) = line.mrtd;
        Ok::<_, anyhow::Error>(TdxTemplate {
            mrtd,
            rtmr0: events(line.rtmr0.clone(), arguments)?,
            rtmr1: line.rtmr1.0,
            rtmr2: line.rtmr2.0,
            minimum_evaluation,
            acpi_unchecked: arguments.acpi_unchecked.clone(),
        })
    });
    let tdx = tdx.transpose()?;
    match (line, &tdx, &snp) {
        (Some(_), None, Some(_)) => eprintln!("{TDX_LEFT_OUT}"),
        (Some(_), None, None) => bail!(
            "the release runs on Intel TDX alone, and nothing says how recent Intel's rules must be; give --minimum-evaluation N, \
             the tcbEvaluationDataNumber of Intel's TCB info, or --minimum-evaluation-unchecked WHY"
        ),
        _ => {}
    }
    if tdx.is_some() && registers.next().is_some() {
        bail!(
            "the release lists several sets of TDX registers; copy the one you want into [tdx] yourself"
        );
    }
    if snp.is_none() && tdx.is_none() {
        bail!("the release was measured for no such platform; take one that was");
    }
    Ok(Wanted {
        title: String::new(),
        release: None,
        snp,
        tdx,
    })
}

/// What RTMR0 counts, with the digests of the machine's ACPI tables: those come from the host, and the release cannot know them.
fn events(
    mut events: Vec<MachineEvent>,
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Vec<MachineEvent>> {
    let tables = arguments.acpi.as_deref().map(AcpiTables::read);
    let tables = tables.transpose()?;
    for event in events.iter_mut().filter(|event| event.digest.is_none()) {
        let Some(table) = ACPI.iter().find(|(name, _)| *name == event.name) else {
            continue;
        };
        match (&tables, &arguments.acpi_unchecked) {
            (Some(tables), _) => event.digest = Some(Hex(sha384(&[(table.1)(tables)]))),
            (None, Some(_)) => {}
            (None, None) => bail!(
                "on TDX the machine's ACPI tables come from the host, and nothing says which will do; give --acpi DIR with those of a guest, or \
                 --acpi-unchecked WHY, and verdicts repeat the reason"
            ),
        }
    }
    Ok(events)
}

/// How recent Intel's rules must be, if the command line says so.
fn evaluation(arguments: &PolicyInitArguments) -> Option<Evaluation> {
    let least = arguments.minimum_evaluation.map(Evaluation::AtLeast);
    let why = arguments.minimum_evaluation_unchecked.clone();
    least.or(why.map(|why| Evaluation::Unchecked { why }))
}

/// Text of the manifest's that stands behind a `#`: it must not end the line.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
