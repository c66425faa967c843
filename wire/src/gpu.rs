//! What the enclave asks of its GPU worker, over a socket pair. The worker speaks to the driver, which an enclave that
//! loads no library cannot. It is trusted with nothing: evidence is verified, and the rest are words that can only stop a
//! boot.

use serde::{Deserialize, Serialize};

/// A machine has at most eight today.
pub const MAX_GPUS: usize = 16;
/// The worker's user and group, which it shares with no one, not even the engine. The GPUs' devices are its own.
pub const WORKER: u32 = 65533;
/// The most bytes of a worker's words that are repeated to anybody.
pub const MAX_WHY: usize = 512;

/// A question to the worker. Each is answered once, by its namesake, or by [`FromGpus::Missing`] or [`FromGpus::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ToGpus {
    /// Find the GPUs, and say how the driver set them up. First.
    State,
    /// Have every GPU sign an answer to this question. May be repeated.
    Evidence {
        /// What each of them signs.
        nonce: [u8; 32],
    },
    /// Let the GPUs compute: I have verified them. Once.
    SetReady,
    /// See whether they do compute. Only a GPU that was set ready can.
    SelfTest,
}

/// An answer of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromGpus {
    /// How the driver set the GPUs up.
    State(State),
    /// What they signed, in the driver's order; at most [`MAX_GPUS`].
    Evidence(Vec<Answer>),
    /// They may compute.
    Ready,
    /// They all passed the test, in CUDA's order; at most [`MAX_GPUS`].
    Tested(Vec<Tested>),
    /// There is nothing to ask; the worker goes on, in vain.
    Missing(Missing),
    /// The driver refused, or the test failed.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// The kernel does not put up all of the worker's walls; it exits next.
    Unconfined {
        /// What is missing.
        why: String,
    },
}

/// How the driver set the machine's GPUs up: its own word, which only makes refusals clear. Evidence proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How many there are.
    pub gpus: u32,
    /// Whether they are in confidential mode.
    pub confidential: bool,
    /// Whether that is protected by hardware, and not NVIDIA's own simulation.
    pub production: bool,
    /// Whether developers may look into them.
    pub devtools: bool,
}

/// What one GPU answered. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// SPDM request and response.
    pub report: Vec<u8>,
    /// The GPU's certificates, PEM, leaf first.
    pub chain: Vec<u8>,
}

/// A GPU that computed as it should, by the worker's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Such as `NVIDIA H100 80GB HBM3`; for people.
    pub name: String,
    /// Major and minor compute capability.
    pub capability: (u32, u32),
    /// Bytes of memory.
    pub memory: u64,
}

/// Why there is no GPU to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Missing {
    /// No NVML library can be loaded.
    Library {
        /// The loader's words.
        why: String,
    },
    /// The library finds no driver in the kernel.
    Driver,
    /// The driver finds no GPU.
    Device,
}
