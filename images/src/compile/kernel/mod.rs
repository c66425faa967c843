//! The guest's kernel, and a GPU's modules for it: a pinned source, our patches, our options and the one table of ACPI
//! bytecode that it runs in; a bzImage out. Compiler, tools and every path are those of a [`Chamber`]; the time, the user
//! and the host that the kernel's makefiles would write down are fixed. What was compiled stays in the cache, under the
//! digest of all that it was made from, and is not hashed again: anyone who can write there can change what this machine
//! builds.

mod modules;
mod options;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use liblzma::read::XzDecoder;

use super::{chamber::Chamber, toolchain::Toolchain};
use crate::{
    Error,
    digest::Sha256,
    files::{make_once, name_of},
    inputs::{
        fetch::Fetcher,
        lock::{Input, Kind, LockFile},
        package::Deb,
        recipe::{DriverRecipe, ImageRecipe, KernelRecipe},
    },
    manifest::Origin,
    progress, tool,
};
use options::Options;

/// Where the work is, inside.
const WORK: &str = "/build";
/// The table of bytecode, in the folder of a recipe's kernel.
const DSDT: &str = "dsdt.dsl";
/// The folder of patches there.
const PATCHES: &str = "patches";
/// Patches the source, compiles the table into it, and works out its configuration.
const CONFIGURE: &str = r#"
set -e
for change in /build/patches/*.patch; do
    patch --silent --forward --fuzz=0 -p1 <"$change"
done
iasl -p /build/dsdt /build/dsdt.dsl
{
    echo 'static const unsigned char guest_dsdt[] __aligned(8) = {'
    od -An -v -tx1 /build/dsdt.aml | sed 's/\([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
} >drivers/acpi/guest_dsdt.h
make -s KCONFIG_ALLCONFIG=/build/options allnoconfig
"#;
/// Compiles it; `$1` is how many at once.
const COMPILE: &str = r#"
set -e
make -s -j "$1" bzImage
"#;
/// Compiles the driver's modules, named after `$1`, for it. Type information is left out, as it would need the kernel's own;
/// so is what only debuggers read.
const MODULES: &str = r#"
set -e
jobs=$1
shift
make -s -j "$jobs" modules
cd /build/driver
make -s -j "$jobs" modules ARCH=x86_64 SYSSRC=/build/source SYSOUT=/build/source NV_KERNEL_MODULES="$*" CONFIG_DEBUG_INFO_BTF_MODULES=
for module in "$@"; do
    strip --strip-debug "$module.ko"
done
"#;

/// A kernel for an image.
pub struct Kernel {
    /// The bzImage.
    pub image: Vec<u8>,
    /// Where it comes from.
    pub origin: Origin,
    /// The driver's modules, in the recipe's order.
    pub modules: Vec<Vec<u8>>,
    /// The pins of the inputs that it took, tools among them.
    pub inputs: Vec<Input>,
}

impl Kernel {
    /// One that the user hands in; only they know what it is.
    pub fn given(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            image: fs::read(path).map_err(Error::io("read", path))?,
            origin: Origin::Given {
                package: "kernel".into(),
            },
            modules: Vec::new(),
            inputs: Vec::new(),
        })
    }
}

/// A kernel to compile, its inputs fetched.
pub struct Order<'image> {
    recipe: &'image KernelRecipe,
    driver: Option<(&'image DriverRecipe, PathBuf, Input)>,
    folder: PathBuf,
    options: Options,
    source: PathBuf,
    pin: Input,
    toolchain: Toolchain,
    fetcher: &'image Fetcher,
}

impl<'image> Order<'image> {
    /// Fetches every input and reads the options, so that what is missing or wrong is reported before minutes of compiling.
    pub fn gather(
        image: &'image ImageRecipe,
        image_path: &Path,
        lock: &LockFile,
        fetcher: &'image Fetcher,
    ) -> Result<Self, Error> {
        let recipe = &image.kernel;
        let folder = image_path.with_file_name(&recipe.folder);
        let mut options = Options::default();
        for name in &recipe.options {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            options.add(&text).map_err(|fault| Error::KernelOption {
                path,
                line: fault.line,
                problem: fault.problem,
            })?;
        }
        let pin = lock.input(&recipe.input, Kind::Deb)?.clone();
        let driver = image.driver.as_ref().map(|driver| {
            let pin = lock.input(&driver.source.input, Kind::Deb)?;
            Ok((driver, fetcher.fetch(pin)?, pin.clone()))
        });
        Ok(Self {
            recipe,
            driver: driver.transpose()?,
            folder,
            options,
            source: fetcher.fetch(&pin)?,
            pin,
            toolchain: Toolchain::prepare(&image_path.with_file_name("toolchain.toml"), fetcher)?,
            fetcher,
        })
    }

    /// What it is compiled with.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// The kernel, from the cache or compiled.
    pub fn build(self) -> Result<Kernel, Error> {
        let name = self.digest()?.to_string();
        let made = self.fetcher.cache.join("kernels").join(name);
        make_once(&made, |work| self.compile(work))?;
        let read = |name: &str| {
            let path = made.join(name);
            fs::read(&path).map_err(Error::io("read", path))
        };
        let mut inputs = self.toolchain.pins().to_vec();
        inputs.push(self.pin);
        let names = self.driver.as_ref();
        let names = names.map_or(&[][..], |(driver, ..)| &driver.modules);
        let modules = names.iter().map(|name| read(&format!("{name}.ko")));
        let modules = modules.collect::<Result<_, _>>()?;
        inputs.extend(self.driver.map(|(_, _, pin)| pin));
        Ok(Kernel {
            image: read("bzImage")?,
            origin: Origin::Kernel {
                name: self.recipe.input.clone(),
                path: self.recipe.source.clone(),
                folder: self.recipe.folder.clone(),
            },
            modules,
            inputs,
        })
    }

    /// Of all that decides its bytes.
    fn digest(&self) -> Result<Sha256, Error> {
        let mut parts = vec![
            CONFIGURE.to_owned(),
            COMPILE.to_owned(),
            MODULES.to_owned(),
            self.pin.sha256.to_string(),
            // Its name is the digest of its packages.
            name_of(self.toolchain.root()),
            self.options.render(),
        ];
        for path in self.ours()? {
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            parts.push(format!("{} {}", name_of(&path), Sha256::of(&bytes)));
        }
        if let Some((driver, _, pin)) = &self.driver {
            let edits = &driver.source.edit;
            parts.push(format!("{} {edits:?} {:?}", pin.sha256, driver.modules));
        }
        Ok(Sha256::of(parts.join("\0").as_bytes()))
    }

    /// The patches in their order, and the table.
    fn ours(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder.join(PATCHES);
        let listed = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
        let mut files = listed
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::io("read", &folder))?;
        files.retain(|file| file.extension().is_some_and(|kind| kind == "patch"));
        files.push(self.folder.join(DSDT));
        files.sort();
        Ok(files)
    }

    /// Works in this folder, and says which one in it has what is kept.
    fn compile(&self, work: &Path) -> Result<PathBuf, Error> {
        self.lay_out(work)?;
        let chamber = Chamber::of(&self.toolchain)?
            .write(work, WORK)
            .with("KBUILD_BUILD_TIMESTAMP", "@0")
            .with("KBUILD_BUILD_USER", "chrysalis")
            .with("KBUILD_BUILD_HOST", "chrysalis");
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let run = |what: &str, made: &Path, script: &str, arguments: &[String]| {
            let mut command = chamber.command("sh", &format!("{WORK}/source"));
            command
                .args(["-c", script, "sh", &jobs.to_string()])
                .args(arguments);
            tool::step(what, made, command)
        };
        let source = work.join("source");
        run("configuring the kernel", &source, CONFIGURE, &[])?;
        let configuration = source.join(".config");
        let text = fs::read_to_string(&configuration).map_err(Error::io("read", &configuration))?;
        let unmet = self.options.unmet(&text);
        if !unmet.is_empty() {
            return Err(Error::KernelOptionsUnmet {
                options: unmet.join("\n  "),
            });
        }
        run("compiling the kernel, some minutes", &source, COMPILE, &[])?;
        let done = work.join("done");
        fs::create_dir(&done).map_err(Error::io("create", &done))?;
        let keep = |from: PathBuf, name: &str| {
            fs::copy(&from, done.join(name)).map_err(Error::io("copy", from))
        };
        keep(source.join("arch/x86/boot/bzImage"), "bzImage")?;
        keep(configuration, "config")?;
        if let Some((driver, ..)) = &self.driver {
            let what = format!("compiling {}", driver.modules.join(" and "));
            run(&what, work, MODULES, &driver.modules)?;
            for name in &driver.modules {
                let file = format!("{name}.ko");
                keep(work.join("driver").join(&file), &file)?;
            }
        }
        Ok(done)
    }

    /// The source, unpacked, and all of ours.
    fn lay_out(&self, work: &Path) -> Result<(), Error> {
        let patches = work.join(PATCHES);
        fs::create_dir(&patches).map_err(Error::io("create", &patches))?;
        for file in self.ours()? {
            let name = file.file_name().unwrap_or_default();
            let to = if name == DSDT { work } else { &patches };
            fs::copy(&file, to.join(name)).map_err(Error::io("copy", &file))?;
        }
        let options = work.join("options");
        fs::write(&options, self.options.render()).map_err(Error::io("write", &options))?;
        progress::during("unpacking the kernel's source", || {
            let deb = Deb::read(&self.recipe.input, &self.source)?;
            let (path, archive) = deb.only(&self.recipe.source)?;
            unpack(archive, work).map_err(|problem| Error::BadPackage {
                input: format!("{path} of {}", self.recipe.input),
                problem,
            })?;
            let top = top_of(path);
            let from = work.join(top);
            fs::rename(&from, work.join("source")).map_err(Error::io("rename", from))
        })?;
        if let Some((driver, path, _)) = &self.driver {
            progress::during("unpacking the driver's source", || {
                let deb = Deb::read(&driver.source.input, path)?;
                modules::lay_out(&driver.source, &deb, &work.join("driver"))
            })?;
        }
        Ok(())
    }
}

/// [`Order::build`], as a value.
pub fn compile(order: Order<'_>) -> Result<Kernel, Error> {
    order.build()
}

/// `usr/src/linux-source-6.12.tar.xz` → `linux-source-6.12`.
fn top_of(archive: &str) -> &str {
    let name = archive.rsplit('/').next().unwrap_or(archive);
    name.split_once(".tar").map_or(name, |(top, _)| top)
}

fn unpack(archive: &[u8], folder: &Path) -> Result<(), String> {
    tar::Archive::new(XzDecoder::new(archive))
        .unpack(folder)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_names_its_folder() {
        assert_eq!(
            top_of("usr/src/linux-source-6.12.tar.xz"),
            "linux-source-6.12"
        );
        assert_eq!(top_of("linux"), "linux");
    }
}
