//! What the guide shows is what the program prints.

use std::{fs, path::Path};

use chrysalis_test_support::real;

use super::{RIMS, verify};

/// Where the guide takes what is not shipped from.
const FETCHED: &str = "../../../build/vectors/";

#[test]
fn the_guide_shows_what_the_program_prints() {
    let Some(folder) = real(&[]) else { return };
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/verify.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let (_, section) = guide.split_once("Evidence in files").expect("the section");
    let consoles = section.split("```console\n").skip(1);
    let consoles = consoles
        .filter_map(|text| text.split_once("\n```"))
        .map(|(it, _)| it);
    let mut shown = 0;
    for console in consoles {
        for entry in console.split("$ chrysalis verify ").skip(1) {
            let (command, printed) = entry.split_once('\n').unwrap_or((entry, ""));
            shown += 1;
            if command.contains(FETCHED) && real(&RIMS).is_none() {
                continue;
            }
            let output = verify(&folder, &command.replace(FETCHED, ""));
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8(told).expect("text");
            assert_eq!(told.trim_end(), printed.trim_end(), "{command}");
        }
    }
    assert_eq!(shown, 15, "commands in the guide");
}
