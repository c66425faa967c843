//! An engine's secrets, on their way from the enclave to files in memory that this engine's user alone can read. They are in this
//! process's memory for as long as that takes, each in one place, and zeros afterwards.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, chown},
    path::Path,
};

use chrysalis_wire::room::{Plan, SECRETS};
use rustix::mount::MountFlags;
use zeroize::Zeroizing;

use crate::mounts;

/// As many as there can be fit, in MiB.
const SIZE: u32 = 2;

/// All of one plan. No `Debug`: they are not shown.
pub(crate) struct Secrets(Vec<(String, Zeroizing<Vec<u8>>)>);

impl Secrets {
    /// Reads what follows a plan that was checked.
    pub(crate) fn read(plan: &Plan, from: &mut impl Read) -> io::Result<Self> {
        let read = plan.secrets.iter().map(|secret| {
            let bytes = usize::try_from(secret.bytes).map_err(io::Error::other)?;
            // All of it at once: what grows leaves copies behind.
            let mut value = Zeroizing::new(vec![0; bytes]);
            from.read_exact(&mut value)?;
            Ok((secret.name.clone(), value))
        });
        read.collect::<io::Result<_>>().map(Self)
    }

    /// Puts them into the root that was entered, and forgets them. Nobody can change them from then on.
    pub(crate) fn put(self, user: u32) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let folder = Path::new(SECRETS);
        mounts::memory(folder, SIZE, user, MountFlags::NOEXEC)?;
        for (name, value) in self.0 {
            let place = folder.join(name);
            let mut options = File::options();
            let options = options.write(true).create_new(true).mode(0o400);
            options.open(&place)?.write_all(&value)?;
            chown(&place, Some(user), Some(user))?;
        }
        mounts::close(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{sound, with_secrets};

    #[test]
    fn each_is_read_to_its_length() {
        let plan = with_secrets(&[("a", 2), ("b", 3)]);
        let Secrets(read) = Secrets::read(&plan, &mut b"12345rest".as_slice()).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|(name, it)| (name.as_str(), it.as_slice()))
            .collect();
        assert_eq!(read, [("a", b"12".as_slice()), ("b", b"345")]);
        assert!(
            Secrets::read(&sound(), &mut io::empty())
                .unwrap()
                .0
                .is_empty()
        );
    }

    #[test]
    fn one_that_is_cut_is_none() {
        let plan = with_secrets(&[("a", 2), ("b", 3)]);
        let cut = Secrets::read(&plan, &mut b"1234".as_slice()).err().unwrap();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }
}
