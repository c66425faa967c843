//! The image as it is shipped: small, and nothing in it that is not named.

use std::fs;

use chrysalis_tests::paths;

/// The promise: a CPU image without weights is at most this large.
const MOST: u64 = 30_000_000;

#[test]
fn the_cpu_image_is_at_most_30_megabytes() {
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
fn the_initrd_holds_two_programs_and_nothing_else() {
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
    assert_eq!(names, ["chrysalis-room", "init"]);
}
