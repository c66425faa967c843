//! Is this quote of a TD genuine, and what the policy wants?
//!
//! cargo run --example tdx -- policy.toml REPORTDATA quote.bin collateral.json

use std::{env, error::Error, fs, process::ExitCode, time::SystemTime};

use chrysalis_attestation::{
    Verdict,
    alone::tdx::{TdxQuestion, verify},
    policy::Policy,
    tdx::IntelCollateral,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [policy, report_data, quote, collateral] = &arguments[..] else {
        return Err("usage: tdx POLICY.toml REPORTDATA (hex) QUOTE COLLATERAL.json".into());
    };
    let toml = fs::read_to_string(policy)?;
    let (policy, roots) = (Policy::parse_tdx(&toml)?, Policy::parse_roots(&toml)?);
    let mut asked = [0; 64];
    hex::decode_to_slice(report_data, &mut asked)?;
    let collateral = IntelCollateral::parse(&fs::read(collateral)?)?;
    let question = TdxQuestion {
        policy: Some(&policy),
        report_data: Some(&asked),
        ..TdxQuestion::new(&roots.intel, &collateral, SystemTime::now().into())
    };
    let verified = verify(&fs::read(quote)?, &question);
    println!("{}", Verdict::of(&verified));
    Ok(ExitCode::from(u8::from(verified.is_err())))
}
