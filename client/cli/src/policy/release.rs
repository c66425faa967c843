//! What to trust of a release: whatever its manifest says, once it is verified, current and no step back.

use std::path::Path;

use anyhow::bail;
use chrysalis_attestation::{
    Rejection,
    digest::Hex,
    policy::{Floor, ReleasePolicy, SnpTemplate, TdxTemplate},
    release::{ANYONE_CAN_SIGN, MAX_ENVELOPE, MinimumTcb, Release, Verified},
    snp::tcb::Tcb,
};
use chrysalis_client::system_time;
use chrysalis_measure::CommandLine;

use super::Wanted;
use crate::{
    files::read,
    release::{Publisher, State},
};

/// Why a policy of `--development-root` accepts it.
const NAMED: &str = "named with --development-root";

/// Reads and verifies the manifest, for the measurements of this command line.
pub(super) fn wanted(
    manifest: &Path,
    publisher: &Publisher,
    which: CommandLine,
) -> anyhow::Result<Result<Wanted, Rejection>> {
    let manifest = read(manifest, MAX_ENVELOPE)?;
    let mut state = State::open()?;
    let vetted = publisher.signed(&manifest, system_time(), &state)?;
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
    let Verified { release, .. } = verified;
    let wanted = of(&release, which == CommandLine::Simulated)?;
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
    });
    Ok(Ok(Wanted {
        title,
        release,
        ..wanted
    }))
}

fn of(release: &Release, simulated: bool) -> anyhow::Result<Wanted> {
    let measurements = &release.measurements;
    let mut launch_digest: Vec<[u8; 48]> = Vec::new();
    for line in &measurements.snp {
        // CPU types of one model measure alike.
        if line.simulated == simulated && !launch_digest.contains(&line.launch_digest.0) {
            launch_digest.push(line.launch_digest.0);
        }
    }
    let floors = release.minimum_tcb.iter();
    let floors = floors.map(|(product, floor)| (*product, tcb(*floor)));
    let snp = (!launch_digest.is_empty()).then_some(SnpTemplate {
        launch_digest,
        minimum_tcb: if release.minimum_tcb.is_empty() {
            Floor::All(Tcb::default())
        } else {
            Floor::Each(floors.collect())
        },
    });
    let mut registers = measurements
        .tdx
        .iter()
        .filter(|line| line.simulated == simulated);
    let tdx = registers.next().map(|line| {
        let Hex(mrtd) = line.mrtd;
        TdxTemplate {
            mrtd,
            rtmr0: line.rtmr0.clone(),
            rtmr1: line.rtmr1.0,
            rtmr2: line.rtmr2.0,
            minimum_evaluation: None,
        }
    });
    if registers.next().is_some() {
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

fn tcb(floor: MinimumTcb) -> Tcb {
    let MinimumTcb {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    } = floor;
    Tcb {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    }
}

/// Text of the manifest's that stands behind a `#`: it must not end the line.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
