//! The build of an image, from start to end: recipe and lock in, one folder out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    binaries::Binaries,
    cpio::Archive,
    driver,
    fetch::Fetcher,
    folder::Folder,
    kernel::{Kernel, Order},
    lock::{Input, Kind, Lock},
    manifest::{self, File, Manifest, Origin},
    package::Deb,
    progress,
    recipe::{Binary, ImageRecipe, Source},
    variables,
};

/// The file by which a finished image folder is known.
pub const MANIFEST: &str = "image.json";
/// What the simulated platform's command line says after `--`.
const SIMULATED: &str = " platform=simulated";
/// And what it begins with: a console, for people to see what happens. The enclave writes to the kernel's log.
const CONSOLE: &str = "earlyprintk=ttyS0,115200,keep printk.devkmsg=on ";
/// The GUID under which AMD's firmware announces its table of kernel hashes (QEMU, docs/system/i386/amd-memory-encryption).
const HASHES_TABLE: [u8; 16] = [
    0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54,
];

/// Builds the image of a recipe into a folder.
///
/// `kernel` and `binaries` bring what has to be compiled: asked for it late, so that a wrong recipe or a missing input is told
/// before minutes of compiling.
pub fn build(
    recipe_path: &Path,
    out: &Path,
    fetcher: &Fetcher,
    kernel: impl FnOnce(Order) -> Result<Kernel, Error>,
    binaries: impl FnOnce(&[Binary]) -> Result<Binaries, Error>,
) -> Result<Manifest, Error> {
    let folder = Folder::start(out, MANIFEST)?;
    let recipe = ImageRecipe::read(recipe_path)?;
    let lock_path = lock_beside(recipe_path);
    let lock = Lock::read(&lock_path)?;

    let mut inputs = BTreeMap::new();
    for source in [&recipe.firmware].into_iter().chain(&recipe.firmware_tdx) {
        let pin = lock.input(&source.input, Kind::Deb, &lock_path)?;
        if !inputs.contains_key(&source.input) {
            let path = fetcher.fetch(pin)?;
            let what = format!("unpacking {} {}", pin.package, pin.version);
            let deb = progress::during(&what, String::new, || Deb::read(&source.input, &path))?;
            inputs.insert(source.input.clone(), (pin.clone(), deb));
        }
    }
    let deb = |source: &Source| &inputs[&source.input].1;

    let (firmware_path, firmware) = deb(&recipe.firmware).only(&recipe.firmware.path)?;
    check_firmware(&recipe.firmware.input, firmware_path, firmware)?;
    let tdx = match &recipe.firmware_tdx {
        Some(source) => Some(tdx_firmware(source, deb(source))?),
        None => None,
    };
    let order = Order::gather(
        &recipe.kernel,
        recipe.driver.as_ref(),
        recipe_path,
        (&lock, &lock_path),
        fetcher,
    )?;
    let driver = recipe.driver.as_ref().map(|driver| {
        driver::Draft::gather(driver, (&lock, &lock_path), order.toolchain(), fetcher)
    });
    let driver = driver.transpose()?;
    let kernel = kernel(order)?;
    let binaries = binaries(&recipe.programs())?;
    let driver = driver.map(|driver| driver.build(&binaries, kernel.modules));
    let driver = driver.transpose()?;

    let mut archive = Archive::default();
    let mut origins = BTreeMap::new();
    for directory in &recipe.directories {
        archive.directory(directory)?;
    }
    // Rust's runtime opens it where a program starts without standard streams, as PID 1 does on a machine without a console.
    archive.device("dev/null", 1, 3)?;
    for binary in &recipe.binary {
        let (bytes, origin) = binaries.read(&binary.package)?;
        origins.insert(binary.path.clone(), origin);
        archive.file(&binary.path, 0o755, bytes)?;
    }
    let initrd = archive.encode()?;

    let word = driver.as_ref().map_or("", |driver| &driver.word);
    let hardware = recipe.hardware_line(word);
    let simulated = format!("{CONSOLE}{hardware}{SIMULATED}");
    let line = || Origin::Recipe {
        key: "commandline".into(),
    };
    let mut outputs: Vec<(&str, &[u8], Origin)> = vec![
        ("kernel", &kernel.image, kernel.origin),
        ("initrd", &initrd, Origin::Contents),
        (
            "firmware.fd",
            firmware,
            from_input(&recipe.firmware, firmware_path),
        ),
        ("cmdline", hardware.as_bytes(), line()),
        ("cmdline-simulated", simulated.as_bytes(), line()),
    ];
    if let Some((bytes, origin)) = &tdx {
        outputs.insert(3, ("firmware-tdx.fd", bytes, origin.clone()));
    }
    let mut files = Vec::new();
    for (name, bytes, origin) in outputs {
        folder.write(name, bytes)?;
        let mut file = File::of(name, bytes, origin);
        if file.origin == Origin::Contents {
            file.contents = contents(&archive, &origins);
        }
        files.push(file);
    }
    let mut pins: Vec<Input> = inputs.into_values().map(|(pin, _)| pin).collect();
    pins.extend(kernel.inputs);
    pins.extend_from_slice(binaries.inputs());
    if let Some(driver) = driver {
        folder.write(driver::DISK, &driver.bytes)?;
        pins.extend_from_slice(&driver.inputs);
        files.push(driver.describe());
    }
    let manifest = Manifest {
        format: manifest::FORMAT,
        name: recipe.name,
        version: env!("CARGO_PKG_VERSION").into(),
        inputs: each_once(pins),
        toolchain: binaries.toolchain(),
        files,
    };
    folder.write(MANIFEST, manifest.render().as_bytes())?;
    folder.finish()?;
    Ok(manifest)
}

/// Pins by name: the toolchain's serve programs and modules alike.
fn each_once(mut pins: Vec<Input>) -> Vec<Input> {
    pins.sort_by(|left, right| left.name.cmp(&right.name));
    pins.dedup();
    pins
}

/// lock.toml beside a recipe.
pub fn lock_beside(recipe: &Path) -> PathBuf {
    recipe.with_file_name("lock.toml")
}

fn from_input(source: &Source, path: &str) -> Origin {
    Origin::Input {
        name: source.input.clone(),
        path: path.into(),
    }
}

fn contents(archive: &Archive, origins: &BTreeMap<String, Origin>) -> Vec<File> {
    let describe = |(path, permissions, bytes): (&str, u32, &[u8])| {
        let mut file = File::of(path, bytes, origins[path].clone());
        file.mode = Some(format!("{permissions:04o}"));
        file
    };
    archive.files().map(describe).collect()
}

/// The firmware for TDX, its variables emptied, and where it comes from.
fn tdx_firmware(source: &Source, deb: &Deb) -> Result<(Vec<u8>, Origin), Error> {
    let (path, bytes) = deb.only(&source.path)?;
    let emptied = variables::without_variables(bytes).ok_or_else(|| Error::NotTdxFirmware {
        input: source.input.clone(),
        path: path.into(),
    })?;
    let origin = Origin::Emptied {
        name: source.input.clone(),
        path: path.into(),
    };
    Ok((emptied, origin))
}

/// Without the table, SNP measures the firmware alone, and the host picks the kernel.
fn check_firmware(input: &str, path: &str, bytes: &[u8]) -> Result<(), Error> {
    // An entry ends in its GUID; before that stand base, size (32 bits each) and its own length (16 bits). Firmware built
    // without the table has the entry, too, with a size of 0.
    let announces = |end: usize| {
        let size = end
            .checked_sub(6)
            .and_then(|start| bytes.get(start..start + 4));
        size.is_some_and(|size| size != [0; 4])
    };
    let guids = bytes
        .windows(HASHES_TABLE.len())
        .enumerate()
        .filter(|(_, window)| *window == HASHES_TABLE);
    if guids.map(|(position, _)| position).any(announces) {
        return Ok(());
    }
    Err(Error::NoKernelHashes {
        input: input.into(),
        path: path.into(),
    })
}
