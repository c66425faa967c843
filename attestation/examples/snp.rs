//! Is this SEV-SNP report genuine, and what the policy wants?
//!
//! cargo run --example snp -- policy.toml REPORT_DATA report.bin crl.der certificate.der...

use std::{env, error::Error, fs, process::ExitCode, time::SystemTime};

use chrysalis_attestation::{
    Collateral, Verdict,
    alone::snp::{SnpQuestion, verify},
    policy::Policy,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [policy, report_data, report, crl, certificates @ ..] = &arguments[..] else {
        return Err(
            "usage: snp POLICY.toml REPORT_DATA (hex) REPORT CRL.der CERTIFICATE.der...".into(),
        );
    };
    let policy = Policy::parse(&fs::read_to_string(policy)?)?;
    let mut asked = [0; 64];
    hex::decode_to_slice(report_data, &mut asked)?;
    let roots = policy.roots();
    let collateral = Collateral {
        certificates: certificates
            .iter()
            .map(fs::read)
            .collect::<Result<_, _>>()?,
        crls: vec![fs::read(crl)?],
        ..Collateral::default()
    };
    let question = SnpQuestion {
        policy: Some(&policy),
        report_data: Some(&asked),
        ..SnpQuestion::new(&roots.amd, &collateral, SystemTime::now().into())
    };
    let verified = verify(&fs::read(report)?, &question);
    println!("{}", Verdict::of(&verified));
    Ok(ExitCode::from(u8::from(verified.is_err())))
}
