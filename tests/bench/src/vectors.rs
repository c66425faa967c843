//! The evidence that everybody here verifies: real, of one machine each; and a bundle of simulated vendors, since no machine's
//! real evidence of CPU and GPU is public.

use std::{fs, path::Path};

use anyhow::Context;
use chrysalis_test_support::folder;
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

/// A bundle, the conversation that it is about, and what is wanted of it: `tests/vectors/bundle/snp-h100`.
pub(crate) struct Composite {
    pub(crate) bundle: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) nonce: [u8; 32],
    pub(crate) exporter: [u8; 32],
    /// TOML.
    pub(crate) policy: String,
    /// 2026-12-01 12:00 UTC: when its vendors play.
    pub(crate) at: i64,
}

impl Snp {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = folder().join("snp");
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
        let folder = folder().join("tdx");
        Ok(Self {
            quote: read(&folder.join("quotes/v4-phala/quote.bin"))?,
            collateral: read(&folder.join("collateral/b0c06f-2025-06/collateral.json"))?,
            at: 1_752_919_234,
        })
    }
}

impl Gpu {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = folder().join("nvidia/h100-550.90.07");
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

impl Composite {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/bundle/snp-h100");
        let request: Value = serde_json::from_slice(&read(&folder.join("request.json"))?)?;
        let text = |key: &str| {
            let text = request.get(key).and_then(Value::as_str);
            text.with_context(|| format!("request.json has no {key}"))
        };
        let mut composite = Self {
            bundle: read(&folder.join(text("bundle")?))?,
            spki: hex::decode(text("spki")?)?,
            nonce: [0; 32],
            exporter: [0; 32],
            policy: String::from_utf8(read(&folder.join(text("policy")?))?)?,
            at: 1_796_126_400,
        };
        hex::decode_to_slice(text("nonce")?, &mut composite.nonce)?;
        hex::decode_to_slice(text("exporter")?, &mut composite.exporter)?;
        Ok(composite)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
