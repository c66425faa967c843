//! What the firmware and the loaders say they measured: a TCG2 crypto-agile log, as in the CCEL table.
//!
//! Trusts nothing: the log explains the run-time registers only if replaying it gives exactly their values. Even then an event's data
//! is only a claim, unless its digest is the digest of that data.

use serde::Serialize;

use crate::{
    Rejection,
    encoding::{
        digest::{Hex, sha384},
        reader::Reader,
    },
};

/// Real logs have 5 to 100 KB; the area that contains them has 64 KiB or more.
pub const MAX_EVENT_LOG_SIZE: usize = 1024 * 1024;
/// Real logs have fewer than 300 events.
const MAX_EVENTS: usize = 4096;

/// The register that the guest extends itself.
const RTMR3: u8 = 3;
const EV_NO_ACTION: u32 = 3;
const SHA384: u16 = 0x000C;
const SPECIFICATION: &[u8; 16] = b"Spec ID Event03\0";

/// A log that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLog {
    /// Every event that extends a register, in order.
    pub events: Vec<Event>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// 0 to 3.
    pub rtmr: u8,
    /// Its type, as a number.
    pub kind: u32,
    /// Its type, in TCG's words.
    pub name: &'static str,
    /// What the register was extended with.
    pub digest: Hex<48>,
    /// What the measuring party says about it: a claim, unless `data_is_measured`.
    #[serde(serialize_with = "hex_text")]
    pub data: Vec<u8>,
    /// Whether the digest is that of the data, so that the register vouches for the data.
    pub data_is_measured: bool,
}

fn hex_text<S: serde::Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(data))
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::EventLogMalformed { what }
}

const CUT: Rejection = Rejection::EventLogMalformed {
    what: "it ends inside an event",
};

impl EventLog {
    /// Reads a log. Whatever follows its last event must be all zeroes or all ones, like an unused area.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        Self::read(bytes).map(|(log, _)| log)
    }

    /// The part of `bytes` that holds the log, without the unused area that firmware keeps after it: what a guest puts
    /// into a bundle. Refuses what [`Self::parse`] refuses.
    pub fn written(bytes: &[u8]) -> Result<&[u8], Rejection> {
        let (_, unused) = Self::read(bytes)?;
        let length = bytes.len().saturating_sub(unused.len());
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Rejection> {
        let found = bytes.len();
        if found > MAX_EVENT_LOG_SIZE {
            return Err(Rejection::EventLogTooLarge { found });
        }
        let mut rest = read_specification(bytes)?;
        let mut events = Vec::new();
        while !is_unused(rest) {
            let (event, after) = read_event(rest)?;
            rest = after;
            events.extend(event);
            if events.len() > MAX_EVENTS {
                return Err(malformed("it has too many events"));
            }
        }
        Ok((Self { events }, rest))
    }

    /// The values of the four registers after these events.
    pub fn replay(&self) -> [Hex<48>; 4] {
        let mut registers = [Hex([0; 48]); 4];
        for event in &self.events {
            if let Some(register) = registers.get_mut(usize::from(event.rtmr)) {
                *register = Hex(sha384(&[&register.0, &event.digest.0]));
            }
        }
        registers
    }

    /// Checks that exactly these events lead to the registers' values.
    ///
    /// RTMR3 is the guest's own: no firmware log contains what the guest measures there after the boot. If `rtmr3_is_pinned`, the policy
    /// wants its value, so it may remain unexplained; events that claim to be in it are then dropped, since nothing vouches for them.
    pub(super) fn explained(
        mut self,
        registers: &[Hex<48>; 4],
        rtmr3_is_pinned: bool,
    ) -> Result<Explained, Rejection> {
        let replayed = self.replay();
        let mut rtmr3 = true;
        for (register, (found, wanted)) in (0_u8..).zip(replayed.iter().zip(registers)) {
            if found == wanted {
                continue;
            }
            if register != RTMR3 || !rtmr3_is_pinned {
                return Err(Rejection::EventLogMismatch {
                    register,
                    wanted: *wanted,
                });
            }
            rtmr3 = false;
            self.events.retain(|event| event.rtmr != RTMR3);
        }
        Ok(Explained { log: self, rtmr3 })
    }
}

/// A log that explains registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Explained {
    /// The events that the registers vouch for.
    pub(super) log: EventLog,
    /// Whether RTMR3 is among these registers.
    pub(super) rtmr3: bool,
}

impl Explained {
    /// Which registers, for people.
    pub(super) fn what(&self) -> &'static str {
        if self.rtmr3 {
            "the registers"
        } else {
            "RTMR0 to RTMR2"
        }
    }
}

/// The first event has the old layout and says which digests the others have: only SHA-384.
fn read_specification(bytes: &[u8]) -> Result<&[u8], Rejection> {
    let mut reader = Reader::new(bytes, CUT);
    let (_, kind) = (reader.u32()?, reader.u32()?);
    reader.array::<20>()?;
    let (data, rest) = counted(bytes.get(28..).unwrap_or_default())?;
    if kind != EV_NO_ACTION {
        return Err(malformed("it does not begin with its specification"));
    }
    let mut reader = Reader::new(data, CUT);
    if reader.array::<16>()? != *SPECIFICATION {
        return Err(malformed("its specification is not that of a TCG2 log"));
    }
    reader.array::<8>()?;
    let algorithms = reader.u32()?;
    let algorithm = u16::from_le_bytes(reader.array()?);
    let size = u16::from_le_bytes(reader.array()?);
    if (algorithms, algorithm, size) != (1, SHA384, 48) {
        return Err(malformed("its digests are not only SHA-384"));
    }
    Ok(rest)
}

/// One event, unless it extends no register, and what follows it.
fn read_event(bytes: &[u8]) -> Result<(Option<Event>, &[u8]), Rejection> {
    let mut reader = Reader::new(bytes, CUT);
    let (register, kind) = (reader.u32()?, reader.u32()?);
    let (digests, algorithm) = (reader.u32()?, u16::from_le_bytes(reader.array()?));
    if (digests, algorithm) != (1, SHA384) {
        return Err(malformed("an event's digest is not only SHA-384"));
    }
    let digest: [u8; 48] = reader.array()?;
    let (data, rest) = counted(bytes.get(62..).unwrap_or_default())?;
    if kind == EV_NO_ACTION {
        return Ok((None, rest));
    }
    // The log numbers MRTD as register 0, and MRTD is extended before any log begins.
    let rtmr = match register {
        1 => 0,
        2 => 1,
        3 => 2,
        4 => 3,
        _ => return Err(malformed("an event is not for a run-time register")),
    };
    let event = Event {
        rtmr,
        kind,
        name: name(kind),
        digest: Hex(digest),
        data: data.to_vec(),
        data_is_measured: sha384(&[data]) == digest,
    };
    Ok((Some(event), rest))
}

fn counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let (count, rest) = bytes.split_first_chunk().ok_or(CUT)?;
    let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| CUT)?;
    rest.split_at_checked(count).ok_or(CUT)
}

fn is_unused(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == 0) || rest.iter().all(|byte| *byte == 0xFF)
}

/// TCG PC Client Platform Firmware Profile, §10.4.1.
fn name(kind: u32) -> &'static str {
    match kind {
        0x0000_0001 => "EV_POST_CODE",
        0x0000_0004 => "EV_SEPARATOR",
        0x0000_0005 => "EV_ACTION",
        0x0000_0006 => "EV_EVENT_TAG",
        0x0000_0008 => "EV_S_CRTM_VERSION",
        0x0000_000A => "EV_PLATFORM_CONFIG_FLAGS",
        0x0000_000B => "EV_TABLE_OF_DEVICES",
        0x0000_000C => "EV_COMPACT_HASH",
        0x0000_000D => "EV_IPL",
        0x8000_0001 => "EV_EFI_VARIABLE_DRIVER_CONFIG",
        0x8000_0002 => "EV_EFI_VARIABLE_BOOT",
        0x8000_0003 => "EV_EFI_BOOT_SERVICES_APPLICATION",
        0x8000_0004 => "EV_EFI_BOOT_SERVICES_DRIVER",
        0x8000_0006 => "EV_EFI_GPT_EVENT",
        0x8000_0007 => "EV_EFI_ACTION",
        0x8000_0008 => "EV_EFI_PLATFORM_FIRMWARE_BLOB",
        0x8000_0009 => "EV_EFI_HANDOFF_TABLES",
        0x8000_000A => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        0x8000_000B => "EV_EFI_HANDOFF_TABLES2",
        0x8000_000C => "EV_EFI_VARIABLE_BOOT2",
        0x8000_0010 => "EV_EFI_HCRTM_EVENT",
        0x8000_00E0 => "EV_EFI_VARIABLE_AUTHORITY",
        _ => "unknown",
    }
}
