//! Where the built things are: `make test` says so in the environment, and a plain `cargo test` finds the defaults.

use std::{env, path::PathBuf};

use chrysalis_wire::configuration::Configuration;

/// The image folder.
pub fn image() -> PathBuf {
    of("CHRYSALIS_IMAGE", "build/cpu")
}

/// The image folder for machines with GPUs, which not every machine builds.
pub fn gpu_image() -> PathBuf {
    of("CHRYSALIS_GPU_IMAGE", "build/h100")
}

/// The folder of the engines' and models' disks.
pub fn disks() -> PathBuf {
    of("CHRYSALIS_DISKS", "build/disks")
}

/// The disk of the configuration's model.
///
/// # Panics
/// When there is no configuration, or it names none.
pub fn model_disk() -> PathBuf {
    let text = std::fs::read(configuration()).expect("a configuration (make image)");
    let configuration = Configuration::parse(&text).expect("a good configuration");
    disks().join(configuration.models[0].disk.file())
}

/// The configuration that names them.
pub fn configuration() -> PathBuf {
    of("CHRYSALIS_CONFIGURATION", "build/demo.toml")
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

/// A folder with the Node packages of tests/clients/package.json.
pub fn node() -> PathBuf {
    of("CHRYSALIS_NODE", "build/node")
}

/// The keys of the simulated vendor that all tests share.
pub fn vendor() -> PathBuf {
    of("CHRYSALIS_TEST_VENDOR", "build/tests/simulated-amd")
}

fn of(variable: &str, default: &str) -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    env::var_os(variable).map_or_else(|| workspace.join(default), PathBuf::from)
}
