//! Fetches what a report, a quote or GPUs' evidence calls for into a folder.
//!
//! cargo run --example fetch -- FOLDER snp|tdx|gpu EVIDENCE

use std::{env, error::Error, fs, process::ExitCode};

use chrysalis_attestation::nvidia::evidence;
use chrysalis_collateral::{Store, Wish, gather};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    const USAGE: &str = "usage: fetch FOLDER snp|tdx|gpu EVIDENCE";
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, kind, file] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let file = fs::read(file)?;
    let wish = match kind.as_str() {
        "snp" => Wish::of_report(&file, &[])?,
        "tdx" => Wish::of_quote(&file)?,
        "gpu" => Wish::of_gpus(&evidence::read(&file, None)?)?,
        _ => return Err(USAGE.into()),
    };
    let gathered = gather(&wish, &Store::open_or_create(folder.as_ref())?);
    for it in &gathered {
        match &it.outcome {
            Ok(fetched) => println!("{}: {fetched:?}", it.object),
            Err(failure) => println!("{}: {}", it.object, failure.error),
        }
    }
    let complete = gathered.iter().all(|it| it.outcome.is_ok());
    Ok(ExitCode::from(u8::from(!complete)))
}
