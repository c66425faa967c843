//! An image is what its recipe and lock say, or there is an error that names the thing, and no image.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::fs;

use chrysalis_image::{Error, digest::Sha256, inputs::lock::Kind, manifest::Origin};
use workbench::{RECIPE, Workbench, deb};

#[test]
fn holds_what_the_recipe_lists_and_nothing_else() {
    let bench = Workbench::new();
    let manifest = bench.build().unwrap();
    let names: Vec<&str> = manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "kernel",
            "initrd",
            "firmware.fd",
            "cmdline",
            "cmdline-simulated"
        ]
    );
    let inside: Vec<&str> = manifest.files[1]
        .contents
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(inside, ["init", "worker"]);
    let initrd = fs::read(bench.path("out/initrd")).unwrap();
    let has = |path: &[u8]| initrd.windows(path.len()).any(|window| window == path);
    assert!(has(b"proc\0") && has(b"dev/null\0"));
    let line = |name| fs::read_to_string(bench.path("out").join(name)).unwrap();
    assert_eq!(line("cmdline"), "quiet -- not_before=2026-11-29");
    assert_eq!(
        line("cmdline-simulated"),
        "earlyprintk=ttyS0,115200,keep printk.devkmsg=on quiet -- not_before=2026-11-29 platform=simulated"
    );
}

#[test]
fn names_the_origin_and_the_digest_of_every_file() {
    let bench = Workbench::new();
    let manifest = bench.build().unwrap();
    for file in &manifest.files {
        let bytes = fs::read(bench.path("out").join(&file.path)).unwrap();
        assert_eq!(
            (file.size, file.sha256),
            (bytes.len() as u64, Sha256::of(&bytes)),
            "{}",
            file.path
        );
    }
    let kernel = Origin::Given {
        package: "kernel".into(),
    };
    assert_eq!(manifest.files[0].origin, kernel);
    let firmware = Origin::Input {
        name: "firmware".into(),
        path: "usr/share/ovmf/OVMF.amdsev.fd".into(),
    };
    assert_eq!(manifest.files[2].origin, firmware);
    assert_eq!(
        fs::read_to_string(bench.path("out/image.json")).unwrap(),
        manifest.render()
    );
}

#[test]
fn refuses_unknown_recipe_key() {
    let error = Workbench::new()
        .build_with("directories =", "directoreis =")
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed { .. }));
    assert!(
        text.contains("directoreis") && text.contains("image.toml") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn refuses_a_command_line_that_says_the_platform() {
    let bench = Workbench::new();
    let error = bench
        .build_with("quiet --", "quiet platform=x --")
        .unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "commandline"));
    let error = bench
        .build_with("quiet --", "quiet driver=x --")
        .unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "commandline"));
    let error = bench
        .build_with("quiet --", "quiet not_before=x --")
        .unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "commandline"));
    let error = bench.build_with("quiet --", "quiet").unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "commandline"));
}

#[test]
fn refuses_a_recipe_without_the_day_of_its_build() {
    let bench = Workbench::new();
    let error = bench
        .build_with("not_before = \"2026-11-29\"\n", "")
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed { .. }));
    assert!(
        text.contains("not_before") && text.contains("image.toml") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn refuses_a_day_that_no_calendar_has() {
    for day in [
        "",
        "2026-11-31",
        "2026-13-01",
        "2026-11-9",
        "2026-11-29T00:00:00Z",
        "2026-11-29 platform=simulated",
    ] {
        let error = Workbench::new().build_with("2026-11-29", day).unwrap_err();
        assert!(
            matches!(&error, Error::Value { key, .. } if key == "not_before"),
            "{day}: {error}"
        );
    }
}

/// A driver's disk, as far as it can be refused before anything is compiled.
const DRIVER: &str = r#"
[driver]
modules = ["gpu"]
source = { input = "gpu-source", path = "usr/src/gpu" }
file = [{ input = "kernel", from = "usr/src/linux.tar.*", to = "lib/file" }]
"#;

fn build_with_driver(from: &str, to: &str) -> Error {
    assert!(DRIVER.contains(from), "the recipe has no {from}");
    let bench = Workbench::new();
    let recipe = format!("{RECIPE}{}", DRIVER.replace(from, to));
    bench.write("recipes/image.toml", recipe.as_bytes());
    bench.build().unwrap_err()
}

#[test]
fn refuses_a_driver_whose_source_is_not_pinned() {
    let error = build_with_driver("gpu", "gpu");
    assert!(matches!(error, Error::NotLocked { input, .. } if input == "gpu-source"));
}

#[test]
fn refuses_unknown_key_of_a_driver() {
    let error = build_with_driver("modules", "module");
    assert!(matches!(error, Error::Malformed { .. }));
}

#[test]
fn refuses_paths_that_leave_the_drivers_disk() {
    for path in ["/lib/file", "../lib", "lib//file", ""] {
        let error = build_with_driver("lib/file", path);
        assert!(
            matches!(error, Error::Value { key, .. } if key == "driver"),
            "{path:?}"
        );
    }
}

#[test]
fn refuses_a_module_whose_name_a_shell_could_misread() {
    for name in ["", "a b", "../gpu", "gpu;"] {
        let error = build_with_driver("[\"gpu\"]", &format!("[{name:?}]"));
        assert!(
            matches!(error, Error::Value { key, .. } if key == "driver.modules"),
            "{name:?}"
        );
    }
}

#[test]
fn refuses_a_program_in_the_initrd_that_wants_a_c_library() {
    let error = Workbench::new()
        .build_with(
            "path = \"worker\"",
            "path = \"worker\", linkage = \"dynamic\"",
        )
        .unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "binary.linkage"));
}

#[test]
fn refuses_paths_that_leave_the_initrd() {
    for path in ["/init", "../init", "a//b", ""] {
        let error = Workbench::new()
            .build_with("path = \"worker\"", &format!("path = {path:?}"))
            .unwrap_err();
        assert!(
            matches!(error, Error::Value { key, .. } if key == "binary.path"),
            "{path:?}"
        );
    }
}

#[test]
fn refuses_an_image_without_init() {
    let error = Workbench::new()
        .build_with("path = \"init\"", "path = \"enclave\"")
        .unwrap_err();
    assert!(matches!(error, Error::Value { key, .. } if key == "binary"));
}

#[test]
fn refuses_options_without_a_reason_and_says_where() {
    let bench = Workbench::new();
    bench.write("recipes/kernel/guest.config", b"NET=y # sockets\nBLOCK=y\n");
    let error = bench.build().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::KernelOption { line: 2, .. }));
    assert!(
        text.contains("guest.config") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn refuses_a_kernel_whose_folder_leaves_the_recipes() {
    for folder in ["/kernel", "../kernel", ""] {
        let error = Workbench::new()
            .build_with("folder = \"kernel\"", &format!("folder = {folder:?}"))
            .unwrap_err();
        assert!(
            matches!(error, Error::Value { key, .. } if key == "kernel"),
            "{folder:?}"
        );
    }
}

/// A volume with a store of 32 bytes that is not empty, and the GUID of TDX metadata.
fn tdx_firmware(variable: [u8; 4]) -> Vec<u8> {
    let mut firmware = vec![0; 72];
    firmware[40..44].copy_from_slice(b"_FVH");
    firmware[48] = 72;
    firmware.extend(b"\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92");
    firmware.extend([32, 0, 0, 0, 0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
    firmware.extend(variable);
    firmware.extend(b"\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2");
    firmware
}

fn with_tdx(bench: &mut Workbench, firmware: &[u8]) {
    bench.publish(
        "tdx",
        &deb(&[("./usr/share/ovmf/OVMF.inteltdx.ms.fd", firmware)]),
    );
    let source =
        "firmware-tdx = { input = \"tdx\", path = \"usr/share/ovmf/OVMF.inteltdx.ms.fd\" }";
    bench.write(
        "recipes/image.toml",
        format!("{source}\n{RECIPE}").as_bytes(),
    );
}

#[test]
fn empties_the_variables_of_the_tdx_firmware_and_says_so() {
    let mut bench = Workbench::new();
    with_tdx(&mut bench, &tdx_firmware(*b"keys"));
    let manifest = bench.build().unwrap();
    let file = manifest
        .files
        .iter()
        .find(|file| file.path == "firmware-tdx.fd")
        .unwrap();
    assert_eq!(
        file.origin,
        Origin::Emptied {
            name: "tdx".into(),
            path: "usr/share/ovmf/OVMF.inteltdx.ms.fd".into()
        }
    );
    let written = fs::read(bench.path("out/firmware-tdx.fd")).unwrap();
    assert_eq!(written, tdx_firmware([0xff; 4]));
}

#[test]
fn refuses_firmware_that_tdx_could_not_start() {
    let mut bench = Workbench::new();
    with_tdx(&mut bench, b"firmware of another kind");
    assert!(matches!(bench.build(), Err(Error::NotTdxFirmware { input, .. }) if input == "tdx"));
}

#[test]
fn refuses_firmware_without_kernel_hashes() {
    let bench = Workbench::with(b"firmware of another kind");
    assert!(
        matches!(bench.build(), Err(Error::NoKernelHashes { input, .. }) if input == "firmware")
    );
}

#[test]
fn refuses_a_pattern_that_matches_no_file() {
    let error = Workbench::new()
        .build_with("OVMF.amdsev.fd", "OVMF.*.fdd")
        .unwrap_err();
    assert!(
        matches!(error, Error::NotOneFile { pattern, found: 0, .. } if pattern.ends_with("OVMF.*.fdd"))
    );
}

#[test]
fn names_the_input_that_the_lock_lacks() {
    let error = Workbench::new()
        .build_with("input = \"kernel\"", "input = \"kernle\"")
        .unwrap_err();
    assert!(matches!(error, Error::NotLocked { input, .. } if input == "kernle"));
}

#[test]
fn refuses_a_lock_of_another_kind() {
    let mut bench = Workbench::new();
    bench.pin("wheel", Kind::Wheel, "wheel.whl", b"");
    let error = bench
        .build_with("input = \"kernel\"", "input = \"wheel\"")
        .unwrap_err();
    assert!(matches!(
        error,
        Error::WrongKind {
            wanted: "deb",
            locked: "wheel",
            ..
        }
    ));
}

#[test]
fn leaves_the_old_image_when_the_new_one_fails() {
    let bench = Workbench::new();
    bench.build().unwrap();
    let before = fs::read(bench.path("out/initrd")).unwrap();
    bench.build_with("OVMF.amdsev.fd", "nothing").unwrap_err();
    assert_eq!(fs::read(bench.path("out/initrd")).unwrap(), before);
    bench.write("recipes/image.toml", RECIPE.as_bytes());
    bench.build().unwrap();
}

#[test]
fn names_the_program_that_is_not_there() {
    let bench = Workbench::new();
    fs::remove_file(bench.path("binaries/worker")).unwrap();
    assert!(matches!(bench.build(), Err(Error::NoProgram { package, .. }) if package == "worker"));
}

#[test]
fn refuses_a_driver_without_its_modules() {
    let mut bench = Workbench::new();
    bench.publish("gpu-source", &deb(&[("./usr/src/gpu/Makefile", b"")]));
    bench.write("recipes/image.toml", format!("{RECIPE}{DRIVER}").as_bytes());
    let error = bench.build().unwrap_err();
    assert!(matches!(error, Error::NoModules), "{error}");
}
