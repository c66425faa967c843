//! What browsers run: the verifier, and what seals for an enclave, as WebAssembly, and the JavaScript that wasm-bindgen writes around each. A toolchain of its
//! own does it, rustc included: Debian has a pinned one with WebAssembly. In the [`Chamber`] everything lies at the same places on every
//! machine, so what comes out is the same bytes everywhere.

use std::{
    fs,
    io::{self, IsTerminal},
    path::Path,
};

use super::{
    cargo,
    chamber::Chamber,
    crates::{Crates, root},
    toolchain::Toolchain,
};
use crate::{Error, inputs::fetch::Fetcher, tool};

/// The recipe of the toolchain, in the workspace.
pub const TOOLCHAIN: &str = "images/wasm.toml";
/// The files that are made.
pub const FILES: [&str; 6] = [
    "chrysalis_browser_bg.wasm",
    "chrysalis_browser.js",
    "chrysalis_browser.d.ts",
    "chrysalis_ohttp_browser_bg.wasm",
    "chrysalis_ohttp_browser.js",
    "chrysalis_ohttp_browser.d.ts",
];
const TARGET: &str = "wasm32-unknown-unknown";
/// Each is built by itself: together, one would get what the other wants of a crate.
const PACKAGES: [&str; 2] = ["chrysalis-browser", "chrysalis-ohttp-browser"];
/// In the workspace's Cargo.toml.
const PROFILE: &str = "wasm";
/// Where things are inside.
const SOURCE: &str = "/chrysalis";
const OUTPUT: &str = "/target";
const HINT: &str = "run `make setup`; everything but bubblewrap is pinned in images/wasm.lock.toml";
/// Binds; the argument is what cargo made. Binaryen's optimizer is left out: it made the module smaller by a hundredth, and no faster.
const BIND: &str = r#"
wasm-bindgen "$1" --out-dir /target/package --target web --remove-name-section --remove-producers-section
"#;

/// Compiles them in the workspace around a file, and copies [`FILES`] into a folder.
pub fn build(around: &Path, out: &Path, fetcher: &Fetcher) -> Result<(), Error> {
    let root = root(around)?;
    let toolchain = Toolchain::prepare(&root.join(TOOLCHAIN), fetcher)?;
    let crates = Crates::of(&root, TARGET)?;
    // By the toolchain: what another one compiled is of no use.
    let name = crate::files::name_of(toolchain.root());
    let target = crates.target_directory().join("wasm").join(name);
    fs::create_dir_all(&target).map_err(Error::io("create", &target))?;
    let mut flags = vec!["-Clink-arg=-zstack-size=2097152".to_owned()];
    for (from, to) in crates.prefixes() {
        flags.push(format!("--remap-path-prefix={from}={to}"));
    }
    let chamber = Chamber::of(&toolchain)?
        .read(&root, SOURCE)
        .write(&target, OUTPUT);
    let chamber = crates
        .shown(chamber)
        .with("CARGO_TARGET_DIR", OUTPUT)
        .with("CARGO_BUILD_TARGET", TARGET)
        // Of the target alone: build scripts and macros are this machine's.
        .with(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            flags.join(" "),
        )
        .with("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
    for package in PACKAGES {
        compile(&chamber, package)?;
        let mut bind = chamber.command("sh", OUTPUT);
        let made = format!(
            "{OUTPUT}/{TARGET}/{PROFILE}/{}.wasm",
            package.replace('-', "_")
        );
        bind.args(["-c", BIND, "sh", &made]);
        tool::step("writing the JavaScript around the module", &target, bind)?;
    }
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    for file in FILES {
        let from = target.join("package").join(file);
        fs::copy(&from, out.join(file)).map_err(Error::io("copy", from))?;
    }
    Ok(())
}

fn compile(chamber: &Chamber, package: &str) -> Result<(), Error> {
    let mut command = chamber.command("cargo", SOURCE);
    command.args([
        "build",
        "--locked",
        "--profile",
        PROFILE,
        "--package",
        package,
    ]);
    if io::stderr().is_terminal() {
        command.arg("--color=always");
    }
    cargo::run(package, &mut command, HINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::{lock::Lock, python::lock_of};

    #[test]
    fn the_program_and_the_crate_of_wasm_bindgen_are_of_one_version() {
        let root = root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let pins = Lock::read(&lock_of(&root.join(TOOLCHAIN))).unwrap().input;
        let program = pins.iter().find(|pin| pin.package == "wasm-bindgen");
        let (program, _) = program.unwrap().version.split_once('+').unwrap();
        let crates = fs::read_to_string(root.join("Cargo.lock")).unwrap();
        let linked = format!("name = \"wasm-bindgen\"\nversion = \"{program}\"\n");
        assert!(crates.contains(&linked), "Debian's is {program}");
    }
}
