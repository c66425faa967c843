//! `chrysalis._native`: what the Python package has of Rust. Verdicts on files, and verified connections to enclaves.
//!
//! Decides nothing by itself: chrysalis-verifier and chrysalis-client do. Nothing here waits while it holds the interpreter's lock.

mod answer;
mod enclave;
mod failure;
mod runtime;
mod task;

use chrysalis_attestation::Time;
use chrysalis_client::system_time;
use chrysalis_verifier::{Asked, Misuse};
use pyo3::{prelude::*, pybacked::PyBackedBytes};

use crate::failure::Failure;

/// The module.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{answer::Answer, enclave::Enclave, task::Task, verdict};

    /// The release that this is of.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}

/// The verdict on a question of a kind, JSON. `files` and `words`: each with its name. `at`: Unix seconds, in place of the clock.
#[pyfunction]
#[pyo3(signature = (kind, files, words, at=None))]
#[expect(clippy::needless_pass_by_value, reason = "read out of Python's lists")]
fn verdict(
    python: Python<'_>,
    kind: &str,
    files: Vec<(String, PyBackedBytes)>,
    words: Vec<(String, String)>,
    at: Option<i64>,
) -> PyResult<String> {
    let judge = || -> Result<String, Misuse> {
        let mut asked = Asked::default();
        for (name, bytes) in &files {
            asked.file(name, bytes)?;
        }
        for (name, text) in &words {
            asked.word(name, text)?;
        }
        asked.verdict(kind, at.map_or_else(system_time, Time))
    };
    python
        .detach(judge)
        .map_err(|why| Failure::Unusable(why.to_string()).raised(python))
}
