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
    /// Answer when the provider wants the machine to stop.
    AwaitShutdown,
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
    /// Stop serving and power off.
    Shutdown,
    /// The host will not, and says why.
    Refused(String),
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
        /// A stable code, such as `disk_wrong`.
        code: String,
        /// What happened and what to do, at most [`MAX_FAILURE`] bytes.
        message: String,
    },
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
