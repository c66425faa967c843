//! `audit`: builds the image again, measures it, and says whether it is the one that was released, or where it first differs.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrysalis_attestation::release::{
    Development, Input, MAX_ENVELOPE, Measurements, Rebuild, Release, Subject,
};
use chrysalis_client::system_time;
use chrysalis_image::{
    assemble::image,
    compile::{binaries::Binaries, kernel, workspace::Workspace},
    inputs::{
        apt::Archives,
        fetch::{Fetcher, default_cache},
    },
    publish::{Described, Passphrase, SigningKey, Wanted, describe},
};
use chrysalis_measure::{Image, explain_images};
use clap::Args;

use super::publisher::Publisher;
use crate::{
    files::{read, write_whole},
    outcome::Outcome,
    printable::{print, printable, refused},
    seen::State,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: the same. 1: something differs, or the manifest is refused. 2: could not check.\n\nExample:\n  chrysalis audit images/cpu.toml --against v1/manifest.json --root 1.root.json --keys publication\n  chrysalis audit --image build/cpu --against v1/manifest.json --root 1.root.json --keys publication --sign mine.pem --statement statement.json"
)]
pub(crate) struct AuditArguments {
    /// The recipe to rebuild from; its lock.toml is in the same folder
    #[arg(value_name = "RECIPE", default_value = "images/cpu.toml")]
    pub(crate) recipe: PathBuf,
    /// Audit this image folder instead of rebuilding
    #[arg(long, value_name = "DIR")]
    pub(crate) image: Option<PathBuf>,
    /// Where the rebuilt image goes
    #[arg(
        long,
        value_name = "DIR",
        default_value = "build/audit",
        conflicts_with = "image"
    )]
    pub(crate) out: PathBuf,
    /// Take the programs from this folder instead of compiling them
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub(crate) binaries: Option<PathBuf>,
    /// The manifest to compare the image with
    #[arg(long, value_name = "FILE")]
    pub(crate) against: PathBuf,
    #[command(flatten)]
    pub(crate) publisher: Publisher,
    /// The released image folder, to name the first entry, word or page that differs
    #[arg(long, value_name = "DIR")]
    pub(crate) released: Option<PathBuf>,
    /// Your own key, to sign a statement that the image is the same
    #[arg(long, value_name = "FILE", requires = "statement")]
    pub(crate) sign: Option<PathBuf>,
    /// A file whose first line is the passphrase of your own key; without it, the terminal is asked
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Where the signed statement goes
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) statement: Option<PathBuf>,
}

pub(crate) fn run(arguments: &AuditArguments) -> anyhow::Result<Outcome> {
    let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
    let signer = arguments.sign.as_deref();
    let signer = signer
        .map(|path| SigningKey::read(path, &passphrase, Development::Refused))
        .transpose()?;
    let manifest = read(&arguments.against, MAX_ENVELOPE)?;
    // A release that ended, or is not the newest, can be audited as well: this asks what it is, not whether to use it.
    let vetted = {
        let state = State::open()?;
        let publisher = &arguments.publisher;
        publisher.signed(&manifest, system_time(), &state)?
    };
    let vetted = match vetted {
        Ok(vetted) => vetted,
        Err(rejection) => {
            print(&refused(&rejection))?;
            return Ok(Outcome::No);
        }
    };
    let folder = match &arguments.image {
        Some(folder) => folder.clone(),
        None => rebuild(arguments)?,
    };
    eprintln!("measuring {} …", folder.display());
    let manifest = vetted.signed();
    let release = manifest.release();
    let found = describe(&folder, &Wanted::As(&release.measurements))?;
    if let Some(difference) = first_difference(release, manifest.files(), &found) {
        let explained = explain(arguments.released.as_deref(), &folder)?;
        let vouched = vetted.told();
        print(&printable(&format!("{difference}{explained}{vouched}")))?;
        return Ok(Outcome::No);
    }
    let mut told = format!(
        "inputs  {:<24} as released\n\
         files   {:<24} as released\n\
         snp     {:<24} as released\n\
         tdx     {:<24} as released\n\
         {}\
         the same: release {}, epoch {}\n",
        format!("{} packages", found.inputs.len()),
        found.files.len(),
        format!("{} launch digests", found.measurements.snp.len()),
        format!("{} sets of registers", found.measurements.tdx.len()),
        vetted.told(),
        release.release,
        release.epoch,
    );
    if let (Some(signer), Some(out)) = (signer, &arguments.statement) {
        let statement = Rebuild {
            release: release.release.clone(),
            rebuilt: system_time(),
            toolchain: found.toolchain,
            measurements: found.measurements,
        };
        let statement = signer.seal(statement.envelope(found.files))?;
        write_whole(out, statement.as_bytes())?;
        let key = signer.public().id();
        writeln!(told, "signed  {} by {key}", out.display())?;
    }
    print(&printable(&told))?;
    Ok(Outcome::Yes)
}

/// Fetches by the lock and builds, as `chrysalis-image build` does.
fn rebuild(arguments: &AuditArguments) -> anyhow::Result<PathBuf> {
    let recipe = &arguments.recipe;
    let fetcher = Fetcher {
        cache: default_cache().context("no HOME to keep a cache in; set CHRYSALIS_CACHE")?,
        mirrors: Vec::new(),
        archives: Archives::read(Path::new("/etc/apt")),
    };
    eprintln!("building {} …", recipe.display());
    image::build(
        recipe,
        &arguments.out,
        &fetcher,
        kernel::compile,
        |wanted| {
            if let Some(folder) = &arguments.binaries {
                return Binaries::given(folder);
            }
            Workspace::around(recipe, &fetcher)?.build(wanted)
        },
    )?;
    Ok(arguments.out.clone())
}

/// The first thing that differs, causes before what they cause: inputs, toolchain, files, measurements.
fn first_difference(release: &Release, files: &[Subject], found: &Described) -> Option<String> {
    let differs = |what: &str, released: &str, rebuilt: &str| {
        format!("differs: {what}\nreleased  {released}\nrebuilt   {rebuilt}\n")
    };
    let none = "none";
    for input in release.inputs.iter().chain(&found.inputs) {
        let tell = |inputs: &[Input]| {
            inputs
                .iter()
                .find(|it| it.name == input.name)
                .map_or(none.to_owned(), |it| {
                    format!("{} {} {}", it.package, it.version, it.sha256)
                })
        };
        let (released, rebuilt) = (tell(&release.inputs), tell(&found.inputs));
        // Programs that were handed in tell nothing of what compiled them; the files below tell whether they are the same.
        let untold = found.toolchain.is_none() && rebuilt == none;
        if released != rebuilt && !untold {
            let what = format!("input {}", input.name);
            return Some(differs(&what, &released, &rebuilt));
        }
    }
    let file = file_that_differs(files, &found.files);
    // Programs that were handed in tell no compiler, and another compiler may well make the same bytes.
    if let (Some(released), Some(rebuilt), Some(_)) = (&release.toolchain, &found.toolchain, &file)
    {
        for (what, released, rebuilt) in [
            ("rustc", &released.rustc, &rebuilt.rustc),
            ("C compiler", &released.c_compiler, &rebuilt.c_compiler),
            (
                "C library",
                &released.c_library.to_string(),
                &rebuilt.c_library.to_string(),
            ),
        ] {
            if released != rebuilt {
                return Some(differs(what, released, rebuilt));
            }
        }
    }
    if let Some((name, released, rebuilt)) = file {
        return Some(differs(&format!("file {name}"), &released, &rebuilt));
    }
    measurement_that_differs(&release.measurements, &found.measurements)
        .map(|(what, released, rebuilt)| differs(&what, &released, &rebuilt))
}

type Difference = (String, String, String);

fn file_that_differs(released: &[Subject], rebuilt: &[Subject]) -> Option<Difference> {
    let digest = |files: &[Subject], name: &str| {
        let file = files.iter().find(|file| file.name == name);
        file.map_or("none".to_owned(), |file| file.digest.sha256.to_string())
    };
    released.iter().chain(rebuilt).find_map(|file| {
        let (left, right) = (digest(released, &file.name), digest(rebuilt, &file.name));
        (left != right).then(|| (file.name.clone(), left, right))
    })
}

/// Both are of the same machines, in the same order.
fn measurement_that_differs(released: &Measurements, rebuilt: &Measurements) -> Option<Difference> {
    let snp = released.snp.iter().zip(&rebuilt.snp);
    let snp = snp
        .filter(|(left, right)| left != right)
        .map(|(left, right)| {
            let what = format!("launch digest on {} {}", left.vcpus, left.cpu);
            let digests = [left, right].map(|line| line.launch_digest.to_string());
            let [left, right] = digests;
            (what, left, right)
        });
    let tdx = released.tdx.iter().zip(&rebuilt.tdx);
    let tdx = tdx
        .filter(|(left, right)| left != right)
        .map(|(left, right)| {
            let [left, right] = [left, right].map(|line| {
                format!(
                    "MRTD {} RTMR1 {} RTMR2 {}",
                    line.mrtd, line.rtmr1, line.rtmr2
                )
            });
            ("TDX registers".to_owned(), left, right)
        });
    snp.chain(tdx).next()
}

/// Where in the files, if the released ones are at hand.
fn explain(released: Option<&Path>, rebuilt: &Path) -> anyhow::Result<String> {
    let Some(released) = released else {
        return Ok(
            "hint: --released DIR, with the released files, names the first byte\n".to_owned(),
        );
    };
    let difference = explain_images(&Image::open(released)?, &Image::open(rebuilt)?)?;
    Ok(match difference {
        Some(difference) => format!("first     {difference}\n"),
        None => format!(
            "hint: the files in {} are the rebuilt ones, not the released ones\n",
            released.display()
        ),
    })
}
