//! Each of the policy's rejections, from evidence that passes except for one thing.

use super::*;
use crate::{
    Time,
    nvidia::{
        GpuPolicy,
        policy::{Proof, Wanted},
    },
    policy::{ModelPolicy, ModelsPolicy},
    release::{
        DEVELOPMENT_ROOT, Rebuilders,
        endorsing::stapled,
        tests::{NOW, Signer, rebuild},
    },
    snp::{
        SnpPolicy,
        bits::{GuestPolicy, PlatformInfo},
        broken::{self, Accepted},
        chain::Validity,
        firmware::Firmware,
        floor::Floor,
        genuine::{Genuine, Levels},
        product::{Cpuid, Product},
        report::{HOST_VMPL, KeyInfo, Mitigations, Report, Signature, SigningKey},
        tcb::{Tcb, TcbVersion},
    },
    transcript::{
        ALLOWED, LEFT_TO_CONFIGURATION, Outcome, PINNED_BY_NOTHING, Patience, Refusal, Transcript,
    },
};

const TCB: Tcb = Tcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 23,
    microcode: 84,
};
const FIRMWARE: Firmware = Firmware {
    major: 1,
    minor: 55,
    build: 40,
};

/// A report as a Genoa machine with current firmware makes it.
pub(crate) fn report() -> Report {
    Report {
        version: 3,
        guest_svn: 2,
        policy: GuestPolicy::STRICT,
        family_id: [1; 16],
        image_id: [2; 16],
        vmpl: 0,
        current_tcb: TCB.encode(),
        platform_info: PlatformInfo(0x25),
        key_info: KeyInfo {
            author_key_enabled: false,
            chip_key_masked: false,
            signing_key: SigningKey::Vcek,
        },
        report_data: [0; 64],
        launch_digest: [3; 48],
        host_data: [1; 32],
        id_key_digest: [4; 48],
        author_key_digest: [5; 48],
        report_id: [6; 32],
        report_id_ma: [0xFF; 32],
        reported_tcb: TCB.encode(),
        cpuid: Some(Cpuid {
            family: 0x19,
            model: 0x11,
            stepping: 1,
        }),
        chip_id: [7; 64],
        committed_tcb: TCB.encode(),
        current_firmware: FIRMWARE,
        committed_firmware: FIRMWARE,
        launch_tcb: TcbVersion::default(),
        mitigations: None,
        signature: Signature {
            r: [1; 48],
            s: [1; 48],
        },
    }
}

/// The report as it comes out of the verification.
pub(crate) fn genuine() -> Genuine {
    Genuine {
        report: report(),
        product: Product::Genoa,
        levels: Levels {
            reported: TCB,
            current: TCB,
            committed: TCB,
            launch: Tcb::default(),
        },
        root: Hex([8; 32]),
        simulated: false,
        validity: Validity {
            until: Time(1_800_000_000),
            revocation_until: Some(Time(1_796_126_400)),
        },
        unused_list: None,
        chip_compared: true,
    }
}

/// A policy for exactly [`genuine`], with every default.
pub(crate) fn policy() -> Policy {
    let text = format!(
        "version = 1\n[snp]\nlaunch_digest = [\"{}\"]\n\
         minimum_tcb.genoa = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
         [configuration]\nsha256 = [\"{}\"]\n",
        "03".repeat(48),
        "01".repeat(32),
    );
    Policy::parse(&text).expect("a policy")
}

/// What is appraised in a test: each part can be changed.
struct Case {
    genuine: Genuine,

    claims: Claims,
    gpus: usize,
    statements: Vec<Vec<u8>>,
    session: Session,
    agreement: Option<KeyAgreement>,
    policy: Policy,
}

fn case() -> Case {
    Case {
        genuine: genuine(),
        claims: crate::evidence::claims::tests::claims(),
        gpus: 0,
        statements: Vec::new(),
        session: Session::Asked {
            nonce: [0; 32],
            exporter: [0; 32],
        },
        agreement: None,
        policy: policy(),
    }
}

impl Case {
    fn appraise(&self) -> Result<Transcript, Refusal> {
        let mut inspection = Inspection::new(Patience::First);
        let subject = Subject {
            cpu: &mut Cpu::Snp(Box::new(self.genuine.clone())),
            event_log: None,
            claims: &self.claims,
            gpus: &Asked::unread(self.gpus),
            statements: &self.statements,
            now: NOW,
            session: Some(&self.session),
            agreement: self.agreement,
        };
        let concluded = appraise(subject, &self.policy, &mut inspection);
        inspection
            .finish(concluded)
            .map(|(_, transcript)| transcript)
    }

    fn snp(&mut self) -> &mut SnpPolicy {
        self.policy.snp.as_mut().expect("the policy's [snp]")
    }
}

/// With one change, the case is refused with exactly this rejection, at the rejection's own step.
#[track_caller]
fn refuses(change: impl FnOnce(&mut Case), expected: Rejection) {
    let mut case = case();
    change(&mut case);
    let refusal = case.appraise().expect_err("a refusal");
    let last = refusal.transcript.checks().last().expect("checks");
    assert_eq!(
        (last.step, last.outcome),
        (expected.step(), Outcome::Failed)
    );
    assert_eq!(last.detail, expected.to_string());
    assert_eq!(Err::<(), _>(refusal.rejection), Err(expected));
}

/// With one change, the case is trusted.
#[track_caller]
fn accepts(change: impl FnOnce(&mut Case)) -> Transcript {
    let mut case = case();
    change(&mut case);
    case.appraise().expect("trusted")
}

fn floor_of(product: Product, floor: Tcb) -> Floor {
    Floor::each([(product, floor)]).expect("a floor")
}

/// Why a check was not made; `None` if it was.
fn left_out(transcript: &Transcript, name: &str) -> Option<String> {
    let mut checks = transcript.checks().iter();
    let check = checks.find(|check| check.name == name)?;
    (check.outcome == Outcome::NotChecked).then(|| check.detail.clone())
}

fn unchecked<T>() -> Expect<T> {
    Expect::Unchecked {
        why: "a test".to_owned(),
    }
}

#[test]
fn accepts_what_the_policy_describes_and_lists_what_it_leaves_open() {
    let transcript = accepts(|_| ());
    let open: Vec<_> = transcript
        .checks()
        .iter()
        .filter(|check| check.outcome == Outcome::NotChecked)
        .map(|check| (check.name, check.detail.as_str()))
        .collect();
    let names = [
        "chip",
        "launch TCB floor",
        "SEV firmware",
        "minimum ABI",
        "guest SVN",
        "mitigations",
        "family id",
        "image id",
        "report id",
        "migration agent",
        "ID block",
        "key agreement",
        "rebuilders",
    ];
    let mut left = names.map(|name| (name, LEFT_OPEN)).to_vec();
    left.push(("models", LEFT_TO_CONFIGURATION));
    assert_eq!(open, left);

    let unpinned = accepts(|case| case.policy.configuration.sha256 = Some(unchecked()));
    let why = left_out(&unpinned, "models");
    assert_eq!(why.as_deref(), Some(PINNED_BY_NOTHING));
}

#[test]
fn lists_that_anyone_could_have_signed_the_release_of_the_policy() {
    let release = |root, development: Option<&str>| ReleasePolicy {
        name: "v1.2.3".to_owned(),
        root,
        development: development.map(str::to_owned),
        max_endorsement_age: None,
    };
    let named = accepts(|case| {
        case.policy.release = Some(release(DEVELOPMENT_ROOT, Some("a test")));
    });
    let mut checks = named.checks().iter();
    let check = checks.find(|it| it.name == RELEASE_KEY).expect("told");
    assert_eq!(
        (check.step, check.outcome, check.detail.as_str()),
        (
            "policy-14",
            Outcome::NotChecked,
            "development key: anyone can sign (a test)"
        )
    );
    let other = accepts(|case| case.policy.release = Some(release(Hex([1; 32]), None)));
    assert_eq!(left_out(&other, "endorsement").as_deref(), Some(LEFT_OPEN));
    assert!(other.checks().iter().all(|it| it.step != "policy-14"));
}

#[test]
fn refuses_a_simulated_root_that_the_policy_does_not_name() {
    let root = genuine().root;
    refuses(
        |case| case.genuine.simulated = true,
        Rejection::SimulatedRootRefused {
            root: root.to_string(),
        },
    );
    accepts(|case| {
        case.genuine.simulated = true;
        case.policy.simulation = vec![root.0];
    });
}

/// A bundle contains no quote of a virtual TPM.
#[test]
fn refuses_a_bundle_where_a_pcr_is_wanted() {
    refuses(
        |case| case.snp().pcrs = [(4, vec![[8; 32]])].into(),
        Rejection::VtpmPcrUnquoted { index: 4 },
    );
}

#[test]
fn refuses_report_version_2_unless_listed() {
    refuses(
        |case| case.genuine.report.version = 2,
        Rejection::ReportVersionRefused { found: 2 },
    );
    accepts(|case| {
        case.genuine.report.version = 2;
        case.snp().versions = Expect::AnyOf(vec![2]);
    });
}

#[test]
fn refuses_another_product_line() {
    let milan = Expect::AnyOf(vec![Product::Milan]);
    refuses(
        |case| case.snp().products = milan,
        Rejection::ProductRefused {
            found: Product::Genoa,
        },
    );
}

#[test]
fn refuses_a_chip_that_is_not_listed() {
    refuses(
        |case| case.snp().chips = Some(Expect::AnyOf(vec![[9; 64]])),
        Rejection::ChipUnknown {
            found: Hex([7; 64]),
        },
    );
    accepts(|case| case.snp().chips = Some(Expect::AnyOf(vec![[9; 64], [7; 64]])));
}

#[test]
fn refuses_a_masked_chip_without_a_reason() {
    refuses(
        |case| case.genuine.chip_compared = false,
        Rejection::ChipMasked,
    );
    accepts(|case| {
        case.genuine.chip_compared = false;
        case.snp().masked_chip = Some("a provider's key".to_owned());
    });
}

#[test]
fn refuses_unchecked_revocation_without_a_reason() {
    refuses(
        |case| case.genuine.validity.revocation_until = None,
        Rejection::RevocationUnchecked,
    );
    let transcript = accepts(|case| {
        case.genuine.validity.revocation_until = None;
        case.snp().revocation_unchecked = Some("offline".to_owned());
    });
    let told = transcript
        .checks()
        .iter()
        .find(|check| check.name == "revocation")
        .expect("told");
    assert_eq!(
        (told.outcome, told.detail.as_str()),
        (Outcome::NotChecked, "offline")
    );
}

#[test]
fn refuses_any_component_below_the_floor() {
    let floor = |change: fn(&mut Tcb)| {
        let mut floor = TCB;
        change(&mut floor);
        floor_of(Product::Genoa, floor)
    };
    let below = |component, found, floor| Rejection::TcbBelowFloor {
        which: "reported",
        component,
        found,
        floor,
    };
    let bootloader = floor(|tcb| tcb.bootloader = 11);
    refuses(
        |case| case.snp().minimum_tcb = bootloader,
        below("bootloader", 10, 11),
    );
    let tee = floor(|tcb| tcb.tee = 1);
    refuses(|case| case.snp().minimum_tcb = tee, below("tee", 0, 1));
    let snp = floor(|tcb| tcb.snp = 24);
    refuses(|case| case.snp().minimum_tcb = snp, below("snp", 23, 24));
    let microcode = floor(|tcb| tcb.microcode = 85);
    refuses(
        |case| case.snp().minimum_tcb = microcode,
        below("microcode", 84, 85),
    );
}

#[test]
fn refuses_a_product_line_without_a_floor() {
    refuses(
        |case| case.snp().minimum_tcb = floor_of(Product::Milan, TCB),
        Rejection::ProductRefused {
            found: Product::Genoa,
        },
    );
    accepts(|case| case.snp().minimum_tcb = floor_of(Product::Genoa, TCB));
}

#[test]
fn refuses_a_launch_level_below_its_floor() {
    refuses(
        |case| case.snp().minimum_launch_tcb = Some(floor_of(Product::Genoa, TCB)),
        Rejection::TcbBelowFloor {
            which: "launch",
            component: "bootloader",
            found: 0,
            floor: 10,
        },
    );
}

#[test]
fn refuses_older_and_uncommitted_firmware() {
    let floor = Firmware {
        build: 41,
        ..FIRMWARE
    };
    refuses(
        |case| case.snp().minimum_firmware = Some(floor),
        Rejection::FirmwareBelowFloor {
            found: FIRMWARE,
            floor,
        },
    );
    let older = Firmware {
        build: 39,
        ..FIRMWARE
    };
    refuses(
        |case| case.genuine.report.committed_firmware = older,
        Rejection::FirmwareProvisional,
    );
    refuses(
        |case| case.genuine.levels.current.snp = 24,
        Rejection::FirmwareProvisional,
    );
    let transcript = accepts(|case| {
        case.genuine.report.committed_firmware = older;
        case.snp().provisional_firmware = true;
    });
    assert_eq!(
        left_out(&transcript, "committed firmware"),
        Some(ALLOWED.to_owned())
    );
    let transcript = accepts(|case| case.snp().provisional_firmware = true);
    assert_eq!(left_out(&transcript, "committed firmware"), None);
}

/// A host between an update and its commit: it runs what it reports, and can still go back to what it has committed.
fn uncommitted(case: &mut Case) {
    case.genuine.levels.committed.snp = 22;
    case.snp().provisional_firmware = true;
}

#[test]
fn refuses_a_host_that_may_go_back_below_the_floor() {
    let below = |floor| Rejection::TcbBelowFloor {
        which: "committed",
        component: "snp",
        found: 22,
        floor,
    };
    refuses(uncommitted, below(23));
    let own = |snp| Some(floor_of(Product::Genoa, Tcb { snp, ..TCB }));
    accepts(|case| {
        uncommitted(case);
        case.snp().minimum_committed_tcb = own(22);
    });
    refuses(
        |case| {
            uncommitted(case);
            case.genuine.levels.reported.snp = 25;
            case.genuine.levels.current.snp = 25;
            case.snp().minimum_committed_tcb = own(24);
        },
        below(24),
    );
    let transcript = accepts(|case| {
        uncommitted(case);
        case.snp().minimum_tcb = Floor::Unchecked {
            why: "a test".to_owned(),
        };
    });
    for floor in ["TCB floor", "committed TCB floor"] {
        assert_eq!(left_out(&transcript, floor), Some("a test".to_owned()));
    }
}

/// A machine of a broken product line, and a policy for it that does not mention that.
fn broken(case: &mut Case) {
    case.genuine.product = Product::Milan;
    let snp = case.snp();
    snp.minimum_tcb = floor_of(Product::Milan, TCB);
    snp.products = Expect::AnyOf(vec![Product::Milan]);
}

#[test]
fn refuses_a_broken_product_line_without_a_reason() {
    let known = broken::of(Product::Milan).expect("known");
    let refused = || Rejection::ProductBroken { broken: known };
    refuses(broken, refused());
    // This is reported before the hint that the policy could list the line.
    refuses(|case| case.genuine.product = Product::Milan, refused());
    let transcript = accepts(|case| {
        broken(case);
        let why = "our own machine".to_owned();
        case.snp().broken = [(Product::Milan, why)].into();
    });
    let told = left_out(&transcript, "soundness").expect("told");
    assert_eq!(told, format!("our own machine. {known}"));
    assert!(told.contains("2605.12990"), "{told}");
    // Accepting one line does not accept another.
    refuses(
        |case| {
            broken(case);
            case.snp().broken = [(Product::Turin, "another".to_owned())].into();
        },
        refused(),
    );
}

/// What comes of it without a policy.
fn without_policy(genuine: &Genuine, accepted: &Accepted) -> Result<(), Rejection> {
    let mut inspection = Inspection::new(Patience::First);
    snp::wanted::without_policy(genuine, None, accepted, &mut inspection);
    let judged = inspection.finish(Ok(()));
    judged.map(drop).map_err(|refusal| refusal.rejection)
}

#[test]
fn without_a_policy_a_broken_product_line_is_not_genuine() {
    let mut genuine = genuine();
    genuine.product = Product::Milan;
    let broken = broken::of(Product::Milan).expect("known");
    let refused = Rejection::ProductBroken { broken };
    assert_eq!(without_policy(&genuine, &Accepted::new()), Err(refused));
    let accepted = [(Product::Milan, "a test".to_owned())].into();
    assert_eq!(without_policy(&genuine, &accepted), Ok(()));
}

#[test]
fn without_a_policy_memory_that_the_host_may_read_or_move_is_not_private() {
    for (bit, refused) in [
        (18, Rejection::MigrationAllowed),
        (19, Rejection::DebugAllowed),
    ] {
        let mut genuine = genuine();
        genuine.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << bit);
        assert_eq!(without_policy(&genuine, &Accepted::new()), Err(refused));
    }
}

/// A guest and a platform with everything that defaults refuse, and a policy that accepts it.
fn everything(case: &mut Case) {
    case.genuine.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 0b1011 << 18);
    // Trusted I/O, no alias check, and an unknown bit.
    case.genuine.report.platform_info = PlatformInfo(1 << 7 | 1 << 8);
    let snp = case.snp();
    [snp.debug, snp.migration, snp.cxl] = [true; 3];
    snp.platform.trusted_io = true;
    snp.platform.alias_check = false;
    snp.platform.unknown_bits = 1 << 8;
}

#[test]
fn what_the_policy_allows_is_told_where_it_is_there() {
    let told = |change: fn(&mut Case)| {
        let transcript = accepts(change);
        let told = transcript.checks().iter();
        let told = told.filter(|check| check.detail == ALLOWED);
        told.map(|check| check.name).collect::<Vec<_>>()
    };
    let all = [
        "debugging",
        "migration",
        "CXL memory",
        "trusted I/O",
        "alias check",
        "unknown platform bits",
    ];
    assert_eq!(told(everything), all);
    // What is allowed but absent is not reported.
    let nothing: fn(&mut Case) = |case| {
        everything(case);
        case.genuine.report.policy = report().policy;
        case.genuine.report.platform_info = report().platform_info;
    };
    assert_eq!(told(nothing), [""; 0]);
}

#[test]
fn refuses_a_debug_guest_and_a_migratable_one() {
    let with = |bit: u32| GuestPolicy(GuestPolicy::STRICT.0 | 1 << bit);
    refuses(
        |case| case.genuine.report.policy = with(19),
        Rejection::DebugAllowed,
    );
    refuses(
        |case| case.genuine.report.policy = with(18),
        Rejection::MigrationAllowed,
    );
    refuses(
        |case| case.genuine.report.policy = with(21),
        Rejection::GuestPolicyTooWide { bit: "CXL" },
    );
    refuses(
        |case| case.snp().smt = false,
        Rejection::GuestPolicyTooWide { bit: "SMT" },
    );
    accepts(|case| {
        case.genuine.report.policy = with(19);
        case.snp().debug = true;
    });
}

#[test]
fn refuses_a_guest_that_does_not_ask_for_what_the_policy_wants() {
    let lacks = |bit| Rejection::GuestPolicyLacks { bit };
    refuses(
        |case| case.snp().single_socket = true,
        lacks("a single socket"),
    );
    refuses(|case| case.snp().aes_256_xts = true, lacks("AES-256-XTS"));
    refuses(
        |case| case.snp().rapl_off = true,
        lacks("power readings off"),
    );
    refuses(
        |case| case.snp().ciphertext_hiding = true,
        lacks("ciphertext hiding"),
    );
    refuses(
        |case| case.snp().page_swap_off = true,
        lacks("no page swapping"),
    );
    accepts(|case| {
        case.snp().single_socket = true;
        case.genuine.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << 20);
    });
}

#[test]
fn refuses_a_lower_interface_than_the_policy_wants() {
    refuses(
        |case| case.snp().minimum_abi = Some((1, 55)),
        Rejection::AbiBelowFloor {
            found: "0.0".to_owned(),
            floor: "1.55".to_owned(),
        },
    );
    accepts(|case| {
        case.snp().minimum_abi = Some((1, 55));
        case.genuine.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 0x0137);
    });
}

#[test]
fn refuses_a_platform_that_is_set_up_otherwise() {
    let too_wide = |bit| Rejection::PlatformTooWide { bit };
    let lacks = |bit| Rejection::PlatformLacks { bit };
    refuses(|case| case.snp().platform.smt = false, too_wide("SMT"));
    refuses(
        |case| {
            case.genuine.report.platform_info = PlatformInfo(0x27);
            case.snp().platform.tsme = false;
        },
        too_wide("TSME"),
    );
    refuses(
        |case| case.genuine.report.platform_info = PlatformInfo(0xA5),
        too_wide("trusted I/O"),
    );
    refuses(
        |case| case.genuine.report.platform_info = PlatformInfo(0x05),
        lacks("the memory alias check"),
    );
    refuses(
        |case| {
            case.genuine.report.platform_info = PlatformInfo(0x21);
            case.snp().platform.ecc = true;
        },
        lacks("memory with error correction"),
    );
    refuses(
        |case| case.snp().platform.rapl_off = true,
        lacks("power readings off"),
    );
    refuses(
        |case| case.snp().platform.ciphertext_hiding = true,
        lacks("ciphertext hiding"),
    );
    refuses(
        |case| {
            case.genuine.report.platform_info = PlatformInfo(0x1_0125);
            case.snp().platform.unknown_bits = 0x100;
        },
        Rejection::PlatformUnknown { bits: 0x1_0000 },
    );
    accepts(|case| {
        case.genuine.report.platform_info = PlatformInfo(0x125);
        case.snp().platform.unknown_bits = 0x100;
    });
    // Turin machines set bit 6, which older documents call reserved.
    accepts(|case| case.genuine.report.platform_info = PlatformInfo(0x65));
}

#[test]
fn without_a_policy_unknown_bits_of_the_platform_are_told() {
    let mut genuine = genuine();
    genuine.report.platform_info = PlatformInfo(0x125);
    let mut inspection = Inspection::new(Patience::First);
    snp::wanted::without_policy(&genuine, None, &Accepted::new(), &mut inspection);
    let ((), transcript) = inspection.finish(Ok(())).expect("genuine");
    let mut checks = transcript.checks().iter();
    let told = checks.find(|check| check.step == "policy-5").expect("told");
    assert_eq!(told.outcome, Outcome::NotChecked);
    assert!(told.detail.contains("0x100"), "{}", told.detail);
}

#[test]
fn refuses_another_level_and_an_older_guest() {
    refuses(
        |case| case.genuine.report.vmpl = 1,
        Rejection::VmplRefused { found: 1 },
    );
    refuses(
        |case| case.genuine.report.vmpl = HOST_VMPL,
        Rejection::VmplRefused { found: u32::MAX },
    );
    refuses(
        |case| case.snp().minimum_guest_svn = 3,
        Rejection::GuestSvnBelowFloor { found: 2, floor: 3 },
    );
}

#[test]
fn refuses_missing_mitigations_at_launch_and_now() {
    let missing = Rejection::MitigationMissing { required: 3 };
    refuses(|case| case.snp().mitigations = 3, missing.clone());
    for (launch, current) in [(1, 3), (3, 1)] {
        refuses(
            |case| {
                case.snp().mitigations = 3;
                case.genuine.report.mitigations = Some(Mitigations { launch, current });
            },
            missing.clone(),
        );
    }
    accepts(|case| {
        case.snp().mitigations = 3;
        case.genuine.report.mitigations = Some(Mitigations {
            launch: 7,
            current: 3,
        });
    });
}

#[test]
fn refuses_another_image() {
    refuses(
        |case| case.genuine.report.launch_digest = [0; 48],
        Rejection::LaunchDigestUnknown {
            found: Hex([0; 48]),
        },
    );
    accepts(|case| {
        case.genuine.report.launch_digest = [0; 48];
        case.snp().launch_digest = unchecked();
    });
}

#[test]
fn refuses_pins_that_do_not_match() {
    let unknown = |field, found: &[u8]| Rejection::PinUnknown {
        field,
        found: hex::encode(found),
    };
    let pins = &mut |case: &mut Case| case.snp().family_id = Some(Expect::AnyOf(vec![[0; 16]]));
    refuses(pins, unknown("family id", &[1; 16]));
    let pins = |case: &mut Case| case.snp().image_id = Some(Expect::AnyOf(vec![[0; 16]]));
    refuses(pins, unknown("image id", &[2; 16]));
    let pins = |case: &mut Case| case.snp().report_id = Some(Expect::AnyOf(vec![[0; 32]]));
    refuses(pins, unknown("report id", &[6; 32]));
    let pins = |case: &mut Case| case.snp().report_id_ma = Some(Expect::AnyOf(vec![[0; 32]]));
    refuses(pins, unknown("migration agent", &[0xFF; 32]));
}

#[test]
fn an_author_key_counts_only_where_the_report_says_so() {
    let author = |case: &mut Case| case.snp().author_keys = vec![[5; 48]];
    refuses(author, Rejection::IdBlockUnknown);
    refuses(
        |case| {
            case.snp().author_keys = vec![[0; 48]];
            case.genuine.report.key_info.author_key_enabled = true;
        },
        Rejection::IdBlockUnknown,
    );
    accepts(|case| {
        author(case);
        case.genuine.report.key_info.author_key_enabled = true;
    });
    refuses(
        |case| case.snp().id_keys = vec![[0; 48]],
        Rejection::IdBlockUnknown,
    );
    accepts(|case| case.snp().id_keys = vec![[4; 48]]);
}

#[test]
fn refuses_another_configuration() {
    refuses(
        |case| case.claims.configuration = [9; 32],
        Rejection::ConfigurationUnknown {
            found: "09".repeat(32),
        },
    );
}

#[test]
fn refuses_a_model_that_did_not_give_the_known_answer() {
    refuses(
        |case| case.claims.known_answer = false,
        Rejection::KnownAnswerFailed,
    );
}

/// Who has the model's key is asked before the model starts. All else is required as of a client.
#[test]
fn a_key_server_waits_for_no_known_answer_and_for_nothing_else() {
    let asks = |case: &mut Case| {
        case.session = Session::Keys {
            nonce: [0; 32],
            exporter: [0; 32],
        };
        case.claims.known_answer = false;
    };
    let transcript = accepts(asks);
    let mut checks = transcript.checks().iter();
    let check = checks.find(|it| it.name == "known answer").expect("listed");
    assert_eq!(check.outcome, Outcome::NotChecked);
    refuses(
        |case| {
            asks(case);
            case.claims.configuration = [9; 32];
        },
        Rejection::ConfigurationUnknown {
            found: "09".repeat(32),
        },
    );
    refuses(
        |case| {
            asks(case);
            case.policy.key_agreement = Some(AgreementPolicy::PostQuantum);
        },
        Rejection::KeyAgreementWeak {
            found: "unknown".to_owned(),
        },
    );
}

#[test]
fn refuses_models_that_the_policy_does_not_list() {
    let listed = |weights| ModelsPolicy {
        listed: vec![ModelPolicy {
            name: "smollm2".to_owned(),
            weights: Some(weights),
            ..ModelPolicy::default()
        }],
        others: None,
    };
    accepts(|case| case.policy.models = Some(listed([4; 32])));
    refuses(
        |case| case.policy.models = Some(listed([9; 32])),
        Rejection::ModelMismatch {
            name: "smollm2".to_owned(),
            field: "weights",
            found: "04".repeat(32),
        },
    );
}

#[test]
fn refuses_a_platform_without_a_section_in_the_policy() {
    refuses(
        |case| case.policy.snp = None,
        Rejection::PlatformUnwanted {
            found: "AMD SEV-SNP",
            section: "snp",
        },
    );
}

#[test]
fn refuses_any_configuration_where_the_policy_has_none_for_the_platform() {
    refuses(
        |case| case.policy.configuration.sha256 = None,
        Rejection::ConfigurationUnknown {
            found: "01".repeat(32),
        },
    );
}

#[test]
fn refuses_a_machine_without_the_wanted_gpus() {
    let wants = |count| {
        let proof = Proof::complete();
        let wanted = Wanted {
            count,
            ..Wanted::any("a test")
        };
        Some(GpuPolicy { proof, wanted })
    };
    refuses(
        |case| case.policy.gpu = wants(Expect::AnyOf(vec![1])),
        Rejection::GpuCountMismatch {
            found: 0,
            wanted: 1,
        },
    );
    refuses(
        |case| case.policy.gpu = wants(unchecked()),
        Rejection::GpuEvidenceMissing,
    );
    accepts(|case| case.policy.gpu = wants(Expect::AnyOf(vec![0, 1])));
}

#[test]
fn refuses_a_gpu_where_none_is_wanted() {
    refuses(|case| case.gpus = 2, Rejection::GpuUnexpected { found: 2 });
}

#[test]
fn refuses_evidence_of_boot_without_a_reason() {
    refuses(
        |case| case.session = Session::Boot,
        Rejection::FreshnessUnchecked,
    );
    accepts(|case| {
        case.session = Session::Boot;
        case.policy.freshness_unchecked = Some("a saved certificate".to_owned());
    });
}

#[test]
fn refuses_a_key_agreement_that_will_not_last() {
    let wanted = |case: &mut Case, agreement| {
        case.policy.key_agreement = Some(AgreementPolicy::PostQuantum);
        case.agreement = agreement;
    };
    let weak = |found: &str| Rejection::KeyAgreementWeak {
        found: found.to_owned(),
    };
    let classical = Some(KeyAgreement::X25519);
    refuses(|case| wanted(case, classical), weak("x25519"));
    refuses(|case| wanted(case, None), weak("unknown"));
    accepts(|case| wanted(case, Some(KeyAgreement::X25519MlKem768)));
    let outcome = |change: &dyn Fn(&mut Case)| {
        let transcript = accepts(change);
        let mut checks = transcript.checks().iter();
        let check = checks.find(|it| it.name == "key agreement");
        let check = check.expect("listed");
        (check.outcome, check.detail.clone())
    };
    let open = |why: &str| (Outcome::NotChecked, why.to_owned());
    assert_eq!(
        outcome(&|case| {
            wanted(case, classical);
            case.policy.key_agreement = Some(AgreementPolicy::Any);
        }),
        open("the policy accepts any")
    );
    assert_eq!(outcome(&|case| case.agreement = classical), open(LEFT_OPEN));
    // A file had no connection; but a connection that rests on evidence of boot has keys.
    let kept = |agreement| {
        move |case: &mut Case| {
            wanted(case, agreement);
            case.session = Session::Boot;
            case.policy.freshness_unchecked = Some("a saved certificate".to_owned());
        }
    };
    assert_eq!(outcome(&kept(None)), open("no connection was seen"));
    refuses(kept(classical), weak("x25519"));
    accepts(kept(Some(KeyAgreement::XWing)));
}

#[test]
fn an_image_must_be_confirmed_by_as_many_rebuilders_as_the_policy_wants() {
    let [one, two] = [Signer::new(1), Signer::new(2)];
    let two_of_two = |case: &mut Case| {
        case.policy.rebuilders = Some(Rebuilders {
            keys: vec![one.key(), two.key()],
            at_least: 2,
        });
    };
    let too_few = |found| Rejection::RebuildersTooFew {
        found,
        wanted: 2,
        measured: format!("launch digest {}", "03".repeat(48)),
    };
    refuses(two_of_two, too_few(0));
    refuses(
        |case| {
            two_of_two(case);
            case.statements = vec![rebuild(&one, 3), rebuild(&two, 4)];
        },
        too_few(1),
    );
    let transcript = accepts(|case| {
        two_of_two(case);
        case.statements = vec![rebuild(&one, 3), rebuild(&two, 3)];
    });
    let mut checks = transcript.checks().iter();
    let check = checks.find(|it| it.step == "policy-13").expect("checked");
    assert_eq!(check.detail, "2 of 2 confirm the image");
}

#[test]
fn an_image_must_be_endorsed_if_the_policy_says_how_lately() {
    let (root, statements) = stapled(3);
    let wanted = |case: &mut Case| {
        case.policy.release = Some(ReleasePolicy {
            name: "v1.2.3".to_owned(),
            root,
            development: None,
            max_endorsement_age: Some(7 * 86_400),
        });
    };
    refuses(
        wanted,
        Rejection::EndorsementMissing {
            what: format!("the statement of root {root}"),
        },
    );
    let transcript = accepts(|case| {
        wanted(case);
        case.statements.clone_from(&statements);
    });
    let mut checks = transcript.checks().iter();
    let check = checks.find(|it| it.step == "policy-17").expect("checked");
    assert_eq!(
        (check.outcome, check.detail.as_str()),
        (
            Outcome::Passed,
            "of 2027-01-12 08:00 UTC, until 2027-01-19 08:00 UTC"
        )
    );
}

/// What is trusted ends when the endorsement does.
#[test]
fn trust_ends_with_the_endorsement() {
    let (root, statements) = stapled(3);
    let mut inspection = Inspection::new(Patience::First);
    let release = ReleasePolicy {
        name: "v1.2.3".to_owned(),
        root,
        development: None,
        max_endorsement_age: Some(7 * 86_400),
    };
    let measured = Measured::Snp {
        launch_digest: Hex([3; 48]),
    };
    let until = endorsement(
        Some(&release),
        (&statements, NOW),
        &measured,
        &mut inspection,
    );
    assert_eq!(until, Time(NOW.0 + 4 * 86_400));
    let silent = endorsement(None, (&statements, NOW), &measured, &mut inspection);
    assert_eq!(silent, NEVER);
}
