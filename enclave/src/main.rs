//! What runs inside the confidential VM: one program, PID 1, without flags or subcommands.
//!
//! It trusts the processor that measured it, the words it was measured with, and the configuration whose digest the
//! hardware signed. It does not trust the host, which supplies everything else, nor the engine, which sees prompts and
//! nothing more.
//!
//! Each step takes the proof that the previous step produced, so nothing is served before everything is checked. Any
//! fault ends the machine with a [`Failure`] that has a stable code.

mod attest;
mod boot;
mod clock;
mod configuration;
mod console;
mod device_mapper;
mod disks;
mod driver;
mod engine;
mod epoch;
mod failure;
mod gateway;
mod gpu;
mod host;
mod keys;
mod load;
mod machine;
mod platform;
mod process;
mod renewal;
mod secrets;
mod serve;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod trust;
mod unseal;
mod wiping;
mod words;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::Arc,
};

use boot::Booted;
use console::Progress;
use failure::Failure;
use host::{Address, Host};

fn main() -> ExitCode {
    console::open();
    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(Failure::Panicked));
    if let Err(failure) = &outcome {
        console::report_failure(failure);
    }
    machine::end(&outcome)
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Failure> {
    let booted = match Booted::from_measured_words(std::env::args().skip(1)) {
        Ok(booted) => booted,
        Err(failure) => {
            if process::is_ours() {
                // There may be no console, and the host listens in only one place.
                Progress::new(Arc::new(Host::new(Address::Vsock)))
                    .failed(&failure)
                    .await;
            }
            return Err(failure);
        }
    };
    let progress = booted.progress();
    let told = Box::pin(tell_story(booted)).await;
    if let Err(failure) = &told {
        progress.failed(failure).await;
    }
    told
}

/// From the first instruction to the last client.
async fn tell_story(booted: Booted) -> Result<(), Failure> {
    booted
        .require_clock()?
        .load_driver()?
        .accept_configuration()
        .await?
        .open_disks()
        .await?
        .make_keys()
        .await?
        .check_gpus()
        .await?
        .unseal()
        .await?
        .start_engines()
        .await?
        .attest()
        .await?
        .serve()
        .await
}
