//! Azure's wrapping of a report or of a TD's `TDREPORT`, and the quote of a virtual TPM whose key it covers.

use std::sync::LazyLock;

use chrysalis_attestation::evidence::binding::host_data;
use chrysalis_simulate::{
    Launch,
    azure::{PcrQuote, VirtualTpm, report_data, tdreport, wrap},
    intel::TdProfile,
};
use chrysalis_tests::scene::{CONFIGURATION, LAUNCH_DIGEST};
use serde_json::json;

use super::{AMD, NOW, intel, snp};
use crate::{
    vector::{Common, Vector},
    wishes::{Wishes, list},
};

const KIND: &str = "snp";
const NONCE: &[u8] = b"challenge";
/// Of PCRs 4 and 7.
const PCRS: [[u8; 32]; 2] = [[4; 32], [7; 32]];

static TPM: LazyLock<VirtualTpm> =
    LazyLock::new(|| VirtualTpm::from_seed([0xA3; 32]).expect("a key"));
static OTHER_TPM: LazyLock<VirtualTpm> =
    LazyLock::new(|| VirtualTpm::from_seed([0xA4; 32]).expect("a key"));

/// What a TPM says of both PCRs.
fn quoted(tpm: &VirtualTpm) -> PcrQuote {
    let pcrs = [(4, PCRS[0]), (7, PCRS[1])].into();
    tpm.quote(NONCE, &pcrs).expect("a quote")
}

/// Adds what the TPM said, and what it was asked.
fn with_quote(vector: Vector, quote: PcrQuote, nonce: &[u8]) -> Vector {
    let vector = vector
        .file("tpm_quote", "quote.bin", quote.message)
        .file("tpm_signature", "signature.bin", quote.signature)
        .with("nonce", hex::encode(nonce));
    match quote.pcrs.as_flattened() {
        [] => vector,
        pcrs => vector.file("tpm_pcrs", "pcrs.bin", pcrs),
    }
}

/// What an Azure guest shows. Honest until one thing is changed.
struct Scene {
    runtime_data: Vec<u8>,
    vmpl: u32,
    quote: PcrQuote,
    nonce: &'static [u8],
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
    ("vtpm_key", "the runtime data name no key of the virtual TPM", |it| {
        let place = it.runtime_data.windows(8).position(|name| name == b"HCLAkPub").expect("a key");
        it.runtime_data[place + 3] = b'B';
    }),
    ("vtpm_quote_malformed", "the TPM attests to something else than PCRs", |it| it.quote.message[5] = 0x17),
    ("vtpm_quote_signature", "another TPM signed the quote", |it| it.quote.signature = quoted(&OTHER_TPM).signature),
    ("vtpm_nonce_mismatch", "the TPM was asked something else", |it| it.nonce = b"challengf"),
    ("vtpm_pcrs_missing", "the values of the PCRs are not there", |it| it.quote.pcrs.clear()),
    ("vtpm_pcr_count", "there is a value more than there are quoted PCRs", |it| it.quote.pcrs.push(PCRS[1])),
    ("vtpm_pcr_digest", "the values of the PCRs have changed places", |it| it.quote.pcrs.reverse()),
    ("vtpm_pcr_unknown", "PCR 4 is not the one that the policy wants", |it| it.wanted = [5; 32]),
];

impl Scene {
    fn honest() -> Self {
        Self {
            runtime_data: TPM.runtime_data(),
            vmpl: 0,
            quote: quoted(&TPM),
            nonce: NONCE,
            wanted: PCRS[0],
            alter: |_| (),
        }
    }

    fn wrapped(&self) -> Vec<u8> {
        let mut launch = Launch::new(LAUNCH_DIGEST, host_data(CONFIGURATION), [0x1D; 32]);
        launch.vmpl = self.vmpl;
        let report = AMD.sign_report(&launch, report_data(&self.runtime_data));
        let mut wrapped = wrap(&report, &self.runtime_data);
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
        let mut around = snp::Scene::honest().of_nobody();
        around.wishes = Some(self.wishes());
        let vector = vector.file("report", "hcl.bin", self.wrapped());
        around.around(with_quote(vector, self.quote, self.nonce))
    }
}

pub(super) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST), "vmpl": 0});
    for (name, bytes) in [
        ("report.bin", honest.wrapped()),
        ("quote.bin", honest.quote.message.clone()),
        ("signature.bin", honest.quote.signature.clone()),
        ("pcrs.bin", PCRS.as_flattened().to_vec()),
        ("policy.toml", honest.wishes().text().into()),
    ] {
        common.insert(format!("snp/azure/{name}"), bytes);
    }
    let shows = "a guest of Azure, with the quote of its virtual TPM";
    let vector = Vector::accepted(
        KIND,
        "azure",
        shows,
        NOW,
        ("trusted", json!({"cpu": claims})),
    );
    let mut vectors = vec![honest.complete(vector)];
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        lie(&mut scene);
        vectors.push(scene.complete(Vector::rejected(KIND, code, shows, NOW)));
    }
    vectors.extend(tds());
    vectors
}

/// A TD on Azure, whose `TDREPORT` may tell of another one than its quote.
fn td(vector: Vector, change: fn(&mut TdProfile)) -> Vector {
    let runtime_data = TPM.runtime_data();
    let scene = intel::Scene::on_azure(report_data(&runtime_data));
    let mut reported = scene.td.clone();
    change(&mut reported);
    let wrapped = wrap(&tdreport(&reported), &runtime_data);
    let vector = scene.complete(vector);
    let vector = vector.file("hcl_report", "hcl.bin", wrapped);
    with_quote(vector, quoted(&TPM), NONCE)
}

fn tds() -> [Vector; 2] {
    let shows = "a TD on Azure, with the quote of its virtual TPM";
    let claims = json!({"measurement": hex::encode(intel::MRTD), "status": "UpToDate"});
    let honest = Vector::accepted(
        "tdx",
        "azure",
        shows,
        NOW,
        ("trusted", json!({"cpu": claims})),
    );
    let shows = "the TDREPORT is of a TD with another owner";
    let other = Vector::rejected("tdx", "hcl_quote_mismatch", shows, NOW);
    [td(honest, |_| ()), td(other, |td| td.mrowner = [7; 48])]
}
