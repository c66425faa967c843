//! The measured words. The kernel hands everything after `--` on its command line to PID 1 as arguments, and the command line
//! is part of the launch digest. These words are therefore measured; nothing else decides where the enclave runs.

use std::path::PathBuf;

use chrysalis_wire::configuration::is_digest;

use crate::{failure::Failure, host::Address};

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
    pub(crate) driver: Option<Disk>,
    /// The folder of disks, for an enclave that is an ordinary process; a machine has the disks themselves.
    pub(crate) disks: Option<PathBuf>,
}

impl Words {
    /// Refuses unknown words: a misspelt one would otherwise mean its default.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut parsed = Self {
            simulated: false,
            host: Address::Vsock,
            not_before: None,
            driver: None,
            disks: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("platform", "simulated")) => parsed.simulated = true,
                Some(("host", "vsock")) => parsed.host = Address::Vsock,
                Some(("host", place)) if place.starts_with("unix:") => {
                    parsed.host = Address::Unix(PathBuf::from(&place["unix:".len()..]));
                }
                Some(("not_before", day)) => parsed.not_before = Some(day.to_owned()),
                Some(("driver", disk)) => match Disk::parse(disk) {
                    Some(disk) => parsed.driver = Some(disk),
                    None => return Err(Failure::UnknownWord(word)),
                },
                Some(("disks", folder)) => parsed.disks = Some(PathBuf::from(folder)),
                _ => return Err(Failure::UnknownWord(word)),
            }
        }
        Ok(parsed)
    }
}

/// The driver's disk, as the measured words describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Blocks of its file system; the hash tree follows.
    pub(crate) blocks: u64,
    /// Hexadecimal root of the tree.
    pub(crate) root: String,
}

impl Disk {
    /// `BLOCKS:ROOT`
    fn parse(text: &str) -> Option<Self> {
        let (blocks, root) = text.split_once(':')?;
        let blocks = blocks.parse().ok().filter(|blocks| *blocks > 0)?;
        is_digest(root).then(|| Self {
            blocks,
            root: root.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "ff2967cbbf2f5655bb02a1370a288da80b02cc35c0ae7b0d300a5adfa4d34ee0";

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
            "disks=/d",
        ];
        let words = parse(&words).unwrap();
        assert!(words.simulated);
        assert_eq!(words.host, Address::Unix("/run/x".into()));
        assert_eq!(words.disks, Some("/d".into()));
        assert_eq!(words.not_before.as_deref(), Some("2026-11-29"));
    }

    #[test]
    fn refuses_a_word_it_does_not_know() {
        for word in [
            "platform=simulatd",
            "single",
            "driver=/dev/vdb",
            "weights=/w",
            "host=tcp:1",
            "hots=vsock",
            "",
        ] {
            let refused = parse(&[word]).unwrap_err();
            assert_eq!(refused.code(), "unknown_word", "{word}");
        }
    }

    #[test]
    fn reads_a_disk() {
        let disk = Disk::parse(&format!("31460:{ROOT}")).unwrap();
        assert_eq!((disk.blocks, disk.root.as_str()), (31460, ROOT));
    }

    #[test]
    fn refuses_a_disk_that_is_not_whole() {
        for text in [
            "",
            ROOT,
            &format!(":{ROOT}"),
            &format!("0:{ROOT}"),
            &format!("-1:{ROOT}"),
            "1:ff",
            &format!("1:{}", ROOT.to_uppercase()),
            &format!("1:{ROOT} "),
        ] {
            assert_eq!(Disk::parse(text), None, "{text}");
        }
    }
}
