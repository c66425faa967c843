//! Every command of ours that stands in a page of this repository, by the built programs: all are parsed, and those that need nothing
//! but this repository run and print what the page shows. `guide` runs docs/guide/release.md, `tests` the evidence of
//! docs/guide/verify.md.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    page::{printed, steps},
    room::{Room, programs, root},
};

const PROGRAMS: [&str; 3] = ["chrysalis", "chrysalis-image", "chrysalis-host"];
/// Folders without pages of our own.
const OTHERS: [&str; 3] = ["target", "build", ".git"];

/// Every page below a folder.
fn pages(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() && !OTHERS.contains(&&*name) {
            pages(&path, found);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path.display().to_string());
        }
    }
}

/// Whether one of our programs is called: at the start of the line, or behind `|`, `&&` or `sudo`.
fn is_ours(command: &str) -> bool {
    let mut starts = true;
    command.split_whitespace().any(|word| {
        let ours = starts && PROGRAMS.contains(&word);
        starts = matches!(word, "|" | "&&" | ";" | "sudo") || (starts && word.contains('='));
        ours
    })
}

/// Puts programs of the same names first in the path, which parse what they are asked and do nothing: clap gives help only for a command
/// line without unknown words and wrong values before `--help`.
fn parsing(room: &Room) {
    fs::create_dir(room.path("bin")).unwrap();
    for name in PROGRAMS {
        let program = programs().join(name);
        assert!(program.exists(), "no {name}: cargo build -p {name}");
        // What follows `cargo` is cargo's.
        let program = program.display();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = cargo ] && set -- cargo\nexec {program} \"$@\" --help\n"
        );
        let path = room.path(&format!("bin/{name}"));
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // What a page has its shell read.
    fs::write(room.path("licence.key"), "").unwrap();
    // Nothing runs as root here, and a page that picks lines of what is printed would find none in the help.
    for (name, does) in [("sudo", "exec \"$@\""), ("grep", "exec cat")] {
        let path = room.path(&format!("bin/{name}"));
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Whether all that it reads is in this repository.
fn is_self_contained(command: &str) -> bool {
    let verifies = ["chrysalis release verify ", "chrysalis log verify "];
    verifies
        .iter()
        .filter_map(|verb| command.strip_prefix(verb))
        .any(|rest| rest.starts_with("measurements/releases/"))
}

#[test]
fn every_command_in_the_docs_is_one_and_does_what_its_page_shows() {
    let mut found = Vec::new();
    pages(&root(), &mut found);
    found.sort();
    let (mut parsed, mut ran, mut wrong) = (0, 0, Vec::new());
    for page in &found {
        let room = Room::new();
        parsing(&room);
        for step in steps(&fs::read_to_string(page).unwrap()) {
            if !is_ours(&step.command) {
                continue;
            }
            parsed += 1;
            let output = room.run(&format!(
                "set -o pipefail\nexport PATH=$PWD/bin:$PATH\n{}",
                step.command
            ));
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                wrong.push(format!("{page}: {}\n{said}", step.command));
                continue;
            }
            if !is_self_contained(&step.command) {
                continue;
            }
            ran += 1;
            let output = room.run(&step.command);
            let said = [&output.stdout[..], &output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            let refused = step.shown.iter().any(|it| it.starts_with("not trusted: "));
            assert_eq!(
                output.status.code(),
                Some(i32::from(refused)),
                "{page}: {}\n{said}",
                step.command
            );
            for line in &step.shown {
                assert!(
                    printed(&said, line),
                    "{page}: {}\nno line {line:?} in\n{said}",
                    step.command
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "{} pages: {parsed} commands parsed, {ran} of them run",
        found.len()
    );
    assert!(parsed >= 70, "{parsed} commands");
    assert!(ran >= 3, "{ran} commands run");
}

#[test]
fn a_command_is_found_wherever_it_stands() {
    for ours in [
        "chrysalis verify x",
        "sudo chrysalis-host doctor",
        "A=1 chrysalis proxy x",
        "cat x | chrysalis show -",
    ] {
        assert!(is_ours(ours), "{ours}");
    }
    for other in ["cargo build -p chrysalis", "ls chrysalis", "make demo"] {
        assert!(!is_ours(other), "{other}");
    }
    let page = "text\n\n    $ one \\\n        --two\n    out\n\nmore\n    not output\n\n```console\n$ three\nout\n```\n```toml\n$ = 1\n```\n```sh\n# why\nfour\nfive\n```\n";
    let found: Vec<_> = steps(page)
        .into_iter()
        .map(|it| (it.command, it.shown))
        .collect();
    let wanted = [
        ("one \\\n--two", vec!["out".to_owned()]),
        ("three", vec!["out".to_owned()]),
        ("four", Vec::new()),
        ("five", Vec::new()),
    ];
    let wanted = wanted.map(|(command, shown)| (command.to_owned(), shown));
    assert_eq!(found, wanted);
}
