//! The first step: the measured words, and on the machine itself the file systems.
//!
//! The kernel passes everything after `--` on its command line to PID 1 as arguments, and the command line is part of
//! the launch digest. So these words are measured; nothing else decides where the enclave runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    clock,
    console::{Progress, since_boot_ms},
    driver,
    failure::Failure,
    host::{Address, Host},
    machine::Machine,
    platform::Platform,
};

/// The measured words, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// Whether the security processor is a simulated one, which the host plays.
    pub(crate) simulated: bool,
    /// Where the host answers.
    pub(crate) host: Address,
    /// The day before which no clock can be right, as written there.
    pub(crate) not_before: Option<String>,
    /// The disk of a GPU's driver, on images that have one.
    pub(crate) driver: Option<driver::Disk>,
    /// The weights file, for an enclave that is an ordinary process; the VM has a disk instead.
    pub(crate) weights: Option<PathBuf>,
}

impl Words {
    /// Refuses unknown words: a misspelt one would otherwise mean its default.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut parsed = Self {
            simulated: false,
            host: Address::Vsock,
            not_before: None,
            driver: None,
            weights: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("platform", "simulated")) => parsed.simulated = true,
                Some(("host", "vsock")) => parsed.host = Address::Vsock,
                Some(("host", place)) if place.starts_with("unix:") => {
                    parsed.host = Address::Unix(PathBuf::from(&place["unix:".len()..]));
                }
                Some(("not_before", day)) => parsed.not_before = Some(day.to_owned()),
                Some(("driver", disk)) => match driver::Disk::parse(disk) {
                    Some(disk) => parsed.driver = Some(disk),
                    None => return Err(Failure::UnknownWord(word)),
                },
                Some(("weights", file)) => parsed.weights = Some(PathBuf::from(file)),
                _ => return Err(Failure::UnknownWord(word)),
            }
        }
        Ok(parsed)
    }
}

/// An enclave that knows where it runs.
pub(crate) struct Booted {
    pub(crate) ground: Arc<Ground>,
    /// On a machine of our own, the stages passed before the host could be told, each with its time since the kernel started.
    pub(crate) untold: Vec<(&'static str, u64)>,
}

/// What every later step builds on.
pub(crate) struct Ground {
    pub(crate) words: Words,
    pub(crate) machine: Machine,
    pub(crate) platform: Platform,
    pub(crate) host: Arc<Host>,
    pub(crate) progress: Progress,
}

impl Booted {
    /// Sets up the machine, if it is ours, and finds out what vouches for it.
    pub(crate) fn from_measured_words(
        words: impl IntoIterator<Item = String>,
    ) -> Result<Self, Failure> {
        let began = since_boot_ms();
        let words = Words::parse(words)?;
        let machine = Machine::take()?;
        let host = Arc::new(Host::new(words.host.clone()));
        let platform = Platform::find(&words, &host)?;
        tracing::info!(platform = platform.name(), "booted");
        let untold = match machine {
            Machine::Own => vec![
                ("kernel started", began),
                ("machine ready", since_boot_ms()),
            ],
            Machine::Shared => Vec::new(),
        };
        let ground = Ground {
            progress: Progress::new(host.clone()),
            words,
            machine,
            platform,
            host,
        };
        Ok(Self {
            ground: Arc::new(ground),
            untold,
        })
    }

    /// Refuses a clock from before the image was built. The host sets the clock, and nothing here knows the right time; but
    /// whatever had expired by that day stays expired.
    pub(crate) fn require_clock(self) -> Result<Self, Failure> {
        clock::require(self.ground.words.not_before.as_deref(), clock::now())?;
        Ok(self)
    }

    /// Where to report how far the enclave has got.
    pub(crate) fn progress(&self) -> Progress {
        self.ground.progress.clone()
    }
}

/// How long a device may take to appear after the kernel started.
pub(crate) const DEVICE_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Words, Failure> {
        Words::parse(words.iter().map(ToString::to_string))
    }

    #[test]
    fn no_word_means_hardware_and_vsock() {
        let words = parse(&[]).unwrap();
        assert!(!words.simulated);
        assert_eq!(words.host, Address::Vsock);
        assert_eq!(words.not_before, None);
    }

    #[test]
    fn reads_the_words_of_a_process() {
        let words = [
            "not_before=2026-11-29",
            "platform=simulated",
            "host=unix:/run/x",
            "weights=/w",
        ];
        let words = parse(&words).unwrap();
        assert!(words.simulated);
        assert_eq!(words.host, Address::Unix("/run/x".into()));
        assert_eq!(words.weights, Some("/w".into()));
        assert_eq!(words.not_before.as_deref(), Some("2026-11-29"));
    }

    #[test]
    fn refuses_a_word_it_does_not_know() {
        for word in [
            "platform=simulatd",
            "single",
            "driver=/dev/vdb",
            "host=tcp:1",
            "hots=vsock",
            "",
        ] {
            let refused = parse(&[word]).unwrap_err();
            assert_eq!(refused.code(), "unknown_word", "{word}");
        }
    }
}
