//! Where a policy's floors come from, and that none is made up.

use std::collections::BTreeMap;

use chrysalis_attestation::{
    Time,
    encoding::digest::{Hex, sha384},
    policy::{Policy, Template},
    release::{MachineEvent, Measurements, MinimumTcb, Release, SnpMeasurement, TdxMeasurement},
    snp::{
        floor::{Floor, FloorError},
        product::Product,
        tcb::Tcb,
    },
    tdx::policy::Evaluation,
};
use chrysalis_image::publish::read_levels;
use clap::Parser;

use super::{arguments::PolicyInitArguments, floors, release};

const LEVELS: MinimumTcb = MinimumTcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 23,
    microcode: 84,
};
const TCB: Tcb = Tcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 23,
    microcode: 84,
};

#[derive(Parser)]
struct Init {
    #[command(flatten)]
    arguments: PolicyInitArguments,
}

/// As a person types them, behind `policy init`.
fn arguments(words: &[&str]) -> PolicyInitArguments {
    let start = [
        "init",
        "--configuration",
        "c",
        "--release",
        "m",
        "--key",
        "k",
    ];
    let parsed = Init::try_parse_from(start.iter().chain(words));
    parsed.expect("arguments").arguments
}

fn of_release(
    levels: impl IntoIterator<Item = (Product, MinimumTcb)>,
    words: &[&str],
) -> Result<Floor, String> {
    let levels: BTreeMap<_, _> = levels.into_iter().collect();
    floors::of_release(levels, &arguments(words)).map_err(|error| format!("{error:#}"))
}

fn unchecked(why: &str) -> Floor {
    let why = why.to_owned();
    Floor::Unchecked { why }
}

/// A file of levels.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    file
}

#[test]
fn a_release_without_levels_is_asked_about_and_never_made_up_for() {
    let error = of_release([], &[]).expect_err("nothing says it");
    for part in [
        "does not say which firmware will do",
        "--minimum-tcb FILE",
        "--minimum-tcb-unchecked WHY",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = floors::of_image(&arguments(&[])).expect_err("nothing says it");
    assert!(error.to_string().contains("--minimum-tcb FILE"), "{error}");
    let reason = &["--minimum-tcb-unchecked", "a test"];
    assert_eq!(of_release([], reason), Ok(unchecked("a test")));
    let floor = floors::of_image(&arguments(reason)).expect("a reason");
    assert_eq!(floor, unchecked("a test"));
    let levels = file("genoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }");
    let given = &["--minimum-tcb", levels.path().to_str().expect("text")];
    let genoa = Floor::each([(Product::Genoa, TCB)]).expect("a floor");
    assert_eq!(of_release([], given), Ok(genoa.clone()));
    assert_eq!(floors::of_image(&arguments(given)).expect("levels"), genoa);
}

#[test]
fn a_releases_own_levels_count_but_for_lines_that_broke_since() {
    let genoa = Floor::each([(Product::Genoa, TCB)]).expect("a floor");
    let old = [(Product::Milan, LEVELS), (Product::Genoa, LEVELS)];
    assert_eq!(of_release(old, &[]), Ok(genoa));
    let error = of_release(old, &["--minimum-tcb-unchecked", "a test"]).expect_err("two words");
    assert!(error.contains("leave --minimum-tcb and"), "{error}");
    let error = of_release([(Product::Milan, LEVELS)], &[]).expect_err("nothing is left");
    assert!(error.contains("broken, and for no other"), "{error}");
    let error = of_release([(Product::Turin, LEVELS)], &[]).expect_err("no FMC");
    assert!(
        error.ends_with(&FloorError::FmcMissing(Product::Turin).to_string()),
        "{error}"
    );
}

#[test]
fn a_file_of_levels_has_one_for_each_line_that_can_be_trusted() {
    let read = |text: &str| {
        let file = file(text);
        read_levels(file.path()).map_err(|error| format!("{error:#}"))
    };
    let levels = read("genoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }");
    assert_eq!(levels, Ok([(Product::Genoa, LEVELS)].into()));
    for (text, why) in [
        ("", "no product line has a floor"),
        (
            "genoa = { bootloader = 0, tee = 0, snp = 0, microcode = 0 }",
            "0 in every component",
        ),
        (
            "turin = { bootloader = 1, tee = 1, snp = 4, microcode = 81 }",
            "does not name fmc",
        ),
        (
            "genoa = { fmc = 1, bootloader = 1, tee = 1, snp = 4, microcode = 81 }",
            "names fmc, which that line does not have",
        ),
        (
            "milan = { bootloader = 4, tee = 0, snp = 24, microcode = 219 }",
            "remove milan from it",
        ),
        ("bootloader = 4", "write [genoa] with"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_levels_in_this_repository_are_floors_and_milan_has_none() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../measurements/releases/minimum-tcb.toml"
    );
    let levels = read_levels(path.as_ref()).expect("levels");
    let lines: Vec<_> = levels.keys().copied().collect();
    assert_eq!(lines, [Product::Genoa, Product::Turin]);
}

/// A release of one image, measured on these platforms.
fn measured(snp: bool, tdx: bool) -> Release {
    let digest = Hex([1; 48]);
    Release {
        project: Some("releases.example".to_owned()),
        release: "v1".to_owned(),
        epoch: 1,
        issued: Time(0),
        expires: Time(1),
        inputs: Vec::new(),
        toolchain: None,
        measurements: Measurements {
            snp: Vec::from_iter(snp.then(|| SnpMeasurement {
                vcpus: 1,
                cpu: "EPYC-v4".to_owned(),
                guest_features: 1,
                simulated: false,
                launch_digest: digest,
            })),
            tdx: Vec::from_iter(tdx.then(|| TdxMeasurement {
                simulated: false,
                mrtd: digest,
                rtmr0: Vec::new(),
                rtmr1: digest,
                rtmr2: digest,
            })),
        },
        minimum_tcb: [(Product::Genoa, LEVELS)].into(),
    }
}

#[test]
fn tdx_is_accepted_once_somebody_says_how_recent_intels_rules_must_be() {
    let of = |snp, tdx, words: &[&str]| {
        let wanted = release::of(&measured(snp, tdx), false, &arguments(words));
        wanted.map_err(|error| error.to_string())
    };
    let wanted = of(true, true, &[]).expect("SNP alone");
    assert!(wanted.snp.is_some() && wanted.tdx.is_none());
    let error = of(false, true, &[]).err().expect("nothing says it");
    assert!(error.contains("--minimum-evaluation N"), "{error}");
    let evaluation = |words| of(true, true, words).expect("both").tdx.expect("TDX");
    let number = evaluation(&["--minimum-evaluation", "19"]).minimum_evaluation;
    assert_eq!(number, Evaluation::AtLeast(19));
    let why = evaluation(&["--minimum-evaluation-unchecked", "a test"]).minimum_evaluation;
    let reason = "a test".to_owned();
    assert_eq!(why, Evaluation::Unchecked { why: reason });
}

#[test]
fn acpi_tables_are_pinned_or_somebody_says_why_not() {
    let mut release = measured(false, true);
    let event = |name: &str, digest| MachineEvent {
        name: name.to_owned(),
        digest,
    };
    release.measurements.tdx[0].rtmr0 = vec![
        event("separator", Some(Hex([7; 48]))),
        event("ACPI table loader", None),
        event("ACPI root pointer", None),
        event("ACPI tables", None),
        event("SMBIOS tables", None),
    ];
    let of = |words: &[&str]| {
        let words = [&["--minimum-evaluation", "19"], words].concat();
        release::of(&release, false, &arguments(&words)).map(|wanted| wanted.tdx.expect("TDX"))
    };
    let error = of(&[]).map(drop).expect_err("nothing says it").to_string();
    assert!(error.contains("--acpi DIR"), "{error}");

    let open = of(&["--acpi-unchecked", "a test"]).expect("a reason");
    assert_eq!(open.acpi_unchecked.as_deref(), Some("a test"));

    let folder = tempfile::tempdir().expect("a folder");
    let words = ["--acpi", folder.path().to_str().expect("text")];
    assert!(of(&words).is_err(), "an empty folder");
    for name in ["table-loader", "rsdp", "tables"] {
        std::fs::write(folder.path().join(name), name).expect("written");
    }
    let found: Vec<_> = of(&words)
        .expect("tables")
        .rtmr0
        .into_iter()
        .map(|event| event.digest)
        .collect();
    let of = |name: &str| Some(Hex(sha384(&[name.as_bytes()])));
    let separator = Some(Hex([7; 48]));
    assert_eq!(
        found,
        [
            separator,
            of("table-loader"),
            of("rsdp"),
            of("tables"),
            None
        ]
    );
}

#[test]
fn what_policy_init_writes_is_a_policy_with_the_floor_that_was_asked_for() {
    let wanted = release::of(&measured(true, false), false, &arguments(&[])).expect("a release");
    let text = Policy::template(&Template {
        snp: wanted.snp,
        ..Template::default()
    });
    assert!(
        text.contains("# Milan has been broken since 2026-05-13: "),
        "{text}"
    );
    let policy = Policy::parse(&text).expect("a policy");
    let snp = policy.snp.expect("[snp]");
    let genoa = Floor::each([(Product::Genoa, TCB)]).expect("a floor");
    assert_eq!(snp.minimum_tcb, genoa);
    assert!(snp.broken.is_empty());
}
