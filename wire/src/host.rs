//! What the enclave asks of the host, and what the host may answer. The enclave opens every connection; one carries
//! requests and answers in turn. Nothing here is trusted: what matters is measured, signed or refused.

use serde::{Deserialize, Serialize};

/// The host's context id on every vsock.
pub const HOST_CID: u32 = 2;
/// The vsock port on which the host answers [`ToHost`].
pub const HOST_PORT: u32 = 1024;
/// The vsock port on which the enclave ends TLS.
pub const TLS_PORT: u32 = 443;
/// The most bytes a configuration may have.
pub const MAX_CONFIGURATION: usize = 64 * 1024;
/// The most bytes a [`Status::Failed`] message may have.
pub const MAX_FAILURE: usize = 2048;
/// The most models of one [`Load`].
pub const MAX_LOADS: usize = 64;
/// The most bytes of a model's name in a [`Load`].
pub const MAX_MODEL_NAME: usize = 128;
/// The most tabs of one [`ToHost::Owed`].
pub const MAX_OWED: usize = 1024;
/// The most offers of one [`ToHost::Offers`]: a configuration has no more models.
pub const MAX_OFFERS: usize = 16;
/// The upper bounds of [`ModelLoad::first_token_ms`], in milliseconds.
pub const FIRST_TOKEN_BOUNDS_MS: [u64; 18] = [
    10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 3000, 5000, 10_000, 20_000,
    60_000,
];
/// Counts of tokens are rounded down to multiples of this.
pub const TOKEN_GRAIN: u64 = 64;
/// Memory is rounded down to multiples of this.
pub const MEMORY_GRAIN_KIB: u64 = 16 * 1024;

/// Why a lane may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLane {
    /// It is not there, or for another payee.
    Unknown,
    /// It is being closed.
    Closing,
    /// It has less money than the provider serves.
    TooSmall,
    /// It can be closed sooner than the provider can be sure to claim.
    ClosesTooSoon,
    /// The chain cannot be asked now.
    Unreachable,
}

impl NoLane {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Closing,
        Self::TooSmall,
        Self::ClosesTooSoon,
        Self::Unreachable,
    ];

    /// As the host says it, and the enclave after it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "lane_unknown",
            Self::Closing => "lane_closing",
            Self::TooSmall => "lane_too_small",
            Self::ClosesTooSoon => "lane_closes_too_soon",
            Self::Unreachable => "chain_unreachable",
        }
    }

    /// What a host's code means; one that is not known, that it cannot say.
    #[must_use]
    pub fn of(code: &str) -> Self {
        let known = Self::ALL.into_iter().find(|it| it.code() == code);
        known.unwrap_or(Self::Unreachable)
    }
}

impl From<NoLane> for String {
    fn from(why: NoLane) -> Self {
        why.code().to_owned()
    }
}

impl From<NoLane> for FromHost {
    fn from(why: NoLane) -> Self {
        Self::Refused(why.into())
    }
}

/// A request of the enclave. At most [`crate::frame::MAX_FRAME`] bytes; each may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ToHost {
    /// Give me the configuration; I hold it against HOST_DATA.
    Configuration,
    /// Give me what vendors have signed about this platform, and rebuilders about this image.
    Endorsements,
    /// This is evidence of mine: get what vendors have signed about such hardware, and bring it with [`Self::Endorsements`]
    /// from now on. Nothing of it is secret. Answered with [`FromHost::Noted`] once that was tried.
    Evidence {
        /// A TDX quote. Empty: none, and the last one still stands.
        quote: Vec<u8>,
        /// What GPUs answered. Empty: none, and the last ones still stand.
        gpus: Vec<GpuAnswer>,
    },
    /// Have the simulated security processor sign a report. On hardware the enclave asks its own device instead.
    SimulatedReport {
        /// 64 bytes for the report's REPORT_DATA.
        #[serde(with = "serde_bytes_64")]
        report_data: [u8; 64],
    },
    /// Have the simulated GPUs answer. On hardware the enclave asks its own GPUs instead.
    SimulatedGpus {
        /// The question that each of them signs.
        nonce: [u8; 32],
    },
    /// Set the simulated GPUs ready: I have verified them.
    SimulatedGpusReady,
    /// How far I am: a hint for people, never a decision.
    Status(Status),
    /// Connect me with the key server that my configuration names. Answered with [`FromHost::Connected`]; from then on this connection
    /// carries the server's bytes and mine, which are TLS that you cannot end.
    KeyServer,
    /// Answer when the provider wants the machine to stop.
    AwaitShutdown,
    /// Answer when the provider wants the machine to finish what it does, and then to stop. From the answer on I take no new work; once
    /// what I do is done and noted, I power off.
    AwaitDrain,
    /// A client wants to pay from this lane: who may sign caps on it, and how far do you let it go? Answered with
    /// [`FromHost::Lane`], or refused with the code of a [`NoLane`].
    Lane {
        /// The purse's account in workchain 0.
        purse: Vec<u8>,
        /// The lane's number.
        lane: u32,
    },
    /// What is owed on tabs by now, for you to claim: at most [`MAX_OWED`]. Repeated until it is noted; no job, no model and no prompt
    /// is in it.
    Owed(Vec<Owed>),
    /// The least price that you work for. Answered with [`FromHost::Terms`].
    Terms,
    /// A price report that I signed, for you to publish.
    Report(Vec<u8>),
    /// What I offer in this epoch of my trust, for you to list: at the start, and in each epoch. It replaces what I offered before, and is
    /// repeated until it is noted. Any host may note and forget it.
    Offers {
        /// One for each model, as `chrysalis_settle::SignedOffer` encodes it, at most [`MAX_OFFERS`].
        offers: Vec<Vec<u8>>,
        /// What vouches for my key, as `chrysalis_settle::EpochEvidence` encodes it.
        evidence: Vec<u8>,
    },
}

/// The host's answer. At most [`crate::frame::MAX_FRAME`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromHost {
    /// The configuration's bytes, at most [`MAX_CONFIGURATION`].
    Configuration(Vec<u8>),
    /// What others have signed: each object counts by its own signature, and neither host nor enclave adds to that.
    Endorsements {
        /// X.509 certificates, DER, in any order.
        certificates: Vec<Vec<u8>>,
        /// X.509 revocation lists, DER, in any order.
        crls: Vec<Vec<u8>>,
        /// Intel's collateral for a TDX quote, JSON; empty if there is none.
        tdx: Vec<u8>,
        /// NVIDIA's reference manifests, XML.
        rims: Vec<Vec<u8>>,
        /// NVIDIA's OCSP answers, DER, without a nonce.
        ocsp: Vec<Vec<u8>>,
        /// What rebuilders say about images: DSSE envelopes, JSON.
        statements: Vec<Vec<u8>>,
    },
    /// A report of the simulated processor: 1184 bytes.
    SimulatedReport(Vec<u8>),
    /// What the simulated GPUs answer.
    SimulatedGpus {
        /// One for each GPU.
        gpus: Vec<GpuAnswer>,
        /// SHA-256 of the root of their certificates, and of that of their manifests: the simulation's own.
        roots: [[u8; 32]; 2],
    },
    /// It was noted, or done.
    Noted,
    /// What the host knows of a lane.
    Lane {
        /// Ed25519, 32 bytes: signs caps.
        spend_key: Vec<u8>,
        /// The most nano that all tabs of the lane may owe together.
        ceiling: u64,
    },
    /// What the operator asks for.
    Terms {
        /// Nano for 1,000,000 units of weight 1.
        floor: u64,
    },
    /// The key server is there: from here on, its bytes and yours.
    Connected,
    /// Stop serving and power off.
    Shutdown,
    /// Take no new work, finish what you do, and power off.
    Drain,
    /// The host will not, and says why.
    Refused(String),
}

/// What is owed on one tab: with both signatures, all that its payee has to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The client's newest cap, as `chrysalis_settle::Credential` encodes it: 110 bytes.
    pub credential: Vec<u8>,
    /// The receipt's statement, as `chrysalis_settle::Statement` encodes it: 83 bytes.
    pub statement: Vec<u8>,
    /// Ed25519 by the receipt key, 64 bytes.
    pub signature: Vec<u8>,
    /// The receipt key, 32 bytes.
    pub receipt_key: Vec<u8>,
}

/// What one GPU answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuAnswer {
    /// SPDM request and response.
    pub report: Vec<u8>,
    /// X.509 certificates, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
}

/// How far the enclave is. Holds no content of any prompt or answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Status {
    /// A stage of the boot was passed.
    Passed {
        /// The name of a [`crate::boot::Stage`], which may be one of another version.
        stage: String,
        /// Milliseconds since the kernel (or the process) started.
        at_ms: u64,
    },
    /// The enclave listens.
    Serving {
        /// Milliseconds since the kernel (or the process) started.
        at_ms: u64,
    },
    /// The enclave gives up; it powers off next.
    Failed {
        /// A stable code, such as `weights_corrupt`.
        code: String,
        /// What happened and what to do, at most [`MAX_FAILURE`] bytes.
        message: String,
    },
    /// How busy it is: once a second while it serves, for the provider's screen and metrics.
    Load(Load),
}

/// How busy the enclave is, in numbers of the whole machine and of whole models: nothing of a client, a tenant or a request, no
/// content. Every count is of all time since the boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Milliseconds since the kernel (or the process) started.
    pub at_ms: u64,
    /// When the hardware last signed for the key or for a client, on the same clock.
    pub attested_at_ms: u64,
    /// Memory that is available, in KiB.
    pub memory_free_kib: u64,
    /// All memory, in KiB.
    pub memory_total_kib: u64,
    /// One for each model, at most [`MAX_LOADS`], in the configuration's order.
    pub models: Vec<ModelLoad>,
}

/// How busy one model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLoad {
    /// As the configuration names it, at most [`MAX_MODEL_NAME`] bytes.
    pub name: String,
    /// Requests that the engine computes.
    pub running: u32,
    /// Requests that wait for it.
    pub queued: u32,
    /// Requests admitted.
    pub requests: u64,
    /// Requests answered 429.
    pub refused: u64,
    /// Requests that the engine failed.
    pub failed: u64,
    /// Tokens read, rounded.
    pub prompt_tokens: u64,
    /// Tokens generated, rounded.
    pub completion_tokens: u64,
    /// Answers by the time from their request to their first token: one count for each of [`FIRST_TOKEN_BOUNDS_MS`], then one for
    /// those that took longer.
    pub first_token_ms: Vec<u64>,
    /// Times that its engine was replaced because it failed.
    pub restarts: u64,
    /// Whether it can answer now.
    pub ready: bool,
}

impl Load {
    /// The same, rounded to [`TOKEN_GRAIN`] and [`MEMORY_GRAIN_KIB`]: what it says of one short request, in a second in which there is
    /// no other, is no exact length. An enclave sends no other.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        let down = |value: &mut u64, grain: u64| *value -= *value % grain;
        down(&mut self.memory_free_kib, MEMORY_GRAIN_KIB);
        for model in &mut self.models {
            down(&mut model.prompt_tokens, TOKEN_GRAIN);
            down(&mut model.completion_tokens, TOKEN_GRAIN);
        }
        self
    }
}

impl ModelLoad {
    /// Which of [`Self::first_token_ms`] counts an answer that took so many milliseconds to begin.
    pub fn first_token_count(ms: u64) -> usize {
        FIRST_TOKEN_BOUNDS_MS.partition_point(|bound| *bound < ms)
    }
}

mod serde_bytes_64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 64], D::Error> {
        let bytes = serde_cbor::Value::deserialize(from)?;
        match bytes {
            serde_cbor::Value::Bytes(bytes) => bytes
                .try_into()
                .map_err(|_| D::Error::custom("report_data is not 64 bytes")),
            _ => Err(D::Error::custom("report_data is not a byte string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_lane_may_not_be_used_is_read_as_it_is_said() {
        for why in NoLane::ALL {
            assert_eq!(NoLane::of(why.code()), why);
        }
        assert_eq!(NoLane::of("no"), NoLane::Unreachable);
    }

    #[test]
    fn an_answer_counts_under_the_first_bound_that_it_keeps() {
        for (ms, count) in [(0, 0), (10, 0), (11, 1), (60_000, 17), (60_001, 18)] {
            assert_eq!(ModelLoad::first_token_count(ms), count);
        }
        assert!(FIRST_TOKEN_BOUNDS_MS.is_sorted());
    }

    #[test]
    fn the_largest_offers_fit_a_frame() {
        // A byte has two in the worst case, and settle bounds both: an offer by 768 bytes, evidence by a bundle and 8 KiB.
        let offers = ToHost::Offers {
            offers: vec![vec![0xFF; 1024]; MAX_OFFERS],
            evidence: vec![0xFF; 1024 * 1024 + 8192],
        };
        let frame = crate::frame::encode(&offers).unwrap();
        let read: ToHost = crate::frame::read(&mut frame.as_slice()).unwrap();
        assert_eq!(read, offers);
    }

    #[test]
    fn what_is_said_of_a_load_is_rounded() {
        let model = ModelLoad {
            name: "m".to_owned(),
            running: 1,
            queued: 0,
            requests: 1,
            refused: 0,
            failed: 0,
            prompt_tokens: 63,
            completion_tokens: 129,
            first_token_ms: vec![0; FIRST_TOKEN_BOUNDS_MS.len() + 1],
            restarts: 0,
            ready: true,
        };
        let load = Load {
            at_ms: 1,
            attested_at_ms: 0,
            memory_free_kib: 16_385,
            memory_total_kib: 1_000_001,
            models: vec![model],
        };
        let rounded = load.rounded();
        assert_eq!(
            (rounded.memory_free_kib, rounded.memory_total_kib),
            (16_384, 1_000_001)
        );
        let model = &rounded.models[0];
        assert_eq!((model.prompt_tokens, model.completion_tokens), (0, 128));
    }
}
