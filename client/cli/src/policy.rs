//! `policy init`: a policy that trusts exactly one image, machine shape and configuration.

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{
    digest::sha256,
    nvidia::policy::Minimum,
    pem,
    policy::{Expect, GpuTemplate, Policy, SnpTemplate, Template},
    snp::tcb::Tcb,
};
use chrysalis_measure::{CommandLine, Image};

use crate::{Outcome, arguments::PolicyInitArguments, files, measure};

/// An enclave takes no longer configuration from its host.
const MAX_CONFIGURATION: usize = 64 * 1024;
const MAX_CERTIFICATES: usize = 64 * 1024;

pub(crate) fn run(arguments: &PolicyInitArguments) -> anyhow::Result<Outcome> {
    let image = Image::open(&arguments.image)?;
    let which = if arguments.simulated_roots.is_empty() {
        CommandLine::Hardware
    } else {
        CommandLine::Simulated
    };
    let launch_digest = measure::launch_digest(&image, which, &arguments.machine)?;
    let configuration = files::read(&arguments.configuration, MAX_CONFIGURATION)?;
    let gpus = gpus(&configuration)
        .with_context(|| format!("{} is no configuration", arguments.configuration.display()))?;
    let mut simulated_roots = Vec::new();
    for path in &arguments.simulated_roots {
        let roots = certificates(path)?;
        simulated_roots.extend(roots.iter().map(|der| sha256(&[der])));
    }
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
        gpu: gpus.as_ref().map(|(count, minimum_driver)| GpuTemplate {
            count: *count,
            minimum_driver,
        }),
        simulated_roots,
        ..Template::default()
    };
    print!("{}", Policy::template(&template));
    Ok(Outcome::Yes)
}

/// How many GPUs an enclave with this configuration insists on, and the oldest driver; `None` if it wants none.
fn gpus(configuration: &[u8]) -> anyhow::Result<Option<(usize, String)>> {
    let text = std::str::from_utf8(configuration)?;
    let Some(policy) = Policy::gpu_of_configuration(text)? else {
        return Ok(None);
    };
    let count = match &policy.wanted.count {
        Expect::AnyOf(counts) => counts.first().copied().unwrap_or(1),
        Expect::Unchecked { .. } => 1,
    };
    let minimum_driver = match &policy.wanted.minimum_driver {
        Minimum::Driver(version) => version.to_string(),
        Minimum::Unchecked { .. } => "550.54.14".to_owned(),
    };
    Ok(Some((count, minimum_driver)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let bytes = files::read(path, MAX_CERTIFICATES).with_context(|| {
        format!(
            "cannot read {}; `chrysalis-host run` writes simulated-roots.pem in its state folder",
            path.display()
        )
    })?;
    pem::certificates(&bytes).map_err(|_| anyhow::anyhow!("{} is no certificate", path.display()))
}
