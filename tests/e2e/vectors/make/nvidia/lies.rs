//! Each thing that can be wrong with a GPU, its manifests or its OCSP answers, by itself.

use chrysalis_attestation::Time;
use chrysalis_simulate::{
    Curve, Profile, Purpose, Signer,
    nvidia::{Answer, CertificateStatus, Layout, Manifest, Place, VBIOS, opaque},
};

use super::{DAY, LAST_MONTH, Lie, NONCE, REQUEST, RESPONSE_HEAD, answers, sign};
use crate::{
    make::{
        NOW,
        forms::{
            ECDSA_SHA256, ECDSA_SHA384_AND_NULL, FOR_AGREEMENT_ON_P384, ON_BRAINPOOL_P384,
            add_a_part, lengthen, spare_a_bit,
        },
    },
    wishes::OPEN,
};

/// 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
/// Of an OCSP `CertID` with SHA-384: the digest of the issuer's name, and of its key.
const NAME_IN_ID: usize = 20;
const KEY_IN_ID: usize = NAME_IN_ID + 50;
/// DICE's `TcbInfo`, which names the firmware of newer chips.
const TCB_INFO: &str = "2.23.133.5.4.1.1";

/// The code that must come out, what is wrong, and the lie.
#[rustfmt::skip]
pub(super) const LIES: &[Lie] = &[
    ("gpu_nonce_mismatch", "the GPU was asked something else", |it| it.nonce = [7; 32]),
    ("gpu_evidence_kind", "the file is something else", |it| it.instead = Some(b"hello".to_vec())),
    ("gpu_evidence_malformed", "a value of the JSON is no base64", |it| it.instead = Some(br#"[{"certificate":"*","evidence":"*"}]"#.to_vec())),
    ("gpu_evidence_missing", "the JSON has no GPU", |it| it.instead = Some(b"[]".to_vec())),
    ("gpu_report_malformed", "the report is of another SPDM version", |it| it.alter = |evidence, gpu| {
        evidence.report[REQUEST] = 0x12;
        sign(evidence, gpu);
    }),
    ("gpu_report_truncated", "the report lacks its last byte", |it| it.alter = |evidence, _| evidence.report.truncate(evidence.report.len() - 1)),
    ("gpu_report_trailing", "a byte follows the report", |it| it.alter = |evidence, _| evidence.report.push(0)),
    ("gpu_opaque_malformed", "the FWID is a byte short", |it| drop(it.gpu.opaque.insert(opaque::FWID, vec![0; 47]))),
    ("gpu_opaque_malformed of-two-modes", "the GPU says that it shares its memory over attested switches, and that it does not", |it| {
        it.gpu.opaque.insert(opaque::FEATURE_FLAG, vec![2, 0]);
        it.gpu.opaque.insert(opaque::PROTECTED_PCIE_STATUS, vec![0x55]);
        it.want("modes", "[\"protected_pcie\"]");
        it.want("switches", OPEN);
    }),
    ("gpu_opaque_malformed behind-a-text", "there is something behind the end of the board's project", |it| {
        it.gpu.opaque.insert(opaque::PROJECT, b"1010\0a".to_vec());
    }),
    ("gpu_opaque_malformed of-a-long-text", "the chip's SKU has 65 characters", |it| it.without_manifests(|gpu| {
        gpu.opaque.insert(opaque::CHIP_SKU, vec![b'8'; 65]);
    })),
    ("gpu_opaque_malformed of-no-text", "the chip's SKU is empty", |it| it.without_manifests(|gpu| {
        gpu.opaque.insert(opaque::CHIP_SKU, vec![0; 9]);
    })),
    ("gpu_opaque_duplicate", "the report has the driver's version twice", |it| {
        // A kind that nobody reads, until it is renamed.
        it.gpu.opaque.insert(0x1FF, b"550.90.07\0".to_vec());
        it.alter = |evidence, gpu| {
            let kind = [0xFF, 0x01, 10, 0];
            let place = evidence.report.windows(4).position(|it| it == kind).expect("the field");
            evidence.report[place..place + 2].copy_from_slice(&opaque::DRIVER_VERSION.to_le_bytes());
            sign(evidence, gpu);
        };
    }),
    ("gpu_opaque_missing", "the report does not tell the driver", |it| drop(it.gpu.opaque.remove(&opaque::DRIVER_VERSION))),
    ("gpu_opaque_version", "the opaque data have a version that nobody knows", |it| drop(it.gpu.opaque.insert(34, vec![2, 0]))),
    ("gpu_opaque_version with-a-header", "opaque data with a header have a version that nobody knows", |it| {
        it.versioned();
        it.gpu.layout = Layout::Versioned { profile: 0, version: [3, 0, 0] };
    }),
    ("gpu_opaque_profile", "opaque data with a header have a profile that nobody knows", |it| {
        it.versioned();
        it.gpu.layout = Layout::Versioned { profile: 1, version: [2, 0, 0] };
    }),
    ("nvidia_certificate_malformed", "the leaf is no X.509", |it| it.alter = |evidence, _| evidence.chain[0] = vec![0x30, 0]),
    ("nvidia_certificate_profile", "the leaf may issue certificates", |it| it.gpu.reissue_leaf(|leaf| leaf.purpose = Purpose::SignsAndIssues)),
    ("nvidia_certificate_profile of-another-family", "the family's certificate is of another chip", |it| {
        it.gpu.reissue_family(|family| "NVIDIA GB100 Identity".clone_into(&mut family.common_name));
        it.answers = it.nvidia.answers_about(std::slice::from_ref(&it.gpu), NOW, None);
    }),
    ("nvidia_certificate_profile critical", "the leaf has a critical extension that nobody knows", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.form.critical_extension = Some("1.3.6.1.4.1.65535.1");
    })),
    ("nvidia_certificate_profile a-bit-to-spare", "the last bit of the leaf's key does not count", |it| it.gpu.reissue_leaf(|leaf| leaf.form.unused_bits_of_key = 1)),
    ("nvidia_certificate_malformed version-2", "the leaf is of X.509 version 2", |it| it.gpu.reissue_leaf(|leaf| leaf.form.version_2 = true)),
    ("nvidia_certificate_malformed extension-twice", "the leaf has an extension twice", |it| it.gpu.reissue_leaf(|leaf| {
        let again = leaf.extensions[0].clone();
        leaf.extensions.push(again);
    })),
    ("nvidia_certificate_malformed a-bit-to-spare", "the last bit of the leaf's signature does not count", |it| {
        let issuer = it.gpu.chain[1].clone();
        it.gpu.reissue_leaf(|leaf| spare_a_bit(leaf, &issuer));
    }),
    ("nvidia_certificate_malformed a-part-too-many", "behind the leaf's signature there is something, which nobody signed", |it| it.alter = |evidence, _| add_a_part(&mut evidence.chain[0])),
    ("nvidia_certificate_profile algorithm-inside", "the leaf says inside that it is signed with SHA-256", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.form.algorithm_inside = Some(ECDSA_SHA256.to_vec());
    })),
    ("nvidia_certificate_profile algorithm-parameters", "the leaf's algorithm has parameters inside", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.form.algorithm_inside = Some(ECDSA_SHA384_AND_NULL.to_vec());
    })),
    ("nvidia_certificate_profile algorithm-outside", "the leaf says outside, which nobody signed, that it is signed with SHA-256", |it| it.alter = |evidence, _| {
        // The last byte of 1.2.840.10045.4.3.3, the last time that it occurs.
        let leaf = &mut evidence.chain[0];
        let place = leaf.windows(ECDSA_SHA256.len()).rposition(|it| it[..11] == ECDSA_SHA256[..11]);
        leaf[place.expect("an algorithm") + 11] = 2;
    }),
    ("nvidia_certificate_profile of-another-curve", "the leaf says that its key is on another curve of the same size", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.form.key_algorithm = Some(ON_BRAINPOOL_P384.to_vec());
    })),
    ("nvidia_certificate_profile of-a-key-for-agreement", "the leaf says that its key is for key agreement alone", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.form.key_algorithm = Some(FOR_AGREEMENT_ON_P384.to_vec());
    })),
    ("nvidia_certificate_profile of-another-issuer", "the leaf names another issuer than the one whose key signed it", |it| {
        let renamed = it.gpu.chain[1].renamed("GH100 A01 GSP ROM");
        it.gpu.chain[0] = renamed.issue(it.gpu.chain[0].profile());
    }),
    ("nvidia_certificate_profile of-an-idle-leaf", "the leaf's key may agree on keys, and sign nothing", |it| it.gpu.reissue_leaf(|leaf| leaf.purpose = Purpose::Agrees)),
    ("nvidia_certificate_profile of-two-firmwares", "the leaf says in two ways which firmware its key is for", |it| it.gpu.reissue_leaf(|leaf| {
        leaf.extensions.push((TCB_INFO, vec![0x30, 0]));
    })),
    ("nvidia_certificate_profile of-an-idle-authority", "the device's identity may sign no certificates", |it| it.identity(Purpose::IdleAuthority)),
    ("nvidia_certificate_profile of-no-authority", "the device's identity may sign certificates, and says that it is no authority", |it| it.identity(Purpose::NoAuthority)),
    ("nvidia_certificate_profile of-an-authority-by-the-way", "it is not critical that the device's identity is an authority", |it| it.identity(Purpose::UncriticalAuthority)),
    ("nvidia_certificate_signature of-another-encoding", "the length of the leaf's signature, which nobody signs, takes two bytes where one would do", |it| it.alter = |evidence, _| lengthen(&mut evidence.chain[0])),
    ("nvidia_certificate_profile of-a-responder", "the responder that answers about the device is an authority", |it| {
        let responder = Profile { purpose: Purpose::SignsAndIssues, ..Answer::responder_profile(NOW) };
        it.answers[0].responder = it.gpu.chain[2].issue(responder);
    }),
    ("nvidia_certificate_signature", "somebody of the same name issued the leaf", |it| {
        let impostor = Signer::root(Curve::P384, &[9; 32], Profile::new("GH100 A01 GSP BROM", Purpose::Authority(None), NOW));
        it.gpu.chain[0] = impostor.issue(it.gpu.chain[0].profile());
    }),
    ("nvidia_certificate_expired", "the leaf ended a second ago", |it| it.gpu.reissue_leaf(|leaf| leaf.not_after = Time(NOW.0 - 1))),
    ("nvidia_certificate_not_yet_valid", "the leaf begins in a second", |it| it.gpu.reissue_leaf(|leaf| leaf.not_before = Time(NOW.0 + 1))),
    ("gpu_chain_length", "the chain lacks its root", |it| it.alter = |evidence, _| drop(evidence.chain.pop())),
    ("gpu_root_unknown", "the chain ends in a root of another name", |it| {
        let root = Signer::root(Curve::P384, &[9; 32], Profile { organisation: "Nobody".to_owned(), ..Profile::root("Nobody") });
        it.gpu.chain[4] = root;
    }),
    ("gpu_simulated_root_refused", "nobody named the simulated roots", |it| it.wishes = None),
    ("gpu_architecture_unknown", "the chain is of a chip that nobody knows", |it| it.gpu.reissue_leaf(|leaf| "GX100 A01 GSP FMC LF".clone_into(&mut leaf.common_name))),
    ("ocsp_missing", "there is no answer about the provisioner", |it| drop(it.answers.remove(1))),
    ("ocsp_missing of-another-device", "the answer about the device is about another one, of the same provisioner", |it| {
        it.answers[0].id = Answer::id(&it.nvidia.gpu(1).chain[1], &it.gpu.chain[2]);
    }),
    ("ocsp_missing of-another-issuers-name", "the answer about the device names its issuer's key, and another name", |it| it.answers[0].id[NAME_IN_ID] ^= 1),
    ("ocsp_missing of-another-issuers-key", "the answer about the device names its issuer, and another key", |it| it.answers[0].id[KEY_IN_ID] ^= 1),
    ("ocsp_malformed two-statements", "an answer says that the device's certificate is good, and that it is revoked", |it| {
        it.answers[0].also = Some(CertificateStatus::Revoked { since: LAST_MONTH, reason: 1 });
    }),
    ("ocsp_malformed two-nonces", "an answer repeats two nonces", |it| it.answers[0].nonces = vec![[1; 32], [2; 32]]),
    ("ocsp_malformed", "an answer is cut", |it| {
        let mut der = it.answers[0].encode();
        der.pop();
        it.junk = Some(("ocsp", der));
    }),
    ("ocsp_malformed critical", "an answer has a critical extension that nobody knows", |it| it.answers[0].critical_extension = Some(Place::Answer)),
    ("ocsp_malformed critical-about-one", "what an answer says has a critical extension that nobody knows", |it| it.answers[0].critical_extension = Some(Place::Certificate)),
    ("ocsp_unsuccessful", "the responder says: try later", |it| it.answers[0].response_status = 3),
    ("ocsp_responder", "a responder of another authority answered", |it| it.answers[0].responder = it.gpu.chain[3].issue(Answer::responder_profile(NOW))),
    ("ocsp_responder of-another-key", "the responder's certificate is not of the key that the answer names", |it| it.answers[0].key_hash = Some([7; 20])),
    ("ocsp_signature", "an answer was changed", |it| {
        let mut der = it.answers.remove(0).encode();
        let place = der.windows(15).position(|it| it == b"20261202060000Z").expect("its next update");
        der[place + 3] = b'7';
        it.junk = Some(("ocsp", der));
    }),
    ("ocsp_nonce_mismatch", "the answers repeat another nonce than they were asked with", |it| {
        it.ocsp_nonce = Some([1; 32]);
        it.want("revocation", "\"asked\"");
        for answer in &mut it.answers {
            answer.nonce = Some([2; 32]);
        }
    }),
    ("ocsp_stapled_refused", "the policy wants answers to a nonce", |it| it.want("revocation", "\"asked\"")),
    ("ocsp_expired", "an answer ended a second ago", |it| it.answers[0].next_update = Some(Time(NOW.0 - 1))),
    ("ocsp_expired without-an-end", "an answer that does not say when it ends is older than an hour", |it| {
        it.answers[0].this_update = Time(NOW.0 - 3601);
        it.answers[0].next_update = None;
    }),
    ("ocsp_too_old", "an answer that was brought along is a second older than a day", |it| it.made(-DAY - 1)),
    ("ocsp_too_old by-its-signature", "an answer was signed more than a day before what it says", |it| {
        it.made(0);
        it.answers[0].produced_at = Some(Time(NOW.0 - DAY - 1));
    }),
    ("ocsp_too_old by-the-policy", "the policy accepts answers of the last five hours, and one is six hours old", |it| it.want("stapled_hours", "5")),
    ("ocsp_not_yet_valid", "an answer begins in a second", |it| it.answers[0].this_update = Time(NOW.0 + 1)),
    ("ocsp_not_yet_valid by-its-signature", "an answer is signed in a second", |it| it.answers[0].produced_at = Some(Time(NOW.0 + 1))),
    ("ocsp_revoked long-ago", "an answer that ended last month revokes the device's certificate, beside a good one", |it| {
        let mut old = it.answers[0].clone();
        old.status = CertificateStatus::Revoked { since: LAST_MONTH, reason: 1 };
        (old.this_update, old.next_update) = (LAST_MONTH, Some(Time(LAST_MONTH.0 + DAY)));
        it.answers.push(old);
    }),
    ("ocsp_revoked", "the device's certificate is revoked", |it| it.answers[0].status = CertificateStatus::Revoked { since: LAST_MONTH, reason: 1 }),
    ("ocsp_hold", "the device's certificate is on hold", |it| it.answers[0].status = CertificateStatus::Revoked { since: LAST_MONTH, reason: 6 }),
    ("ocsp_unknown", "the responder does not know the device", |it| it.answers[0].status = CertificateStatus::Unknown),
    ("ocsp_unknown beside-good", "of two answers about the device's certificate the later one does not know it", |it| {
        let mut other = it.answers[0].clone();
        other.status = CertificateStatus::Unknown;
        it.answers.push(other);
    }),
    ("gpu_report_signature", "a bit of a measurement is flipped", |it| it.alter = |evidence, _| evidence.report[REQUEST + RESPONSE_HEAD + 7] ^= 1),
    ("gpu_fwid_missing", "the report does not tell its FWID", |it| drop(it.gpu.opaque.remove(&opaque::FWID))),
    ("gpu_fwid_mismatch", "the report tells another FWID than its certificate", |it| drop(it.gpu.opaque.insert(opaque::FWID, vec![0; 48]))),
    ("nvidia_certificate_profile of-another-digest", "the leaf says that its FWID is of another hash", |it| it.gpu.reissue_leaf(|leaf| {
        let (_, composite) = &mut leaf.extensions[0];
        let place = composite.windows(SHA384.len()).rposition(|it| it == SHA384);
        // SHA-256, whatever its length.
        composite[place.expect("an algorithm") + SHA384.len() - 1] = 1;
    })),
    ("rim_missing", "there is no manifest of the driver", |it| drop(it.manifests.remove(0))),
    ("rim_version_mismatch", "the manifest is of another driver", |it| it.manifest(0, |manifest| "550.90.08".clone_into(&mut manifest.version))),
    ("rim_ambiguous", "there are two manifests of the driver", |it| {
        let mut other = Manifest::driver();
        other.active.remove(&35);
        it.manifests.push(it.nvidia.sign_manifest(&other.document()));
    }),
    ("rim_xml", "a manifest has an entity of its own", |it| it.rewrite(|text| text.replacen("<SoftwareIdentity", "<!DOCTYPE a [<!ENTITY b \"c\">]><SoftwareIdentity", 1))),
    ("rim_signature_profile", "a manifest's signature is by another algorithm", |it| it.rewrite(|text| text.replacen("#ecdsa-sha384", "#ecdsa-sha256", 1))),
    ("rim_signature_profile wrapped", "content is hidden in a manifest's signature", |it| it.rewrite(|text| {
        text.replacen("</ds:Signature>", "<ds:Object><ns0:Payload><ns0:Resource type=\"Measurement\"/></ns0:Payload></ds:Object></ds:Signature>", 1)
    })),
    ("rim_chain_length", "a manifest's chain lacks its intermediate", |it| {
        it.nvidia.rim_chain.remove(1);
        it.manifest(0, |_| ());
    }),
    ("rim_root_unknown", "a manifest's chain ends in a root of another name", |it| {
        it.nvidia.rim_chain[3] = Signer::root(Curve::P384, &[9; 32], Profile { organisation: "Nobody".to_owned(), ..Profile::root("Nobody") });
        it.manifest(0, |_| ());
    }),
    ("rim_digest", "a manifest's measurement was made to count", |it| it.rewrite(|text| text.replacen("active=\"False\"", "active=\"True\"", 1))),
    ("rim_signature", "a manifest has the signature of another one", |it| {
        let other = String::from_utf8(it.nvidia.sign_manifest(&Manifest::vbios().document())).expect("text");
        let of = |text: &str| {
            let (_, rest) = text.split_once("<ds:SignatureValue>").expect("a signature");
            rest.split_once('<').expect("a signature").0.to_owned()
        };
        let text = String::from_utf8(it.manifests[0].clone()).expect("text");
        it.manifests[0] = text.replace(&of(&text), &of(&other)).into_bytes();
    }),
    ("rim_content", "a signed manifest has an index that does not exist", |it| {
        let document = Manifest::driver().document().replace("index=\"63\"", "index=\"64\"");
        it.manifests[0] = it.nvidia.sign_manifest(&document);
    }),
    ("rim_content numeric", "a signed manifest has a numeric value of a kind that nobody knows", |it| {
        it.versioned();
        let manifest = Manifest { floors: [(opaque::FSP_UCODE_SVN, 20)].into(), ..Manifest::driver() };
        let document = manifest.document().replace("ns3:minSvn", "ns3:maxSvn");
        it.manifests[0] = it.nvidia.sign_manifest(&document);
    }),
    ("rim_product_mismatch", "a manifest is for another chip", |it| it.manifest(1, |manifest| "GB100".clone_into(&mut manifest.product))),
    ("rim_duplicate_index", "a signed manifest has an index twice", |it| {
        let document = Manifest::driver().document().replace("index=\"63\"", "index=\"62\"");
        it.manifests[0] = it.nvidia.sign_manifest(&document);
    }),
    ("rim_index_conflict", "both manifests speak of index 2", |it| it.manifests[1] = it.nvidia.sign_manifest(&Manifest::new(VBIOS, &[2, 3, 4]).document())),
    ("measurement_mismatch", "the GPU measured something else, as in developer mode", |it| _ = it.gpu.measurements.insert(2, [0xDE; 48])),
    ("measurement_mismatch of-the-decoder", "the decoder is on, and its firmware is not the published one", |it| _ = it.gpu.measurements.insert(35, [0xDE; 48])),
    ("gpu_level_below_floor", "a microcode's level is below the least that a manifest wants", |it| {
        it.versioned();
        it.gpu.opaque.insert(opaque::FSP_UCODE_SVN, vec![19, 0]);
    }),
    ("gpu_level_below_floor not-told", "a manifest wants a level that the report does not tell", |it| {
        it.versioned();
        it.gpu.opaque.remove(&opaque::FSP_UCODE_SVN);
    }),
    ("gpu_level_below_floor no-header", "opaque data without a header have no levels, whatever stands in the entry", |it| {
        it.versioned();
        it.gpu.layout = Layout::Plain;
    }),
    ("gpu_driver_below_floor", "the policy wants a newer driver", |it| it.want("minimum_driver", "\"570.0.0\"")),
    ("gpu_refused", "the policy lists another device", |it| it.want("devices", "[\"00\"]")),
    ("gpu_refused of-another-mode", "the GPU shares its memory with others, and the policy wants one that is alone", |it| {
        it.gpu.opaque.insert(opaque::FEATURE_FLAG, vec![1, 0]);
        it.want("modes", "[\"single_passthrough\"]");
    }),
    ("gpu_switches_unchecked", "the GPU shares its memory over switches", |it| {
        it.gpu.opaque.insert(opaque::FEATURE_FLAG, vec![2, 0]);
        it.want("modes", "[\"protected_pcie\"]");
    }),
    ("switch_identity_mismatch", "a switch calls itself as its certificate does not", |it| it.fabric(1, |devices| {
        devices[1].opaque.insert(opaque::SWITCH_PDI, vec![7; 8]);
    })),
    ("switch_unlocked", "the configuration of a switch is not locked", |it| it.fabric(1, |devices| {
        devices[1].opaque.insert(opaque::LOCK_SWITCH_STATUS, vec![0, 0]);
    })),
    ("fabric_name_missing", "a GPU's certificate gives it no name", |it| it.fabric(1, |devices| {
        devices[0].reissue_identity(|identity| identity.serial = Some(7));
    })),
    ("fabric_mismatch", "the GPU names a switch that is not there", |it| it.fabric(2, |devices| drop(devices.pop()))),
    ("fabric_mismatch a-stranger", "the switch names a GPU that is not there", |it| it.fabric(1, |devices| {
        let ports = devices[1].opaque.get_mut(&opaque::SWITCH_GPU_PDIS).expect("the field");
        ports[8..16].copy_from_slice(&[7; 8]);
    })),
    ("gpu_count_mismatch", "the policy wants two GPUs", |it| it.want("count", "[2]")),
    ("gpu_twice", "one GPU stands for two", |it| {
        it.want("count", "[2]");
        it.others = vec![it.gpu.evidence(&NONCE)];
    }),
    ("gpu_twice under-two-leaves", "one GPU stands for two, each with a leaf of its own", |it| {
        it.want("count", "[2]");
        let mut again = it.gpu.clone();
        again.reissue_leaf(|leaf| leaf.number = 1);
        it.others = vec![again.evidence(&NONCE)];
    }),
    ("gpu_modes_differ", "the GPUs are in different modes", |it| {
        it.want("count", "[2]");
        it.want("modes", OPEN);
        let mut second = it.nvidia.gpu(1);
        second.opaque.insert(opaque::FEATURE_FLAG, vec![1, 0]);
        it.others = vec![second.evidence(&NONCE)];
        it.answers = answers(&it.nvidia.clone().with_gpus(2));
    }),
];
