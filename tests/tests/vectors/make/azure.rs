//! Azure's wrapping of a report, and the quote of a virtual TPM whose key the report covers.

use std::sync::LazyLock;

use chrysalis_attestation::binding::host_data;
use chrysalis_simulate::{
    Launch,
    azure::{self, Tpm},
};
use chrysalis_tests::scene::{CONFIGURATION, LAUNCH_DIGEST};
use serde_json::json;

use super::{AMD, NOW, snp};
use crate::{
    vector::{Common, Vector},
    wishes::{Wishes, list},
};

const KIND: &str = "snp";
const NONCE: &[u8] = b"challenge";
/// Of PCRs 4 and 7.
const PCRS: [[u8; 32]; 2] = [[4; 32], [7; 32]];

static TPM: LazyLock<Tpm> = LazyLock::new(|| Tpm::from_seed(&[0xA3; 32]).expect("a key"));
static OTHER_TPM: LazyLock<Tpm> = LazyLock::new(|| Tpm::from_seed(&[0xA4; 32]).expect("a key"));

/// What an Azure guest shows. Honest until one thing is changed.
struct Scene {
    runtime_data: String,
    vmpl: u32,
    quote: Vec<u8>,
    signer: &'static Tpm,
    nonce: &'static [u8],
    pcrs: Option<Vec<[u8; 32]>>,
    /// Of PCR 4.
    wanted: [u8; 32],
    alter: fn(&mut Vec<u8>),
}

type Lie = (&'static str, &'static str, fn(&mut Scene));

#[rustfmt::skip]
const LIES: &[Lie] = &[
    ("hcl_malformed", "the wrapping has a version that nobody knows", |it| it.alter = |bytes| bytes[4] = 9),
    ("hcl_runtime_data", "the runtime data are not those that the report covers", |it| it.alter = |bytes| {
        if let Some(last) = bytes.last_mut() {
            *last = b' ';
        }
    }),
    ("hcl_vmpl", "the guest itself, at VMPL 2, asked for the report", |it| it.vmpl = 2),
    ("vtpm_key", "the runtime data name no key of the virtual TPM", |it| it.runtime_data = it.runtime_data.replace("HCLAkPub", "HCLBkPub")),
    ("vtpm_quote_malformed", "the TPM attests to something else than PCRs", |it| it.quote[5] = 0x17),
    ("vtpm_quote_signature", "another TPM signed the quote", |it| it.signer = &OTHER_TPM),
    ("vtpm_nonce_mismatch", "the TPM was asked something else", |it| it.nonce = b"challengf"),
    ("vtpm_pcrs_missing", "the values of the PCRs are not there", |it| it.pcrs = None),
    ("vtpm_pcr_count", "there is a value more than there are quoted PCRs", |it| it.pcrs = Some([PCRS[0], PCRS[1], PCRS[1]].to_vec())),
    ("vtpm_pcr_digest", "the values of the PCRs have changed places", |it| it.pcrs = Some([PCRS[1], PCRS[0]].to_vec())),
    ("vtpm_pcr_unknown", "PCR 4 is not the one that the policy wants", |it| it.wanted = [5; 32]),
];

impl Scene {
    fn honest() -> Self {
        Self {
            runtime_data: TPM.runtime_data(),
            vmpl: 0,
            quote: Tpm::quote(NONCE, &[(4, PCRS[0]), (7, PCRS[1])]),
            signer: &TPM,
            nonce: NONCE,
            pcrs: Some(PCRS.to_vec()),
            wanted: PCRS[0],
            alter: |_| (),
        }
    }

    fn wrapped(&self) -> Vec<u8> {
        let runtime_data = self.runtime_data.as_bytes();
        let mut launch = Launch::new(LAUNCH_DIGEST, host_data(CONFIGURATION), [0x1D; 32]);
        launch.vmpl = self.vmpl;
        let report = AMD.sign_report(&launch, azure::report_data(runtime_data));
        let mut wrapped = azure::wrapped(&report, runtime_data);
        (self.alter)(&mut wrapped);
        wrapped
    }

    /// What is wanted of the honest guest, and its PCR 4.
    fn wishes(&self) -> Wishes {
        let mut wishes = snp::wishes();
        wishes.set("snp", "pcrs", format!("{{ 4 = {} }}", list(&[self.wanted])));
        wishes
    }

    fn complete(self, vector: Vector) -> Vector {
        let signature = self.signer.sign(&self.quote).expect("a signature");
        let mut around = snp::Scene::honest().of_nobody();
        around.wishes = Some(self.wishes());
        let mut vector = vector
            .file("report", "hcl.bin", self.wrapped())
            .file("tpm_quote", "quote.bin", self.quote)
            .file("tpm_signature", "signature.bin", signature)
            .with("nonce", hex::encode(self.nonce));
        if let Some(pcrs) = self.pcrs {
            vector = vector.file("tpm_pcrs", "pcrs.bin", pcrs.as_flattened());
        }
        around.around(vector)
    }
}

pub(super) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST), "vmpl": 0});
    let signature = TPM.sign(&honest.quote).expect("a signature");
    for (name, bytes) in [
        ("report.bin", honest.wrapped()),
        ("quote.bin", honest.quote.clone()),
        ("signature.bin", signature),
        ("pcrs.bin", PCRS.as_flattened().to_vec()),
        ("policy.toml", honest.wishes().text().into()),
    ] {
        common.insert(format!("snp/azure/{name}"), bytes);
    }
    let shows = "a guest of Azure, with the quote of its virtual TPM";
    let vector = Vector::accepted(KIND, "azure", shows, NOW, ("trusted", claims));
    let mut vectors = vec![honest.complete(vector)];
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        lie(&mut scene);
        vectors.push(scene.complete(Vector::rejected(KIND, code, shows, NOW)));
    }
    vectors
}
