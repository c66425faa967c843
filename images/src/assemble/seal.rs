//! A model's disk, encrypted for enclaves that its owner trusts: AES-256-XTS over the whole file, tree and all, as the kernel's dm-crypt reads
//! it. dm-verity lies above that, so the root, and all that names it, is that of the disk inside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aes::{Aes256, cipher::KeyInit};
use ring::rand::{SecureRandom, SystemRandom};
use xts_mode::Xts128;
use zeroize::Zeroizing;

use super::{
    card::{self, ModelCard},
    disk::Shelf,
    verity::BLOCK,
};
use crate::{Error, files::temporary_file, progress};

/// Bytes of a key: the cipher's, then the tweak's.
const KEY: usize = 64;
/// The sectors that dm-crypt counts its blocks in.
const SECTOR: usize = 512;

/// What was sealed.
#[derive(Debug)]
pub struct Sealed {
    /// The encrypted disk.
    pub disk: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Encrypts the disk of a card. Its key is made in the folder of keys, unless it is there already.
pub fn seal(name: &str, disks: &Path, keys: &Path) -> Result<Sealed, Error> {
    let shelf = Shelf::at(disks);
    let card: ModelCard = card::get(&shelf, name, &shelf.card(name))?;
    let root = card.model.disk.root;
    let from = shelf.disk(&root);
    let size = fs::metadata(&from).map_err(Error::io("read", &from))?.len();
    let place = keys.join(format!("{root}.key"));
    let key = key(&place)?;
    let to = disks.join(format!("{root}.sealed"));
    let mut source = BufReader::new(File::open(&from).map_err(Error::io("read", &from))?);
    let mut file = temporary_file(disks).map_err(Error::io("write to", disks))?;
    let what = format!("encrypting {} MB", progress::megabytes(size));
    progress::during(&what, || {
        let mut out = BufWriter::new(file.as_file_mut());
        encrypt(&key, &mut source, &mut out)
            .and_then(|()| out.flush())
            .map_err(Error::io("write", &to))
    })?;
    file.as_file().sync_all().map_err(Error::io("write", &to))?;
    file.persist(&to)
        .map_err(|error| Error::io("write", &to)(error.error))?;
    Ok(Sealed {
        disk: to,
        key: place,
    })
}

/// The key in this file; a new one where there is none, which its owner alone can read.
fn key(place: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let wrong = |problem: &str| Error::value(place, "key", problem.to_owned());
    match fs::read_to_string(place).map(Zeroizing::new) {
        Ok(text) => {
            let mode = fs::metadata(place)
                .map_err(Error::io("read", place))?
                .mode();
            if mode & 0o077 != 0 {
                return Err(wrong("can be read by others: run chmod 600 on it"));
            }
            let key = Zeroizing::new(hex::decode(text.trim()).unwrap_or_default());
            if key.len() != KEY {
                return Err(wrong("must be 128 hexadecimal digits"));
            }
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = Zeroizing::new(vec![0; KEY]);
            let drawn = SystemRandom::new().fill(&mut key);
            drawn.map_err(|_| wrong("cannot be drawn: the system gives no random numbers"))?;
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            }
            let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(&*key))));
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(place);
            file.and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .map_err(Error::io("write", place))?;
            Ok(key)
        }
        Err(error) => Err(Error::io("read", place)(error)),
    }
}

/// Block after block of [`BLOCK`] bytes, the tweak being the number of its first sector. A disk has whole blocks.
fn encrypt(key: &[u8], source: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    let (first, second) = key.split_at(key.len() / 2);
    let cipher = |key: &[u8]| Aes256::new_from_slice(key).map_err(io::Error::other);
    let xts = Xts128::new(cipher(first)?, cipher(second)?);
    let mut block = Zeroizing::new([0; BLOCK]);
    let mut sector = 0_u128;
    loop {
        match source.read_exact(&mut *block) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        xts.encrypt_sector(&mut *block, sector.to_le_bytes().into());
        out.write_all(&*block)?;
        sector += (BLOCK / SECTOR) as u128;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `cryptography` has it: `Cipher(AES(bytes(range(64))), XTS(n.to_bytes(16, "little")))`, each block of 4096 zeros, n = 0 and 8.
    const EXPECTED: [&str; 2] = [
        "cd6b103236fbd87dba93e9001e29bc3d5e885d6abd1577e3e0e0a5f49e444894",
        "32557c9efcea00dfdf521bbc053d1a7bbfa19329b1ffb84b976aca38493e593d",
    ];

    #[test]
    fn a_block_is_encrypted_under_the_number_of_its_first_sector() {
        let key: Vec<u8> = (0..64).collect();
        let mut out = Vec::new();
        encrypt(&key, &mut &[0; 2 * BLOCK][..], &mut out).unwrap();
        for (block, expected) in out.chunks(BLOCK).zip(EXPECTED) {
            assert_eq!(hex::encode(&block[..32]), expected);
        }
        assert_eq!(out.len(), 2 * BLOCK);
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("keys/a.key");
        let made = key(&place).unwrap();
        assert_eq!(*key(&place).unwrap(), *made);
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
        fs::write(&place, "abcd").unwrap();
        let refused = key(&place).unwrap_err().to_string();
        assert!(refused.contains("128 hexadecimal digits"), "{refused}");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(&place, open).unwrap();
        let refused = key(&place).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
