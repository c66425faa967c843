//! The GPU worker: NVIDIA's libraries in a process of their own. It speaks [`chrysalis_wire::gpu`] over the socket that it
//! gets as its standard input. It has no network, no keys, no prompts, and no file but the libraries and the GPUs' devices.
//!
//! It trusts the driver because it has no choice; the enclave trusts neither, and verifies what the GPUs sign. Exits 0 when
//! the enclave closes the socket, 1 when a message breaks the protocol. If the kernel does not enforce all of Landlock, it
//! refuses the first question and exits 1; with its one argument, `--dangerous-partial-walls`, it continues, for tests and
//! development.
//!
//! Started by hand, it prints how much of Landlock the kernel enforces, then asks the questions itself, in order, except the
//! one that changes anything, and prints the answers.

mod driver;
mod sandbox;
mod self_test;
mod state;

use std::{
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

use anyhow::Context;
use chrysalis_sandbox::Landlock;
use chrysalis_wire::{
    frame::{self, FrameError},
    gpu::{FromGpus, ToGpus},
};
use rustix::fs::{FileType, fstat};

use crate::driver::Driver;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "chrysalis-gpu-nvidia: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let mode = fstat(&input).context("standard input is closed")?.st_mode;
    let asked_by_enclave = FileType::from_raw_mode(mode) == FileType::Socket;

    let landlock = Landlock::of_arguments(std::env::args().skip(1))?;
    let mut driver = Driver::default();
    if !asked_by_enclave {
        let walls = sandbox::shut(Landlock::Partial)?;
        writeln!(io::stdout(), "Landlock: {walls:?}")?;
        return tell(&mut driver);
    }
    let mut enclave = UnixStream::from(input);
    match sandbox::shut(landlock) {
        Ok(_) => serve(&mut enclave, &mut driver),
        Err(error) => refuse(&mut enclave, error),
    }
}

/// Tells the enclave, which asks first, why it gets no answer.
fn refuse(enclave: &mut UnixStream, error: anyhow::Error) -> anyhow::Result<()> {
    let _: ToGpus = frame::read(enclave)?;
    let why = format!("{error:#}");
    frame::write(enclave, &FromGpus::Unconfined { why })?;
    Err(error)
}

fn serve(enclave: &mut UnixStream, driver: &mut Driver) -> anyhow::Result<()> {
    loop {
        let question = match frame::read(enclave) {
            Ok(question) => question,
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        frame::write(enclave, &driver.answer(&question))?;
    }
}

/// One line per answer, for people; does not set the GPUs ready.
fn tell(driver: &mut Driver) -> anyhow::Result<()> {
    let nonce = [0x5a; 32];
    let mut out = io::stdout().lock();
    for question in [ToGpus::State, ToGpus::Evidence { nonce }, ToGpus::SelfTest] {
        let answer = driver.answer(&question);
        match &answer {
            FromGpus::Missing(missing) => {
                return Ok(writeln!(out, "{}", driver::missing(missing))?);
            }
            FromGpus::Evidence(answers) => {
                for (place, answer) in answers.iter().enumerate() {
                    let (report, chain) = (answer.report.len(), answer.chain.len());
                    writeln!(
                        out,
                        "GPU {place}: a report of {report} bytes, certificates of {chain}"
                    )?;
                }
            }
            other => writeln!(out, "{other:?}")?,
        }
    }
    Ok(())
}
