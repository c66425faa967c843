//! The disks that a configuration names, in the folder that the provider names: each file by its root, checked for a clear message
//! before anything boots. dm-verity decides in the guest.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail, ensure};
use chrysalis_wire::configuration::{Configuration, Disk};

use crate::launch::disks::DiskFile;

/// What runs the enclave, and so which form of a disk it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A VM: the disk's file.
    Vm,
    /// A plain process, which mounts nothing: the folder that is inside the disk, where it holds one.
    Process,
}

/// A disk, and what the configuration wants it for.
struct Wanted<'a> {
    /// `engine` or `model`, as `chrysalis-image` calls it.
    kind: &'static str,
    name: &'a str,
    disk: &'a Disk,
    /// Whether it is encrypted.
    sealed: bool,
    /// Whether a folder is inside, as opposed to one file.
    folder: bool,
}

/// The folder's whole path, and each disk once, in the configuration's order.
pub(super) fn find(
    folder: &Path,
    configuration: &Configuration,
    reader: Reader,
) -> anyhow::Result<(PathBuf, Vec<DiskFile>)> {
    let shown = folder.display();
    let found = fs::canonicalize(folder).and_then(|whole| fs::read_dir(&whole).map(|_| whole));
    let folder = found.map_err(|error| {
        anyhow!(
            "cannot read the folder of disks {shown}: {error}\n\
             hint: name the folder with --disks; `chrysalis-image engine RECIPE --out DIR` and `chrysalis-image model FILE --out DIR` \
             fill one"
        )
    })?;
    let mut disks: Vec<DiskFile> = Vec::new();
    let mut roots: Vec<&str> = Vec::new();
    for wanted in wanted(configuration) {
        if roots.contains(&wanted.disk.root.as_str()) {
            continue;
        }
        let serial = wanted.disk.serial();
        ensure!(
            disks.iter().all(|disk| disk.serial != serial),
            "{} {}: another disk's root begins with the same {} digits, by which the guest finds a disk\n\
             hint: make one of the two disks anew from other content",
            wanted.kind,
            wanted.name,
            serial.len()
        );
        let file = wanted.file(&folder, reader)?;
        roots.push(&wanted.disk.root);
        disks.push(DiskFile {
            serial: serial.to_owned(),
            file,
        });
    }
    Ok((folder, disks))
}

fn wanted(configuration: &Configuration) -> impl Iterator<Item = Wanted<'_>> {
    let engines = configuration.engines.iter().map(|engine| Wanted {
        kind: "engine",
        name: &engine.name,
        disk: &engine.disk,
        sealed: false,
        folder: true,
    });
    let models = configuration.models.iter().map(|model| Wanted {
        kind: "model",
        name: &model.name,
        disk: &model.disk,
        sealed: model.sealed,
        folder: model.size.is_none(),
    });
    engines.chain(models)
}

impl Wanted<'_> {
    /// The disk's file, if it has the size that the configuration says.
    fn file(&self, folder: &Path, reader: Reader) -> anyhow::Result<PathBuf> {
        let Self {
            kind, name, disk, ..
        } = self;
        // A plain process has it open: nothing is secret from whoever runs it.
        let file = match (self.sealed, reader) {
            (true, Reader::Vm) => disk.sealed_file(),
            _ => disk.file(),
        };
        let file = folder.join(file);
        let shown = file.display();
        let size = match fs::metadata(&file) {
            Ok(found) if found.is_file() => found.len(),
            Ok(_) => bail!(
                "{kind} {name}: {shown} is no file\nhint: {}",
                self.make(folder, "")
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "{kind} {name}: there is no disk {shown}\nhint: {}, or name the folder that holds it with --disks",
                self.make(folder, "")
            ),
            Err(error) => bail!(
                "{kind} {name}: cannot read the disk {shown}: {error}\nhint: let this user read it"
            ),
        };
        if size != disk.size() {
            bail!(
                "{kind} {name}: the disk {shown} has {size} bytes, but its {} blocks and their tree have {}\n\
                 hint: {}",
                disk.blocks,
                disk.size(),
                self.make(folder, "")
            );
        }
        let inside = folder.join(&disk.root);
        if reader == Reader::Process && self.folder && !inside.is_dir() {
            bail!(
                "{kind} {name}: there is no folder {}, which an enclave without a VM reads instead of the disk\nhint: {}",
                inside.display(),
                self.make(folder, " --unpacked")
            );
        }
        Ok(file)
    }

    /// How to make the disk.
    fn make(&self, folder: &Path, also: &str) -> String {
        let from = if self.kind == "engine" {
            "RECIPE"
        } else {
            "RECIPE|FILE|FOLDER"
        };
        let out = folder.display();
        if self.sealed {
            return format!(
                "get it from the model's owner, who makes it with `chrysalis-image seal {} --disks {out} --keys DIR`",
                self.name
            );
        }
        format!(
            "make it with `chrysalis-image {} {from} --out {out}{also}`",
            self.kind
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &str = "ab";
    const MODEL: &str = "cd";

    fn configuration(engine: &str, model: &str, size: &str) -> Configuration {
        let [engine, model] = [engine, model].map(|digits| format!("{digits:0<64}"));
        let text = format!(
            "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{engine}\", blocks = 2 }}\nthreads = 1\n\
             memory_mib = 512\n[[model]]\nname = \"m\"\nkind = \"embedding\"\nengine = \"e\"\n\
             disk = {{ root = \"{model}\", blocks = 1 }}\n{size}\nweights = \"{engine}\"\ncontext = 2048\nparallel = 4\n\
             [serving]\nqueue = 8\ndefault_max_tokens = 256\n"
        );
        Configuration::parse(text.as_bytes()).unwrap()
    }

    fn disk(folder: &Path, root: &str, blocks: u64) {
        let file = fs::File::create(folder.join(format!("{root:0<64}.img"))).unwrap();
        file.set_len(blocks * Disk::BLOCK).unwrap();
    }

    #[test]
    fn finds_every_disk_by_its_root_once() {
        let folder = tempfile::tempdir().unwrap();
        disk(folder.path(), ENGINE, 3);
        disk(folder.path(), MODEL, 1);
        let two = configuration(ENGINE, MODEL, "size = 7");
        let (_, disks) = find(folder.path(), &two, Reader::Vm).unwrap();
        let serials: Vec<_> = disks.iter().map(|disk| disk.serial.as_str()).collect();
        assert_eq!(serials, [ENGINE, MODEL].map(|root| format!("{root:0<20}")));
        assert!(disks.iter().all(|disk| disk.file.is_absolute()));
        let mut shared = two.clone();
        shared.models[0].disk = shared.engines[0].disk.clone();
        assert_eq!(find(folder.path(), &shared, Reader::Vm).unwrap().1.len(), 1);
    }

    #[test]
    fn says_what_is_wrong_with_a_disk_and_how_to_make_it() {
        let folder = tempfile::tempdir().unwrap();
        let of = |configuration: &Configuration, reader| {
            find(folder.path(), configuration, reader)
                .unwrap_err()
                .to_string()
        };
        let two = configuration(ENGINE, MODEL, "size = 7");
        let says = |refused: String, what: &str, hint: &str| {
            assert!(refused.contains(what), "{refused}");
            assert!(
                refused.contains(hint) && refused.contains("hint: "),
                "{refused}"
            );
        };
        says(
            of(&two, Reader::Vm),
            "engine e: there is no disk",
            "chrysalis-image engine RECIPE --out /",
        );
        disk(folder.path(), ENGINE, 2);
        says(
            of(&two, Reader::Vm),
            "has 8192 bytes, but its 2 blocks and their tree have 12288",
            "chrysalis-image engine",
        );
        disk(folder.path(), ENGINE, 3);
        says(
            of(&two, Reader::Vm),
            "model m: there is no disk",
            "chrysalis-image model RECIPE|FILE|FOLDER",
        );
        fs::create_dir(folder.path().join(format!("{MODEL:0<64}.img"))).unwrap();
        says(of(&two, Reader::Vm), "is no file", "chrysalis-image model");
        let alike = configuration(ENGINE, &format!("{ENGINE:0<63}1"), "size = 7");
        says(
            of(&alike, Reader::Vm),
            "begins with the same 20 digits",
            "from other content",
        );
    }

    #[test]
    fn a_process_needs_the_folder_that_is_inside() {
        let folder = tempfile::tempdir().unwrap();
        disk(folder.path(), ENGINE, 3);
        disk(folder.path(), MODEL, 1);
        let inside = |root: &str| folder.path().join(format!("{root:0<64}"));
        let find = |size| {
            find(
                folder.path(),
                &configuration(ENGINE, MODEL, size),
                Reader::Process,
            )
        };
        let refused = find("size = 7").unwrap_err().to_string();
        assert!(
            refused.contains("engine e") && refused.contains(" --unpacked`"),
            "{refused}"
        );
        fs::create_dir(inside(ENGINE)).unwrap();
        find("size = 7").unwrap();
        let refused = find("").unwrap_err().to_string();
        assert!(
            refused.contains("model m") && refused.contains(" --unpacked`"),
            "{refused}"
        );
        fs::create_dir(inside(MODEL)).unwrap();
        find("").unwrap();
    }

    #[test]
    fn names_a_folder_that_is_not_there() {
        let two = configuration(ENGINE, MODEL, "size = 7");
        let refused = find(Path::new("/nowhere"), &two, Reader::Vm)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("/nowhere") && refused.contains("--disks"),
            "{refused}"
        );
    }
}
