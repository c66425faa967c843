//! `policy init`: a policy that trusts exactly one image, or one signed release, with one configuration.

mod arguments;
mod floors;
mod models;
mod more;
mod release;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, bail};
use chrysalis_attestation::{
    encoding::{digest::sha256, pem},
    nvidia::policy::Minimum,
    policy::{GpuTemplate, Policy, SnpTemplate, Template},
    transcript::Expect,
};
use chrysalis_measure::{CommandLine, Image, Shape, snp_launch_digest};

pub(crate) use arguments::PolicyCommand;
use arguments::PolicyInitArguments;
use release::Wanted;

use crate::{
    files,
    outcome::Outcome,
    printable::{print, printable, refused},
};

/// An enclave takes no longer configuration from its host.
const MAX_CONFIGURATION: usize = 64 * 1024;
const MAX_CERTIFICATES: usize = 64 * 1024;
/// The first driver with confidential computing on H100.
const OLDEST_DRIVER: &str = "550.54.14";

pub(crate) fn run(command: &PolicyCommand) -> anyhow::Result<Outcome> {
    let PolicyCommand::Init(arguments) = command;
    init(arguments)
}

fn init(arguments: &PolicyInitArguments) -> anyhow::Result<Outcome> {
    let which = CommandLine::of(!arguments.simulated_roots.is_empty());
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
        _ => bail!("nothing to trust; give --image or --release"),
    };
    let gpus = gpus(&configuration, arguments).with_context(|| no_configuration(arguments))?;
    let models =
        models::of_configuration(&configuration).with_context(|| no_configuration(arguments))?;
    let models = models::listed(models, &arguments.models)?;
    let mut simulated_roots = Vec::new();
    for path in &arguments.simulated_roots {
        let roots = certificates(path)?;
        simulated_roots.extend(roots.iter().map(|der| sha256(&[der])));
    }
    let template = Template {
        title: &wanted.title,
        release: wanted.release,
        configuration: &configuration,
        models,
        snp: wanted.snp,
        tdx: wanted.tdx,
        gpu: gpus.as_ref().map(|(count, minimum_driver)| GpuTemplate {
            count: *count,
            minimum_driver,
        }),
        simulated_roots,
        ..Template::default()
    };
    print(&printable(&more::add(
        Policy::template(&template),
        arguments,
    )?))?;
    Ok(Outcome::Yes)
}

fn no_configuration(arguments: &PolicyInitArguments) -> String {
    format!("{} is no configuration", arguments.configuration.display())
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

/// How many GPUs there must be, and the oldest driver; `None` if neither the configuration nor the command line wants any.
fn gpus(
    configuration: &[u8],
    arguments: &PolicyInitArguments,
) -> anyhow::Result<Option<(usize, String)>> {
    let text = std::str::from_utf8(configuration)?;
    let policy = Policy::gpu_of_configuration(text)?;
    if policy.is_none() && arguments.gpus.is_none() {
        if arguments.minimum_driver.is_some() {
            bail!("the configuration asks for no GPUs, so --minimum-driver needs --gpus");
        }
        return Ok(None);
    }
    let wanted = policy.map(|policy| policy.wanted);
    let count = match (arguments.gpus, wanted.as_ref().map(|it| &it.count)) {
        (Some(count), _) => usize::try_from(count)?,
        (None, Some(Expect::AnyOf(counts))) => counts.first().copied().unwrap_or(1),
        (None, _) => 1,
    };
    let minimum_driver = match (
        &arguments.minimum_driver,
        wanted.map(|it| it.minimum_driver),
    ) {
        (Some(version), _) => version.clone(),
        (None, Some(Minimum::Driver(version))) => version.to_string(),
        (None, _) => OLDEST_DRIVER.to_owned(),
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
