//! `check`.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use chrysalis_directory::check::{Folder, Source, Web, check};
use clap::Args;

use crate::{
    options::{NetworkOptions, refused},
    printable::printable,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: in order. 1: not. 2: could not check.\n\nExamples:\n  chrysalis-directory check https://directory.example --network-key network.pub\n  chrysalis-directory check /srv/mirror --network-key network.pub"
)]
pub(crate) struct CheckArguments {
    /// A folder with a mirror, or the address of a directory
    #[arg(value_name = "DIR|URL")]
    subject: String,
    #[command(flatten)]
    signers: NetworkOptions,
}

pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode> {
    let signers = arguments.signers.signers()?;
    let source: Box<dyn Source> = if arguments.subject.contains("://") {
        Box::new(Web::at(&arguments.subject)?)
    } else {
        Box::new(Folder::at(Path::new(&arguments.subject)))
    };
    let now = std::time::SystemTime::now().into();
    let checked = check(&*source, &signers, now)?;
    let checked = match checked {
        Ok(checked) => checked,
        Err(rejection) => {
            let text = format!("not in order: {:#}", refused(&rejection));
            println!("{}", printable(&text));
            return Ok(ExitCode::from(1));
        }
    };
    for fault in &checked.faults {
        println!("{}", printable(&fault.to_string()));
    }
    let verdict = match checked.faults.len() {
        0 => "in order".to_owned(),
        count => format!("not in order: {count} faults"),
    };
    println!(
        "{verdict}: {} entries in the log, {} class files, {} listings, {} reports, {} pieces of evidence",
        checked.entries, checked.classes, checked.listings, checked.reports, checked.evidence
    );
    Ok(ExitCode::from(u8::from(!checked.faults.is_empty())))
}
