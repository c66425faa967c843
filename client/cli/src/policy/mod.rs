//! `policy init`: a policy that trusts exactly one image, or one signed release, with one configuration.

mod release;

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{
    digest::sha256,
    policy::{Floor, GpuTemplate, Policy, SnpTemplate, TdxTemplate, Template},
    snp::tcb::Tcb,
};
use chrysalis_measure::{CommandLine, Image, Shape, snp_launch_digest};

use crate::{
    Outcome,
    arguments::PolicyInitArguments,
    files,
    printable::{print, printable},
    release::refused,
    subject::Artifact,
};

/// An enclave takes no longer configuration from its host.
const MAX_CONFIGURATION: usize = 64 * 1024;
const MAX_CERTIFICATE: usize = 64 * 1024;

/// What is to be trusted, of whichever origin.
struct Wanted {
    title: String,
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
    let wanted = match (&arguments.release, &arguments.key, &arguments.image) {
        (Some(manifest), Some(key), _) => match release::wanted(manifest, key, which)? {
            Ok(wanted) => wanted,
            Err(rejection) => {
                eprint!("{}", refused(&rejection));
                return Ok(Outcome::No);
            }
        },
        (_, _, Some(image)) => of_image(image, which, arguments)?,
        _ => anyhow::bail!("nothing to trust; give --image or --release"),
    };
    let roots = arguments.simulated_roots.iter();
    let roots = roots.map(|path| certificate(path).map(|der| sha256(&[&der])));
    let template = Template {
        title: &wanted.title,
        configuration: &configuration,
        snp: wanted.snp,
        tdx: wanted.tdx,
        gpu: arguments.gpus.map(|count| GpuTemplate {
            count,
            minimum_driver: &arguments.minimum_driver,
        }),
        simulated_roots: roots.collect::<anyhow::Result<_>>()?,
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
        snp: Some(SnpTemplate {
            launch_digest: vec![launch_digest],
            minimum_tcb: Floor::All(Tcb::default()),
        }),
        tdx: None,
    })
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
