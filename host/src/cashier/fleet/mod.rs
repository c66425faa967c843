//! One cashier for the hosts of a fleet: they pass on what their enclaves ask about payment, over TCP, in the frames in which it was asked.
//!
//! Host and cashier share a secret of 32 bytes or more, by which a host shows that it is one of the fleet, and which never crosses the
//! network. Nothing is encrypted, and nobody between them is defended against: caps and receipts are no secret, but who alters an answer can
//! have an enclave work for nothing. Put both on a network of your own.

mod client;
mod server;
#[cfg(test)]
mod tests;

use std::{fs, path::Path, time::Duration};

use anyhow::{anyhow, ensure};
use chrysalis_wire::host::ToHost;
use ring::hmac;
use serde::{Deserialize, Serialize};

pub(crate) use self::{client::Remote, server::serve};
use super::slice::EnclaveId;

/// What a tag is about, so that it is good for nothing else.
const CONTEXT: &[u8] = b"chrysalis-cashier 1";
/// How long a greeting, and each half of a question, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The fewest bytes of a secret, and the most of its file.
const LEAST_SECRET: usize = 32;
const MAX_SECRET: u64 = 4096;

/// What the cashier says first: never the same twice.
#[derive(Debug, Serialize, Deserialize)]
struct Challenge {
    random: [u8; 32],
}

/// What the host answers.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    /// Of the guest that it has.
    enclave: EnclaveId,
    /// HMAC-SHA-256 by the secret, 32 bytes.
    tag: Vec<u8>,
}

/// What follows, once on each connection.
#[derive(Debug, Serialize, Deserialize)]
enum Question {
    /// What the enclave asks.
    Asked(ToHost),
    /// The enclave is gone, and asks nothing more.
    Farewell,
}

/// What a fleet shares.
#[derive(Clone)]
pub(crate) struct Secret(hmac::Key);

impl Secret {
    /// Reads a file: its first line.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let size = fs::metadata(file).map(|it| it.len());
        let text = size.and_then(|size| match size {
            0..=MAX_SECRET => fs::read_to_string(file),
            _ => Err(std::io::ErrorKind::FileTooLarge.into()),
        });
        let text = text.map_err(|error| {
            anyhow!("cannot read the fleet's secret {shown}: {error}\nhint: make one with `openssl rand -hex 32`, the same for all hosts")
        })?;
        let line = text.lines().next().unwrap_or_default().trim();
        ensure!(
            line.len() >= LEAST_SECRET,
            "the fleet's secret in {shown} has {} characters, and {LEAST_SECRET} are the fewest\nhint: make one with `openssl rand -hex 32`",
            line.len()
        );
        Ok(Self::of(line.as_bytes()))
    }

    fn of(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn greeting(&self, challenge: &Challenge, enclave: EnclaveId) -> Greeting {
        let tag = hmac::sign(&self.0, &signed(challenge, enclave));
        let tag = tag.as_ref().to_vec();
        Greeting { enclave, tag }
    }

    fn is_known(&self, challenge: &Challenge, greeting: &Greeting) -> bool {
        let signed = signed(challenge, greeting.enclave);
        hmac::verify(&self.0, &signed, &greeting.tag).is_ok()
    }
}

fn signed(challenge: &Challenge, enclave: EnclaveId) -> Vec<u8> {
    [CONTEXT, &challenge.random, &enclave].concat()
}
