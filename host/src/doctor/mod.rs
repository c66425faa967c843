//! `chrysalis-host doctor`: what this machine has and what it is missing, line by line, and how to fix each.

mod check;
mod confidential;
mod machine;
pub(crate) mod options;

use std::{fmt::Write, process::ExitCode};

use self::{
    check::{Check, Outcome},
    options::DoctorOptions,
};
use crate::{
    format::Format,
    launch::programs::{self, QemuVersion},
};

/// A simulated run is not possible.
const NOT_POSSIBLE: u8 = 1;

/// Looks at everything and prints it.
pub(crate) async fn doctor(options: &DoctorOptions) -> anyhow::Result<ExitCode> {
    let qemu = programs::qemu();
    let version = match &qemu {
        Ok(qemu) => QemuVersion::of(qemu).await,
        Err(_) => None,
    };
    let mut checks = machine::checks(options, qemu, version).await;
    checks.extend(confidential::checks(version));
    let possible = !checks.iter().any(Check::prevents);
    match options.format {
        Format::Text => print!("{}", text(&checks)),
        Format::Json => {
            let report =
                serde_json::json!({ "simulated_run_possible": possible, "checks": checks });
            println!("{}", serde_json::to_string_pretty(&report)?);
        }
    }
    Ok(if possible {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_POSSIBLE)
    })
}

fn text(checks: &[Check]) -> String {
    let mut page = String::new();
    for Check {
        name,
        outcome,
        found,
        fix,
        ..
    } in checks
    {
        let word = match outcome {
            Outcome::Ok => "ok",
            Outcome::Missing => "missing",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{word:<7} {name:<20} {found}");
        if let Some(fix) = fix {
            let _ = writeln!(page, "{:<29}hint: {fix}", "");
        }
    }
    let preventing: Vec<_> = checks
        .iter()
        .filter(|check| check.prevents())
        .map(|check| check.name)
        .collect();
    let _ = if preventing.is_empty() {
        writeln!(page, "\na simulated run is possible on this machine")
    } else {
        writeln!(
            page,
            "\na simulated run is not possible on this machine; missing: {}",
            preventing.join(", ")
        )
    };
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_prevents_a_run() {
        let wished = Check::missing("kvm", "there is no /dev/kvm", "turn it on");
        let had = Check::ok("qemu", "QEMU 10.0").needed();
        let page = text(&[wished.clone(), had]);
        assert!(
            page.starts_with("missing kvm                  there is no /dev/kvm\n"),
            "{page}"
        );
        assert!(page.contains("hint: turn it on\nok      qemu"), "{page}");
        assert!(
            page.ends_with("\na simulated run is possible on this machine\n"),
            "{page}"
        );
        let page = text(&[
            wished,
            Check::missing("qemu", "none", "install it").needed(),
        ]);
        assert!(
            page.ends_with("not possible on this machine; missing: qemu\n"),
            "{page}"
        );
    }
}
