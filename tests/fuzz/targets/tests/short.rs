//! The fuzz targets in short: every seed, and a fixed number of mutations of each target's, under the compiler of the day.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    Collateral, Unverified, Waivers, alone,
    azure::{hcl, vtpm},
    encoding::digest::sha256,
    evidence::{Evidence, binding::Session},
    nvidia,
    policy::Policy,
    release::{self, Checkpoint, PublicKey, Rebuild, Release},
    snp::AmdRoots,
    tdx,
};
use chrysalis_fuzz_targets::{
    TARGETS, parts,
    runner::{Limit, Plan},
    seeds::{self, Seed},
};

/// Of each target.
const MUTATIONS: u64 = 2_000;
/// Of those that make signatures, or check a dozen, for each input.
const SLOW: [&str; 4] = ["tdx_statements", "rim", "rim_content", "gpu_verify"];
const SLOW_MUTATIONS: u64 = 100;

fn shells() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seeds() -> Vec<Seed> {
    let vendor = env::var_os("CHRYSALIS_TEST_VENDOR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated-amd"),
        PathBuf::from,
    );
    seeds::all(&seeds::vendor(&vendor).expect("a vendor"))
}

/// One test: the memory that an input takes is counted over the whole process.
#[test]
fn nothing_panics_takes_much_memory_or_is_trusted() {
    let seeds = seeds();
    for seed in &seeds {
        assert!(
            TARGETS.iter().any(|target| target.name == seed.target),
            "the seed {} is of no target",
            seed.name
        );
    }
    for target in TARGETS {
        let seeds = seeds::of(&seeds, target);
        let plan = Plan {
            target,
            seeds: &seeds,
            limit: Limit::Inputs(if SLOW.contains(&target.name) {
                SLOW_MUTATIONS
            } else {
                MUTATIONS
            }),
            random: 1,
            current: None,
        };
        let tally = plan.run(&mut |_| ()).unwrap_or_else(|finding| {
            let path = env::temp_dir().join(format!("chrysalis-fuzz-{}", target.name));
            fs::write(&path, &finding.input).expect("a file");
            panic!("{}: {}: {}", target.name, finding.why, path.display())
        });
        println!("{:<18} {tally:?}", target.name);
    }
}

/// Seeds that fail at the first check would be mutated in vain.
#[test]
fn honest_seeds_are_genuine_under_the_roots_that_they_name() {
    let seeds = seeds();
    let honest = |target: &str| {
        let seed = seeds.iter().find(|seed| seed.target == target);
        seed.expect("a seed").bytes.as_slice()
    };

    let [list, ark, ask, vcek, report] = parts::split(honest("snp_chain"));
    let collateral = Collateral {
        certificates: [vcek, ask, ark].map(<[u8]>::to_vec).into(),
        crls: vec![list.to_vec()],
        ..Collateral::default()
    };
    let question = alone::snp::SnpQuestion {
        roots: &AmdRoots::amd().and_simulated(sha256(&[ark])),
        collateral: &collateral,
        now: seeds::NOW,
        policy: None,
        report_data: Some(&[7; 64]),
        waivers: Waivers::none(),
    };
    alone::snp::explain(report, &question).expect("nothing is wrong");

    let policy = |name: &str| {
        let mut policies = seeds.iter().filter(|seed| seed.target == "policy");
        let seed = policies.find(|seed| seed.name == name).expect("a seed");
        str::from_utf8(&seed.bytes).expect("text")
    };
    assert!(Policy::parse(policy("template")).is_ok());
    assert!(Policy::parse_gpu(policy("gpus")).is_ok());
    assert!(Policy::parse_tdx(policy("td")).is_ok());

    let [_, _, _, quote, wrapped] = parts::split(honest("vtpm"));
    assert!(vtpm::Quote::parse(quote).is_ok() && hcl::unwrap(wrapped, hcl::Platform::Snp).is_ok());

    let [log, collateral, quote] = parts::split(honest("tdx_quote"));
    let root = tdx::Quote::parse(quote).expect("a quote").chain.pop();
    let question = alone::tdx::TdxQuestion {
        roots: &tdx::IntelRoots::intel().and_simulated(sha256(&[&root.expect("a chain")])),
        collateral: &tdx::IntelCollateral::parse(collateral).expect("collateral"),
        policy: Some(&tdx::TdxPolicy::genuine("this test is about genuineness")),
        release: None,
        rebuilders: None,
        report_data: None,
        waivers: Waivers::none(),
        now: seeds::NOW,
    };
    let evidence = alone::tdx::TdxEvidence {
        event_log: Some(log),
        ..quote.into()
    };
    alone::tdx::explain(evidence, &question).expect("nothing is wrong");

    let [pcrs, signature, message, wrapped, quote] = parts::split(honest("azure_td"));
    let quoted = vtpm::Quoted {
        quote: message,
        signature,
        pcrs: Some(pcrs.as_chunks().0),
        nonce: Some(&[7; 32]),
        pcrs_unchecked: None,
    };
    let evidence = alone::tdx::TdxEvidence {
        quote,
        event_log: None,
        hcl_report: Some(wrapped),
        quoted: Some(&quoted),
    };
    let verified = alone::tdx::explain(evidence, &question).expect("nothing is wrong");
    assert!(verified.vtpm().is_some_and(|told| told.fresh));

    let [answers @ .., driver, vbios, chain, report] = parts::split::<10>(honest("gpu_verify"));
    let answer = |der: &[u8]| nvidia::ocsp::OcspAnswer {
        der: der.to_vec(),
        nonce: None,
    };
    let gpu = nvidia::evidence::read(report, Some(chain)).expect("evidence");
    let manifest = nvidia::needs::of_rim(driver).expect("a manifest");
    let root = |der: Option<&Vec<u8>>| sha256(&[der.expect("a root")]);
    let question = alone::gpus::GpuQuestion {
        nonce: &nvidia::spdm::Request::parse(report)
            .expect("a request")
            .nonce,
        roots: &nvidia::NvidiaRoots::nvidia().and_simulated(
            root(gpu[0].chain.last()),
            root(manifest.last().map(|last| &last.issuer)),
        ),
        collateral: &nvidia::GpuCollateral {
            rims: vec![driver.to_vec(), vbios.to_vec()],
            ocsp: answers.map(answer).into(),
        },
        waivers: Waivers::none(),
        policy: Some(&nvidia::GpuPolicy {
            proof: nvidia::policy::Proof {
                revocation: nvidia::policy::Revocation::Stapled,
                ..nvidia::policy::Proof::complete()
            },
            wanted: nvidia::policy::Wanted::any("this test is about genuineness"),
        }),
        now: seeds::NOW,
    };
    alone::gpus::explain(&gpu, &question).expect("nothing is wrong");
}

#[test]
fn seeds_of_whole_machines_are_trusted_by_the_policy_that_names_their_roots() {
    let policy = Policy::parse(include_str!("../../../vectors/common/bundle/policy.toml"));
    let policy = policy.expect("a policy");
    let seeds = seeds();
    let machines = seeds
        .iter()
        .filter(|seed| seed.target == "bundle" && seed.name.ends_with("h100"));
    let session = Session::Asked {
        nonce: [0x4E; 32],
        exporter: [0xE4; 32],
    };
    let spki = b"the enclave's SubjectPublicKeyInfo";
    let trusted = machines.map(|seed| {
        let evidence = Evidence::decode(&seed.bytes).expect("a bundle");
        Unverified::new(evidence)
            .authenticate(&policy.roots(), &Collateral::default(), seeds::NOW)
            .and_then(|authentic| authentic.bind(&session, spki))
            .and_then(|bound| bound.appraise(&policy))
    });
    let gpus = trusted.map(|it| it.expect("trusted").gpus().len());
    assert_eq!(gpus.collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn libfuzzer_has_a_program_for_each_target_and_no_other() {
    let manifest = fs::read_to_string(shells().join("Cargo.toml")).expect("the manifest");
    let named = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let mut programs: Vec<_> = named
        .filter(|name| *name != "chrysalis-fuzz-shells")
        .collect();
    let mut targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    programs.sort_unstable();
    targets.sort_unstable();
    assert_eq!(programs, targets);
    for target in targets {
        let shell = shells().join(format!("fuzz_targets/{target}.rs"));
        let text = fs::read_to_string(&shell).unwrap_or_default();
        assert!(text.contains(&format!("run(\"{target}\"")), "{target}");
    }
}

#[test]
fn honest_seeds_of_releases_are_signed_and_in_their_log() {
    let seeds = seeds();
    let all = |target: &'static str| seeds.iter().filter(move |seed| seed.target == target);
    let one = |target: &'static str, name: &str| {
        let seed = all(target).find(|seed| seed.name == name).expect("a seed");
        seed.bytes.as_slice()
    };
    let key = PublicKey::read(one("release_key", "der")).expect("a key");
    assert_eq!(PublicKey::read(one("release_key", "pem")), Ok(key.clone()));
    let release = one("envelope", "release");
    assert!(Release::verify(release, &key, "releases.example", seeds::NOW, None).is_ok());
    assert!(Rebuild::verify(one("envelope", "rebuild"), &key).is_ok());
    let checkpoint = |name| Checkpoint::verify(one("checkpoint", name), &key).expect("signed");
    for name in ["first", "second"] {
        let [entry, proof] = parts::split(one("log_proof", name));
        let found = release::verify_inclusion(entry, proof, &key);
        assert_eq!(found, Ok(checkpoint("two")), "{name}");
    }
    let [_, growth] = parts::split(one("log_proof", "growth"));
    let grown = checkpoint("one")
        .head()
        .grew_into(&checkpoint("two"), Some(growth));
    assert_eq!(grown, Ok(()));
}
