//! One lie a test, on evidence alone: everything is honest but one thing, and that thing has its own rejection.
//!
//! [`every_rejection_is_provoked`] holds the list of lies against the list of rejections.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_attestation::{
    Collateral, Refusal, Rejection, Time, Trusted, Unverified, Waivers,
    evidence::{
        CpuReport, Evidence, KeyAgreement, MAX_BUNDLE,
        binding::{Anchor, Session},
        claims::{Claims, ModelClaim},
    },
    policy::{ModelPolicy, ModelsPolicy},
    release::{Endorsement, PublicKey, Rebuilders},
    snp::{
        SnpPolicy,
        bits::{GuestPolicy, PlatformInfo},
        firmware::Firmware,
        floor::Floor,
        product::{Cpuid, Product},
        report::SigningKey,
        table,
        tcb::Tcb,
    },
    transcript::Expect,
};
use chrysalis_simulate::{ASK_SERIAL, Amd, CrlProfile, TCB};
use chrysalis_tests::{
    composite::NVIDIA,
    publisher::Publisher,
    scene::{self, LAUNCH_DIGEST, NOW, Scene, claims},
};
use std::{collections::BTreeSet, sync::LazyLock};

const DAY: i64 = 24 * 3600;

/// VCEK, ASK and ARK as they travel.
const VCEK: usize = 0;
const ASK: usize = 1;
const ARK: usize = 2;

static AMD: LazyLock<Amd> = LazyLock::new(|| vendor("amd"));
/// Of the same names, with other keys.
static OTHER_AMD: LazyLock<Amd> = LazyLock::new(|| vendor("other-amd"));

/// Of a product line that is known to be broken.
static MILAN: LazyLock<Amd> = LazyLock::new(|| vendor("amd").into_milan(NOW).unwrap());

fn vendor(name: &str) -> Amd {
    scene::vendor(env!("CARGO_TARGET_TMPDIR"), name).unwrap()
}

#[test]
fn an_honest_enclave_is_trusted_and_called_simulated() {
    let trusted = Scene::honest(&AMD).verdict().unwrap();
    assert!(trusted.simulated());
    assert_eq!(trusted.tls_key(), b"the enclave's SubjectPublicKeyInfo");
    assert_eq!(trusted.claims(), &claims());
    assert_eq!(trusted.cpu().measurement(), LAUNCH_DIGEST);
    // The revocation list ends first: 45 days after it was made, an hour before the scene.
    assert_eq!(trusted.until(), Time(NOW.0 + 45 * DAY - 3600));
}

#[test]
fn a_providers_key_is_trusted_below_a_simulated_root_whose_intermediate_travels() {
    let trusted = of_a_provider(Scene::honest(&AMD)).verdict().unwrap();
    assert!(trusted.simulated());
}

/// Wants the honest enclave's model with these weights, and no other.
fn models(weights: [u8; 32]) -> ModelsPolicy {
    ModelsPolicy {
        listed: vec![ModelPolicy {
            name: claims().models[0].name.clone(),
            weights: Some(weights),
            ..ModelPolicy::default()
        }],
        others: None,
    }
}

type Outcome = Result<Trusted, Refusal>;

/// With a policy that wants an endorsement, and this one.
fn endorsed(mut scene: Scene<'static>, change: impl FnOnce(&mut Endorsement)) -> Outcome {
    let publisher = Publisher::default();
    scene.policy.release = Some(publisher.wanted());
    scene.endorsements.statements = publisher.stapled(change);
    scene.verdict()
}

/// Each line becomes a test: its name says the lie, the code what must come of it.
macro_rules! lies {
    ($($name:ident: $code:literal, $lie:expr;)+) => {
        $(
            #[test]
            fn $name() {
                let lie: fn(Scene<'static>) -> Outcome = $lie;
                let outcome = lie(Scene::honest(&AMD));
                assert_eq!(outcome.map_err(|refusal| refusal.rejection.code()).err(), Some($code));
            }
        )+

        /// Test and code of each lie.
        const LIES: &[(&str, &str)] = &[$((stringify!($name), $code)),+];
    };
}

lies! {
    // What travels
    rejects_an_oversized_bundle: "bundle_too_large", |mut scene| {
        scene.alter_bytes = |bytes| bytes.resize(MAX_BUNDLE + 1, 0);
        scene.verdict()
    };
    rejects_a_bundle_that_is_not_deterministic: "bundle_malformed", |mut scene| {
        // A map of six, its length in two bytes where one would do.
        scene.alter_bytes = |bytes| drop(bytes.splice(..1, [0xB8, bytes[0] & 0x1F]));
        scene.verdict()
    };
    rejects_a_bundle_with_something_behind_it: "bundle_malformed", |mut scene| {
        scene.alter_bytes = |bytes| bytes.push(0);
        scene.verdict()
    };
    rejects_a_bundle_without_a_report: "bundle_item", |mut scene| {
        scene.alter_bytes = |bytes| rename(bytes, b"cpu", b"cpv");
        scene.verdict()
    };
    rejects_more_certificates_than_the_limit: "bundle_item", |mut scene| {
        let vcek = scene.endorsements.certificates[VCEK].clone();
        scene.endorsements.certificates = vec![vcek; 17];
        scene.verdict()
    };
    rejects_a_certificate_without_evidence: "evidence_missing", |scene| {
        let (evidence, _) = Evidence::from_certificate(&scene.endorsements.certificates[VCEK])?;
        scene.verdict_on(&evidence.encode())
    };
    rejects_a_certificate_that_is_none: "certificate_malformed", |mut scene| {
        scene.endorsements.certificates.push(b"not DER".to_vec());
        scene.verdict()
    };
    rejects_a_certificate_table_without_an_end: "certificate_table", |mut scene| {
        scene.endorsements = table::certificates(&[1; 24])?;
        scene.verdict()
    };

    // Is it genuine
    rejects_a_report_that_was_cut: "report_length", |mut scene| {
        scene.alter = |evidence| report_bytes(evidence).truncate(1183);
        scene.verdict()
    };
    rejects_a_report_of_an_unknown_version: "report_version", |mut scene| {
        scene.report.version = 6;
        scene.verdict()
    };
    rejects_a_report_of_another_signature_algorithm: "report_algorithm", |mut scene| {
        scene.alter = |evidence| report_bytes(evidence)[0x34] = 2;
        scene.verdict()
    };
    rejects_reserved_bytes_that_are_not_zero: "report_reserved", |mut scene| {
        scene.alter = |evidence| report_bytes(evidence)[0x4C] = 1;
        scene.verdict()
    };
    rejects_reserved_bytes_behind_the_signature: "report_reserved", |mut scene| {
        scene.alter = |evidence| *report_bytes(evidence).last_mut().unwrap() = 1;
        scene.verdict()
    };
    rejects_a_report_that_no_key_signed: "report_unsigned", |mut scene| {
        scene.report.key_info.signing_key = SigningKey::None;
        scene.verdict()
    };
    rejects_evidence_without_a_vcek: "leaf_missing", |mut scene| {
        scene.endorsements.certificates.remove(VCEK);
        scene.verdict()
    };
    rejects_a_report_that_another_kind_of_key_signed: "leaf_missing", |mut scene| {
        scene.report.key_info.signing_key = SigningKey::Vlek;
        scene.verdict()
    };
    rejects_two_vceks: "leaf_ambiguous", |mut scene| {
        let other = OTHER_AMD.endorsements().certificates.remove(VCEK);
        scene.endorsements.certificates.push(other);
        scene.verdict()
    };
    rejects_a_cpu_without_a_known_root: "product_unknown", |mut scene| {
        scene.report.cpuid = Some(Cpuid { family: 0x1A, model: 0x50, stepping: 0 });
        scene.verdict()
    };
    rejects_a_cpu_of_another_product_than_its_certificate: "product_mismatch", |mut scene| {
        scene.report.cpuid = Some(Cpuid { family: 0x19, model: 0x01, stepping: 1 });
        scene.verdict()
    };
    rejects_a_certificate_of_another_product_than_its_cpu: "product_mismatch", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.product = "Milan-B0".to_owned();
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_simulated_root_under_the_default_policy: "simulated_root_refused", |mut scene| {
        scene.policy = scene::policy(None);
        scene.verdict()
    };
    rejects_another_simulated_root_than_the_named_one: "simulated_root_refused", |mut scene| {
        scene.policy = scene::policy(Some(OTHER_AMD.root_sha256()));
        scene.verdict()
    };
    rejects_a_root_that_nobody_knows: "root_unknown", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.organisation = "Nobody".to_owned();
        profile.issuer_organisation = "Nobody".to_owned();
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_evidence_without_its_simulated_root: "root_missing", |mut scene| {
        scene.endorsements.certificates.remove(ARK);
        scene.verdict()
    };
    rejects_a_vcek_with_a_serial_number: "leaf_profile", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.serial = 1;
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_vcek_of_another_organisation: "leaf_profile", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.organisation = "Advanced Micro Devices".to_owned();
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_evidence_without_an_ask: "intermediate_missing", |mut scene| {
        scene.endorsements.certificates.remove(ASK);
        scene.verdict()
    };
    rejects_a_providers_key_without_its_intermediate: "intermediate_missing", |scene| {
        let mut scene = of_a_provider(scene);
        scene.endorsements.certificates.remove(ASK);
        scene.verdict()
    };
    rejects_an_intermediate_that_poses_as_amds: "intermediate_unknown", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.organisation = "Advanced Micro Devices".to_owned();
        profile.issuer_organisation = "Advanced Micro Devices".to_owned();
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.endorsements.certificates[ASK] = scene.amd.issue_ask(NOW, |ask| ask.poses_as_amd = true).unwrap();
        scene.verdict()
    };
    rejects_an_ask_that_is_no_authority: "chain_profile", |mut scene| {
        let ask = scene.amd.issue_ask(NOW, |ask| ask.is_authority = false).unwrap();
        scene.endorsements.certificates[ASK] = ask;
        scene.verdict()
    };
    rejects_simulated_keys_that_pose_as_amds: "chain_signature", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.organisation = "Advanced Micro Devices".to_owned();
        profile.issuer_organisation = "Advanced Micro Devices".to_owned();
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_vcek_under_an_ask_of_another_vendor: "chain_signature", |mut scene| {
        scene.endorsements.certificates[ASK] = OTHER_AMD.endorsements().certificates.remove(ASK);
        scene.verdict()
    };
    rejects_an_expired_vcek: "certificate_expired", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.not_after = Time(NOW.0 - 1);
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_vcek_that_is_not_valid_yet: "certificate_not_yet_valid", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.not_before = Time(NOW.0 + 1);
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_revoked_ask: "certificate_revoked", |scene| {
        with_crl(scene, &CrlProfile { revoked: vec![ASK_SERIAL.into()], ..CrlProfile::empty(NOW) })
    };
    rejects_a_revoked_ask_even_by_a_stale_list: "certificate_revoked", |mut scene| {
        let stale = CrlProfile { revoked: vec![ASK_SERIAL.into()], ..CrlProfile::empty(Time(NOW.0 - 90 * DAY)) };
        scene.endorsements.crls.push(scene.amd.issue_crl(&stale).unwrap());
        scene.verdict()
    };
    rejects_a_revocation_list_that_does_not_say_when_it_ends: "crl_profile", |scene| {
        with_crl(scene, &CrlProfile { next_update: None, ..CrlProfile::empty(NOW) })
    };
    rejects_a_revocation_list_of_another_root: "crl_signature", |mut scene| {
        scene.endorsements.crls = OTHER_AMD.endorsements().crls;
        scene.verdict()
    };
    rejects_an_expired_revocation_list: "crl_expired", |scene| {
        with_crl(scene, &CrlProfile::empty(Time(NOW.0 - 46 * DAY)))
    };
    rejects_a_revocation_list_from_the_future: "crl_not_yet_valid", |scene| {
        with_crl(scene, &CrlProfile::empty(Time(NOW.0 + 1)))
    };
    rejects_a_report_that_was_changed: "report_signature", |mut scene| {
        scene.alter = |evidence| report_bytes(evidence)[0x90] ^= 1;
        scene.verdict()
    };
    rejects_a_report_of_another_chip_under_this_certificate: "report_signature", |mut scene| {
        scene.amd = &OTHER_AMD;
        scene.verdict()
    };
    rejects_a_vcek_of_another_tcb: "tcb_certificate_mismatch", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.tcb.microcode += 1;
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.verdict()
    };
    rejects_a_report_of_another_chip: "chip_mismatch", |mut scene| {
        scene.report.chip_id[63] ^= 1;
        scene.verdict()
    };
    rejects_a_committed_level_above_the_running_one: "tcb_inconsistent", |mut scene| {
        scene.report.committed_tcb = Tcb { snp: TCB.snp + 1, ..TCB }.encode();
        scene.verdict()
    };
    rejects_a_reported_level_above_the_running_one: "tcb_inconsistent", |mut scene| {
        scene.report.current_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
        scene.report.committed_tcb = scene.report.current_tcb;
        scene.verdict()
    };

    // Is it about this channel
    rejects_claims_that_are_not_cbor: "claims_malformed", |mut scene| {
        scene.claims = b"trust me".to_vec();
        scene.verdict()
    };
    rejects_claims_of_an_unknown_profile: "claims_profile", |mut scene| {
        scene.claims = Claims { profile: "tag:chrysalis,2026:enclave/3".to_owned(), ..claims() }.encode();
        scene.verdict()
    };
    rejects_boot_evidence_where_it_asked: "not_fresh", |mut scene| {
        scene.attested.0 = Session::Boot;
        scene.verdict()
    };
    rejects_evidence_of_another_tls_key: "binding_mismatch", |mut scene| {
        scene.seen.1 = b"the relay's SubjectPublicKeyInfo".to_vec();
        scene.verdict()
    };
    rejects_boot_evidence_of_another_tls_key: "binding_mismatch", |mut scene| {
        scene.attested.0 = Session::Boot;
        scene.seen = (Session::Boot, b"the relay's SubjectPublicKeyInfo".to_vec());
        scene.verdict()
    };
    rejects_evidence_for_another_nonce: "binding_mismatch", |mut scene| {
        let Session::Asked { exporter, .. } = scene.seen.0 else { unreachable!() };
        scene.seen.0 = Session::Asked { nonce: [0; 32], exporter };
        scene.verdict()
    };
    rejects_evidence_of_another_tls_session: "binding_mismatch", |mut scene| {
        let Session::Asked { nonce, .. } = scene.seen.0 else { unreachable!() };
        scene.seen.0 = Session::Asked { nonce, exporter: [0; 32] };
        scene.verdict()
    };
    rejects_a_key_agreement_that_a_quantum_computer_breaks: "key_agreement_weak", |mut scene| {
        scene.agreement = Some(KeyAgreement::X25519);
        scene.verdict()
    };
    rejects_a_key_agreement_that_nobody_saw: "key_agreement_weak", |mut scene| {
        scene.agreement = None;
        scene.verdict()
    };
    rejects_claims_that_were_altered: "binding_mismatch", |mut scene| {
        scene.alter = |evidence| {
            evidence.claims = Claims { release: "a better one".to_owned(), ..claims() }.encode();
        };
        scene.verdict()
    };
    rejects_gpu_evidence_that_was_added: "binding_mismatch", |mut scene| {
        scene.alter = |evidence| evidence.gpus = vec![NVIDIA.gpu(0).evidence(&[0; 32])];
        scene.verdict()
    };
    rejects_a_claimed_configuration_that_is_not_host_data: "configuration_mismatch", |mut scene| {
        scene.report.host_data = [0; 32];
        scene.verdict()
    };

    // Is it what I want
    rejects_report_version_2: "report_version_refused", |mut scene| {
        scene.report.version = 2;
        scene.report.cpuid = None;
        scene.report.mitigations = None;
        scene.verdict()
    };
    rejects_a_product_that_is_known_to_be_broken: "product_broken", |_| {
        Scene::honest(&MILAN).verdict()
    };
    rejects_a_product_that_the_policy_does_not_want: "product_refused", |mut scene| {
        snp(&mut scene).products = Expect::AnyOf(vec![Product::Turin]);
        scene.verdict()
    };
    rejects_a_product_without_a_floor: "product_refused", |mut scene| {
        let turin = Tcb { fmc: Some(1), ..TCB };
        snp(&mut scene).minimum_tcb = Floor::each([(Product::Turin, turin)]).unwrap();
        scene.verdict()
    };
    rejects_a_chip_that_the_policy_does_not_list: "chip_unknown", |mut scene| {
        snp(&mut scene).chips = Some(Expect::AnyOf(vec![[1; 64]]));
        scene.verdict()
    };
    rejects_a_masked_chip: "chip_masked", |mut scene| {
        scene.report.chip_id = [0; 64];
        scene.verdict()
    };
    rejects_evidence_without_a_revocation_list: "revocation_unchecked", |mut scene| {
        scene.endorsements.crls.clear();
        scene.verdict()
    };
    rejects_a_tcb_below_the_floor: "tcb_below_floor", |mut scene| {
        let mut profile = scene.amd.vcek_profile(NOW);
        profile.tcb.microcode -= 1;
        scene.endorsements.certificates[VCEK] = scene.amd.issue_vcek(&profile).unwrap();
        scene.report.reported_tcb = profile.tcb.encode();
        scene.verdict()
    };
    rejects_a_committed_tcb_below_the_floor: "tcb_below_floor", |mut scene| {
        snp(&mut scene).provisional_firmware = true;
        scene.report.committed_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
        scene.verdict()
    };
    rejects_a_launch_tcb_below_the_floor: "tcb_below_floor", |mut scene| {
        snp(&mut scene).minimum_launch_tcb = Some(scene::floor(TCB));
        scene.report.launch_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
        scene.verdict()
    };
    rejects_firmware_below_the_floor: "firmware_below_floor", |mut scene| {
        let running = scene.report.current_firmware;
        snp(&mut scene).minimum_firmware = Some(Firmware { build: running.build + 1, ..running });
        scene.verdict()
    };
    rejects_provisional_firmware: "firmware_provisional", |mut scene| {
        snp(&mut scene).minimum_committed_tcb = Some(scene::floor(Tcb { snp: TCB.snp - 1, ..TCB }));
        scene.report.committed_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
        scene.verdict()
    };
    rejects_a_guest_that_the_host_may_debug: "debug_allowed", |mut scene| {
        scene.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << 19);
        scene.verdict()
    };
    rejects_a_guest_that_the_host_may_migrate: "migration_allowed", |mut scene| {
        scene.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << 18);
        scene.verdict()
    };
    rejects_a_guest_that_may_run_on_sibling_threads_where_it_must_not: "guest_policy_too_wide", |mut scene| {
        snp(&mut scene).smt = false;
        scene.verdict()
    };
    rejects_a_guest_that_may_run_on_two_sockets_where_it_must_not: "guest_policy_lacks", |mut scene| {
        snp(&mut scene).single_socket = true;
        scene.verdict()
    };
    rejects_a_guest_that_accepts_an_older_firmware_interface: "abi_below_floor", |mut scene| {
        snp(&mut scene).minimum_abi = Some((1, 55));
        scene.verdict()
    };
    rejects_a_platform_with_trusted_io_on: "platform_too_wide", |mut scene| {
        scene.report.platform_info = PlatformInfo(scene.report.platform_info.0 | 1 << 7);
        scene.verdict()
    };
    rejects_a_platform_that_did_not_look_for_memory_aliases: "platform_lacks", |mut scene| {
        scene.report.platform_info = PlatformInfo(scene.report.platform_info.0 & !(1 << 5));
        scene.verdict()
    };
    rejects_a_platform_with_bits_that_nobody_knows: "platform_unknown", |mut scene| {
        scene.report.platform_info = PlatformInfo(scene.report.platform_info.0 | 1 << 63);
        scene.verdict()
    };
    rejects_a_report_that_vmpl_1_asked_for: "vmpl_refused", |mut scene| {
        scene.report.vmpl = 1;
        scene.verdict()
    };
    rejects_a_report_that_the_host_asked_for: "vmpl_refused", |mut scene| {
        scene.report.vmpl = u32::MAX;
        scene.verdict()
    };
    rejects_a_guest_svn_below_the_floor: "guest_svn_below_floor", |mut scene| {
        snp(&mut scene).minimum_guest_svn = scene.report.guest_svn + 1;
        scene.verdict()
    };
    rejects_a_platform_without_a_required_mitigation: "mitigation_missing", |mut scene| {
        snp(&mut scene).mitigations = 1 << 63;
        scene.verdict()
    };
    rejects_an_unknown_launch_digest: "launch_digest_unknown", |mut scene| {
        scene.report.launch_digest[0] ^= 1;
        scene.verdict()
    };
    rejects_an_unknown_image_id: "pin_unknown", |mut scene| {
        snp(&mut scene).image_id = Some(Expect::AnyOf(vec![[1; 16]]));
        scene.verdict()
    };
    rejects_a_guest_without_a_known_id_block: "id_block_unknown", |mut scene| {
        snp(&mut scene).id_keys = vec![[1; 48]];
        scene.verdict()
    };
    rejects_another_configuration: "configuration_unknown", |mut scene| {
        let configuration = [0xBA; 32];
        scene.report.host_data = configuration;
        scene.claims = Claims { configuration, ..claims() }.encode();
        scene.verdict()
    };
    rejects_a_platform_that_the_policy_does_not_want: "platform_unwanted", |mut scene| {
        scene.policy.snp = None;
        scene.verdict()
    };
    rejects_a_model_without_the_known_answer: "known_answer_failed", |mut scene| {
        scene.claims = Claims { known_answer: false, ..claims() }.encode();
        scene.verdict()
    };
    rejects_an_epoch_that_has_lasted_too_long: "epoch_old", |mut scene| {
        scene.claims = Claims { epoch_began: scene.now.0 - 1201, ..claims() }.encode();
        scene.verdict()
    };
    rejects_a_model_that_the_policy_does_not_list: "model_unlisted", |mut scene| {
        let mut claims = claims();
        let other = ModelClaim { name: "another".to_owned(), ..claims.models[0].clone() };
        claims.models.push(other);
        scene.claims = claims.encode();
        scene.policy.models = Some(models([0x33; 32]));
        scene.verdict()
    };
    rejects_a_model_with_other_weights: "model_mismatch", |mut scene| {
        scene.policy.models = Some(models([0; 32]));
        scene.verdict()
    };
    rejects_an_enclave_without_a_model_that_the_policy_lists: "model_missing", |mut scene| {
        scene.claims = Claims { models: Vec::new(), ..claims() }.encode();
        scene.policy.models = Some(models([0x33; 32]));
        scene.verdict()
    };
    rejects_gpus_that_the_policy_does_not_want: "gpu_unexpected", |mut scene| {
        let (session, spki) = &scene.attested;
        let nonce = Anchor::new(session, spki, &scene.claims).gpu_nonce();
        scene.gpus = vec![NVIDIA.gpu(0).evidence(&nonce)];
        scene.verdict()
    };
    rejects_a_bundle_about_no_conversation: "conversation_missing", |scene| {
        let authentic = Unverified::new(Evidence::decode(&scene.bundle())?)
            .authenticate(&scene.policy.roots(), &Collateral::default(), scene.now)?;
        let waivers = Waivers::default();
        Err(authentic.without_conversation(&waivers).err().unwrap())
    };
    rejects_boot_evidence_without_a_reason_in_the_policy: "freshness_unchecked", |mut scene| {
        scene.attested.0 = Session::Boot;
        scene.seen.0 = Session::Boot;
        scene.verdict()
    };
    rejects_an_image_that_no_rebuilder_confirms: "rebuilders_too_few", |mut scene| {
        let keys = vec![PublicKey::from_ed25519([1; 32]).unwrap()];
        scene.policy.rebuilders = Some(Rebuilders { keys, at_least: 1 });
        scene.verdict()
    };
    rejects_an_image_that_nobody_endorses: "endorsement_missing", |mut scene| {
        scene.policy.release = Some(Publisher::default().wanted());
        scene.verdict()
    };
    rejects_an_endorsement_from_the_future: "endorsement_not_yet_valid", |scene| {
        endorsed(scene, |it| it.issued = Time(NOW.0 + 1))
    };
    rejects_an_endorsement_that_has_expired: "endorsement_expired", |scene| {
        endorsed(scene, |it| it.until = NOW)
    };
    rejects_an_endorsement_that_is_too_old: "endorsement_too_old", |scene| {
        endorsed(scene, |it| {
            it.issued = Time(NOW.0 - 7 * DAY);
            it.until = Time(NOW.0 + DAY);
        })
    };
}

#[test]
fn every_rejection_is_provoked() {
    let provoked: BTreeSet<_> = LIES.iter().map(|(_, code)| *code).collect();
    let codes: BTreeSet<_> = Rejection::ALL.iter().map(|reason| reason.code).collect();
    assert_eq!(
        codes.len(),
        Rejection::ALL.len(),
        "two rejections share a code"
    );
    // The lies of GPUs, TDs, releases and logs are told in attestation/src and attestation/tests, those of whole machines in
    // composite.rs, and those about questions that share a report by vectors and in batch.rs.
    let batches = [
        "batch_too_large",
        "bundle_short",
        "path_malformed",
        "path_mismatch",
    ];
    let elsewhere = ["gpu-", "tdx-", "hcl-", "release-", "root-", "keys-", "log-"];
    let of_the_cpu = Rejection::ALL
        .iter()
        .filter(|reason| !elsewhere.iter().any(|room| reason.step.starts_with(room)));
    let codes = of_the_cpu.map(|reason| reason.code);
    let listed: BTreeSet<_> = codes.filter(|code| !batches.contains(code)).collect();
    assert_eq!(provoked, listed);
}

#[test]
fn every_rejection_says_what_to_do_next() {
    for reason in Rejection::ALL {
        assert!(!reason.hint.is_empty(), "{}", reason.code);
        assert!(!reason.meaning.is_empty(), "{}", reason.code);
    }
}

/// Every byte of the bundle, one bit each; which one depends on the place, so that all eight are flipped somewhere.
#[test]
fn no_bundle_with_a_flipped_bit_is_trusted() {
    let scene = Scene::honest(&AMD);
    let honest = scene.bundle();
    assert!(scene.verdict_on(&honest).is_ok());
    for position in 0..honest.len() {
        let mut flipped = honest.clone();
        flipped[position] ^= 1 << ((position * 5 + position / 8) % 8);
        assert!(
            scene.verdict_on(&flipped).is_err(),
            "byte {position} does not count"
        );
    }
    assert!(
        honest.len() >= 2000,
        "{} bytes are too few to mean something",
        honest.len()
    );
}

#[test]
fn no_bundle_that_was_cut_is_trusted() {
    let scene = Scene::honest(&AMD);
    let honest = scene.bundle();
    for length in 0..honest.len() {
        assert!(
            scene.verdict_on(&honest[..length]).is_err(),
            "{length} bytes are enough"
        );
    }
}

fn snp<'a>(scene: &'a mut Scene<'_>) -> &'a mut SnpPolicy {
    scene.policy.snp.as_mut().unwrap()
}

/// The scene, where a cloud provider's key (VLEK) signed the report.
fn of_a_provider(mut scene: Scene<'_>) -> Scene<'_> {
    let profile = scene.amd.vcek_profile(NOW);
    let certificates = &mut scene.endorsements.certificates;
    certificates[VCEK] = scene.amd.issue_vlek(&profile, "CN=simulated").unwrap();
    certificates[ASK] = scene.amd.issue_asvk(NOW).unwrap();
    scene.report.key_info.signing_key = SigningKey::Vlek;
    snp(&mut scene).masked_chip = Some("a provider's key".to_owned());
    scene
}

fn with_crl(mut scene: Scene<'_>, profile: &CrlProfile) -> Outcome {
    scene.endorsements.crls = vec![scene.amd.issue_crl(profile).unwrap()];
    scene.verdict()
}

fn report_bytes(evidence: &mut Evidence) -> &mut Vec<u8> {
    match &mut evidence.cpu {
        CpuReport::Snp(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Puts another name of the same length in the place of the first one found.
fn rename(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}
