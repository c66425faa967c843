//! `chrysalis-image`: makes images, disks of engines and models, configurations and pins, and what publishers sign. Data goes to stdout, talk to stderr; exit 0 is done, 2 is not done.

#![forbid(unsafe_code)]

mod disks;
mod options;
mod publisher;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use anyhow::{Context, Result};
use chrysalis_image::{
    assemble::image,
    compile::{
        kernel::Kernel,
        rust::Rustc,
        toolchain, wasm,
        workspace::{TOOLCHAIN, Workspace},
    },
    inputs::{
        fetch::Fetcher,
        lock::{Input, Lock},
        moment::Moment,
        python,
        recipe::{ImageRecipe, Linkage, ToolchainRecipe as Recipe},
        refresh::{self, Wheels},
        resolve,
    },
    publish,
};
use clap::{Parser, Subcommand};

use crate::{
    options::{FetchOptions, programs},
    publisher::{key, log, network, release},
};

#[derive(Parser)]
#[command(
    name = "chrysalis-image",
    version,
    about = "Recipe and lock in, the same image out, everywhere",
    after_help = "Example:\n  chrysalis-image build images/cpu.toml --out build/cpu"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an image: kernel, initrd, firmware, command line, and image.json with the origin of every byte
    #[command(after_help = "Example:\n  chrysalis-image build images/cpu.toml --out build/cpu")]
    Build {
        /// The recipe; its lock.toml is in the same folder
        recipe: PathBuf,
        /// The folder to make or to replace
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Take the programs from this folder instead of compiling them
        #[arg(long, value_name = "DIR")]
        binaries: Option<PathBuf>,
        /// Take this kernel instead of compiling it; not for images with a GPU's driver
        #[arg(long, value_name = "FILE")]
        kernel: Option<PathBuf>,
        #[command(flatten)]
        fetch: FetchOptions,
    },
    /// Make the disk of an engine: the root folder that it runs in, and how it is started; and its card
    #[command(
        after_help = "Example:\n  chrysalis-image engine images/engines/llama-cpu.toml --out build/disks"
    )]
    Engine(disks::EngineCommand),
    /// Make the disk of a model, and its card: of a recipe, of a GGUF file, or of a folder of safetensors
    #[command(
        after_help = "Examples:\n  chrysalis-image model images/models/smollm2.toml --out build/disks\n  \
            chrysalis-image model qwen3-8b-q4.gguf --licence Apache-2.0 --out build/disks"
    )]
    Model(disks::ModelCommand),
    /// Encrypt a model's disk, for enclaves to which `chrysalis keys serve` gives the key
    #[command(
        after_help = "Example:\n  chrysalis-image seal smollm2-135m-instruct --disks build/disks --keys keys"
    )]
    Seal(disks::SealCommand),
    /// Write the measured configuration that binds the disks of engines and models
    #[command(
        after_help = "Example:\n  chrysalis-image configuration images/demo.toml --disks build/disks --out build/demo.toml"
    )]
    Configuration(disks::ConfigurationCommand),
    /// Move the pins of a lock, and those of the toolchain, to the newest versions in the suites they name
    #[command(
        after_help = "Examples:\n  chrysalis-image lock images/lock.toml --upgrade\n  chrysalis-image lock --engine images/engines/vllm-cpu.toml"
    )]
    Lock {
        /// The lock to rewrite
        #[arg(default_value = "images/lock.toml")]
        lock: PathBuf,
        /// The toolchain's recipe; its lock, in the same folder, is rewritten
        #[arg(long, value_name = "FILE", default_value = TOOLCHAIN)]
        toolchain: PathBuf,
        /// Move Python packages to newer versions, too
        #[arg(long)]
        upgrade: bool,
        /// Make the lock of an engine of wheels instead: the interpreter as apt chooses it, wheels as pip does
        #[arg(long, value_name = "RECIPE", conflicts_with_all = ["lock", "toolchain", "upgrade"])]
        engine: Option<PathBuf>,
        /// Make the lock of another toolchain instead, of Debian packages alone: images/wasm.toml
        #[arg(long, value_name = "RECIPE", conflicts_with_all = ["lock", "toolchain", "upgrade", "engine"])]
        tools: Option<PathBuf>,
        #[command(flatten)]
        fetch: FetchOptions,
    },
    /// Compile the verifier for browsers: WebAssembly, and the JavaScript around it
    #[command(after_help = "Example:\n  chrysalis-image wasm --out build/wasm")]
    Wasm {
        /// The folder for what is made
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        fetch: FetchOptions,
    },
    /// Compile the programs of a recipe as they are measured, and print where they are
    #[command(after_help = "Example:\n  chrysalis-image binaries images/cpu.toml")]
    Binaries {
        /// The recipe that names them
        recipe: PathBuf,
        #[command(flatten)]
        fetch: FetchOptions,
    },
    /// Make keys with a passphrase, and sign with the root which of them count
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis-image key release --key release.pem"
    )]
    Key(key::KeyCommand),
    /// Sign what an image is, or sign it anew
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis-image release make build/cpu --project releases.example --epoch 1 --expires 2027-06-01 --key release.pem --out publication/v1"
    )]
    Release(release::ReleaseCommand),
    /// Keep a transparency log of releases
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis-image log append publication/log publication/v1/manifest.json --origin releases.example/log --key log.pem"
    )]
    Log(log::LogCommand),
    /// Sign what a network is: who lists its providers, which models it has, how it is paid
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis-image network sign network.toml --key alice.pem --out network.json"
    )]
    Network(network::NetworkCommand),
    /// Run cargo with the environment and flags of measured programs, such as to check or test them as they are built
    #[command(
        after_help = "Example:\n  chrysalis-image cargo clippy --release -p chrysalis-enclave"
    )]
    Cargo {
        #[command(flatten)]
        fetch: FetchOptions,
        /// What follows `cargo`
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build {
            recipe,
            out,
            binaries,
            kernel,
            fetch,
        } => {
            let fetcher = fetch.fetcher()?;
            let manifest = image::build(
                &recipe,
                &out,
                &fetcher,
                |order| kernel.map_or_else(|| order.build(), |path| Kernel::given(&path)),
                |wanted| programs(binaries.as_deref(), &recipe, wanted, &fetcher),
            )?;
            for file in &manifest.files {
                println!("{}  {}", file.sha256, out.join(&file.path).display());
            }
        }
        Command::Engine(command) => disks::engine(command)?,
        Command::Model(command) => disks::model(command)?,
        Command::Seal(command) => disks::seal(&command)?,
        Command::Configuration(command) => disks::configuration(&command)?,
        Command::Lock {
            lock,
            toolchain: recipe,
            upgrade,
            engine,
            tools,
            fetch,
        } => {
            let fetcher = fetch.fetcher()?;
            let now = Moment::from(SystemTime::now());
            if let Some(recipe) = tools {
                return relock(&recipe, &fetcher, None, &now);
            }
            if let Some(recipe) = engine {
                let lock = python::lock_of(&recipe);
                let old = Lock::read(&lock).unwrap_or_default();
                let new = resolve::engine(&recipe, &old, &fetcher, &now)?;
                rewrite(&lock, &old, &new)?;
                return Ok(ExitCode::SUCCESS);
            }
            let wheels = if upgrade {
                Wheels::Upgrade
            } else {
                Wheels::Keep
            };
            let old = Lock::read(&lock)?;
            rewrite(
                &lock,
                &old,
                &refresh::refresh(&old, &fetcher, wheels, &now)?,
            )?;
            let rustc = Rustc::of(Path::new("."))?;
            return relock(&recipe, &fetcher, Some(rustc.pin()?), &now);
        }
        Command::Wasm { out, fetch } => {
            wasm::build(Path::new("."), &out, &fetch.fetcher()?)?;
            for file in wasm::FILES {
                println!("{}", out.join(file).display());
            }
        }
        Command::Binaries { recipe, fetch } => {
            let wanted = ImageRecipe::read(&recipe)?.programs();
            let built = programs(None, &recipe, &wanted, &fetch.fetcher()?)?;
            println!("{}", built.folder().display());
        }
        Command::Key(command) => key::run(&command)?,
        Command::Release(command) => release::run(command)?,
        Command::Log(command) => log::run(&command)?,
        Command::Network(command) => network::run(&command)?,
        Command::Cargo { fetch, arguments } => {
            let mut cargo =
                Workspace::around(Path::new("."), &fetch.fetcher()?)?.cargo(Linkage::Static)?;
            let status = cargo
                .args(arguments)
                .status()
                .context("cargo does not start")?;
            return Ok(if status.success() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The lock of a toolchain anew: what its recipe asks for, and rustc where rustup brings it.
fn relock(
    recipe: &Path,
    fetcher: &Fetcher,
    rustc: Option<Input>,
    now: &Moment,
) -> Result<ExitCode> {
    let wanted = Recipe::read(recipe)?;
    let lock = toolchain::lock_of(recipe);
    let old = Lock::read(&lock).unwrap_or_default();
    let new = refresh::toolchain(&wanted, &old, fetcher, rustc, now)?;
    rewrite(&lock, &old, &new)?;
    Ok(ExitCode::SUCCESS)
}

/// Puts fresh pins in a lock's place, and says what changed.
fn rewrite(path: &Path, old: &Lock, new: &Lock) -> Result<()> {
    for after in &new.input {
        let suite = after.suite.as_deref().unwrap_or("unchanged by suites");
        match old.input.iter().find(|before| before.name == after.name) {
            Some(before) if before == after => {
                eprintln!("  {} stays at {}", after.package, after.version);
            }
            Some(before) => eprintln!(
                "  {} {} -> {} {} ({suite})",
                before.package, before.version, after.package, after.version
            ),
            None => eprintln!("  {} {} is new ({suite})", after.package, after.version),
        }
    }
    for gone in &old.input {
        if !new.input.iter().any(|after| after.name == gone.name) {
            eprintln!("  {} {} is gone", gone.package, gone.version);
        }
    }
    publish::write_whole(path, new.render().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}
