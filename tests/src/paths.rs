//! Where the built things are: `make test` says so in the environment, and a plain `cargo test` finds the defaults.

use std::{env, path::PathBuf};

/// The image folder.
pub fn image() -> PathBuf {
    of("CHRYSALIS_IMAGE", "build/cpu")
}

/// The image folder for machines with GPUs, which not every machine builds.
pub fn gpu_image() -> PathBuf {
    of("CHRYSALIS_GPU_IMAGE", "build/h100")
}

/// The weights disk.
pub fn weights() -> PathBuf {
    of("CHRYSALIS_WEIGHTS", "build/smollm2/weights.img")
}

/// The configuration that goes with the weights.
pub fn configuration() -> PathBuf {
    of(
        "CHRYSALIS_CONFIGURATION",
        "build/smollm2/configuration.toml",
    )
}

/// The firmware levels below which no release is to be trusted.
pub fn minimum_tcb() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    workspace.join("measurements/releases/minimum-tcb.toml")
}

/// A program that people run, such as `chrysalis`.
pub fn tool(name: &str) -> PathBuf {
    of("CHRYSALIS_TOOLS", "target/debug").join(name)
}

/// A program that is measured, such as `chrysalis-enclave`.
pub fn measured(name: &str) -> PathBuf {
    of(
        "CHRYSALIS_BINARIES",
        "target/image/x86_64-unknown-linux-gnu/release",
    )
    .join(name)
}

/// A Python with the packages of tests/requirements.txt.
pub fn python() -> PathBuf {
    of("CHRYSALIS_PYTHON", "build/python/bin/python")
}

/// The keys of the simulated vendor that all tests share.
pub fn vendor() -> PathBuf {
    of("CHRYSALIS_TEST_VENDOR", "build/tests/simulated-amd")
}

fn of(variable: &str, default: &str) -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    env::var_os(variable).map_or_else(|| workspace.join(default), PathBuf::from)
}
