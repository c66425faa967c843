//! The state folder: sockets, the console, and the simulated vendor's keys. One run at a time owns it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};

/// The longest path a Unix socket may have, its final NUL not counted.
const MAX_SOCKET_PATH: usize = 107;
/// The longest name of the sockets that are made in the folder.
const LONGEST_SOCKET: &str = "vsock.sock_1024";

/// A state folder that this process owns until it ends.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    /// The kernel lets go of the lock with the process, however it ends.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder if it is missing, readable by its owner only, and takes it.
    pub(crate) fn claim(path: Option<PathBuf>) -> anyhow::Result<Self> {
        let path = path.map_or_else(default_path, Ok)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| {
                anyhow!(
                    "cannot make the state folder {}: {error}\nhint: choose another with --state",
                    path.display()
                )
            })?;
        let path = fs::canonicalize(&path).with_context(|| path.display().to_string())?;
        if path.join(LONGEST_SOCKET).as_os_str().len() > MAX_SOCKET_PATH {
            bail!(
                "the path {} is too long for the sockets in it\nhint: choose a shorter one with --state",
                path.display()
            );
        }
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).with_context(|| lock_path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "another chrysalis-host is running with the state folder {}\n\
                 hint: stop it, or choose another folder with --state",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).context(lock_path.display().to_string()),
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A socket's path in it, after removing what an earlier run left there.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(path),
        }
    }
}

/// Where state is kept unless the provider says otherwise.
pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_STATE_HOME")
        .or_else(|| Some(set("HOME")?.join(".local/state")))
        .map(|folder| folder.join("chrysalis"))
        .context("there is no home folder\nhint: choose a state folder with --state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_owned_by_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = Some(folder.path().to_owned());
        let first = StateFolder::claim(path.clone()).unwrap();
        let refused = StateFolder::claim(path.clone()).unwrap_err().to_string();
        assert!(
            refused.contains("another chrysalis-host is running"),
            "{refused}"
        );
        drop(first);
        StateFolder::claim(path).unwrap();
    }

    #[test]
    fn refuses_a_path_too_long_for_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let refused = StateFolder::claim(Some(folder.path().join("x".repeat(100)))).unwrap_err();
        assert!(
            refused.to_string().contains("choose a shorter one"),
            "{refused}"
        );
    }

    #[test]
    fn removes_the_socket_of_an_earlier_run() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::claim(Some(folder.path().to_owned())).unwrap();
        fs::write(state.join("host.sock"), "").unwrap();
        assert!(!state.fresh("host.sock").unwrap().exists());
    }
}
