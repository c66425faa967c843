//! Runs the verifier's tests with each of its guards off, one at a time.
//!
//! `chrysalis-mutants list` names the guards, and `chrysalis-mutants run BUILD [--again] [GUARD…]` runs them: `make mutants`.

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use chrysalis_mutants::{
    guard,
    run::{self, Wish},
};

const USAGE: &str = "\
usage: chrysalis-mutants list
       chrysalis-mutants run BUILD [--again] [GUARD…]

Runs the verifier's tests with each of its guards off. BUILD is a folder for the copy of the tree and for the results; GUARD a
guard's name, or the beginning of several. --again forgets the results of an earlier run.

example: chrysalis-mutants run build/mutants snp-4 bind-4-nonce
";

fn main() -> ExitCode {
    match work() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn work() -> Result<bool> {
    let root = env::current_dir()?;
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("list") => {
            for guard in guard::all(&root)? {
                println!("{}", guard.name);
            }
            Ok(true)
        }
        Some("run") => {
            let Some(build) = arguments.next() else {
                bail!("no folder is named\n{USAGE}");
            };
            let (options, names): (Vec<_>, Vec<_>) =
                arguments.partition(|argument| argument.starts_with('-'));
            let again = match options.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => false,
                ["--again"] => true,
                _ => bail!("an option is not known\n{USAGE}"),
            };
            run::run(&Wish {
                build: root.join(PathBuf::from(build)),
                root,
                names,
                again,
            })
        }
        Some("--help" | "-h") => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => bail!("nothing is asked\n{USAGE}"),
    }
}
