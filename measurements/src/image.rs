//! An image folder, as `chrysalis-image` makes it.

use crate::MeasureError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Which of an image's two command lines a guest boots with. They measure differently, so that a simulated platform can never pass
/// for a real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandLine {
    /// For SNP hardware.
    Hardware,
    /// The same, with the words that make the enclave use a simulated processor.
    Simulated,
}

impl CommandLine {
    /// That of a simulated processor, or of hardware.
    pub fn of(simulated: bool) -> Self {
        if simulated {
            Self::Simulated
        } else {
            Self::Hardware
        }
    }
}

/// An image's folder: the files that are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    folder: PathBuf,
    hardware: String,
    simulated: String,
}

impl Image {
    /// Opens a folder that holds kernel, initrd, firmware and both command lines.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, MeasureError> {
        let folder = folder.into();
        for name in ["kernel", "initrd", "firmware.fd"] {
            let path = folder.join(name);
            fs::File::open(&path).map_err(|source| MeasureError::File { path, source })?;
        }
        let image = Self {
            hardware: command_line(folder.join("cmdline"))?,
            simulated: command_line(folder.join("cmdline-simulated"))?,
            folder,
        };
        if let Some(path) = image.driver() {
            fs::File::open(&path).map_err(|source| MeasureError::File { path, source })?;
        }
        Ok(image)
    }

    /// The kernel, a bzImage.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    /// The initial RAM disk.
    pub fn initrd(&self) -> PathBuf {
        self.folder.join("initrd")
    }

    /// The firmware that SNP runs first.
    pub fn firmware(&self) -> PathBuf {
        self.folder.join("firmware.fd")
    }

    /// The firmware that TDX runs first. Older images have none.
    pub fn tdx_firmware(&self) -> PathBuf {
        self.folder.join("firmware-tdx.fd")
    }

    /// The disk of a GPU's driver, if the command line names its root. The line is measured, and the guest checks the disk against
    /// it.
    pub fn driver(&self) -> Option<PathBuf> {
        let named = |word: &str| word.starts_with("driver=");
        let has = self.hardware.split(' ').any(named);
        has.then(|| self.folder.join("driver.img"))
    }

    /// The kernel command line, exactly as it must be passed to QEMU, because that is what is measured.
    pub fn command_line(&self, which: CommandLine) -> &str {
        match which {
            CommandLine::Hardware => &self.hardware,
            CommandLine::Simulated => &self.simulated,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// QEMU hashes the command line as it is, up to its NUL; the library that hashes here trims it first. So a line that trimming would
/// change is refused. One newline at the end of the file belongs to the file, not to the command line.
fn command_line(path: PathBuf) -> Result<String, MeasureError> {
    let bytes = read(&path)?;
    let fault = match String::from_utf8(bytes) {
        Err(_) => "is not UTF-8",
        Ok(text) => {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            if line.trim() != line {
                "begins or ends with white space"
            } else if line.contains(['\0', '\n']) {
                "has a NUL or a newline in it"
            } else {
                return Ok(line.to_owned());
            }
        }
    };
    Err(MeasureError::CommandLine { path, fault })
}

/// A file of an image, whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, MeasureError> {
    fs::read(path).map_err(|source| MeasureError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(command_line: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["kernel", "initrd", "firmware.fd"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::write(folder.path().join("cmdline"), command_line).unwrap();
        fs::write(folder.path().join("cmdline-simulated"), "simulated").unwrap();
        folder
    }

    fn fault_of(command_line: &[u8]) -> &'static str {
        match Image::open(folder_with(command_line).path()) {
            Err(MeasureError::CommandLine { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_newline_of_the_file_is_not_part_of_the_command_line() {
        let folder = folder_with(b"console=ttyS0 --\n");
        let image = Image::open(folder.path()).unwrap();
        assert_eq!(
            image.command_line(CommandLine::Hardware),
            "console=ttyS0 --"
        );
        assert_eq!(image.command_line(CommandLine::Simulated), "simulated");
    }

    #[test]
    fn refuses_a_command_line_that_would_be_measured_otherwise_than_booted() {
        assert_eq!(fault_of(b"quiet "), "begins or ends with white space");
        assert_eq!(fault_of(b"quiet\n\n"), "begins or ends with white space");
        assert_eq!(
            fault_of("\u{a0}quiet".as_bytes()),
            "begins or ends with white space"
        );
        assert_eq!(fault_of(b"quiet\0evil"), "has a NUL or a newline in it");
        assert_eq!(fault_of(b"quiet\nevil"), "has a NUL or a newline in it");
        assert_eq!(fault_of(b"\xff"), "is not UTF-8");
    }

    #[test]
    fn a_driver_named_on_the_command_line_must_be_there() {
        let folder = folder_with(b"console=ttyS0 -- driver=1:00");
        let error = Image::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("/driver.img: No such file"), "{error}");
        fs::write(folder.path().join("driver.img"), "disk").unwrap();
        let driver = Image::open(folder.path()).unwrap().driver();
        assert_eq!(driver, Some(folder.path().join("driver.img")));
        let without = folder_with(b"console=ttyS0 --");
        assert_eq!(Image::open(without.path()).unwrap().driver(), None);
    }

    #[test]
    fn names_the_file_that_is_missing() {
        let folder = folder_with(b"");
        fs::remove_file(folder.path().join("initrd")).unwrap();
        let error = Image::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("/initrd: No such file"), "{error}");
        assert!(
            error.contains("`chrysalis-image build` makes one"),
            "{error}"
        );
    }
}
