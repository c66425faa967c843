//! `release make`: signs what an image is, and what hardware says about it.

use std::fs;

use anyhow::{Context, bail};
use chrysalis_attestation::release::{Development, Release, is_project};
use chrysalis_client::system_time;
use chrysalis_image::publish::{Passphrase, SigningKey};

use super::{
    arguments::MakeArguments,
    image::{Wanted, describe},
};
use crate::{
    Outcome,
    files::write_whole,
    policy::floors::{Levels, read_levels},
    printable::print,
};

const MANIFEST: &str = "manifest.json";

pub(super) fn run(arguments: &MakeArguments) -> anyhow::Result<Outcome> {
    if !is_project(&arguments.project) {
        bail!(
            "{:?} is no name that a project has; use lower-case letters, digits, `.`, `-` and `/`, such as releases.example",
            arguments.project
        );
    }
    let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
    // A root signs no releases, the development root among them: there, too, it vouches for a key that does.
    let key = SigningKey::read(&arguments.key, &passphrase, Development::Refused)?;
    let issued = arguments.issued.unwrap_or_else(system_time);
    if arguments.expires <= issued {
        bail!("--expires is not after the release is issued; give a later day");
    }
    let minimum_tcb = match &arguments.minimum_tcb {
        Some(path) => read_levels(path)?,
        None => Levels::new(),
    };
    let path = arguments.out.join(MANIFEST);
    if path.exists() {
        bail!(
            "{} is there already; a release is never signed twice, so remove it or name another folder",
            path.display()
        );
    }
    eprintln!("measuring {} …", arguments.image.display());
    let image = describe(&arguments.image, &Wanted::Shapes(&arguments.shapes))?;
    let name = arguments.name.clone();
    let project = &arguments.project;
    let release = Release {
        project: Some(project.clone()),
        release: name.unwrap_or_else(|| format!("v{}", image.version)),
        epoch: arguments.epoch,
        issued,
        expires: arguments.expires,
        inputs: image.inputs,
        toolchain: image.toolchain,
        measurements: image.measurements,
        minimum_tcb,
    };
    let (snp, tdx) = (
        release.measurements.snp.len(),
        release.measurements.tdx.len(),
    );
    let told = format!(
        "project {project}\nrelease {}, epoch {}, until {}\n{} files, {snp} launch digests, {tdx} sets of TDX registers\nkey     {}\n",
        release.release,
        release.epoch,
        release.expires,
        image.files.len(),
        key.public().id(),
    );
    let manifest = key.seal(release.envelope(image.files))?;
    // What is signed here must be what verifiers take: better told now than by each of them.
    Release::verify(manifest.as_bytes(), key.public(), project, issued, None)
        .map_err(|rejection| anyhow::anyhow!("{rejection}; {}", rejection.hint()))?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    write_whole(&path, manifest.as_bytes())?;
    print(&format!("{told}wrote   {}\n", path.display()))?;
    Ok(Outcome::Yes)
}
