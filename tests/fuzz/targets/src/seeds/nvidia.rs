//! Seeds of what GPUs say, and of what NVIDIA says about them.

use chrysalis_attestation::nvidia::spdm::Report;
use chrysalis_simulate::{Nvidia, nvidia::Manifest};

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
    let opaque = Report::parse(&gpu.report).expect("an honest report").opaque;
    let switch = nvidia.fabric(1, 1).remove(1).evidence(&[0x4E; 32]);
    let switch_opaque = Report::parse(&switch.report)
        .expect("an honest report")
        .opaque;
    let answers = collateral.ocsp.iter().map(|answer| answer.der.as_slice());
    let rims = collateral.rims.iter().map(Vec::as_slice);
    let mut whole: Vec<&[u8]> = answers.chain(rims).collect();
    whole.extend([chain.as_bytes(), &gpu.report]);
    let json = format!(
        r#"[{{"certificate":"{}","evidence":"{}","arch":"HOPPER","nonce":"4e"}}]"#,
        data_encoding::BASE64.encode(chain.as_bytes()),
        data_encoding::BASE64.encode(&gpu.report)
    );
    let unsigned = &gpu.report[..gpu.report.len() - SIGNATURE_SIZE];
    vec![
        seed("spdm", "signed", gpu.report.as_slice()),
        seed("spdm", "cut", unsigned),
        seed("opaque", "hopper", opaque),
        seed("opaque", "switch", switch_opaque),
        seed(
            "gpu_evidence",
            "beside-a-chain",
            parts::join(&[chain.as_bytes(), &gpu.report]),
        ),
        seed("gpu_evidence", "json", parts::join(&[b"", json.as_bytes()])),
        seed("rim", "driver", collateral.rims[0].as_slice()),
        seed("rim_content", "driver", Manifest::driver().document()),
        seed("rim_content", "vbios", Manifest::vbios().document()),
        seed("ocsp", "good", collateral.ocsp[0].der.as_slice()),
        seed("gpu_verify", "honest", parts::join(&whole)),
        seed("policy", "gpus", POLICY),
    ]
}
