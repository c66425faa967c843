//! May I speak to the holder of this TLS key? The evidence brings its own collateral.
//!
//! cargo run --example conversation -- policy.toml evidence.cbor NONCE EXPORTER spki.der

use std::{env, error::Error, fs, process::ExitCode, time::SystemTime};

use chrysalis_attestation::{
    Collateral, Unverified, Verdict,
    evidence::{Evidence, binding::Session},
    policy::Policy,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [policy, evidence, asked, channel, spki] = &arguments[..] else {
        return Err(
            "usage: conversation POLICY.toml EVIDENCE.cbor NONCE (hex) EXPORTER (hex) SPKI.der"
                .into(),
        );
    };
    let policy = Policy::parse(&fs::read_to_string(policy)?)?;
    let evidence = Evidence::decode(&fs::read(evidence)?)?;
    let (mut nonce, mut exporter) = ([0; 32], [0; 32]);
    hex::decode_to_slice(asked, &mut nonce)?;
    hex::decode_to_slice(channel, &mut exporter)?;
    let session = Session::Asked { nonce, exporter };
    let spki = fs::read(spki)?;
    let trusted = Unverified::new(evidence)
        .authenticate(
            &policy.roots(),
            &Collateral::default(),
            SystemTime::now().into(),
        )
        .and_then(|authentic| authentic.bind(&session, &spki))
        .and_then(|bound| bound.appraise(&policy));
    println!("{}", Verdict::of(&trusted));
    Ok(ExitCode::from(u8::from(trusted.is_err())))
}
