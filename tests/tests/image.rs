//! The image as it is shipped: small, and nothing in it that is not named.

use std::fs;

use chrysalis_tests::paths;

/// The promise: a CPU image without weights is at most this large.
const MOST: u64 = 40_000_000;

#[test]
fn the_cpu_image_is_at_most_40_megabytes() {
    let size: u64 = fs::read_dir(paths::image())
        .expect("an image (make image)")
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .expect("a file")
                .len()
        })
        .sum();
    assert!(size <= MOST, "{size} bytes");
}

#[test]
fn the_initrd_holds_two_programs_and_kernel_modules() {
    let text =
        fs::read_to_string(paths::image().join("image.json")).expect("an image (make image)");
    let image: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let files = image["files"].as_array().expect("the image's files");
    let initrd = files
        .iter()
        .find(|file| file["path"] == "initrd")
        .expect("an initrd");
    let contents = initrd["contents"]
        .as_array()
        .expect("what the initrd holds");
    let names: Vec<_> = contents
        .iter()
        .map(|file| file["path"].as_str().expect("a path"))
        .collect();
    let (modules, rest): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| name.starts_with("modules/"));
    assert!(modules.len() > 8, "{modules:?}");
    assert_eq!(rest, ["chrysalis-engine-llama", "init"]);
}
