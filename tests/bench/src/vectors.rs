//! The evidence that everybody here verifies: real, of one machine each, beside the checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::Value;

/// An SNP report of a Milan: `snp/milan-v3-ms`, with AMD's list of August 2026.
pub(crate) struct Snp {
    pub(crate) report: Vec<u8>,
    pub(crate) vcek: Vec<u8>,
    pub(crate) crl: Vec<u8>,
    /// 2026-09-01: when the list is fresh.
    pub(crate) at: i64,
}

/// A TDX quote: `tdx/quotes/v4-phala`, with the collateral of June 2025.
pub(crate) struct Tdx {
    pub(crate) quote: Vec<u8>,
    /// `collateral.json`
    pub(crate) collateral: Vec<u8>,
    pub(crate) at: i64,
}

/// An H100's report: `nvidia/h100-550.90.07`. There are no public OCSP answers.
pub(crate) struct Gpu {
    pub(crate) report: Vec<u8>,
    /// PEM, leaf first.
    pub(crate) chain: Vec<u8>,
    pub(crate) nonce: [u8; 32],
    pub(crate) rims: Vec<Vec<u8>>,
    /// 2026-03-01: when both manifests are valid.
    pub(crate) at: i64,
}

/// The folder of vectors.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if !folder.is_dir() {
        bail!("no vectors ({} is not there)", folder.display());
    }
    Ok(folder)
}

impl Snp {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = folder()?.join("snp");
        Ok(Self {
            report: read(&folder.join("milan-v3-ms/report.bin"))?,
            vcek: read(&folder.join("milan-v3-ms/vcek.der"))?,
            crl: read(&folder.join("crls/milan_2026-08.crl.der"))?,
            at: 1_788_220_800,
        })
    }
}

impl Tdx {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = folder()?.join("tdx");
        Ok(Self {
            quote: read(&folder.join("quotes/v4-phala/quote.bin"))?,
            collateral: read(&folder.join("collateral/b0c06f-2025-06/collateral.json"))?,
            at: 1_752_919_234,
        })
    }
}

impl Gpu {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = folder()?.join("nvidia/h100-550.90.07");
        let rim = |name: &str| read(&folder.join("rim").join(name));
        let expected: Value = serde_json::from_slice(&read(&folder.join("expected.json"))?)?;
        let nonce = expected.pointer("/fields/nonce").and_then(Value::as_str);
        let mut gpu = Self {
            report: read(&folder.join("report.bin"))?,
            chain: read(&folder.join("chain.pem"))?,
            nonce: [0; 32],
            rims: vec![
                rim("NV_GPU_DRIVER_GH100_550.90.07.swidtag")?,
                rim("NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag")?,
            ],
            at: 1_772_323_200,
        };
        hex::decode_to_slice(nonce.context("expected.json has no nonce")?, &mut gpu.nonce)?;
        Ok(gpu)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
