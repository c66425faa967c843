//! `chrysalis-fuzz`: writes the seeds, tries one input, and runs the targets where libFuzzer cannot.

#![forbid(unsafe_code)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use chrysalis_fuzz_targets::{
    MAX_HEAP, TARGETS, Target,
    runner::{Finding, Limit, Plan},
    seeds,
};
use clap::Parser;

/// Fuzzes the parsers
#[derive(Debug, Parser)]
#[command(name = "chrysalis-fuzz", arg_required_else_help = true)]
enum Command {
    /// Print each target with the longest input worth trying and its dictionary
    List,
    /// Write the seed corpus, signed by the simulated vendors: a folder for each target
    Seeds {
        /// Where to
        folder: PathBuf,
        /// Where the simulated vendors' keys are kept, or made on first use
        #[arg(long, value_name = "DIR")]
        vendor: PathBuf,
    },
    /// Try one input, such as a finding
    Try {
        /// The target's name
        target: String,
        /// The input
        file: PathBuf,
    },
    /// Mutate a corpus without feedback, under a stable compiler
    Run {
        /// The target's name
        target: String,
        /// The seeds: a folder as `seeds` writes it
        #[arg(long, value_name = "DIR")]
        corpus: PathBuf,
        /// Where a finding is kept
        #[arg(long, value_name = "DIR")]
        findings: PathBuf,
        /// How long
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Decides the mutations
        #[arg(long, default_value_t = 1)]
        random: u64,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Command::parse() {
        Command::List => {
            for target in TARGETS {
                let dictionary = target.dictionary.unwrap_or("-");
                println!("{} {} {dictionary}", target.name, target.longest);
            }
        }
        Command::Seeds { folder, vendor } => {
            let seeds = seeds::all(&seeds::vendor(&vendor)?);
            seeds::write(&seeds, &folder)
                .with_context(|| format!("cannot write to {}", folder.display()))?;
            eprintln!("{} seeds in {}", seeds.len(), folder.display());
        }
        Command::Try { target, file } => {
            let target = named(&target)?;
            let input =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let heap = target.run(&input);
            println!(
                "{}: nothing found; {heap} of {MAX_HEAP} bytes of memory",
                target.name
            );
        }
        Command::Run {
            target,
            corpus,
            findings,
            seconds,
            random,
        } => {
            let limit = Limit::Time(Duration::from_secs(seconds));
            return run(named(&target)?, &corpus, &findings, limit, random);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> anyhow::Result<&'static Target> {
    Target::named(name)
        .with_context(|| format!("there is no target {name}; `chrysalis-fuzz list` lists them"))
}

fn run(
    target: &Target,
    corpus: &Path,
    findings: &Path,
    limit: Limit,
    random: u64,
) -> anyhow::Result<ExitCode> {
    let seeds = read(&corpus.join(target.name))?;
    fs::create_dir_all(findings)?;
    let current = findings.join(format!("{}-current", target.name));
    let file = File::create(&current)
        .with_context(|| format!("cannot write to {}", findings.display()))?;
    let plan = Plan {
        target,
        seeds: &seeds,
        limit,
        random,
        current: Some(&file),
    };
    let tally = plan.run(&mut |tally| eprintln!("    {} inputs", tally.inputs));
    match tally {
        Ok(tally) => {
            fs::remove_file(&current)?;
            println!(
                "{} inputs, at most {} KiB and {} ms each",
                tally.inputs,
                tally.heap / 1024,
                tally.slowest.as_millis()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(Finding { why, .. }) => {
            // The next run begins with an empty file; a finding outlives it.
            let kept = findings.join(format!("{}-finding", target.name));
            fs::rename(&current, &kept)?;
            println!("finding: {why}: {}", kept.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn read(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    // The order of a folder is nobody's; that of the names makes runs alike.
    paths.sort();
    let mut seeds = Vec::new();
    for path in paths {
        let seed = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        seeds.push(seed);
    }
    if seeds.is_empty() {
        bail!(
            "{} is empty; `chrysalis-fuzz seeds` fills it",
            folder.display()
        );
    }
    Ok(seeds)
}
