//! `policy init` as a person meets it who does not say which firmware will do.

use std::{fs, process::Command};

/// Exit code, stdout, stderr.
fn init(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("configuration.toml"), "").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_chrysalis"))
        .args(["policy", "init", "--configuration", "configuration.toml"])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("chrysalis starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn an_image_without_levels_is_asked_about_by_the_names_of_the_options() {
    let image = ["--image", ".", "--vcpus", "2"];
    let (code, printed, said) = init(&image);
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    for part in [
        "nothing says which firmware will do",
        "--minimum-tcb FILE",
        "--minimum-tcb-unchecked WHY",
    ] {
        assert!(said.contains(part), "{said}");
    }
    for (more, answer) in [
        (&["--minimum-tcb-unchecked", " "][..], "say why, in words"),
        (
            &["--minimum-tcb-unchecked", "a test", "--minimum-tcb", "f"],
            "cannot be used with",
        ),
        (&["--minimum-evaluation", "19"], "cannot be used with"),
        (&["--acpi", "tables"], "cannot be used with"),
        (&["--model", "smollm2"], "write it as NAME=DIGEST"),
        // What was asked for is enough: now it is the image that is none.
        (
            &["--minimum-tcb-unchecked", "a test"],
            "chrysalis-image build",
        ),
    ] {
        let (code, printed, said) = init(&[&image[..], more].concat());
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{more:?}");
        assert!(said.contains(answer), "{more:?}: {said}");
    }
}
