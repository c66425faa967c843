//! `chrysalis._native`: what the Python package has of Rust. Verdicts on files, and verified connections to enclaves.
//!
//! Decides nothing by itself: chrysalis-attestation and chrysalis-client do. Nothing here waits while it holds the interpreter's lock.

mod answer;
mod enclave;
mod failure;
mod runtime;
mod task;

use chrysalis_attestation::request;
use chrysalis_client::system_time;
use pyo3::prelude::*;

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

/// The verdict on what `question` asks, both JSON.
#[pyfunction]
fn verdict(python: Python<'_>, question: &[u8]) -> PyResult<String> {
    let found: Result<String, String> = python.detach(|| {
        let question = str::from_utf8(question).map_err(|error| error.to_string())?;
        let found = request::answer(question, system_time()).map_err(|why| why.to_string())?;
        Ok(found.to_string())
    });
    found.map_err(|why| Failure::Unusable(why).raised(python))
}
