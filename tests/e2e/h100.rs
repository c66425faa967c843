//! The image for H100s, where it was built: on a machine without a GPU it says so and ends, and it takes no other disk.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use chrysalis_tests::{
    machine::{Machine, Plan},
    paths,
};

/// The image, or nothing with a word about it: compiling the driver takes minutes.
fn plan() -> Option<Plan> {
    let image: PathBuf = paths::gpu_image();
    if !image.join("driver.img").exists() {
        chrysalis_test_support::skip("no H100 image: make image-h100");
        return None;
    }
    Some(Plan {
        image,
        ..Plan::vm()
    })
}

#[test]
fn an_image_for_gpus_ends_where_there_is_none() {
    let Some(plan) = plan() else { return };
    let (status, log) = Machine::fail(&plan);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("NVRM: No NVIDIA GPU found"), "{log}");
    assert!(log.contains("gpu_not_found: no GPU found"), "{log}");
    assert!(log.contains("hint: give the guest a GPU"), "{log}");
}

#[test]
fn an_image_for_gpus_takes_no_disk_with_another_byte() {
    let Some(plan) = plan() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan.with_image(&folder.path().join("image"), |image| {
        let disk = OpenOptions::new()
            .write(true)
            .open(image.join("driver.img"));
        // The time of the file system's making, which is 0 and which nothing reads.
        let changed = disk.expect("a disk").write_at(&[1], 8);
        assert_eq!(changed.expect("a byte is written"), 1);
    });
    let (status, log) = Machine::fail(&plan);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("driver_failed: the GPU's driver: could not mount its disk"),
        "{log}"
    );
}

/// Simulated GPUs pass appraisal and compute nothing: an engine that wants GPUs ends with a word about it. Which engine it is makes no
/// difference; vllm-cuda's disk, where it was built, is the one that is meant.
#[test]
fn an_engine_for_gpus_says_that_there_is_none() {
    if Path::new("/dev/nvidiactl").exists() {
        return chrysalis_test_support::skip("this machine has a GPU");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let configuration = folder.path().join("configuration.toml");
    let demo = fs::read_to_string(paths::configuration()).expect("a configuration (make image)");
    assert!(demo.contains("devices = []"), "{demo}");
    let wants = demo.replacen("devices = []", "devices = [\"nvidia\"]", 1);
    fs::write(&configuration, wants).expect("a configuration");
    let (status, log) = Machine::fail(&Plan {
        configuration,
        ..Plan::process()
    });
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("engine_failed: "), "{log}");
    assert!(
        log.contains("it wants GPUs, and this machine has none"),
        "{log}"
    );
}
