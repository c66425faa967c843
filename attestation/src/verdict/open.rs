//! What a verdict's text says about everything that was not checked.

use crate::transcript::Check;

/// Begins the line that lists everything the policy does not mention.
const SILENT: &str = "not in the policy";

/// A line for each waived check, with the reason, and, where there was a policy, one line for everything that it could have required
/// and did not.
pub fn lines(checks: &[Check], by_a_policy: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut silent = Vec::new();
    for check in checks {
        let Check { name, detail, .. } = check;
        if check.is_open() {
            let line = format!("open    {name:<24} not checked: {detail}");
            // Several GPUs produce the same line.
            if !lines.contains(&line) {
                lines.push(line);
            }
        } else if let Some(name) = check.left_open()
            && !silent.contains(&name)
        {
            silent.push(name);
        }
    }
    if by_a_policy && !silent.is_empty() {
        lines.push(format!("open    {SILENT:<24} {}", silent.join(", ")));
    }
    lines
}

/// The same for a verdict in one line: the names of waived checks, and how many the policy does not mention.
pub fn in_a_line(checks: &[Check]) -> Option<String> {
    let mut waived = Vec::new();
    let mut silent = Vec::new();
    for check in checks {
        let names = if check.is_open() {
            &mut waived
        } else if check.left_open().is_some() {
            &mut silent
        } else {
            continue;
        };
        if !names.contains(&check.name) {
            names.push(check.name);
        }
    }
    match (waived.as_slice(), silent.len()) {
        ([], 0) => None,
        ([], count) => Some(format!("open: {count} {SILENT}")),
        (_, 0) => Some(format!("open: {}", waived.join(", "))),
        (_, count) => Some(format!("open: {}, and {count} {SILENT}", waived.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{
        ALLOWED, LEFT_OPEN, LEFT_TO_CONFIGURATION, NO_POLICY, Outcome, PINNED_BY_NOTHING,
    };

    #[test]
    fn what_is_waived_is_told_with_its_reason_and_what_is_silent_in_one_line() {
        let check = |name, outcome, detail: &str| Check {
            step: "policy-1",
            name,
            outcome,
            detail: detail.to_owned(),
        };
        let checks = [
            check("chip", Outcome::NotChecked, LEFT_OPEN),
            check("report version", Outcome::Passed, "3"),
            check("revocation", Outcome::NotChecked, "offline"),
            check("debugging", Outcome::NotChecked, ALLOWED),
            check("revocation", Outcome::NotChecked, "offline"),
            check("image", Outcome::NotChecked, NO_POLICY),
            check("chip", Outcome::NotChecked, LEFT_OPEN),
            check("ID block", Outcome::NotChecked, LEFT_OPEN),
            check("models", Outcome::NotChecked, LEFT_TO_CONFIGURATION),
            check("weights", Outcome::NotChecked, PINNED_BY_NOTHING),
        ];
        let waived = [
            "open    revocation               not checked: offline",
            "open    debugging                not checked: it is there, and the policy allows it",
        ];
        assert_eq!(lines(&checks, false), waived);
        let silent = "open    not in the policy        chip, ID block, models (pinned by the configuration's digest alone), \
            weights (pinned by nothing)";
        assert_eq!(lines(&checks, true), [&waived[..], &[silent]].concat());
        assert!(lines(&[], true).is_empty());

        let line = "open: revocation, debugging, and 4 not in the policy";
        assert_eq!(in_a_line(&checks), Some(line.to_owned()));
        let silent = "open: 1 not in the policy";
        assert_eq!(in_a_line(&checks[..1]), Some(silent.to_owned()));
        let waived = "open: revocation";
        assert_eq!(in_a_line(&checks[2..3]), Some(waived.to_owned()));
        assert_eq!(in_a_line(&[]), None);
    }
}
