//! What a relying party requires of a TD. Nothing is skipped silently: whatever is not checked has a stated reason.

use std::collections::BTreeMap;

use super::status::Status;
use crate::{encoding::digest::Hex, transcript::Expect};

/// The whole policy for one TD. It has no default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bit of the report or the certificate, by its name"
)]
pub struct TdxPolicy {
    /// How current the platform must be. Most accept only `UpToDate`; `Revoked` is refused even if it is listed here.
    pub statuses: Vec<Status>,
    /// How recent Intel's rules must be.
    pub minimum_evaluation: Evaluation,
    /// Advisories that no level may name.
    pub refused_advisories: Vec<String>,
    /// Accepts nonzero bytes after the quote, for this reason. Nothing covers them.
    pub trailing_accepted: Option<String>,
    /// Accepts the absence of an event log, for this reason: the run-time registers are then numbers without an explanation.
    pub event_log_unchecked: Option<String>,
    /// Whether the host may debug or profile the TD.
    pub debug: bool,
    /// Whether the TD may be moved to another machine.
    pub migratable: bool,
    /// Whether the TD may use performance counters.
    pub perfmon: bool,
    /// Whether service TDs may be bound to the TD.
    pub service_td: bool,
    /// Whether devices may reach into the TD's memory (TDX Connect); only the extended layout says so.
    pub devices: bool,
    /// Accepts a TD whose pages the host can remove and add unnoticed, for this reason.
    pub sept_ve_accepted: Option<String>,
    /// Whether packages may be added to the platform.
    pub dynamic_platform: bool,
    /// Whether Intel may keep the platform's keys.
    pub cached_keys: bool,
    /// Whether sibling threads may be on.
    pub smt: bool,
    /// The lowest level at which the TD may have been launched, component by component.
    pub minimum_tee_tcb_svn: [u8; 16],
    /// The features that the TD may use.
    pub xfam: Expect<u64>,
    /// The TDX module.
    pub mrseam: Expect<[u8; 48]>,
    /// The launch measurement.
    pub mrtd: Expect<[u8; 48]>,
    /// The measured configuration.
    pub mrconfigid: Expect<[u8; 48]>,
    /// The owner.
    pub mrowner: Expect<[u8; 48]>,
    /// The owner's configuration.
    pub mrownerconfig: Expect<[u8; 48]>,
    /// The run-time registers.
    pub rtmr: [Expect<[u8; 48]>; 4],
    /// Every event of RTMR0, in order: the expectation for a register that covers the machine as well as the image. With it, the event
    /// log cannot be waived.
    pub rtmr0_events: Option<Vec<BootEvent>>,
    /// PCRs of Azure's virtual TPM, SHA-256, each with the accepted values; evidence without a quote of them is then refused.
    pub pcrs: BTreeMap<u8, Vec<[u8; 32]>>,
    /// What the TD had signed; with [`NOTHING_ASKED`], no value is accepted.
    pub report_data: Expect<[u8; 64]>,
}

/// A boot event, as a relying party expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootEvent {
    /// It extends the register with this digest.
    Measured(Hex<48>),
    /// The machine decides what it measures: any digest is accepted, for this reason, which the verdict repeats.
    Varies {
        /// Why.
        why: String,
    },
}

/// How recent the rules must be by which Intel calls a platform current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// TCB info and QE identity must have at least this evaluation number. Without a floor, the party that supplies the collateral
    /// can supply older rules that have not expired yet.
    AtLeast(u32),
    /// Not checked, for this reason, which the verdict repeats.
    Unchecked {
        /// Why.
        why: String,
    },
}

/// Neither what the TD was asked to sign is known, nor that it does not matter: every quote is refused, as it may be an old one.
pub const NOTHING_ASKED: Expect<[u8; 64]> = Expect::AnyOf(Vec::new());

impl TdxPolicy {
    /// Any genuine, current TD that is closed to its host, for this reason: the verdict is then about genuineness only.
    pub fn genuine(why: &str) -> Self {
        fn open<T>(why: &str) -> Expect<T> {
            let why = why.to_owned();
            Expect::Unchecked { why }
        }
        Self {
            statuses: vec![Status::UpToDate],
            minimum_evaluation: Evaluation::Unchecked {
                why: why.to_owned(),
            },
            refused_advisories: Vec::new(),
            trailing_accepted: None,
            event_log_unchecked: Some(why.to_owned()),
            debug: false,
            migratable: false,
            perfmon: false,
            service_td: false,
            devices: false,
            sept_ve_accepted: None,
            dynamic_platform: true,
            cached_keys: true,
            smt: true,
            minimum_tee_tcb_svn: [0; 16],
            xfam: open(why),
            mrseam: open(why),
            mrtd: open(why),
            mrconfigid: open(why),
            mrowner: open(why),
            mrownerconfig: open(why),
            rtmr: std::array::from_fn(|_| open(why)),
            rtmr0_events: None,
            pcrs: BTreeMap::new(),
            report_data: open(why),
        }
    }
}
