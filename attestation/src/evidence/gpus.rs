//! The `gpus` item: what each GPU answered. The CPU's report is bound to its bytes.

use serde_cbor::Value;

pub(super) use crate::nvidia::{evidence::MAX_GPUS, spdm::MAX_REPORT_SIZE};
use crate::{
    encoding::cbor,
    nvidia::{GpuEvidence, chain::CHAIN_LENGTH},
};

/// The empty CBOR array: the evidence of no GPU.
pub const NO_GPUS: [u8; 1] = [0x80];

/// The right number is five; this bounds what is kept until the chain is checked.
const MAX_CHAIN: usize = 2 * CHAIN_LENGTH;

/// `[* [report: bytes, [* certificate: bytes]]]`, deterministic: what `report_data` of docs/spec/binding.md hashes.
///
/// The report is the SPDM request and its response, the certificates are DER, leaf first.
pub fn encode_gpus(gpus: &[GpuEvidence]) -> Vec<u8> {
    let entry = |gpu: &GpuEvidence| {
        let report = Value::Bytes(gpu.report.clone());
        Value::Array(vec![report, cbor::byte_strings(&gpu.chain)])
    };
    cbor::encode(&Value::Array(gpus.iter().map(entry).collect()))
}

/// The reverse; `None` if anything has the wrong form, or there is more than a machine has.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<GpuEvidence>> {
    let entries = cbor::array(cbor::decode(bytes)?)?;
    let few = entries.len() <= MAX_GPUS;
    few.then_some(entries)?.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<GpuEvidence> {
    let [report, chain] = <[Value; 2]>::try_from(cbor::array(value)?).ok()?;
    let report = cbor::bytes(report)?;
    let chain = cbor::array(chain)?;
    let small = report.len() <= MAX_REPORT_SIZE && chain.len() <= MAX_CHAIN;
    small.then(|| {
        let chain = chain.into_iter().map(cbor::bytes).collect::<Option<_>>()?;
        Some(GpuEvidence { report, chain })
    })?
}
