//! What of the GPUs an engine gets that the configuration gives them: their nodes, and the libraries of their driver.

use std::{fs, os::unix::fs::FileTypeExt, path::Path};

/// Where the driver's libraries are, outside and inside.
const LIBRARIES: &str = "/nvidia/lib";
/// How the names of those begin that a program which computes on a GPU loads. The C library beside them is that of the enclave's
/// own worker: an engine has its own.
const LIBRARY_NAMES: [&str; 2] = ["libcuda.", "libnvidia-"];
/// Where devices are, and how the names of the GPUs' begin.
const DEVICES: &str = "/dev";
const DEVICE_NAMES: [&str; 1] = ["nvidia"];

/// The GPUs' nodes. All GPUs of the machine have passed appraisal by now: the configuration has a `[gpu]`, or there is no such engine.
pub(super) fn nodes() -> Result<Vec<String>, String> {
    nodes_in(Path::new(DEVICES))
}

/// The driver's libraries that an engine loads, each at the same place inside: none of its firmware, modules or programs.
pub(super) fn libraries() -> Result<Vec<(String, String)>, String> {
    libraries_in(Path::new(LIBRARIES))
}

fn nodes_in(folder: &Path) -> Result<Vec<String>, String> {
    let nodes = listed(folder, &DEVICE_NAMES, FileTypeExt::is_char_device)?;
    if nodes.is_empty() {
        return Err(
            "it wants GPUs, and this machine has none (hint: boot the image for GPUs on a machine that has one)"
                .to_owned(),
        );
    }
    Ok(nodes)
}

fn libraries_in(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let files = listed(folder, &LIBRARY_NAMES, fs::FileType::is_file)?;
    if files.is_empty() {
        return Err(format!(
            "it wants GPUs, and {} has no libraries of their driver (hint: boot the image for GPUs)",
            folder.display()
        ));
    }
    let pairs = files.into_iter().map(|file| (file.clone(), file));
    Ok(pairs.collect())
}

/// What of this kind is in a folder under names that begin so, sorted.
fn listed(
    folder: &Path,
    names: &[&str],
    wanted: impl Fn(&fs::FileType) -> bool,
) -> Result<Vec<String>, String> {
    let unreadable = |error| format!("{} cannot be read: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let chosen = names
            .iter()
            .any(|start| name.to_str().is_some_and(|name| name.starts_with(start)));
        if chosen && entry.file_type().is_ok_and(|kind| wanted(&kind)) {
            let path = entry.path().into_os_string().into_string();
            found.push(path.map_err(|path| format!("{} is not UTF-8", path.display()))?);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_gets_the_drivers_libraries_and_nothing_else_of_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let none = libraries_in(folder.path()).unwrap_err();
        assert!(none.contains("no libraries of their driver"), "{none}");
        for name in [
            "libnvidia-ml.so.1",
            "libcuda.so.1",
            "libc.so.6",
            "libcrypto.so.3",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("libnvidia-firmware")).unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let found = libraries_in(folder.path()).unwrap();
        let wanted = ["libcuda.so.1", "libnvidia-ml.so.1"].map(|name| (at(name), at(name)));
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_machine_without_gpus_is_named_as_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nvidia0"), "no device").unwrap();
        let why = nodes_in(folder.path()).unwrap_err();
        assert!(why.starts_with("it wants GPUs, and this machine has none (hint: "));
        assert!(nodes_in(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn devices_are_found_by_name_and_kind() {
        // `fd` is a link, and `shm` a folder.
        let found = listed(Path::new("/dev"), &["zero", "null", "fd", "shm"], |kind| {
            kind.is_char_device()
        });
        assert_eq!(found.unwrap(), ["/dev/null", "/dev/zero"]);
    }
}
