//! Seeds of everything that AMD's chips and the enclave on them say.

use chrysalis_attestation::{
    encoding::{digest::sha256, pem},
    evidence::{
        CpuReport, Endorsements, Evidence, ID_PE_CMW, NO_GPUS,
        binding::{Anchor, Session, host_data},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
    },
};
use chrysalis_client::SavedSession;
use chrysalis_simulate::{Amd, Launch, azure};
use rcgen::{CertificateParams, CustomExtension, KeyPair, PublicKeyData};

use super::{NOW, Seed, seed};
use crate::{parts, targets};

const CONFIGURATION: &[u8] = b"model = \"smollm2\"\n";
const RUNTIME_DATA: &[u8] = br#"{"keys":[],"vm-configuration":{},"user-data":"00"}"#;
/// GUIDs of the certificate table, in the order of its certificates here: VCEK, ASK, ARK.
const TABLE: [u128; 3] = [
    0x63da_758d_e664_4564_adc5_f4b9_3be8_accd,
    0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782,
    0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae,
];

pub(super) fn seeds(amd: &Amd) -> Vec<Seed> {
    let launch = Launch::new([0xD1; 48], host_data(CONFIGURATION), [0x1D; 32]);
    let report = amd.sign_report(&launch, [7; 64]);
    let Endorsements {
        certificates, crls, ..
    } = amd.endorsements();
    let [vcek, ask, ark] = &certificates[..] else {
        unreachable!("the vendor has three certificates")
    };
    let chain = parts::join(&[&crls.concat(), ark, ask, vcek, &report]);
    let chain_in_pem: String = certificates.iter().map(|der| pem(der)).collect();
    let answer = format!(
        r#"{{"vcekCert":"{}","tcbm":"DB18000000000004","certificateChain":"{}"}}"#,
        pem(vcek).replace('\n', "\\n"),
        (pem(ask) + &pem(ark)).replace('\n', "\\n"),
    );
    let [bundle, certificate, saved] = conversation(amd, &launch);
    vec![
        seed("snp_report", "version-5", report),
        seed("snp_report", "version-3", older(amd, &launch, 3)),
        seed("snp_chain", "honest", chain),
        seed("certificate_table", "three", table(&certificates)),
        seed("hcl", "honest", wrapped(amd, &launch, RUNTIME_DATA)),
        seed("vtpm", "unsigned", vtpm(amd, &launch, vcek)),
        seed("pem", "der", vcek.as_slice()),
        seed("pem", "three", chain_in_pem),
        seed("pem", "azure", answer),
        seed("bundle", "honest", bundle),
        seed("claims", "honest", claims().encode()),
        seed("certificate", "honest", certificate),
        seed("handed_over", "saved-session", saved.clone()),
        seed("saved_session", "honest", saved),
        seed("policy", "template", targets::template()),
    ]
}

fn older(amd: &Amd, launch: &Launch, version: u32) -> Vec<u8> {
    let mut report = amd.report(launch, [7; 64]);
    report.version = version;
    report.mitigations = None;
    amd.sign(&report).to_vec()
}

/// Heads of 24 bytes, an empty one, then the certificates.
fn table(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut heads = Vec::new();
    let mut offset = (TABLE.len() + 1) * 24;
    for (guid, der) in TABLE.iter().zip(certificates) {
        heads.extend(guid.to_be_bytes());
        for number in [offset, der.len()] {
            heads.extend(little_endian(number));
        }
        offset += der.len();
    }
    heads.extend([0; 24]);
    [heads, certificates.concat()].concat()
}

/// A report that covers the runtime data, in Azure's wrapping.
fn wrapped(amd: &Amd, launch: &Launch, runtime_data: &[u8]) -> Vec<u8> {
    let report = amd.sign_report(launch, azure::report_data(runtime_data));
    azure::wrap(&report, runtime_data)
}

/// A quote of two PCRs by a key that nobody holds: the runtime data name it, and its signature is noise.
fn vtpm(amd: &Amd, launch: &Launch, vcek: &[u8]) -> Vec<u8> {
    let modulus = data_encoding::BASE64URL_NOPAD.encode(&[0xC5; 256]);
    let keys = format!(
        r#"{{"keys":[{{"kid":"HCLAkPub","kty":"RSA","key_ops":["sign"],"e":"AQAB","n":"{modulus}"}}]}}"#
    );
    let pcrs = [[1; 32], [2; 32]];
    let mut quote = b"\xFFTCG\x80\x18\0\0\0\x20".to_vec();
    quote.extend([7; 32]);
    // Clock, resets, restarts, safe, firmware; one bank of SHA-256, in it PCRs 0 and 1; the digest's length.
    quote.extend([0; 16]);
    quote.push(1);
    quote.extend([0; 8]);
    quote.extend([0, 0, 0, 1, 0, 0x0B, 3, 3, 0, 0, 0, 32]);
    quote.extend(sha256(&[pcrs.as_flattened()]));
    let wrapped = wrapped(amd, launch, keys.as_bytes());
    parts::join(&[vcek, pcrs.as_flattened(), &[0x55; 256], &quote, &wrapped])
}

/// A bundle, a certificate that carries one, and a saved conversation.
fn conversation(amd: &Amd, launch: &Launch) -> [Vec<u8>; 3] {
    let key = KeyPair::generate().expect("randomness");
    let spki = key.subject_public_key_info();
    let evidence = |session: &Session| {
        let claims = claims().encode();
        let report_data = Anchor::new(session, &spki, &claims).report_data(&NO_GPUS);
        Evidence {
            cpu: CpuReport::Snp(amd.sign_report(launch, report_data).to_vec()),
            claims,
            gpus: Vec::new(),
            path: None,
            endorsements: amd.endorsements(),
        }
    };
    let (nonce, exporter) = ([1; 32], [2; 32]);
    let bundle = evidence(&Session::Asked { nonce, exporter }).encode();
    let saved = SavedSession::new(spki.clone(), nonce, exporter, bundle.clone()).encode();
    let mut parameters = CertificateParams::default();
    parameters
        .custom_extensions
        .push(CustomExtension::from_oid_content(
            &ID_PE_CMW,
            evidence(&Session::Boot).certificate_extension(),
        ));
    let certificate = parameters.self_signed(&key).expect("a plain certificate");
    [bundle, certificate.der().to_vec(), saved]
}

fn claims() -> Claims {
    Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.0".to_owned(),
        configuration: host_data(CONFIGURATION),
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp".to_owned(),
            disk: [0x22; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [0x55; 32],
            weights: [0x33; 32],
            tokenizer: Some([0x66; 32]),
            template: Some([0x44; 32]),
        }],
        known_answer: true,
        receipt_key: [0x77; 32],
        hpke_key: [0x09; 32],
        epoch: 0,
        epoch_began: NOW.0,
        epoch_seconds: 600,
    }
}

/// A certificate in PEM.
pub(super) fn pem(der: &[u8]) -> String {
    pem::block(pem::CERTIFICATE, der)
}

fn little_endian(number: usize) -> [u8; 4] {
    u32::try_from(number)
        .expect("seeds are small")
        .to_le_bytes()
}
