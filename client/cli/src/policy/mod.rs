//! `policy init`: a policy that trusts exactly one image, or one signed release, with one configuration.

pub(crate) mod floors;
mod release;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{
    encoding::{digest::sha256, pem},
    nvidia::policy::Minimum,
    policy::{GpuTemplate, Policy, ReleasePolicy, SnpTemplate, TdxTemplate, Template},
    transcript::Expect,
};
use chrysalis_measure::{CommandLine, Image, Shape, snp_launch_digest};

use crate::{
    Outcome,
    arguments::PolicyInitArguments,
    files,
    printable::{print, printable},
    release::refused,
};

/// An enclave takes no longer configuration from its host.
const MAX_CONFIGURATION: usize = 64 * 1024;
const MAX_CERTIFICATES: usize = 64 * 1024;

/// What is to be trusted, of whichever origin.
struct Wanted {
    title: String,
    release: Option<ReleasePolicy>,
    snp: Option<SnpTemplate>,
    tdx: Option<TdxTemplate>,
}

pub(crate) fn run(arguments: &PolicyInitArguments) -> anyhow::Result<Outcome> {
    let which = if arguments.simulated_roots.is_empty() {
        CommandLine::Hardware
    } else {
        CommandLine::Simulated
    };
    let configuration = files::read(&arguments.configuration, MAX_CONFIGURATION)?;
    let wanted = match (&arguments.release, &arguments.image) {
        (Some(manifest), _) => match release::wanted(manifest, which, arguments)? {
            Ok(wanted) => wanted,
            Err(rejection) => {
                eprint!("{}", refused(&rejection));
                return Ok(Outcome::No);
            }
        },
        (_, Some(image)) => of_image(image, which, arguments)?,
        _ => anyhow::bail!("nothing to trust; give --image or --release"),
    };
    let gpus = gpus(&configuration)
        .with_context(|| format!("{} is no configuration", arguments.configuration.display()))?;
    let mut simulated_roots = Vec::new();
    for path in &arguments.simulated_roots {
        let roots = certificates(path)?;
        simulated_roots.extend(roots.iter().map(|der| sha256(&[der])));
    }
    let template = Template {
        title: &wanted.title,
        release: wanted.release,
        configuration: &configuration,
        snp: wanted.snp,
        tdx: wanted.tdx,
        gpu: gpus.as_ref().map(|(count, minimum_driver)| GpuTemplate {
            count: *count,
            minimum_driver,
        }),
        simulated_roots,
        ..Template::default()
    };
    print(&printable(&Policy::template(&template)))?;
    Ok(Outcome::Yes)
}

fn of_image(
    image: &Path,
    which: CommandLine,
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Wanted> {
    let vcpus = arguments.vcpus.context("--image needs --vcpus")?;
    let minimum_tcb = floors::of_image(arguments)?;
    let cpu = arguments.cpu;
    let shape = Shape {
        cpu_type: cpu,
        ..Shape::new(vcpus)
    };
    let launch_digest = snp_launch_digest(&Image::open(image)?, which, shape)?;
    Ok(Wanted {
        title: format!(
            "Trusts one image, on {vcpus} virtual CPUs of type {cpu}, with one configuration."
        ),
        release: None,
        snp: Some(SnpTemplate {
            launch_digest: vec![launch_digest],
            minimum_tcb,
        }),
        tdx: None,
    })
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
