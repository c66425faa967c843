//! `chrysalis-host doctor`: what this machine has and lacks, line by line, and how to fix each.

pub(crate) mod confidential;
mod machine;

use std::{fmt::Write, process::ExitCode};

use serde::Serialize;

use crate::{
    cli::{DoctorOptions, Format},
    launch::programs::{self, QemuVersion},
};

/// A simulated run is not possible.
const NOT_POSSIBLE: u8 = 1;

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    outcome: Outcome,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// Without it there is no simulated run.
    needed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Lacks,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            outcome: Outcome::Ok,
            found: found.into(),
            fix: None,
            needed: false,
        }
    }

    fn lacks(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            outcome: Outcome::Lacks,
            found: found.into(),
            fix: Some(fix.into()),
            needed: false,
        }
    }

    /// With advice, although it is there.
    fn advising(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    fn needed(self) -> Self {
        Self {
            needed: true,
            ..self
        }
    }

    fn prevents(&self) -> bool {
        self.needed && self.outcome == Outcome::Lacks
    }
}

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
            Outcome::Lacks => "lacks",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{word:<6} {name:<20} {found}");
        if let Some(fix) = fix {
            let _ = writeln!(page, "{:<28}hint: {fix}", "");
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
            "\na simulated run is not possible on this machine: it lacks {}",
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
        let wished = Check::lacks("kvm", "there is no /dev/kvm", "turn it on");
        let had = Check::ok("qemu", "QEMU 10.0").needed();
        let page = text(&[wished.clone(), had]);
        assert!(
            page.starts_with("lacks  kvm                  there is no /dev/kvm\n"),
            "{page}"
        );
        assert!(page.contains("hint: turn it on\nok     qemu"), "{page}");
        assert!(
            page.ends_with("\na simulated run is possible on this machine\n"),
            "{page}"
        );
        let page = text(&[wished, Check::lacks("qemu", "none", "install it").needed()]);
        assert!(
            page.ends_with("not possible on this machine: it lacks qemu\n"),
            "{page}"
        );
    }
}
