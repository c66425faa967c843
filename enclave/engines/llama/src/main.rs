//! The worker: llama.cpp, sandboxed. It speaks [`chrysalis_wire::engine`] over the socket that it gets as its standard
//! input, and has nothing else: no network, no file but the weights, no output on stderr.
//!
//! It trusts the enclave at the other end of the socket to ask only what the messages allow; the enclave trusts it with the
//! prompts and nothing more. Exits 0 when the enclave closes the socket, or the weights do not load, or the kernel does not
//! enforce all of Landlock; exits 1 when a message breaks the protocol; is killed by SIGSYS when it makes a call that the
//! sandbox forbids.
//!
//! Its one argument, `--dangerous-partial-walls`, lets it run on a kernel with less of Landlock: for tests and development.

mod engine;
mod generate;
mod inbox;
mod memory;
mod prompt;
mod sandbox;

use std::{
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

use anyhow::{Context, bail};
use chrysalis_sandbox::Landlock;
use chrysalis_wire::{
    engine::{FromEngine, ToEngine},
    frame,
};
use landlock::PathFd;

use crate::{engine::Engine, inbox::Inbox};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Works only before the sandbox is shut, when no prompt has been read; after that, writing fails.
            let _ = writeln!(io::stderr(), "chrysalis-engine-llama: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let landlock = Landlock::of_arguments(std::env::args().skip(1))?;
    memory::scrub_what_is_freed()?;
    sandbox::shut()?;

    let mut enclave = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let ToEngine::Load {
        path,
        context,
        threads,
    } = frame::read(&mut enclave)?
    else {
        bail!("the first message is not Load");
    };
    let engine = match load(&path, context, threads, landlock) {
        Ok(engine) => engine,
        Err(refusal) => return Ok(frame::write(&mut enclave, &refusal)?),
    };
    sandbox::forbid_files()?;
    frame::write(&mut enclave, &engine.description())?;

    let mut inbox = Inbox::open(enclave.try_clone()?);
    while let Some(request) = inbox.next()? {
        generate::answer(&engine, request, &mut inbox, &mut enclave)?;
    }
    Ok(())
}

/// The engine, or what to tell the enclave instead.
fn load(path: &str, context: u32, threads: u32, landlock: Landlock) -> Result<Engine, FromEngine> {
    let failed = |error: anyhow::Error| FromEngine::LoadFailed {
        why: format!("{error:#}"),
    };
    let weights = PathFd::new(path)
        .with_context(|| format!("cannot open the weights at {path}"))
        .map_err(failed)?;
    sandbox::allow_to_read_only(weights, landlock).map_err(|error| FromEngine::Unconfined {
        why: format!("{error:#}"),
    })?;
    Engine::load(path, context, threads).map_err(failed)
}
