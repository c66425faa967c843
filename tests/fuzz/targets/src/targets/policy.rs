//! What a relying party wants. It is the relying party's own file, but people paste policies from strangers.

use std::sync::LazyLock;

use chrysalis_attestation::{
    policy::{ModelPolicy, Policy, SnpTemplate, Template},
    snp::{floor::Floor, product::Product, tcb::Tcb},
};

/// Lower than the seeds'.
const LEVELS: Tcb = Tcb {
    fmc: None,
    bootloader: 1,
    tee: 0,
    snp: 1,
    microcode: 1,
};

/// A policy as TOML: of an enclave, of GPUs, of a TD, or the simulated roots alone; and the models of a configuration.
pub(super) fn policy(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    for error in [
        Policy::parse(text).err(),
        Policy::parse_gpu(text).err(),
        Policy::parse_tdx(text).err(),
        Policy::parse_simulation(text).err(),
        Policy::models_of_configuration(text).err(),
    ] {
        let told = error.map(|error| error.to_string());
        assert!(told.is_none_or(|told| !told.is_empty()), "a wordless error");
    }
}

/// A policy that the seeds would meet, if it named their root.
pub(super) fn strict() -> Policy {
    static STRICT: LazyLock<Policy> =
        LazyLock::new(|| Policy::parse(&template()).expect("a template is a policy"));
    STRICT.clone()
}

/// The same as text.
pub(crate) fn template() -> String {
    Policy::template(&Template {
        configuration: b"model = \"smollm2\"\n",
        snp: Some(SnpTemplate {
            launch_digest: vec![[0xD1; 48]],
            minimum_tcb: Floor::each([(Product::Genoa, LEVELS)]).expect("a floor"),
        }),
        models: vec![ModelPolicy {
            name: "smollm2".to_owned(),
            kind: Some("chat".to_owned()),
            weights: Some([0x33; 32]),
            disk: Some([0x55; 32]),
            tokenizer: Some([0x66; 32]),
            template: Some([0x44; 32]),
            engine_disk: Some([0x22; 32]),
        }],
        ..Template::default()
    })
}
