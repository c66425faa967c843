//! The image for H100s, where it was built: on a machine without a GPU it says so and ends, and it takes no other disk.

use std::{fs::OpenOptions, os::unix::fs::FileExt, path::PathBuf};

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
