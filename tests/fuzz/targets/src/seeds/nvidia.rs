//! Seeds of what GPUs say, and of what NVIDIA says about them.

use chrysalis_attestation::nvidia::{GpuEvidence, spdm::Report};
use chrysalis_simulate::{
    Nvidia,
    nvidia::{Manifest, opaque as kinds},
};

use super::{Seed, amd::pem, seed};
use crate::{parts, targets};

const SIGNATURE_SIZE: usize = 96;
/// The policy of GPUs, with every key.
const POLICY: &str = r#"version = 1
[gpu]
count = [1]
minimum_driver = "550.90.07"
models = ["GH100 A01 GSP BROM"]
devices = { unchecked = "any" }
drivers = ["550.90.07"]
vbioses = ["96.00.9F.00.01"]
modes = ["single_passthrough", "unstated"]
switches = { unchecked = "none" }
revocation = "stapled"
hold = { unchecked = "none" }
rims = { unchecked = "none" }
fwid = { unchecked = "none" }
"#;

pub(super) fn seeds() -> Vec<Seed> {
    let nvidia: &Nvidia = &targets::NVIDIA;
    let gpu = nvidia.gpu(0).evidence(&[0x4E; 32]);
    let chain: String = gpu.chain.iter().map(|der| pem(der)).collect();
    let collateral = nvidia.collateral(super::NOW);
    let opaque = |gpu: &GpuEvidence| {
        let report = Report::parse(&gpu.report).expect("an honest report");
        report.opaque.to_vec()
    };
    let switch = nvidia.fabric(1, 1).remove(1).evidence(&[0x4E; 32]);
    let answers = collateral.ocsp.iter().map(|answer| answer.der.as_slice());
    let rims = collateral.rims.iter().map(Vec::as_slice);
    let mut whole: Vec<&[u8]> = answers.chain(rims).collect();
    whole.extend([chain.as_bytes(), &gpu.report]);
    let json = format!(
        r#"[{{"certificate":"{}","evidence":"{}","arch":"HOPPER","nonce":"4e"}}]"#,
        data_encoding::BASE64.encode(chain.as_bytes()),
        data_encoding::BASE64.encode(&gpu.report)
    );
    let newer = nvidia.gpu(0).with_versioned_data().evidence(&[0x4E; 32]);
    let mut with_floor = Manifest::driver();
    with_floor.floors.insert(kinds::FSP_UCODE_SVN, 3);
    let request = format!(r#"{{"nonce":"4e","arch":"HOPPER","evidence_list":{json}}}"#);
    let evidences = format!(r#"{{"evidences":{json}}}"#);
    let collection = format!(
        r#"{{"__cmwc_t":"tag:nvidia.com,2026:x","gpu_0":{{"__cmwc_t":"tag:nvidia.com,2026:y","evidence":["application/vnd.nvidia.spdm-measurement-transcript","{}"],"certificate":["application/vnd.nvidia.pem-cert-chain","{}"]}}}}"#,
        data_encoding::BASE64URL_NOPAD.encode(&gpu.report),
        data_encoding::BASE64URL_NOPAD.encode(chain.as_bytes())
    );
    let answer = format!(
        r#"{{"id":"NV_GPU_DRIVER_GH100_550.90.07","rim":"{}","sha256":"00"}}"#,
        data_encoding::BASE64.encode(&collateral.rims[0])
    );
    let unsigned = &gpu.report[..gpu.report.len() - SIGNATURE_SIZE];
    let beside_a_chain = parts::join(&[chain.as_bytes(), &gpu.report]);
    let in_json = |json: &str| parts::join(&[b"", json.as_bytes()]);
    vec![
        seed("spdm", "signed", gpu.report.as_slice()),
        seed("spdm", "cut", unsigned),
        seed("opaque", "hopper", opaque(&gpu)),
        seed("opaque", "switch", opaque(&switch)),
        seed("opaque", "versioned", opaque(&newer)),
        seed("gpu_evidence", "beside-a-chain", beside_a_chain),
        seed("gpu_evidence", "json", in_json(&json)),
        seed("gpu_evidence", "service-request", in_json(&request)),
        seed("gpu_evidence", "evidences", in_json(&evidences)),
        seed("gpu_evidence", "collection", in_json(&collection)),
        seed("rim", "answer", answer),
        seed("rim_content", "floors", with_floor.document()),
        seed("rim", "driver", collateral.rims[0].as_slice()),
        seed("rim_content", "driver", Manifest::driver().document()),
        seed("rim_content", "vbios", Manifest::vbios().document()),
        seed("ocsp", "good", collateral.ocsp[0].der.as_slice()),
        seed("gpu_verify", "honest", parts::join(&whole)),
        seed("policy", "gpus", POLICY),
    ]
}
