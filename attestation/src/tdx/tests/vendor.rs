//! Issues certificates, lists, collateral and quotes as Intel and its quoting enclave do. The keys live as long as the test.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{
    Rejection, Time,
    der::{encode, tag},
    digest::sha256,
    roots::SIMULATED,
    tdx::{Collateral, Question, Roots, TdxPolicy, Verified, verify},
};

/// 2026-03-01 00:00 UTC
pub(super) const NOW: Time = Time(1_772_323_200);
pub(super) const WHY: &str = "this test is about something else";
pub(super) const PCK: &str = "Intel SGX PCK Certificate";
const QE_SIZE: usize = 384;

pub(super) struct Signer {
    pub(super) der: Vec<u8>,
    params: CertificateParams,
    key: KeyPair,
}

impl Signer {
    pub(super) fn issue(
        name: &str,
        issuer: Option<&Self>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
        params.serial_number = Some(SerialNumber::from(77_u64));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, SIMULATED);
        change(&mut params);
        let certificate = match issuer {
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))
            }
            None => params.self_signed(&key),
        };
        let der = certificate.expect("a certificate").der().to_vec();
        Self { der, params, key }
    }

    /// The same name and key in another certificate.
    pub(super) fn certified_again(&self, issuer: &Self) -> Self {
        let mut params = self.params.clone();
        params.serial_number = Some(SerialNumber::from(79_u64));
        let pkcs8 = self.key.serialized_der();
        let key = KeyPair::try_from(pkcs8).expect("a key");
        let issuer = Issuer::from_params(&issuer.params, &issuer.key);
        let certificate = params.signed_by(&key, &issuer);
        let der = certificate.expect("a certificate").der().to_vec();
        Self { der, params, key }
    }

    fn ring(&self) -> EcdsaKeyPair {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        EcdsaKeyPair::from_pkcs8(algorithm, self.key.serialized_der(), &SystemRandom::new())
            .expect("a key")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.ring().sign(&SystemRandom::new(), message);
        signature.expect("a signature").as_ref().to_vec()
    }

    /// x and y.
    fn point(&self) -> Vec<u8> {
        self.ring().public_key().as_ref()[1..].to_vec()
    }

    fn list(&self, years: [i32; 2], revoked: bool) -> Vec<u8> {
        let entry = RevokedCertParams {
            serial_number: SerialNumber::from(77_u64),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(years[0], 1, 1),
            next_update: date_time_ymd(years[1], 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: if revoked { vec![entry] } else { Vec::new() },
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &self.key);
        list.signed_by(&issuer).expect("a list").der().to_vec()
    }
}

pub(super) fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
}

pub(super) fn signer(params: &mut CertificateParams) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
}

/// The SGX extension: every component at 5, PCE at 13, FMSPC 90c06f000000, SMT on.
pub(super) fn leaf(params: &mut CertificateParams) {
    signer(params);
    let item = |below: &[u8], kind, content: &[u8]| {
        let sgx: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01];
        let oid = encode(tag::OID, &[sgx, below]);
        encode(tag::SEQUENCE, &[&oid, &encode(kind, &[content])])
    };
    let mut tcb: Vec<u8> = (1..=16)
        .flat_map(|number| item(&[2, number], tag::INTEGER, &[5]))
        .collect();
    tcb.extend(item(&[2, 17], tag::INTEGER, &[13]));
    tcb.extend(item(&[2, 18], tag::OCTET_STRING, &[5; 16]));
    let flags: Vec<u8> = [(1, 0), (2, 0), (3, 0xFF)]
        .iter()
        .flat_map(|(number, value)| item(&[7, *number], tag::BOOLEAN, &[*value]))
        .collect();
    let items = [
        item(&[1], tag::OCTET_STRING, &[1; 16]),
        item(&[2], tag::SEQUENCE, &tcb),
        item(&[3], tag::OCTET_STRING, &[0; 2]),
        item(&[4], tag::OCTET_STRING, &[0x90, 0xC0, 0x6F, 0, 0, 0]),
        item(&[5], tag::ENUMERATED, &[1]),
        item(&[6], tag::OCTET_STRING, &[6; 16]),
        item(&[7], tag::SEQUENCE, &flags),
    ]
    .concat();
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 2, 840, 113_741, 1, 13, 1],
        encode(tag::SEQUENCE, &[&items]),
    )];
}

/// All that a quote and its collateral are made of. Honest until something is changed.
pub(super) struct Scene {
    pub(super) root: Signer,
    pub(super) authority: Signer,
    pub(super) pck: Signer,
    pub(super) tcb_signer: Signer,
    attestation: Signer,
    /// TD report 1.5.
    pub(super) td: Vec<u8>,
    pub(super) qe: [u8; QE_SIZE],
    /// 5; 4 has a TD report 1.0, the first part of the other; 3 is an enclave's.
    pub(super) version: u16,
    pub(super) certification: u16,
    pub(super) chain_length: usize,
    pub(super) tcb_info: Value,
    pub(super) identity: Value,
    pub(super) list_years: [i32; 2],
    pub(super) revoked: bool,
}

pub(super) fn level(svn: u8, status: &str, date: &str) -> Value {
    let components = |first: [u8; 3]| -> Vec<Value> {
        let rest = [0; 13];
        let all = first.into_iter().chain(rest);
        all.map(|svn| json!({ "svn": svn })).collect()
    };
    json!({
        "tcb": {
            "sgxtcbcomponents": components([svn, svn, svn]),
            "pcesvn": 13,
            "tdxtcbcomponents": components([svn, 0, svn]),
        },
        "tcbDate": date,
        "tcbStatus": status,
    })
}

pub(super) fn enclave_level(svn: u16, status: &str) -> Value {
    json!({"tcb": {"isvsvn": svn}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": status})
}

impl Scene {
    pub(super) fn new() -> Self {
        let root = Signer::issue("Intel SGX Root CA", None, authority);
        let between = Signer::issue("Intel SGX PCK Platform CA", Some(&root), authority);
        let pck = Signer::issue(PCK, Some(&between), leaf);
        let tcb_signer = Signer::issue("Intel SGX TCB Signing", Some(&root), |params| {
            signer(params);
            params.serial_number = Some(SerialNumber::from(78_u64));
        });
        let attestation = Signer::issue("", None, |_| {});
        let mut td = vec![0; 648];
        td[..3].copy_from_slice(&[7, 1, 5]);
        td[123] = 0x10;
        td[128] = 0xE7;
        td[584..587].copy_from_slice(&[7, 1, 5]);
        let mut qe = [0; QE_SIZE];
        qe[48] = 0x15;
        qe[128..160].fill(0xDC);
        qe[256] = 2;
        qe[258] = 7;
        let zero = "00".repeat(48);
        let mask = "F".repeat(16);
        Self {
            root,
            authority: between,
            pck,
            tcb_signer,
            attestation,
            td,
            qe,
            version: 5,
            certification: 5,
            chain_length: 3,
            tcb_info: json!({
                "id": "TDX", "version": 3,
                "issueDate": "2026-02-15T00:00:00Z", "nextUpdate": "2026-03-15T00:00:00Z",
                "fmspc": "90C06F000000", "pceId": "0000", "tcbType": 0,
                "tcbEvaluationDataNumber": 18,
                "tdxModule": {
                    "mrsigner": zero, "attributes": "00".repeat(8), "attributesMask": mask,
                },
                "tdxModuleIdentities": [{
                    "id": "TDX_01", "mrsigner": zero, "attributes": "00".repeat(8),
                    "attributesMask": mask,
                    "tcbLevels": [enclave_level(7, "UpToDate"), enclave_level(3, "OutOfDate")],
                }],
                // Not in order, on purpose.
                "tcbLevels": [
                    level(2, "OutOfDate", "2023-01-01T00:00:00Z"),
                    level(5, "UpToDate", "2025-01-01T00:00:00Z"),
                ],
            }),
            identity: json!({
                "id": "TD_QE", "version": 2,
                "issueDate": "2026-02-15T00:00:00Z", "nextUpdate": "2026-03-14T00:00:00Z",
                "tcbEvaluationDataNumber": 17,
                "miscselect": "00000000", "miscselectMask": "FFFFFFFF",
                "attributes": format!("11{}", "00".repeat(15)),
                "attributesMask": format!("FB{}{}", "F".repeat(14), "00".repeat(8)),
                "mrsigner": "DC".repeat(32), "isvprodid": 2,
                "tcbLevels": [enclave_level(4, "UpToDate"), enclave_level(2, "OutOfDate")],
            }),
            list_years: [2026, 2027],
            revoked: false,
        }
    }

    /// The module's levels.
    pub(super) fn module_levels(&mut self) -> &mut Value {
        &mut self.tcb_info["tdxModuleIdentities"][0]["tcbLevels"]
    }

    /// Sets bits of TDATTRIBUTES.
    pub(super) fn set(&mut self, bits: u64) {
        for (byte, bits) in self.td[120..128].iter_mut().zip(bits.to_le_bytes()) {
            *byte |= bits;
        }
    }

    pub(super) fn quote(&self) -> Vec<u8> {
        let mut quote = Vec::new();
        let tee: u32 = if self.version == 3 { 0 } else { 0x81 };
        quote.extend(self.version.to_le_bytes());
        quote.extend(2_u16.to_le_bytes());
        quote.extend(tee.to_le_bytes());
        quote.extend([0; 4]);
        quote.extend(hex::decode("939a7233f79c4ca9940a0db3957f0607").expect("hex"));
        quote.extend([0; 20]);
        match self.version {
            3 => quote.extend(self.qe),
            4 => quote.extend(&self.td[..584]),
            _ => {
                quote.extend(3_u16.to_le_bytes());
                quote.extend(648_u32.to_le_bytes());
                quote.extend(&self.td);
            }
        }
        let mut data = self.attestation.sign(&quote);
        data.extend(self.attestation.point());
        let mut qe = self.qe;
        let names = sha256(&[&self.attestation.point(), &[9; 32]]);
        for (byte, name) in qe[320..352].iter_mut().zip(names) {
            *byte ^= name;
        }
        let mut inner = qe.to_vec();
        inner.extend(self.pck.sign(&qe));
        inner.extend(32_u16.to_le_bytes());
        inner.extend([9; 32]);
        let chain = [&self.pck, &self.authority, &self.root];
        let mut text = pem(&chain[..self.chain_length]).into_bytes();
        text.push(0);
        inner.extend(self.certification.to_le_bytes());
        inner.extend(counted(&text));
        if self.version == 3 {
            data.extend(inner);
        } else {
            data.extend(6_u16.to_le_bytes());
            data.extend(counted(&inner));
        }
        quote.extend(counted(&data));
        quote
    }

    pub(super) fn case(&self) -> Case {
        let (tcb_info, identity) = (self.tcb_info.to_string(), self.identity.to_string());
        let sign = |text: &str| hex::encode(self.tcb_signer.sign(text.as_bytes()));
        let issuers = pem(&[&self.tcb_signer, &self.root]);
        Case {
            quote: self.quote(),
            collateral: json!({
                "pck_crl_issuer_chain": pem(&[&self.authority, &self.root]),
                "root_ca_crl": hex::encode(self.root.list(self.list_years, false)),
                "pck_crl": hex::encode(self.authority.list(self.list_years, self.revoked)),
                "tcb_info_issuer_chain": issuers,
                "tcb_info_signature": sign(&tcb_info),
                "tcb_info": tcb_info,
                "qe_identity_issuer_chain": issuers,
                "qe_identity_signature": sign(&identity),
                "qe_identity": identity,
            }),
            roots: Roots::intel().and_simulated(sha256(&[&self.root.der])),
            policy: TdxPolicy::genuine(WHY),
            event_log: None,
        }
    }

    /// The code that the first failure has.
    pub(super) fn verify(&self) -> Result<Verified, Rejection> {
        self.case().verify()
    }
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let count = u32::try_from(bytes.len()).expect("short");
    [&count.to_le_bytes(), bytes].concat()
}

pub(super) fn pem(chain: &[&Signer]) -> String {
    let block = |signer: &&Signer| {
        let text = data_encoding::BASE64.encode(&signer.der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    chain.iter().map(block).collect()
}

/// A quote and everything that it is verified against.
pub(super) struct Case {
    pub(super) quote: Vec<u8>,
    pub(super) collateral: Value,
    pub(super) roots: Roots,
    pub(super) policy: TdxPolicy,
    pub(super) event_log: Option<Vec<u8>>,
}

impl Case {
    pub(super) fn ask<T>(
        &self,
        ask: impl FnOnce(&[u8], &Question<'_>) -> T,
    ) -> Result<T, Rejection> {
        let collateral = Collateral::parse(self.collateral.to_string().as_bytes())?;
        let question = Question {
            roots: &self.roots,
            collateral: &collateral,
            event_log: self.event_log.as_deref(),
            policy: &self.policy,
            now: NOW,
        };
        Ok(ask(&self.quote, &question))
    }

    pub(super) fn verify(&self) -> Result<Verified, Rejection> {
        self.ask(verify)?.map_err(|refusal| refusal.rejection)
    }
}
