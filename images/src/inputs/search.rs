//! The search for one package: address after address, until bytes come that are the pinned ones.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{download, lock::Input};
use crate::{Error, digest::Sha256, files::temporary_in, progress};

/// For debs that are nowhere.
const HINT_DEB: &str = "`make lock` moves the pins to what the mirrors have today; to rebuild exactly this image, name an \
    archive of old versions: a base with --mirror URL, or a template in apt's configuration (docs/guide/image.md)";
/// Whose progress is shown: each input's, or that of all together.
#[derive(Clone, Copy)]
pub(super) enum Talk {
    Each,
    All,
}

/// A package that is looked for at one address after the other.
pub(super) struct Search<'input> {
    pub(super) input: &'input Input,
    talk: Talk,
    folder: &'input Path,
    cached: &'input Path,
    pub(super) tried: Vec<String>,
    /// Other bytes than the pinned ones.
    refused: Option<Error>,
}

impl<'input> Search<'input> {
    pub(super) fn new(
        input: &'input Input,
        talk: Talk,
        folder: &'input Path,
        cached: &'input Path,
    ) -> Self {
        Self {
            input,
            talk,
            folder,
            cached,
            tried: Vec::new(),
            refused: None,
        }
    }

    /// Whether the package is in the cache now.
    pub(super) fn at(&mut self, address: &str) -> Result<bool, Error> {
        let input = self.input;
        let temporary = temporary_in(self.folder)?;
        let file = temporary.path().join("input");
        let what = format!("fetching {} {}", input.package, input.version);
        let have = || file.metadata().map_or(0, |metadata| metadata.len());
        let status = || progress::of(have(), input.size);
        let transfer = || download::download(address, &file);
        let transferred = match self.talk {
            Talk::Each => progress::showing(&what, status, transfer),
            Talk::All => transfer(),
        };
        if let Err(problem) = transferred {
            self.tried.push(format!("{address}: {problem}"));
            return Ok(false);
        }
        match check(&file, input, address) {
            Ok(()) => keep(&file, self.cached).map(|()| true),
            Err(problem) => {
                self.refused = Some(problem);
                Ok(false)
            }
        }
    }

    pub(super) fn failed(self) -> Error {
        self.refused.unwrap_or_else(|| Error::Missing {
            name: self.input.package.clone(),
            version: self.input.version.clone(),
            file: self.input.path.clone(),
            tried: self.tried,
            hint: HINT_DEB,
        })
    }
}

pub(super) fn check(file: &Path, input: &Input, from: &str) -> Result<(), Error> {
    let found = Sha256::of_file(file).map_err(Error::io("read", file))?;
    let what = format!("{} {} from {from}", input.package, input.version);
    expect(what, (input.size, input.sha256), found)
}

/// Whether bytes have the pinned size and digest.
pub(crate) fn expect(
    what: String,
    (size, sha256): (u64, Sha256),
    found: (u64, Sha256),
) -> Result<(), Error> {
    if found.0 != size {
        return Err(Error::Truncated {
            what,
            expected: size,
            got: found.0,
        });
    }
    if found.1 != sha256 {
        return Err(Error::WrongHash {
            what,
            expected: sha256,
            got: found.1,
        });
    }
    Ok(())
}

pub(super) fn keep(file: &Path, cached: &Path) -> Result<(), Error> {
    fs::set_permissions(file, Permissions::from_mode(0o644))
        .map_err(Error::io("write to", file))?;
    fs::rename(file, cached).map_err(Error::io("write", cached))
}
