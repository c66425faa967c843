//! Are these GPUs genuine, and what the policy wants? The files of collateral are NVIDIA's manifests (XML) and its OCSP answers.
//!
//! cargo run --example gpu -- policy.toml NONCE evidence.json driver.xml vbios.xml answer.der...

use std::{env, error::Error, fs, path::Path, process::ExitCode, time::SystemTime};

use chrysalis_attestation::{
    Verdict,
    alone::gpus::{GpuQuestion, verify},
    nvidia::{GpuCollateral, evidence, ocsp::OcspAnswer},
    policy::Policy,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [policy, nonce, answers, files @ ..] = &arguments[..] else {
        return Err("usage: gpu POLICY.toml NONCE (hex) EVIDENCE.json COLLATERAL...".into());
    };
    let toml = fs::read_to_string(policy)?;
    let (policy, roots) = (Policy::parse_gpu(&toml)?, Policy::parse_roots(&toml)?);
    let mut asked = [0; 32];
    hex::decode_to_slice(nonce, &mut asked)?;
    let mut collateral = GpuCollateral::default();
    for file in files.iter().map(Path::new) {
        let bytes = fs::read(file)?;
        match file.extension() {
            Some(kind) if kind == "xml" => collateral.rims.push(bytes),
            _ => collateral.ocsp.push(OcspAnswer::brought_along(bytes)),
        }
    }
    let question = GpuQuestion {
        policy: Some(&policy),
        ..GpuQuestion::new(&asked, &roots.nvidia, &collateral, SystemTime::now().into())
    };
    let verified = verify(&evidence::read(&fs::read(answers)?, None)?, &question);
    println!("{}", Verdict::of(&verified));
    Ok(ExitCode::from(u8::from(verified.is_err())))
}
