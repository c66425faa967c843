//! The header in include/ is the one that cbindgen makes of the library. `UPDATE_DOCS=1 cargo test -p chrysalis-c` writes it.

use std::{env, fs, path::Path};

#[test]
fn the_header_says_what_the_library_has() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut made = Vec::new();
    let configuration =
        cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("a configuration");
    cbindgen::Builder::new()
        .with_src(folder.join("src/lib.rs"))
        .with_config(configuration)
        .generate()
        .expect("a header")
        .write(&mut made);
    let path = folder.join("include/chrysalis.h");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).expect("a header");
    }
    let made = String::from_utf8(made).expect("text");
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(made, found, "UPDATE_DOCS=1 cargo test -p chrysalis-c");
}
