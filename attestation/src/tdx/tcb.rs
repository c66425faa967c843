//! How current is the platform? Compares the levels of TCB info and QE identity with what the processor and its certificate report.
//!
//! The order and the outcomes are those of Intel's own verification library.

use super::{
    document::{EnclaveLevel, Level, ModuleIdentity, QeIdentity, TcbInfo, TdxModule},
    pck::Platform,
    report::{EnclaveReport, TdReport},
    status::Status,
};
use crate::{Rejection, Time, encoding::digest::Hex};
use serde::Serialize;
use std::fmt;

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    pub(crate) platform: Status,
    pub(crate) module: Option<Status>,
    pub(crate) qe: Status,
    pub(crate) advisories: Vec<String>,
    /// When the level was set: the older of the platform's and the module's.
    pub(crate) date: Time,
    /// The lower of the two documents' evaluation numbers.
    pub(crate) evaluation: u32,
    /// Everything below the newest level that Intel calls current.
    pub(crate) lagging: Vec<Lag>,
}

/// A part of the platform that is older than it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Which, such as `TDX component 2 (OS/VMM, TDX Late Microcode Update)`.
    pub component: String,
    /// Its security version number.
    pub found: u16,
    /// The number in the newest level that Intel calls current.
    pub wanted: u16,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            component,
            found,
            wanted,
        } = self;
        write!(f, "{component} SVN {found}, wanted {wanted}")
    }
}

/// What a TD's report is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported<'a> {
    pub(crate) td: &'a TdReport,
    pub(crate) platform: &'a Platform,
}

/// The identity of a TDX module with this major version.
fn identity(info: &TcbInfo, version: u8) -> Result<&ModuleIdentity, Rejection> {
    let id = format!("TDX_{version:02X}");
    info.tdx_module_identities
        .iter()
        .find(|identity| identity.id.eq_ignore_ascii_case(&id))
        .ok_or(Rejection::TdxModuleUnknown { version })
}

/// A module before 1.5 reports version 0, and counts only as a component of the platform.
fn module_of<'i>(
    info: &'i TcbInfo,
    svn: &Hex<16>,
) -> Result<Option<&'i ModuleIdentity>, Rejection> {
    match svn.0[1] {
        0 => Ok(None),
        version => identity(info, version).map(Some),
    }
}

/// Checks that TCB info is about this platform.
pub(crate) fn check_platform(info: &TcbInfo, platform: &Platform) -> Result<(), Rejection> {
    let mismatch = |field, found: String, wanted: String| Rejection::TcbInfoMismatch {
        field,
        found,
        wanted,
    };
    check_fmspc(info, platform.fmspc)?;
    if info.pce_id != platform.pceid.0 {
        let found = Hex(info.pce_id).to_string();
        return Err(mismatch("PCEID", found, platform.pceid.to_string()));
    }
    Ok(())
}

/// Checks that TCB info is about platforms of this family, model and stepping.
pub(crate) fn check_fmspc(info: &TcbInfo, wanted: Hex<6>) -> Result<(), Rejection> {
    if info.fmspc == wanted.0 {
        return Ok(());
    }
    Err(Rejection::TcbInfoMismatch {
        field: "FMSPC",
        found: Hex(info.fmspc).to_string(),
        wanted: wanted.to_string(),
    })
}

/// Checks that the TDX module is Intel's.
pub(crate) fn check_module(info: &TcbInfo, td: &TdReport) -> Result<(), Rejection> {
    let TdxModule {
        mrsigner,
        attributes,
        attributes_mask,
    } = match module_of(info, &td.tee_tcb_svn)? {
        Some(identity) => identity.module(),
        None => info.tdx_module.clone(),
    };
    if td.mrsignerseam.0 != mrsigner {
        return Err(Rejection::TdxModuleMismatch {
            field: "MRSIGNERSEAM",
        });
    }
    if td.seam_attributes.0 != [0; 8] || !fits(&td.seam_attributes.0, &attributes_mask, &attributes)
    {
        return Err(Rejection::TdxModuleMismatch {
            field: "SEAMATTRIBUTES",
        });
    }
    Ok(())
}

/// Checks that the quoting enclave is the one that Intel describes, and not a debug build of it.
pub(crate) fn check_qe(identity: &QeIdentity, qe: &EnclaveReport) -> Result<(), Rejection> {
    let checks = [
        (
            "MISCSELECT",
            fits(
                &qe.miscselect,
                &identity.miscselect_mask,
                &identity.miscselect,
            ),
        ),
        (
            "ATTRIBUTES",
            fits(
                &qe.attributes,
                &identity.attributes_mask,
                &identity.attributes,
            ) && qe.attributes[0] & 2 == 0,
        ),
        ("MRSIGNER", qe.mrsigner == identity.mrsigner),
        ("ISVPRODID", qe.isvprodid == identity.isvprodid),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(Rejection::QeIdentityMismatch { field }),
        None => Ok(()),
    }
}

/// Whether the masked bytes have the expected value.
fn fits(found: &[u8], mask: &[u8], wanted: &[u8]) -> bool {
    let bytes = found.iter().zip(mask).zip(wanted);
    bytes
        .into_iter()
        .all(|((found, mask), wanted)| found & mask == *wanted)
}

/// The platform's status, from all its parts.
pub(crate) fn evaluate(
    info: &TcbInfo,
    identity: &QeIdentity,
    reported: Reported<'_>,
    qe: &EnclaveReport,
) -> Result<Standing, Rejection> {
    let Reported { td, platform } = reported;
    let sgx = matching(info, platform)
        .next()
        .ok_or(Rejection::TcbNotSupported {
            what: "the platform's components",
        })?;
    let level = matching(info, platform)
        .find(|level| matches_tdx(level, &td.tee_tcb_svn))
        .ok_or(Rejection::TcbNotSupported {
            what: "the TD's components",
        })?;
    let module_identity = module_of(info, &td.tee_tcb_svn)?;
    let module = module_identity
        .map(|found| {
            let svn = u16::from(td.tee_tcb_svn.0[0]);
            first_below(&found.tcb_levels, svn).ok_or(Rejection::TcbNotSupported {
                what: "the TDX module",
            })
        })
        .transpose()?;
    let qe_level =
        first_below(&identity.tcb_levels, qe.isvsvn).ok_or(Rejection::TcbNotSupported {
            what: "the quoting enclave",
        })?;
    let (sgx_status, platform_status, qe_status) =
        (sgx.status()?, level.status()?, qe_level.status()?);
    let module_status = module.map(EnclaveLevel::status).transpose()?;
    let converged = module_status.map_or(platform_status, |it| platform_status.converge(it));
    let relaunched = relaunch(info, td, [sgx_status, converged, qe_status], module_status)?;
    let mut advisories = level.advisories.clone();
    advisories.extend(module.iter().flat_map(|it| it.advisories.iter().cloned()));
    advisories.extend(qe_level.advisories.iter().cloned());
    advisories.sort();
    advisories.dedup();
    let dates = [Some(level.tcb_date), module.map(|it| it.tcb_date)];
    let date = dates.into_iter().flatten().min();
    Ok(Standing {
        status: relaunched.converge(qe_status),
        platform: platform_status,
        module: module_status,
        qe: qe_status,
        advisories,
        date: date.unwrap_or(level.tcb_date).0,
        evaluation: info
            .tcb_evaluation_data_number
            .min(identity.tcb_evaluation_data_number),
        lagging: lagging(info, identity, reported, qe),
    })
}

/// Component by component, what is below the newest level that Intel calls current; empty if Intel calls none current.
fn lagging(
    info: &TcbInfo,
    identity: &QeIdentity,
    Reported { td, platform }: Reported<'_>,
    qe: &EnclaveReport,
) -> Vec<Lag> {
    let mut lagging = Vec::new();
    let mut compare = |component: String, found: u16, wanted: u16| {
        if found < wanted {
            lagging.push(Lag {
                component,
                found,
                wanted,
            });
        }
    };
    let is_current = |status: Result<Status, Rejection>| status.is_ok_and(Status::is_current);
    let level = info
        .tcb_levels
        .iter()
        .find(|level| is_current(level.status()));
    let skipped = components_of_module(&td.tee_tcb_svn);
    if let Some(Level { tcb, .. }) = level {
        let parts = [
            ("SGX", platform.components, &tcb.sgx, 0),
            ("TDX", td.tee_tcb_svn, &tcb.tdx, skipped),
        ];
        for (kind, Hex(found), wanted, skipped) in parts {
            for (place, (found, wanted)) in found.iter().zip(wanted).enumerate().skip(skipped) {
                let name = named(kind, place, &wanted.words());
                compare(name, (*found).into(), wanted.svn.into());
            }
        }
        compare("PCE".to_owned(), platform.pcesvn, tcb.pcesvn);
    }
    let newest = |levels: &[EnclaveLevel]| {
        let level = levels.iter().find(|level| is_current(level.status()));
        level.map(|level| level.tcb.isvsvn)
    };
    if let Ok(Some(module)) = module_of(info, &td.tee_tcb_svn)
        && let Some(wanted) = newest(&module.tcb_levels)
    {
        let name = format!("TDX module {}", module.id);
        compare(name, td.tee_tcb_svn.0[0].into(), wanted);
    }
    if let Some(wanted) = newest(&identity.tcb_levels) {
        compare("quoting enclave".to_owned(), qe.isvsvn, wanted);
    }
    lagging
}

/// A component's name: its position, counted from one as in Intel's documents, and what Intel says it is.
fn named(kind: &str, place: usize, words: &str) -> String {
    let number = place + 1;
    match words {
        "" => format!("{kind} component {number}"),
        _ => format!("{kind} component {number} ({words})"),
    }
}

/// The levels that the platform's certificate satisfies, highest first.
fn matching<'i>(info: &'i TcbInfo, platform: &'i Platform) -> impl Iterator<Item = &'i Level> {
    info.tcb_levels.iter().filter(|level| {
        let mut components = platform.components.0.iter().zip(&level.tcb.sgx);
        components.all(|(found, wanted)| *found >= wanted.svn)
            && platform.pcesvn >= level.tcb.pcesvn
    })
}

/// From module version 1 on, the first two components belong to the module, whose level is in its own identity.
fn components_of_module(svn: &Hex<16>) -> usize {
    if svn.0[1] > 0 { 2 } else { 0 }
}

fn matches_tdx(level: &Level, svn: &Hex<16>) -> bool {
    let components = svn
        .0
        .iter()
        .zip(&level.tcb.tdx)
        .skip(components_of_module(svn));
    components
        .into_iter()
        .all(|(found, wanted)| *found >= wanted.svn)
}

fn first_below(levels: &[EnclaveLevel], svn: u16) -> Option<&EnclaveLevel> {
    levels.iter().find(|level| svn >= level.tcb.isvsvn)
}

/// Whether a TD that is out of date only because its module was old at launch would be current if relaunched.
///
/// Intel's library looks only at the highest level. Others put the current level through the whole comparison and refuse what
/// matches nothing; here, as with Intel, the outcome then simply stays `OutOfDate`.
fn relaunch(
    info: &TcbInfo,
    td: &TdReport,
    [sgx, converged, qe]: [Status; 3],
    module: Option<Status>,
) -> Result<Status, Rejection> {
    let Some(Hex(now)) = td.tee_tcb_svn_2 else {
        return Ok(converged);
    };
    let is_candidate = qe == Status::UpToDate
        && sgx.is_current()
        && matches!(
            converged,
            Status::OutOfDate | Status::OutOfDateConfigurationNeeded
        )
        && module == Some(Status::OutOfDate);
    let Some(top) = info.tcb_levels.first().filter(|_| is_candidate) else {
        return Ok(converged);
    };
    let module_is_current = match now[1] {
        0 => now[0] >= top.tcb.tdx[0].svn,
        version => identity(info, version)?
            .tcb_levels
            .first()
            .is_some_and(|newest| u16::from(now[0]) >= newest.tcb.isvsvn),
    };
    if !module_is_current || now[2] < top.tcb.tdx[2].svn {
        return Ok(converged);
    }
    let configure = sgx.wants_configuration() || converged == Status::OutOfDateConfigurationNeeded;
    Ok(if configure {
        Status::TDRelaunchAdvisedConfigurationNeeded
    } else {
        Status::TDRelaunchAdvised
    })
}
