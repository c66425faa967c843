//! Why two measurements differ: the first thing that does, named the way you would look for it.

use crate::{
    CommandLine, EventDigest, Image, MeasureError, Sha384Digest, TdxEvent,
    elf::section_that_differs, footer::PAGE, image::read,
};
use std::fmt;

/// The length of an entry's header in a newc archive, and where its numbers are.
const ENTRY: usize = 110;
const MODE: usize = 14;
const SIZE: usize = 54;
const NAME_LENGTH: usize = 94;
/// The name that ends an archive.
const LAST: &[u8] = b"TRAILER!!!";

/// The first thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A page of a firmware.
    Page {
        /// The file.
        file: &'static str,
        /// Its number in the file, from 0.
        page: usize,
    },
    /// A word of a command line.
    Word {
        /// The file.
        file: &'static str,
        /// Its number, from 1.
        number: usize,
        /// The word expected, if there is one.
        expected: Option<String>,
        /// The word found, if there is one.
        found: Option<String>,
    },
    /// A file in the initrd: its content, mode or place.
    Entry {
        /// The entry expected, if there is one.
        expected: Option<String>,
        /// The entry found, if there is one.
        found: Option<String>,
        /// The first section that differs, of a program.
        section: Option<String>,
    },
    /// A byte of a file.
    Byte {
        /// The file.
        file: &'static str,
        /// Its offset.
        offset: usize,
    },
    /// A file that only one of the two has.
    File {
        /// The file.
        file: &'static str,
        /// Whether it was expected.
        expected: bool,
    },
    /// An event of a TDX run-time register.
    Event {
        /// The register.
        rtmr: u8,
        /// The event's number in the register, from 0.
        index: usize,
        /// What should have been measured there, if anything.
        expected: Option<&'static str>,
        /// What the log says was measured there, if anything.
        found: Option<String>,
    },
}

/// An event of a log, as the guest that keeps the log reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEvent {
    /// The register.
    pub rtmr: u8,
    /// What the log calls it.
    pub name: String,
    /// What the register was extended with.
    pub digest: Sha384Digest,
}

/// The first thing in which two images differ, in boot order; `None` if they measure the same everywhere.
pub fn explain_images(expected: &Image, found: &Image) -> Result<Option<Difference>, MeasureError> {
    for name in ["firmware.fd", "firmware-tdx.fd"] {
        let (left, right) = (expected.folder().join(name), found.folder().join(name));
        let difference = match (left.exists(), right.exists()) {
            (false, false) => None,
            (true, true) => {
                let offset = first(&read(&left)?, &read(&right)?);
                let page = offset.map(|offset| offset / PAGE);
                page.map(|page| Difference::Page { file: name, page })
            }
            (here, _) => Some(Difference::File {
                file: name,
                expected: here,
            }),
        };
        if difference.is_some() {
            return Ok(difference);
        }
    }
    for (file, which) in [
        ("cmdline", CommandLine::Hardware),
        ("cmdline-simulated", CommandLine::Simulated),
    ] {
        let difference = word(
            file,
            expected.command_line(which),
            found.command_line(which),
        );
        if difference.is_some() {
            return Ok(difference);
        }
    }
    let kernel = first(&read(&expected.kernel())?, &read(&found.kernel())?);
    if let Some(offset) = kernel {
        let file = "kernel";
        return Ok(Some(Difference::Byte { file, offset }));
    }
    let (left, right) = (read(&expected.initrd())?, read(&found.initrd())?);
    Ok(first(&left, &right).map(|offset| entry(&left, &right, offset)))
}

/// The first event in which a log differs from what was computed, register by register. Events that vary by machine are skipped; a
/// missing or an extra event is a difference.
pub fn explain_events(expected: &[TdxEvent], found: &[FoundEvent]) -> Option<Difference> {
    (0..=2).find_map(|rtmr| {
        let mut log = found.iter().filter(|event| event.rtmr == rtmr);
        let events = expected.iter().filter(|event| event.rtmr == rtmr);
        for (index, event) in events.enumerate() {
            let found = log.next();
            let same = match (event.digest, found) {
                (EventDigest::Computed(digest), Some(found)) => digest == found.digest,
                (EventDigest::Varies(_), Some(_)) => true,
                (_, None) => false,
            };
            if !same {
                return Some(Difference::Event {
                    rtmr,
                    index,
                    expected: Some(event.name),
                    found: found.map(|event| event.name.clone()),
                });
            }
        }
        let index = expected.iter().filter(|event| event.rtmr == rtmr).count();
        log.next().map(|event| Difference::Event {
            rtmr,
            index,
            expected: None,
            found: Some(event.name.clone()),
        })
    })
}

/// The first offset at which two files differ. A file that ends early differs where it ends.
fn first(left: &[u8], right: &[u8]) -> Option<usize> {
    let common = left
        .iter()
        .zip(right)
        .position(|(left, right)| left != right);
    common.or_else(|| (left.len() != right.len()).then(|| left.len().min(right.len())))
}

fn word(file: &'static str, left: &str, right: &str) -> Option<Difference> {
    if left == right {
        return None;
    }
    let (mut expected, mut found) = (left.split(' '), right.split(' '));
    // Lines that differ have a first word that does.
    for number in 1.. {
        let (left, right) = (expected.next(), found.next());
        if left != right {
            return Some(Difference::Word {
                file,
                number,
                expected: left.map(str::to_owned),
                found: right.map(str::to_owned),
            });
        }
    }
    None
}

/// The first entries of two archives that differ, or the byte if they cannot be read that far.
fn entry(left: &[u8], right: &[u8], offset: usize) -> Difference {
    let (mut expected, mut found) = (Entries(left), Entries(right));
    loop {
        let (left, right) = (expected.next(), found.next());
        match (left, right) {
            (None, None) => {
                return Difference::Byte {
                    file: "initrd",
                    offset,
                };
            }
            (Some(left), Some(right)) if left == right => {}
            (left, right) => {
                let section = match (&left, &right) {
                    (Some(left), Some(right)) if left.name == right.name => {
                        section_that_differs(left.content, right.content)
                    }
                    _ => None,
                };
                return Difference::Entry {
                    section,
                    expected: left.map(|entry| entry.name),
                    found: right.map(|entry| entry.name),
                };
            }
        }
    }
}

/// A file of an archive, as far as the initrd's builder sets it: time, owner and number are always zero.
#[derive(PartialEq, Eq)]
struct Entry<'a> {
    name: String,
    mode: u32,
    content: &'a [u8],
}

/// The entries of a newc archive, up to its end or the first that makes no sense.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let archive = self.0;
        let header = archive
            .get(..ENTRY)
            .filter(|header| header.starts_with(b"070701"))?;
        let number = |at: usize| {
            let digits = std::str::from_utf8(header.get(at..at + 8)?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (mode, size, length) = (number(MODE)?, number(SIZE)?, number(NAME_LENGTH)?);
        let name_end = ENTRY.checked_add(length as usize)?;
        let start = name_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(size as usize)?;
        let name = archive.get(ENTRY..name_end)?.strip_suffix(&[0])?;
        if name == LAST {
            return None;
        }
        let content = archive.get(start..end)?;
        self.0 = archive
            .get(end.checked_next_multiple_of(4)?..)
            .unwrap_or_default();
        Some(Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            mode,
            content,
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |f: &mut fmt::Formatter<'_>, side: &Option<String>| match side {
            Some(text) => write!(f, "{text:?}"),
            None => f.write_str("nothing"),
        };
        match self {
            Self::Page { file, page } => {
                write!(f, "{file}: page {page} (offset {:#x}) differs", page * PAGE)
            }
            Self::Word {
                file,
                number,
                expected,
                found,
            } => {
                write!(f, "{file}: word {number} is ")?;
                side(f, found)?;
                f.write_str(", expected ")?;
                side(f, expected)
            }
            Self::Entry {
                expected: Some(left),
                found: Some(right),
                section,
            } if left == right => {
                write!(f, "initrd: {left:?} differs")?;
                match section {
                    Some(name) => write!(f, ", first in section {name:?}"),
                    None => Ok(()),
                }
            }
            Self::Entry {
                expected, found, ..
            } => {
                f.write_str("initrd: found ")?;
                side(f, found)?;
                f.write_str(", expected ")?;
                side(f, expected)
            }
            Self::Byte { file, offset } => write!(f, "{file}: byte {offset} differs"),
            Self::File { file, expected } => {
                let where_ = if *expected {
                    "is missing"
                } else {
                    "was not expected"
                };
                write!(f, "{file} {where_}")
            }
            Self::Event {
                rtmr,
                index,
                expected,
                found,
            } => {
                write!(f, "RTMR{rtmr}, event {index}: found ")?;
                side(f, found)?;
                write!(f, ", expected {}", expected.unwrap_or("nothing"))
            }
        }
    }
}
