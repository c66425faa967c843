//! `policy init`: a policy that trusts exactly one image, machine shape and configuration.

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::digest::sha256;
use chrysalis_measure::{CommandLine, Image};

use crate::{Outcome, arguments::PolicyInitArguments, files, measure, subject::Artifact};

/// An enclave takes no longer configuration from its host.
const MAX_CONFIGURATION: usize = 64 * 1024;
const MAX_CERTIFICATE: usize = 64 * 1024;

pub(crate) fn run(arguments: &PolicyInitArguments) -> anyhow::Result<Outcome> {
    let image = Image::open(&arguments.image)?;
    let which = match arguments.simulated_root {
        Some(_) => CommandLine::Simulated,
        None => CommandLine::Hardware,
    };
    let digest = hex::encode(measure::launch_digest(&image, which, &arguments.machine)?);
    let configuration = files::read(&arguments.configuration, MAX_CONFIGURATION)?;
    let configuration = hex::encode(sha256(&[&configuration]));
    let (vcpus, cpu) = (arguments.machine.vcpus, arguments.machine.cpu);
    print!(
        "\
# Trusts one image, on {vcpus} virtual CPUs of type {cpu}, with one configuration.
version = 1

[snp]
launch_digest = [\"{digest}\"]
# The firmware floor: 0 accepts every level. Raise it to what AMD's bulletins advise for your machines.
minimum_tcb = {{ bootloader = 0, tee = 0, snp = 0, microcode = 0 }}

[configuration]
sha256 = [\"{configuration}\"]
"
    );
    if let Some(path) = &arguments.simulated_root {
        let root = hex::encode(sha256(&[&certificate(path)?]));
        println!("\n# Not hardware: this root's keys lie in plain files. For tests only.");
        println!("[simulation]\nroots = [\"{root}\"]");
    }
    Ok(Outcome::Yes)
}

fn certificate(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = files::read(path, MAX_CERTIFICATE).with_context(|| {
        format!("cannot read {}; `chrysalis-host run` writes the simulated root as ark.pem in its state folder", path.display())
    })?;
    match Artifact::recognise(&bytes) {
        Ok(Artifact::Certificate(der)) => Ok(der),
        _ => anyhow::bail!("{} is no certificate", path.display()),
    }
}
