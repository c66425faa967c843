//! The fuzz targets in short: every seed, and a fixed number of mutations of each target's, under the compiler of the day.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use chrysalis_fuzz_targets::{
    TARGETS,
    runner::{Limit, Plan},
    seeds,
};

/// Of each target.
const MUTATIONS: u64 = 2_000;

fn shells() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One test: the memory that an input takes is counted over the whole process.
#[test]
fn nothing_panics_takes_much_memory_or_is_trusted() {
    let vendor = env::var_os("CHRYSALIS_TEST_VENDOR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated-amd"),
        PathBuf::from,
    );
    let seeds = seeds::all(&seeds::vendor(&vendor).expect("a vendor"));
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
            limit: Limit::Inputs(MUTATIONS),
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
