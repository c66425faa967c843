//! Steps tdx-8 and tdx-9: is this genuine TD, on this platform, one that the policy wants, and does its event log explain it?

use super::{
    attributes::{
        DEBUG, MIGRATABLE, PERFMON, PROFILING, RESERVED, SEPT_VE_DISABLE, SERVTD_EXT, XFAM_ALWAYS,
        XFAM_KNOWN,
    },
    event_log::EventLog,
    pck::Platform,
    policy::{BootEvent, Evaluation, NOTHING_ASKED, TdxPolicy},
    report::TdReport,
    status::Status,
    tcb::Lag,
    td::Td,
};
use crate::{
    Rejection,
    encoding::digest::Hex,
    transcript::{ALLOWED, Expect, Inspection, LEFT_OPEN, ensure},
};

const STEP: &str = "tdx-8";
/// The firmware's log ends before the guest starts making its own measurements.
const RTMR3_UNEXPLAINED: &str = "the guest extends this register itself, and the log does not say how; the policy pins its value";

/// Step tdx-8: is the platform current enough?
pub(crate) fn standing(td: &Td, policy: &TdxPolicy, inspection: &mut Inspection) {
    let found = td.status;
    let status = || match found {
        Status::Revoked => Err(Rejection::TcbRevoked),
        _ if policy.statuses.contains(&found) => Ok(()),
        _ => Err(Rejection::TcbStatusRefused {
            found,
            lagging: in_words(&td.lagging),
            advisories: td.advisories.join(", "),
        }),
    };
    inspection.note((STEP, "TCB status"), status, |()| found.to_string());
    let found = td.evaluation;
    match policy.minimum_evaluation {
        Evaluation::Unchecked { ref why } => inspection.skip((STEP, "evaluation number"), why),
        Evaluation::AtLeast(floor) => {
            let below = || Rejection::TcbEvaluationBelowFloor { found, floor };
            inspection.note(
                (STEP, "evaluation number"),
                || ensure(found >= floor, below),
                |()| found.to_string(),
            );
        }
    }
    let named = || {
        let mut refused = policy.refused_advisories.iter();
        match refused.find(|advisory| td.advisories.contains(advisory)) {
            None => Ok(()),
            Some(advisory) => Err(Rejection::TcbAdvisoryRefused {
                advisory: advisory.clone(),
            }),
        }
    };
    inspection.note((STEP, "advisories"), named, |()| {
        format!("{} apply, none refused", td.advisories.len())
    });
}

/// What is behind, appended to the status that it explains.
fn in_words(lagging: &[Lag]) -> String {
    if lagging.is_empty() {
        return String::new();
    }
    let each: Vec<String> = lagging.iter().map(Lag::to_string).collect();
    format!(": {}", each.join("; "))
}

/// Step tdx-8: is the TD configured as it must be, and is it the one that is wanted?
pub(crate) fn td(
    report: &TdReport,
    platform: &Platform,
    policy: &TdxPolicy,
    inspection: &mut Inspection,
) {
    check_attributes(report, policy, inspection);
    check_platform(platform, policy, inspection);
    let floor = Hex(policy.minimum_tee_tcb_svn);
    let found = report.tee_tcb_svn;
    let reached = found
        .0
        .iter()
        .zip(&floor.0)
        .all(|(found, floor)| found >= floor);
    if floor.0 == [0; 16] {
        inspection.skip((STEP, "TEE_TCB_SVN"), LEFT_OPEN);
    } else {
        inspection.note(
            (STEP, "TEE_TCB_SVN"),
            || ensure(reached, || Rejection::TeeTcbBelowFloor { found, floor }),
            |()| found.to_string(),
        );
    }
    let mut pin = |name, wanted: &Expect<[u8; 48]>, found: Hex<48>| {
        expect(name, wanted, found, inspection);
    };
    pin("MRSEAM", &policy.mrseam, report.mrseam);
    pin("MRTD", &policy.mrtd, report.mrtd);
    pin("MRCONFIGID", &policy.mrconfigid, report.mrconfigid);
    pin("MROWNER", &policy.mrowner, report.mrowner);
    pin("MROWNERCONFIG", &policy.mrownerconfig, report.mrownerconfig);
    let names = ["RTMR0", "RTMR1", "RTMR2", "RTMR3"];
    for ((name, wanted), found) in names.into_iter().zip(&policy.rtmr).zip(report.rtmr) {
        pin(name, wanted, found);
    }
    if policy.report_data == NOTHING_ASKED {
        let unasked = || Err(Rejection::FreshnessUnchecked);
        inspection.note((STEP, "REPORTDATA"), unasked, |()| String::new());
    } else {
        expect(
            "REPORTDATA",
            &policy.report_data,
            report.report_data,
            inspection,
        );
    }
}

fn expect<const N: usize>(
    name: &'static str,
    wanted: &Expect<[u8; N]>,
    found: Hex<N>,
    inspection: &mut Inspection,
) {
    match wanted {
        Expect::Unchecked { why } => inspection.skip((STEP, name), why),
        Expect::AnyOf(list) => {
            let refused = || Rejection::TdRefused {
                field: name,
                found: found.to_string(),
            };
            inspection.note(
                (STEP, name),
                || ensure(list.contains(&found.0), refused),
                |()| found.to_string(),
            );
        }
    }
}

fn check_attributes(report: &TdReport, policy: &TdxPolicy, inspection: &mut Inspection) {
    let attributes = report.attributes;
    let has = |bits: u64| attributes & bits != 0;
    let service_td = has(SERVTD_EXT) || report.has_service_td();
    let reserved = || Rejection::TdReserved {
        field: "TDATTRIBUTES",
        bits: attributes & RESERVED,
    };
    let checks = [
        (
            "debug",
            has(DEBUG | PROFILING),
            policy.debug,
            Rejection::TdDebug,
        ),
        (
            "migration",
            has(MIGRATABLE),
            policy.migratable,
            Rejection::TdMigratable,
        ),
        (
            "performance counters",
            has(PERFMON),
            policy.perfmon,
            Rejection::TdPerfmon,
        ),
        (
            "service TDs",
            service_td,
            policy.service_td,
            Rejection::TdServiceTd,
        ),
        (
            "devices",
            report.has_devices(),
            policy.devices,
            Rejection::TdDevices,
        ),
    ];
    inspection.note(
        (STEP, "reserved attributes"),
        || ensure(!has(RESERVED), reserved),
        |()| format!("none in {attributes:#x}"),
    );
    for (name, is_there, is_allowed, rejection) in checks {
        if is_there && is_allowed {
            inspection.skip((STEP, name), ALLOWED);
        } else {
            inspection.note(
                (STEP, name),
                || ensure(!is_there, || rejection),
                |()| "none".to_owned(),
            );
        }
    }
    match &policy.sept_ve_accepted {
        Some(why) if !has(SEPT_VE_DISABLE) => inspection.skip((STEP, "SEPT_VE_DISABLE"), why),
        _ => {
            inspection.note(
                (STEP, "SEPT_VE_DISABLE"),
                || ensure(has(SEPT_VE_DISABLE), || Rejection::TdSeptVe),
                |()| "set".to_owned(),
            );
        }
    }
    check_xfam(report.xfam, policy, inspection);
}

fn check_xfam(xfam: u64, policy: &TdxPolicy, inspection: &mut Inspection) {
    let known = xfam & XFAM_ALWAYS == XFAM_ALWAYS && xfam & !XFAM_KNOWN == 0;
    let reserved = || Rejection::TdReserved {
        field: "XFAM",
        bits: (xfam & !XFAM_KNOWN) | (XFAM_ALWAYS & !xfam),
    };
    inspection.note(
        (STEP, "reserved XFAM bits"),
        || ensure(known, reserved),
        |()| format!("none in {xfam:#x}"),
    );
    match &policy.xfam {
        Expect::Unchecked { why } => inspection.skip((STEP, "XFAM"), why),
        Expect::AnyOf(list) => {
            let refused = || Rejection::TdRefused {
                field: "XFAM",
                found: format!("{xfam:#x}"),
            };
            inspection.note(
                (STEP, "XFAM"),
                || ensure(list.contains(&xfam), refused),
                |()| format!("{xfam:#x}"),
            );
        }
    }
}

/// A platform that does not say how it is configured counts as configured the worse way.
fn check_platform(platform: &Platform, policy: &TdxPolicy, inspection: &mut Inspection) {
    let says = platform.configuration.unwrap_or_default();
    let flags = [
        (
            "dynamic platform",
            says.dynamic_platform,
            policy.dynamic_platform,
        ),
        ("cached keys", says.cached_keys, policy.cached_keys),
        ("SMT", says.smt, policy.smt),
    ];
    for (flag, found, allowed) in flags {
        let refused = || Rejection::PlatformRefused { flag };
        inspection.note(
            (STEP, flag),
            || ensure(allowed || found == Some(false), refused),
            |()| match found {
                Some(true) => "yes, as allowed".to_owned(),
                Some(false) => "no".to_owned(),
                None => "the certificate does not say".to_owned(),
            },
        );
    }
}

/// Step tdx-9: the events that explain the registers, if there is a log.
pub(crate) fn event_log(
    report: &TdReport,
    policy: &TdxPolicy,
    log: Option<&[u8]>,
    inspection: &mut Inspection,
) -> Option<EventLog> {
    const CHECK: (&str, &str) = ("tdx-9", "event log");
    let log = match (log, &policy.event_log_unchecked) {
        (None, Some(why)) if policy.rtmr0_events.is_none() => {
            inspection.skip(CHECK, why);
            None
        }
        (log, _) => {
            let [.., rtmr3] = &policy.rtmr;
            let is_pinned = matches!(rtmr3, Expect::AnyOf(_));
            inspection
                .check(
                    CHECK,
                    || {
                        let log = EventLog::parse(log.ok_or(Rejection::EventLogMissing)?)?;
                        log.explained(&report.rtmr, is_pinned)
                    },
                    |explained| {
                        format!(
                            "{} events lead to {}",
                            explained.log.events.len(),
                            explained.what()
                        )
                    },
                )
                .ok()
        }
    };
    if log.as_ref().is_some_and(|it| !it.rtmr3) {
        inspection.skip(("tdx-9", "RTMR3 events"), RTMR3_UNEXPLAINED);
    }
    let log = log.map(|explained| explained.log);
    if let (Some(log), Some(wanted)) = (&log, &policy.rtmr0_events) {
        check_events(log, wanted, inspection);
    }
    log
}

/// Checks the events of RTMR0 one by one: no more, no fewer, and no others than expected.
fn check_events(log: &EventLog, wanted: &[BootEvent], inspection: &mut Inspection) {
    const CHECK: (&str, &str) = ("tdx-9", "RTMR0 events");
    let found: Vec<_> = log.events.iter().filter(|event| event.rtmr == 0).collect();
    let fits = || {
        for index in 0..found.len().max(wanted.len()) {
            let event = found.get(index);
            let fits = match (event, wanted.get(index)) {
                (Some(_), Some(BootEvent::Varies { .. })) => true,
                (Some(event), Some(BootEvent::Measured(digest))) => event.digest == *digest,
                _ => false,
            };
            ensure(fits, || Rejection::EventUnexpected {
                index,
                found: event.map_or("nothing".to_owned(), |it| {
                    format!("{} {}", it.name, it.digest)
                }),
            })?;
        }
        Ok(())
    };
    inspection.note(CHECK, fits, |()| format!("{} as expected", found.len()));
    for event in wanted {
        if let BootEvent::Varies { why } = event {
            inspection.skip(CHECK, why);
        }
    }
}
