//! `policy init`: a policy that trusts exactly one image, machine shape and configuration.

use std::{fs, path::Path};

use anyhow::Context;
use chrysalis_attestation::{
    digest::sha256,
    policy::{GpuTemplate, Policy, SnpTemplate, Template},
    snp::tcb::Tcb,
};
use chrysalis_measure::{CommandLine, Image};

use crate::{Outcome, arguments::PolicyInitArguments, measure, subject::Artifact};

pub(crate) fn run(arguments: &PolicyInitArguments) -> anyhow::Result<Outcome> {
    let image = Image::open(&arguments.image)?;
    let which = if arguments.simulated_roots.is_empty() {
        CommandLine::Hardware
    } else {
        CommandLine::Simulated
    };
    let launch_digest = measure::launch_digest(&image, which, &arguments.machine)?;
    let configuration = fs::read(&arguments.configuration)
        .with_context(|| format!("cannot read {}", arguments.configuration.display()))?;
    let roots = arguments.simulated_roots.iter();
    let roots = roots.map(|path| certificate(path).map(|der| sha256(&[&der])));
    let (vcpus, cpu) = (arguments.machine.vcpus, arguments.machine.cpu);
    let title =
        format!("Trusts one image, on {vcpus} virtual CPUs of type {cpu}, with one configuration.");
    let template = Template {
        title: &title,
        configuration: &configuration,
        snp: Some(SnpTemplate {
            launch_digest,
            minimum_tcb: Tcb::default(),
        }),
        gpu: arguments.gpus.map(|count| GpuTemplate {
            count,
            minimum_driver: &arguments.minimum_driver,
        }),
        simulated_roots: roots.collect::<anyhow::Result<_>>()?,
        ..Template::default()
    };
    print!("{}", Policy::template(&template));
    Ok(Outcome::Yes)
}

fn certificate(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| {
        format!("cannot read {}; `chrysalis-host run` writes the simulated root as ark.pem in its state folder", path.display())
    })?;
    match Artifact::recognise(&bytes) {
        Ok(Artifact::Certificate(der)) => Ok(der),
        _ => anyhow::bail!("{} is no certificate", path.display()),
    }
}
