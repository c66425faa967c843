//! What the guide shows is what the program prints.

use std::{fs, path::Path};

use super::{vectors, verify};

/// Where the guide's short names are.
const SHELVES: [&str; 4] = ["snp/", "nvidia/", "tdx/quotes/", "tdx/"];

#[test]
fn the_guide_shows_what_the_program_prints() {
    let Some(folder) = vectors() else { return };
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
            let words = command.split(' ').map(|word| {
                let at = SHELVES.iter().map(|shelf| format!("{shelf}{word}"));
                at.into_iter()
                    .find(|path| folder.join(path).is_file())
                    .unwrap_or_else(|| word.to_owned())
            });
            let output = verify(&folder, &words.collect::<Vec<_>>().join(" "));
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8(told)
                .expect("text")
                .replace("tdx/quotes/", "")
                .replace("snp/", "");
            assert_eq!(told.trim_end(), printed.trim_end(), "{command}");
            shown += 1;
        }
    }
    assert_eq!(shown, 15, "commands in the guide");
}
