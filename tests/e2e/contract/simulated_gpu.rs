//! `verify nvidia` on GPUs of the simulated NVIDIA: on every machine, whether the real evidence is there or not.

use std::fs;

use chrysalis_attestation::{Time, encoding::digest::sha256};
use chrysalis_simulate::Nvidia;
use data_encoding::BASE64;
use serde_json::Value;
use tempfile::TempDir;

use super::{verdict, verify};

/// 2026-03-01 00:00 UTC
const NOW: Time = Time(1_772_323_200);
const NONCE: [u8; 32] = [0x5A; 32];

/// A folder with `report.bin`, `chain.pem`, `policy.toml` and what NVIDIA says about them.
struct Scene {
    folder: TempDir,
    vendor: Nvidia,
    collateral: String,
}

impl Scene {
    fn new() -> Self {
        let vendor = Nvidia::from_seed(&[7; 32], NOW);
        let mut scene = Self {
            folder: TempDir::new().expect("a folder"),
            vendor,
            collateral: String::new(),
        };
        let evidence = scene.vendor.gpu(0).evidence(&NONCE);
        let certificates = evidence.chain.iter().map(|der| {
            let text = BASE64.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        });
        scene.write("chain.pem", certificates.collect::<String>());
        scene.write("report.bin", evidence.report);
        let of_nvidia = scene.vendor.collateral(NOW);
        let answers = of_nvidia.ocsp.into_iter().map(|answer| answer.der);
        let files = of_nvidia.rims.into_iter().map(|rim| ("rim", rim));
        for (place, (option, bytes)) in files.chain(answers.map(|der| ("ocsp", der))).enumerate() {
            let name = format!("{place}.{option}");
            scene.write(&name, bytes);
            for word in [" --", option, " ", &name] {
                scene.collateral.push_str(word);
            }
        }
        scene
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).expect("a file");
    }

    /// A policy that wants one GPU and accepts these roots.
    fn policy(&self, roots: &[&[u8]]) {
        let roots = roots.iter().map(|der| hex::encode(sha256(&[der])));
        let roots: Vec<_> = roots.collect();
        self.write(
            "policy.toml",
            format!(
                "version = 1\n[simulation]\nroots = {roots:?}\n[gpu]\ncount = [1]\n\
                 minimum_driver = \"550.90.07\"\nrevocation = \"stapled\"\n"
            ),
        );
    }

    fn command(&self, more: &str) -> String {
        format!(
            "nvidia --report report.bin --chain chain.pem --nonce {} --at 2026-03-01T00:00:00Z{} {more}",
            hex::encode(NONCE),
            self.collateral
        )
    }

    fn ask(&self, more: &str) -> Value {
        verdict(self.folder.path(), &self.command(more)).1
    }
}

#[test]
fn simulated_gpus_are_trusted_only_by_a_policy_that_names_both_roots() {
    let scene = Scene::new();
    let (device, rim) = (scene.vendor.device_root(), scene.vendor.rim_root());
    scene.policy(&[device, rim]);
    let found = scene.ask("--policy policy.toml");
    assert_eq!(found["verdict"], "trusted", "{found}");
    assert_eq!(found["simulated"], true);
    assert_eq!(found["claims"]["gpus"][0]["nonce"], hex::encode(NONCE));
    assert_eq!(found["claims"]["gpus"][0]["simulated"], true);
    let told = verify(scene.folder.path(), &scene.command("--policy policy.toml"));
    let told = String::from_utf8(told.stdout).expect("text");
    assert!(told.contains("SIMULATED, not NVIDIA hardware"), "{told}");
    assert!(told.contains("\ntrusted (simulated) until "), "{told}");

    let refused = "gpu_simulated_root_refused";
    assert_eq!(scene.ask("")["code"], refused, "without a policy");
    for named in [device, rim] {
        scene.policy(&[named]);
        let found = scene.ask("--policy policy.toml");
        assert_eq!(found["code"], refused);
        assert_eq!(found["claims"], Value::Null);
    }
}
