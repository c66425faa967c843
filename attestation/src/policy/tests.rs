//! Valid policies, and each way to be invalid with the message that says how to fix it.

use super::*;
use crate::{
    encoding::digest::{Hex, sha256, sha384},
    release::MachineEvent,
    roots::Roots,
    snp::{PlatformPolicy, firmware::Firmware, floor::Floor, product::Product, tcb::Tcb},
    tdx::policy::{BootEvent, Evaluation},
};

const LAUNCH_DIGEST: &str = "launch_digest = [\"111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111\"]";
const MINIMUM_TCB: &str =
    "minimum_tcb.genoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }";
const LEVELS: Tcb = Tcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 23,
    microcode: 84,
};
const CONFIGURATION: &str = "[configuration]\nsha256 = [\"2222222222222222222222222222222222222222222222222222222222222222\"]";

/// The minimal policy, with these lines in `[snp]` and these at the end.
fn with(snp: &str, end: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&format!(
        "version = 1\n[snp]\n{LAUNCH_DIGEST}\n{MINIMUM_TCB}\n{snp}\n{CONFIGURATION}\n{end}\n"
    ))
}

/// The minimal policy with other floors.
fn floored(floors: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&format!(
        "version = 1\n[snp]\n{LAUNCH_DIGEST}\n{floors}\n{CONFIGURATION}\n"
    ))
}

fn floor(floors: impl IntoIterator<Item = (Product, Tcb)>) -> Floor {
    Floor::each(floors).expect("a floor")
}

fn snp(snp: &str) -> SnpPolicy {
    let policy = with(snp, "").expect("a policy");
    policy.snp.expect("its [snp]")
}

#[track_caller]
fn wrong(policy: Result<Policy, PolicyError>, message: &str) {
    assert_eq!(policy.expect_err("it must be refused").to_string(), message);
}

#[test]
fn what_is_not_set_is_strict() {
    let policy = with("", "").expect("a policy");
    let strict = Policy {
        snp: Some(SnpPolicy {
            launch_digest: Expect::AnyOf(vec![[0x11; 48]]),
            minimum_tcb: floor([(Product::Genoa, LEVELS)]),
            minimum_committed_tcb: None,
            minimum_launch_tcb: None,
            minimum_firmware: None,
            provisional_firmware: false,
            products: Expect::AnyOf(vec![Product::Genoa]),
            broken: [].into(),
            versions: Expect::AnyOf(vec![3, 4, 5]),
            vmpl: Expect::AnyOf(vec![0]),
            debug: false,
            migration: false,
            smt: true,
            cxl: false,
            single_socket: false,
            aes_256_xts: false,
            rapl_off: false,
            ciphertext_hiding: false,
            page_swap_off: false,
            minimum_abi: None,
            platform: PlatformPolicy {
                smt: true,
                tsme: true,
                trusted_io: false,
                ecc: false,
                rapl_off: false,
                ciphertext_hiding: false,
                alias_check: true,
                unknown_bits: 0,
            },
            minimum_guest_svn: 0,
            mitigations: 0,
            id_keys: vec![],
            author_keys: vec![],
            chips: None,
            masked_chip: None,
            revocation_unchecked: None,
            family_id: None,
            image_id: None,
            report_id: None,
            report_id_ma: None,
            pcrs: [].into(),
        }),
        tdx: None,
        gpu: None,
        models: None,
        configuration: ConfigurationPolicy {
            sha256: Some(Expect::AnyOf(vec![[0x22; 32]])),
            sha384: None,
        },
        rebuilders: None,
        release: None,
        freshness_unchecked: None,
        key_agreement: None,
        max_epoch_age: EpochAge::Epochs,
        simulation: vec![],
    };
    assert_eq!(policy, strict);
}

#[test]
fn every_key_is_read() {
    let id = "33".repeat(16);
    let digest = "44".repeat(48);
    let chip = "55".repeat(8);
    let pcr = "66".repeat(32);
    let policy = snp(&format!(
        "minimum_committed_tcb = {{ unchecked = \"an update is being tried\" }}\n\
         minimum_launch_tcb = {{ unchecked = \"booted before the update\" }}\n\
         minimum_firmware = \"1.55.40\"\nprovisional_firmware = true\nproducts = [\"genoa\", \"turin\"]\n\
         broken = {{ milan = {{ unchecked = \"our own machine\" }} }}\n\
         versions = [2]\nvmpl = [0, 1]\ndebug = true\nmigration = true\nsmt = false\ncxl = true\n\
         single_socket = true\naes_256_xts = true\nrapl_off = true\nciphertext_hiding = true\n\
         page_swap_off = true\nminimum_abi = \"1.55\"\nminimum_guest_svn = 0x10009\nmitigations = \"0x3\"\n\
         id_keys = [\"{digest}\"]\nauthor_keys = [\"{digest}\"]\nchips = [\"{chip}\"]\n\
         masked_chip = {{ unchecked = \"a cloud's key\" }}\nrevocation = {{ unchecked = \"offline\" }}\n\
         family_id = [\"{id}\"]\nimage_id = [\"{id}\"]\nreport_id = {{ unchecked = \"why not\" }}\n\
         report_id_ma = {{ unchecked = \"why not\" }}\n\
         pcrs = {{ 4 = [\"{pcr}\"], 23 = [\"{pcr}\", \"{pcr}\"] }}\n\
         platform = {{ smt = false, tsme = false, trusted_io = true, ecc = true, alias_check = false, unknown_bits = \"0x100\" }}"
    ));
    assert_eq!(
        policy.minimum_committed_tcb,
        Some(Floor::Unchecked {
            why: "an update is being tried".to_owned()
        })
    );
    let why = "our own machine".to_owned();
    assert_eq!(policy.broken, [(Product::Milan, why)].into());
    assert_eq!(
        policy.minimum_launch_tcb,
        Some(Floor::Unchecked {
            why: "booted before the update".to_owned()
        })
    );
    assert_eq!(
        policy.minimum_firmware,
        Some(Firmware {
            major: 1,
            minor: 55,
            build: 40
        })
    );
    assert_eq!(
        policy.products,
        Expect::AnyOf(vec![Product::Genoa, Product::Turin])
    );
    assert_eq!(policy.versions, Expect::AnyOf(vec![2]));
    assert_eq!(policy.vmpl, Expect::AnyOf(vec![0, 1]));
    assert_eq!(
        [
            policy.provisional_firmware,
            policy.debug,
            policy.migration,
            policy.smt,
            policy.cxl
        ],
        [true, true, true, false, true]
    );
    assert!(policy.single_socket && policy.aes_256_xts && policy.rapl_off);
    assert!(policy.ciphertext_hiding && policy.page_swap_off);
    assert_eq!(policy.minimum_abi, Some((1, 55)));
    assert_eq!((policy.minimum_guest_svn, policy.mitigations), (0x10009, 3));
    assert_eq!(
        (policy.id_keys, policy.author_keys),
        (vec![[0x44; 48]], vec![[0x44; 48]])
    );
    let mut short = [0; 64];
    short[..8].fill(0x55);
    assert_eq!(policy.chips, Some(Expect::AnyOf(vec![short])));
    assert_eq!(policy.masked_chip.as_deref(), Some("a cloud's key"));
    assert_eq!(policy.revocation_unchecked.as_deref(), Some("offline"));
    assert_eq!(policy.family_id, Some(Expect::AnyOf(vec![[0x33; 16]])));
    assert_eq!(policy.image_id, Some(Expect::AnyOf(vec![[0x33; 16]])));
    assert_eq!(
        policy.report_id,
        Some(Expect::Unchecked {
            why: "why not".to_owned()
        })
    );
    assert_eq!(
        policy.report_id_ma,
        Some(Expect::Unchecked {
            why: "why not".to_owned()
        })
    );
    let pcrs = [(4, vec![[0x66; 32]]), (23, vec![[0x66; 32]; 2])];
    assert_eq!(policy.pcrs, pcrs.into());
    let platform = policy.platform;
    assert_eq!(platform.unknown_bits, 0x100);
    assert!(!platform.smt && !platform.tsme && platform.trusted_io && platform.ecc);
    assert!(!platform.alias_check && !platform.rapl_off && !platform.ciphertext_hiding);
}

#[test]
fn a_floor_for_each_line_names_the_lines() {
    let turin = Tcb {
        fmc: Some(1),
        ..LEVELS
    };
    for floors in [
        "minimum_tcb = { turin = { fmc = 1, bootloader = 10, tee = 0, snp = 23, microcode = 84 } }",
        "minimum_tcb.turin = { fmc = 1, bootloader = 10, tee = 0, snp = 23, microcode = 84 }",
        "products = [\"turin\"]\nminimum_tcb = { fmc = 1, bootloader = 10, tee = 0, snp = 23, microcode = 84 }",
    ] {
        let policy = floored(floors).expect("a policy").snp.expect("[snp]");
        assert_eq!(policy.minimum_tcb, floor([(Product::Turin, turin)]));
        assert_eq!(policy.products, Expect::AnyOf(vec![Product::Turin]));
    }
}

#[test]
fn one_floor_for_several_product_lines_is_refused() {
    let levels = "{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }";
    let each = "must be levels for each product line, as in `minimum_tcb.genoa = { … }`: levels of different lines cannot be compared";
    for floors in [
        format!("minimum_tcb = {levels}"),
        format!("minimum_tcb = {levels}\nproducts = [\"genoa\", \"milan\"]"),
        format!("minimum_tcb = {levels}\nproducts = {{ unchecked = \"why not\" }}"),
        "minimum_tcb = {}".to_owned(),
    ] {
        wrong(
            floored(&floors),
            &format!("policy, line 4: `snp.minimum_tcb` {each}"),
        );
    }
    for key in ["minimum_launch_tcb", "minimum_committed_tcb"] {
        wrong(
            with(&format!("{key} = {levels}"), ""),
            &format!("policy, line 5: `snp.{key}` {each}"),
        );
    }
}

#[test]
fn a_floor_names_every_component_that_the_line_has_and_checks_one_of_them() {
    wrong(
        floored("minimum_tcb.turin = { bootloader = 1, tee = 1, snp = 4, microcode = 81 }"),
        "policy: `snp.minimum_tcb.turin.fmc` is missing; name fmc, with 0 where any level will do: \
         Turin has a management controller, whose level counts too",
    );
    wrong(
        floored(
            "products = [\"turin\"]\nminimum_tcb = { bootloader = 1, tee = 1, snp = 4, microcode = 81 }",
        ),
        "policy: `snp.minimum_tcb.fmc` is missing; name fmc, with 0 where any level will do: \
         Turin has a management controller, whose level counts too",
    );
    wrong(
        floored(
            "minimum_tcb.genoa = { fmc = 1, bootloader = 10, tee = 0, snp = 23, microcode = 84 }",
        ),
        "policy, line 4: `snp.minimum_tcb.genoa.fmc` is unknown; remove it",
    );
    wrong(
        floored("minimum_tcb.gneoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }"),
        "policy, line 4: `snp.minimum_tcb.gneoa` is unknown; did you mean `genoa`?",
    );
    wrong(
        floored("minimum_tcb.genoa = { bootloader = 0, tee = 0, snp = 0, microcode = 0 }"),
        "policy, line 4: `snp.minimum_tcb.genoa` must be above 0 in at least one component; to check no levels at all, write \
         { unchecked = \"why\" } in place of all lines",
    );
}

#[test]
fn only_what_is_broken_is_accepted_as_broken_and_only_with_a_reason() {
    wrong(
        with("broken.milan = true", ""),
        "policy, line 5: `snp.broken.milan` must be { unchecked = \"why\" }, with a reason",
    );
    wrong(
        with("broken.milan = { unchecked = \"\" }", ""),
        "policy, line 5: `snp.broken.milan` must be { unchecked = \"why\" }, with a reason",
    );
    wrong(
        with("broken = { unchecked = \"all\" }", ""),
        "policy, line 5: `snp.broken.unchecked` is unknown; remove it",
    );
    wrong(
        with("broken.genoa = { unchecked = \"in case\" }", ""),
        "policy, line 5: `snp.broken.genoa` must be left out: this product line is not known to be broken",
    );
}

#[test]
fn a_typo_is_named_with_its_line_and_the_nearest_key() {
    wrong(
        with("minimum_tbc = 1", ""),
        "policy, line 5: `snp.minimum_tbc` is unknown; did you mean `minimum_tcb`?",
    );
    wrong(
        with("platform.alias = true", ""),
        "policy, line 5: `snp.platform.alias` is unknown; did you mean `alias_check`?",
    );
    wrong(
        with("", "[simulations]"),
        "policy, line 8: `simulations` is unknown; did you mean `simulation`?",
    );
    wrong(
        with("", "[zebra]"),
        "policy, line 8: `zebra` is unknown; remove it",
    );
    wrong(
        Policy::parse("version = 1\n[snp]\nlaunch_digset = []"),
        "policy, line 3: `snp.launch_digset` is unknown; did you mean `launch_digest`?",
    );
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    wrong(
        Policy::parse(""),
        "policy: `version` is missing; write `version = 1` at the top",
    );
    wrong(
        Policy::parse("version = 1\n[snp]"),
        "policy: `snp.launch_digest` is missing; run `chrysalis measure DIR --platform snp --vcpus N` to compute it from an image",
    );
    wrong(
        Policy::parse(&format!(
            "version = 1\n[snp]\n{LAUNCH_DIGEST}\n{MINIMUM_TCB}"
        )),
        "policy: `configuration.sha256` is missing; set it to the SHA-256 of configuration.toml; `chrysalis policy init` fills it in",
    );
    wrong(
        with("minimum_launch_tcb.genoa = { snp = 1 }", ""),
        "policy: `snp.minimum_launch_tcb.genoa.bootloader` is missing; name bootloader, tee, snp and microcode, with 0 where any level will do",
    );
}

#[test]
fn what_has_another_form_is_named_with_the_right_one() {
    wrong(
        with("vmpl = []", ""),
        "policy, line 5: `snp.vmpl` must be a list with at least one value",
    );
    wrong(
        with("vmpl = 0", ""),
        "policy, line 5: `snp.vmpl` must be a list, or { unchecked = \"why\" }",
    );
    wrong(
        with("vmpl = [4]", ""),
        "policy, line 5: `snp.vmpl` must be a number from 0 to 3",
    );
    wrong(
        with("debug = \"no\"", ""),
        "policy, line 5: `snp.debug` must be true or false",
    );
    wrong(
        with("products = [\"rome\"]", ""),
        "policy, line 5: `snp.products` must be milan, genoa or turin",
    );
    wrong(
        with("chips = [\"aa\"]", ""),
        "policy, line 5: `snp.chips` must be 64 bytes in hex, or 8 on Turin",
    );
    wrong(
        with("mitigations = \"3\"", ""),
        "policy, line 5: `snp.mitigations` must be bits in hex such as \"0x3\"",
    );
    wrong(
        with("minimum_firmware = \"1.55\"", ""),
        "policy, line 5: `snp.minimum_firmware` must be a version such as \"1.55.40\"",
    );
    wrong(
        with("", "[simulation]\nroots = [\"00\"]"),
        "policy, line 9: `simulation.roots` must be a SHA-256 in hex",
    );
    wrong(
        with("", "[gpu]\ncount = 1"),
        "policy: `gpu.minimum_driver` is missing; write the oldest driver that you accept, such as \"550.90.07\"",
    );
    wrong(
        Policy::parse("version = 2"),
        "policy, line 1: `version` must be 1: this verifier supports no other version",
    );
    wrong(
        with("", "[tdx]\nmrtd = []"),
        "policy: `configuration.sha384` is missing; set it to the SHA-384 of configuration.toml; `sha384sum` prints it",
    );
    wrong(
        Policy::parse("version = 1"),
        "policy: `snp` is missing; write [snp], [tdx] or both; `chrysalis policy init` prints a policy to start from",
    );
}

#[test]
fn nothing_is_unchecked_without_a_reason() {
    let message = "policy, line 5: `snp.revocation` must be { unchecked = \"why\" }, with a reason";
    wrong(with("revocation = { unchecked = \" \" }", ""), message);
    wrong(with("revocation = {}", ""), message);
    wrong(with("revocation = false", ""), message);
    wrong(
        with("revocation = { uncheked = \"why\" }", ""),
        "policy, line 5: `snp.revocation.uncheked` is unknown; did you mean `unchecked`?",
    );
}

#[test]
fn text_that_is_not_toml_is_named_with_its_line() {
    let error = Policy::parse("version = 1\n[snp\n").expect_err("not TOML");
    assert_eq!(error.line, Some(2));
    assert!(matches!(error.problem, Problem::Syntax(_)));
    let twice = Policy::parse("version = 1\nversion = 1\n").expect_err("a key twice");
    assert_eq!(twice.line, Some(2));
}

#[test]
fn the_key_agreement_is_one_of_two_words() {
    for (text, agreement) in [
        ("post-quantum", AgreementPolicy::PostQuantum),
        ("any", AgreementPolicy::Any),
    ] {
        let policy = with("", &format!("[session]\nkey_agreement = \"{text}\"\n"));
        assert_eq!(policy.expect("a policy").key_agreement, Some(agreement));
    }
    let other = with("", "[session]\nkey_agreement = \"strong\"\n").expect_err("refused");
    assert_eq!(other.key, "session.key_agreement");
    let expected = "\"post-quantum\" or \"any\"";
    assert_eq!(other.problem, Problem::Wrong { expected });
}

#[test]
fn a_template_is_a_policy_for_exactly_that() {
    let template = Template {
        title: "A release\nof two lines",
        configuration: b"model",
        snp: Some(SnpTemplate {
            launch_digest: vec![[0x11; 48]],
            minimum_tcb: floor([(Product::Genoa, LEVELS)]),
        }),
        ..Template::default()
    };
    let mut expected = with("", "").expect("a policy");
    expected.configuration.sha256 = Some(Expect::AnyOf(vec![sha256(&[b"model"])]));
    expected.key_agreement = Some(AgreementPolicy::PostQuantum);
    assert_eq!(Policy::parse(&Policy::template(&template)), Ok(expected));

    let everything = Template {
        tdx: Some(TdxTemplate {
            mrtd: [1; 48],
            rtmr0: vec![
                MachineEvent {
                    name: "memory map".to_owned(),
                    digest: None,
                },
                MachineEvent {
                    name: "separator".to_owned(),
                    digest: Some(Hex([2; 48])),
                },
            ],
            rtmr1: [3; 48],
            rtmr2: [4; 48],
            minimum_evaluation: Evaluation::AtLeast(19),
            acpi_unchecked: None,
        }),
        gpu: Some(GpuTemplate {
            count: 8,
            minimum_driver: "550.90.07",
        }),
        models: vec![
            ModelPolicy {
                name: "smollm2".to_owned(),
                kind: Some("chat".to_owned()),
                weights: Some([1; 32]),
                disk: Some([2; 32]),
                tokenizer: Some([3; 32]),
                template: Some([4; 32]),
                engine_disk: Some([5; 32]),
            },
            ModelPolicy {
                name: "a-\"model\"".to_owned(),
                ..ModelPolicy::default()
            },
        ],
        simulated_roots: vec![[0x33; 32], [0x44; 32]],
        revocation_unchecked: Some("the \"vendor\" is simulated"),
        ..template
    };
    let policy = Policy::parse(&Policy::template(&everything)).expect("a policy");
    let models = policy.models.expect("[[model]]");
    assert_eq!((models.listed, models.others), (everything.models, None));
    assert_eq!(policy.simulation, [[0x33; 32], [0x44; 32]]);
    let snp = policy.snp.expect("[snp]");
    let why = snp.revocation_unchecked.as_deref();
    assert_eq!(why, Some("the \"vendor\" is simulated"));
    let tdx = policy.tdx.expect("[tdx]");
    let configuration = Expect::AnyOf(vec![sha384(&[b"model"])]);
    assert_eq!(tdx.mrconfigid, configuration);
    assert_eq!(policy.configuration.sha384, Some(configuration));
    assert_eq!(tdx.rtmr[2], Expect::AnyOf(vec![[4; 48]]));
    let why = "memory map".to_owned();
    let events = vec![BootEvent::Varies { why }, BootEvent::Measured(Hex([2; 48]))];
    assert_eq!(tdx.rtmr0_events, Some(events));
    let gpu = policy.gpu.expect("[gpu]");
    assert_eq!(gpu.wanted.count, Expect::AnyOf(vec![8]));
}

#[test]
fn a_template_has_room_for_several_machines_and_for_what_nobody_knows_yet() {
    let tcb = |snp| Tcb {
        snp,
        ..Tcb::default()
    };
    let each = || floor([(Product::Milan, tcb(1)), (Product::Genoa, tcb(2))]);
    let template = Template {
        configuration: b"model",
        snp: Some(SnpTemplate {
            launch_digest: vec![[1; 48], [2; 48]],
            minimum_tcb: each(),
        }),
        tdx: Some(TdxTemplate {
            mrtd: [1; 48],
            rtmr0: vec![MachineEvent {
                name: "memory map".to_owned(),
                digest: None,
            }],
            rtmr1: [3; 48],
            rtmr2: [4; 48],
            minimum_evaluation: Evaluation::Unchecked {
                why: "a \"test\"".to_owned(),
            },
            acpi_unchecked: None,
        }),
        ..Template::default()
    };
    let policy = Policy::parse(&Policy::template(&template)).expect("a policy");
    let snp = policy.snp.expect("[snp]");
    assert_eq!(snp.launch_digest, Expect::AnyOf(vec![[1; 48], [2; 48]]));
    assert_eq!(snp.minimum_tcb, each());
    let tdx = policy.tdx.expect("[tdx]");
    assert!(matches!(tdx.rtmr[0], Expect::Unchecked { .. }));
    let why = "a \"test\"".to_owned();
    assert_eq!(tdx.minimum_evaluation, Evaluation::Unchecked { why });
    assert_eq!(tdx.rtmr[1], Expect::AnyOf(vec![[3; 48]]));
}

/// What the host tells the kernel about the machine is either pinned or left open for a stated reason: a template invents none.
#[test]
fn a_template_without_the_digests_of_acpi_tables_needs_a_reason() {
    let digest = |digest| MachineEvent {
        name: "ACPI tables".to_owned(),
        digest,
    };
    let template = |event, why: Option<&str>| {
        let template = Template {
            configuration: b"model",
            tdx: Some(TdxTemplate {
                mrtd: [1; 48],
                rtmr0: vec![event],
                rtmr1: [3; 48],
                rtmr2: [4; 48],
                minimum_evaluation: Evaluation::AtLeast(19),
                acpi_unchecked: why.map(str::to_owned),
            }),
            ..Template::default()
        };
        let policy = Policy::parse(&Policy::template(&template))?;
        Ok::<_, PolicyError>(policy.tdx.expect("[tdx]").rtmr0_events)
    };
    assert!(template(digest(None), None).is_err());
    let why = "any ACPI tables: a \"test\"".to_owned();
    let events = template(digest(None), Some("a \"test\"")).expect("a reason");
    assert_eq!(events, Some(vec![BootEvent::Varies { why }]));
    let events = template(digest(Some(Hex([2; 48]))), None).expect("a digest");
    assert_eq!(events, Some(vec![BootEvent::Measured(Hex([2; 48]))]));
}

#[test]
fn no_simulation_is_accepted_by_default() {
    let policy = with("", "").expect("a policy");
    assert!(!policy.roots().amd.name_a_simulation());
    assert!(!Roots::vendors().amd.name_a_simulation());
    let root = "[simulation]\nroots = [\"2222222222222222222222222222222222222222222222222222222222222222\"]";
    assert!(
        with("", root)
            .expect("a policy")
            .roots()
            .amd
            .name_a_simulation()
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*", key in "[a-z_.]{1,20}", value in "[\\[\\]{}=\"0-9a-z, ]{0,40}") {
        let _ = Policy::parse(&text);
        let _ = with(&format!("{key} = {value}"), &text);
    }
}

#[test]
fn reads_the_gpus_of_a_configuration_whatever_else_it_says() {
    let configuration = "version = 7\n[model]\nname = \"m\"\n";
    assert_eq!(Policy::gpu_of_configuration(configuration), Ok(None));
    let with = |line: &str| format!("{configuration}[gpu]\nminimum_driver = \"550.54\"\n{line}\n");
    let policy = Policy::gpu_of_configuration(&with("count = [2]")).expect("a policy");
    assert_eq!(policy.expect("GPUs").wanted.count, Expect::AnyOf(vec![2]));
    let misspelt = Policy::gpu_of_configuration(&with("cuont = [2]")).expect_err("a typo");
    assert!(misspelt.to_string().contains("count"), "{misspelt}");
}
