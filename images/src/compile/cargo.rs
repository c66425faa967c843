//! cargo at work, heard: its lines go on to stderr. Where it has none for a while, as during a build script that compiles C++, the
//! crate that it named last is said again, with the time.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, tool};

/// The longest silence.
const QUIET: Duration = Duration::from_secs(8);
/// Begins the line of a crate.
const COMPILING: &str = "Compiling ";

/// Runs cargo to its end. Its talk goes to stderr: stdout is for data.
pub(super) fn run(what: &str, command: &mut Command, hint: &'static str) -> Result<(), Error> {
    let ended = hear(what, command, QUIET, |line| eprintln!("{line}"));
    let problem = match ended {
        Ok(true) => return Ok(()),
        Ok(false) => "failed; what it printed is above".to_owned(),
        Err(error) => format!("does not start: {error}"),
    };
    Err(tool::failed(command, problem, hint))
}

/// Whether it succeeded.
fn hear(
    what: &str,
    command: &mut Command,
    quiet: Duration,
    mut say: impl FnMut(&str),
) -> std::io::Result<bool> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take();
    let started = Instant::now();
    let mut newest = None;
    let (sender, lines) = channel();
    thread::scope(|scope| {
        scope.spawn(move || stderr.map(|stderr| pass_on(stderr, &sender)));
        loop {
            match lines.recv_timeout(quiet) {
                Ok(line) => {
                    let named = crate_in(&line).map(|name| (name, Instant::now()));
                    newest = named.or(newest.take());
                    say(&line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = started.elapsed().as_secs();
                    let at = newest.as_ref().map_or(String::new(), |(name, since)| {
                        format!(": {name} for {} s", since.elapsed().as_secs())
                    });
                    say(&format!("  compiling {what}{at} ({seconds} s)"));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    Ok(child.wait()?.success())
}

/// Until the other end is closed. A line that cannot be read ends it, too.
fn pass_on(from: impl Read, to: &Sender<String>) {
    let lines = BufReader::new(from).split(b'\n');
    for line in lines.map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if to.send(line).is_err() {
            return;
        }
    }
}

/// `   Compiling ring v0.17.14` → `ring v0.17.14`. cargo may colour the first word.
fn crate_in(line: &str) -> Option<String> {
    let plain: String = line
        .split('\x1b')
        .enumerate()
        .map(|(part, text)| match text.split_once('m') {
            Some((_, rest)) if part > 0 => rest,
            _ => text,
        })
        .collect();
    let rest = plain.trim_start().strip_prefix(COMPILING)?;
    let mut words = rest.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(script: &str) -> (bool, Vec<String>) {
        let mut said = Vec::new();
        let mut tool = Command::new("sh");
        tool.args(["-c", script]);
        let quiet = Duration::from_millis(100);
        let succeeded = hear("the engine", &mut tool, quiet, |line| {
            said.push(line.to_owned());
        });
        (succeeded.unwrap(), said)
    }

    #[test]
    fn is_never_silent_while_a_build_script_is() {
        let (succeeded, said) = slow(
            "echo '   Compiling a v1' >&2; echo '   Compiling b-sys v2.0 (/x)' >&2; sleep 1; echo done >&2",
        );
        assert!(succeeded);
        assert_eq!(said.first().unwrap(), "   Compiling a v1");
        assert_eq!(said.last().unwrap(), "done");
        let between = said.get(2..said.len() - 1).unwrap();
        assert!(between.len() > 3, "{said:?}");
        for line in between {
            let is_at = line.starts_with("  compiling the engine: b-sys v2.0 for ");
            assert!(is_at && line.ends_with(" s)"), "{line}");
        }
    }

    #[test]
    fn says_how_long_before_a_crate_is_named() {
        let (succeeded, said) = slow("sleep 0.5; exit 3");
        assert!(!succeeded);
        assert_eq!(said.first().unwrap(), "  compiling the engine (0 s)");
    }

    #[test]
    fn names_what_failed_or_does_not_start() {
        let error = |program: &str| run("x", &mut Command::new(program), "do").unwrap_err();
        let text = error("false").to_string();
        assert_eq!(text, "false failed; what it printed is above\nhint: do");
        let text = error("/nonexistent").to_string();
        assert!(text.starts_with("/nonexistent does not start: "), "{text}");
    }

    #[test]
    fn finds_a_crate_in_colour() {
        let line = "\x1b[1m\x1b[92m   Compiling\x1b[0m ring v0.17.14";
        assert_eq!(crate_in(line).unwrap(), "ring v0.17.14");
        assert_eq!(crate_in("    Finished `release` profile"), None);
        assert_eq!(crate_in("   Compiling"), None);
    }
}
