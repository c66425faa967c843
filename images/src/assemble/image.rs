//! The build of an image, from start to end: recipe and lock in, one folder out.

use std::{mem, path::Path};

use super::{
    contents::Contents,
    cpio::Archive,
    driver::{self, Draft, Driver},
    firmware::Firmware,
    folder::Folder,
};
use crate::{
    Error,
    compile::{
        binaries::Binaries,
        kernel::{Kernel, Order},
    },
    inputs::{
        fetch::Fetcher,
        lock::{Input, LockFile},
        recipe::{Binary, ImageRecipe},
    },
    manifest::{self, File, Manifest, Origin},
};

/// The file by which a finished image folder is known.
pub const MANIFEST: &str = "image.json";
/// What the simulated platform's command line says after `--`.
const SIMULATED: &str = " platform=simulated";
/// And what it begins with: a console, for people to see what happens. The enclave writes to the kernel's log.
const CONSOLE: &str = "earlyprintk=ttyS0,115200,keep printk.devkmsg=on ";

/// Builds the image of a recipe into a folder.
///
/// `kernel` and `binaries` bring what has to be compiled. They are asked for it last, so that a wrong recipe or a missing input
/// is reported before minutes of compiling.
pub fn build(
    recipe_path: &Path,
    out: &Path,
    fetcher: &Fetcher,
    kernel: impl FnOnce(Order) -> Result<Kernel, Error>,
    binaries: impl FnOnce(&[Binary]) -> Result<Binaries, Error>,
) -> Result<Manifest, Error> {
    let folder = Folder::start(out, MANIFEST)?;
    let recipe = ImageRecipe::read(recipe_path)?;
    let lock = LockFile::beside(recipe_path)?;

    let firmware = Firmware::gather(&recipe, &lock, fetcher)?;
    let order = Order::gather(&recipe, recipe_path, &lock, fetcher)?;
    let draft = recipe.driver.as_ref();
    let draft = draft.map(|driver| Draft::gather(driver, &lock, order.toolchain(), fetcher));
    let draft = draft.transpose()?;

    let mut kernel = kernel(order)?;
    let binaries = binaries(&recipe.programs())?;

    let modules = mem::take(&mut kernel.modules);
    let driver = draft.map(|draft| draft.build(&binaries, modules));
    let driver = driver.transpose()?;
    let initrd = initrd(&recipe, &binaries)?;
    let lines = command_lines(&recipe, driver.as_ref());

    let inputs = inputs(&firmware, &kernel, &binaries, driver.as_ref());
    let files = write(&folder, kernel, initrd, firmware, lines, driver)?;
    let manifest = Manifest {
        format: manifest::FORMAT,
        name: recipe.name,
        version: env!("CARGO_PKG_VERSION").into(),
        inputs,
        toolchain: binaries.toolchain(),
        files,
    };
    folder.write(MANIFEST, manifest.render().as_bytes())?;
    folder.finish()?;
    Ok(manifest)
}

/// The initrd: its bytes, and the files in it by path.
fn initrd(recipe: &ImageRecipe, binaries: &Binaries) -> Result<(Vec<u8>, Vec<File>), Error> {
    let mut contents = Contents::<Archive>::default();
    for directory in &recipe.directories {
        contents.archive.directory(directory)?;
    }
    // Rust's runtime opens it where a program starts without standard streams, as PID 1 does on a machine without a console.
    contents.archive.device("dev/null", 1, 3)?;
    for binary in &recipe.binary {
        let (bytes, origin) = binaries.read(&binary.package)?;
        contents.add(&binary.path, 0o755, bytes, origin)?;
    }
    let Contents { archive, mut files } = contents;
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok((archive.encode()?, files))
}

/// The command line on hardware, and that of a simulated platform.
fn command_lines(recipe: &ImageRecipe, driver: Option<&Driver>) -> [String; 2] {
    let hardware = recipe.hardware_line(driver.map_or("", |driver| &driver.word));
    let simulated = format!("{CONSOLE}{hardware}{SIMULATED}");
    [hardware, simulated]
}

/// Every pin that went into the image, once, by name: the toolchain's serve programs and modules alike.
fn inputs(
    firmware: &Firmware,
    kernel: &Kernel,
    binaries: &Binaries,
    driver: Option<&Driver>,
) -> Vec<Input> {
    let mut pins = [&firmware.inputs, &kernel.inputs, binaries.inputs()].concat();
    pins.extend(
        driver
            .into_iter()
            .flat_map(|driver| &driver.inputs)
            .cloned(),
    );
    pins.sort_by(|left, right| left.name.cmp(&right.name));
    pins.dedup();
    pins
}

/// Writes the files of the image, and describes each.
fn write(
    folder: &Folder,
    kernel: Kernel,
    (initrd, contents): (Vec<u8>, Vec<File>),
    firmware: Firmware,
    lines: [String; 2],
    driver: Option<Driver>,
) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let mut add = |name: &str, (bytes, origin): (Vec<u8>, Origin), contents: Vec<File>| {
        folder.write(name, &bytes)?;
        files.push(File {
            contents,
            ..File::of(name, &bytes, origin)
        });
        Ok(())
    };
    let plain = Vec::new;
    add("kernel", (kernel.image, kernel.origin), plain())?;
    add("initrd", (initrd, Origin::Contents), contents)?;
    add("firmware.fd", firmware.snp, plain())?;
    if let Some(tdx) = firmware.tdx {
        add("firmware-tdx.fd", tdx, plain())?;
    }
    for (name, line) in ["cmdline", "cmdline-simulated"].into_iter().zip(lines) {
        let key = "commandline".into();
        add(name, (line.into_bytes(), Origin::Recipe { key }), plain())?;
    }
    if let Some(driver) = driver {
        add(
            driver::DISK,
            (driver.bytes, Origin::Contents),
            driver.contents,
        )?;
    }
    Ok(files)
}
