//! Private keys of those who sign: Ed25519 or P-256 in PKCS #8, new ones encrypted as PBES2 has it (RFC 8018), with scrypt and
//! AES-256. openssl reads and writes the same files.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    Rejection,
    encoding::pem,
    release::{Development, Envelope, PublicKey},
};
use pkcs8::{
    EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef,
    der::{EncodePem, asn1::OctetString, pem::LineEnding},
    pkcs5::{pbes2, scrypt},
};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use zeroize::Zeroizing;

use super::{error::Error, passphrase::Passphrase};

/// A PEM file with such a key has some 500 bytes.
const MAX_FILE: u64 = 16 * 1024;
/// What comes before the key in the one DER encoding of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410 §4).
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// What comes before the seed in PKCS #8 of version 1, which openssl reads as well (RFC 8410 §7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const SEED: usize = 32;
/// What scrypt costs: 16 MiB, which is as much as openssl opens without being asked to, five times over (OWASP's advice of 2023 for
/// that much memory).
const SCRYPT: (u8, u32, u32) = (14, 8, 5);
const SALT: usize = 16;
const IV: usize = 16;

/// A key to sign with.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
    path: PathBuf,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes an Ed25519 key, in a new file that only its owner can read.
    pub fn make(path: &Path, passphrase: &Passphrase) -> Result<Self, Error> {
        Self::make_sealed(path, |pkcs8, random| {
            seal(pkcs8, &passphrase.choose(path)?, random)
        })
    }

    /// The same without a passphrase: anyone who can read the file can sign.
    pub fn make_open(path: &Path) -> Result<Self, Error> {
        Self::make_sealed(path, |pkcs8, _| {
            let document = pkcs8::SecretDocument::try_from(pkcs8);
            let pem = document.and_then(|it| it.to_pem("PRIVATE KEY", LineEnding::LF));
            pem.map_err(|_| Error::Unmade("it cannot be written"))
        })
    }

    fn make_sealed(
        path: &Path,
        pem: impl FnOnce(&[u8], &SystemRandom) -> Result<Zeroizing<String>, Error>,
    ) -> Result<Self, Error> {
        if path.exists() {
            return Err(Error::Exists(path.to_owned()));
        }
        let random = SystemRandom::new();
        let mut pkcs8 = Zeroizing::new([0; PKCS8.len() + SEED]);
        let (head, seed) = pkcs8.split_at_mut(PKCS8.len());
        head.copy_from_slice(&PKCS8);
        random
            .fill(seed)
            .map_err(|_| Error::Unmade("no random numbers"))?;
        let pem = pem(&pkcs8[..], &random)?;
        write_private(path, pem.as_bytes())?;
        Self::from_pkcs8(&pkcs8[..], Development::Refused, path)?
            .ok_or(Error::Unmade("it cannot be read back"))
    }

    /// Reads PKCS #8 PEM. Asks for the passphrase only if the file is encrypted.
    pub fn read(
        path: &Path,
        passphrase: &Passphrase,
        development: Development,
    ) -> Result<Self, Error> {
        let file = Zeroizing::new(bounded(path, |path| fs::read_to_string(path))?);
        let no_key = || Error::NoKey(path.to_owned());
        let (label, der) = pkcs8::SecretDocument::from_pem(&file).map_err(|_| no_key())?;
        let der = match label {
            "PRIVATE KEY" => der,
            "ENCRYPTED PRIVATE KEY" => {
                let locked = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes());
                let locked = locked.map_err(|_| no_key())?;
                let passphrase = passphrase.of(path)?;
                let opened = locked.decrypt(passphrase.as_bytes());
                opened.map_err(|_| Error::Locked(path.to_owned()))?
            }
            _ => return Err(no_key()),
        };
        Self::from_pkcs8(der.as_bytes(), development, path)?.ok_or_else(no_key)
    }

    /// `None` for what is no key that signs here.
    fn from_pkcs8(
        der: &[u8],
        development: Development,
        path: &Path,
    ) -> Result<Option<Self>, Error> {
        // openssl leaves the public half out of Ed25519 keys, so there is nothing to compare with.
        let (pair, public) = if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let spki = [&ED25519[..], pair.public_key().as_ref()].concat();
            let public = PublicKey::from_spki_with(&spki, development);
            (Pair::Ed25519(pair), public)
        } else {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &random) else {
                return Ok(None);
            };
            let point = pair.public_key().as_ref().try_into();
            let public = point.map_err(|_| Rejection::ReleaseKeyMalformed);
            let public = public.and_then(PublicKey::from_p256);
            (Pair::P256(pair), public)
        };
        match public {
            Ok(public) => Ok(Some(Self {
                pair,
                public,
                path: path.to_owned(),
            })),
            Err(Rejection::DevelopmentKey) => Err(Error::Development(path.to_owned())),
            Err(_) => Ok(None),
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The file that it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Signs bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => match pair.sign(&SystemRandom::new(), message) {
                Ok(signature) => Ok(signature.as_ref().to_vec()),
                Err(_) => Err(Error::Unmade("no random numbers to sign with")),
            },
        }
    }

    /// The envelope with this key's signature.
    pub fn signed(&self, envelope: Envelope) -> Result<Envelope, Error> {
        let signature = self.sign(&envelope.to_be_signed())?;
        Ok(envelope.with_signature(&self.public, signature))
    }

    /// Signs an envelope, as JSON.
    pub fn seal(&self, envelope: Envelope) -> Result<String, Error> {
        Ok(self.signed(envelope)?.to_json())
    }
}

/// Whether the development key may sign, which only somebody who names it wants.
pub fn development(named: bool) -> Development {
    if named {
        Development::Named
    } else {
        Development::Refused
    }
}

/// Reads a public key.
pub fn read_public(path: &Path, development: Development) -> Result<PublicKey, Error> {
    let file = bounded(path, |path| fs::read(path))?;
    PublicKey::read_with(&file, development).map_err(Error::refused(path))
}

/// A key's file; nothing of one that is too long to be a key's.
fn bounded<T: Default>(path: &Path, read: fn(&Path) -> io::Result<T>) -> Result<T, Error> {
    fs::metadata(path)
        .and_then(|metadata| match metadata.len() {
            length if length > MAX_FILE => Ok(T::default()),
            _ => read(path),
        })
        .map_err(Error::io("read the key", path))
}

/// A public key as openssl writes it.
pub fn public_pem(key: &PublicKey) -> String {
    pem::block("PUBLIC KEY", &key.spki())
}

fn seal(pkcs8: &[u8], passphrase: &str, random: &SystemRandom) -> Result<Zeroizing<String>, Error> {
    let (mut salt, mut iv) = ([0; SALT], [0; IV]);
    for bytes in [&mut salt, &mut iv] {
        let filled = random.fill(bytes);
        filled.map_err(|_| Error::Unmade("no random numbers"))?;
    }
    let unmade = |_| Error::Unmade("its encryption failed");
    let (log_n, r, p) = SCRYPT;
    let cost = scrypt::Params::new(log_n, r, p);
    let cost = cost.map_err(|_| Error::Unmade("its encryption failed"))?;
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).map_err(unmade)?;
    let encrypted = scheme
        .encrypt(passphrase.as_bytes(), pkcs8)
        .map_err(unmade)?;
    let failed = |_| Error::Unmade("its encryption failed");
    let file = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: scheme.into(),
        encrypted_data: OctetString::new(encrypted).map_err(failed)?,
    };
    file.to_pem(LineEnding::LF)
        .map(Zeroizing::new)
        .map_err(failed)
}

/// A new file that only its owner can read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let created = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = created.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
        _ => Error::io("write the key", path)(error),
    })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    const PASSPHRASE: &str = "correct horse battery staple";

    struct Room(tempfile::TempDir);

    impl Room {
        fn new() -> Self {
            let room = Self(tempfile::tempdir().expect("a folder"));
            fs::write(room.path("passphrase"), PASSPHRASE).expect("written");
            room
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn passphrase(&self) -> Passphrase {
            Passphrase::File(self.path("passphrase"))
        }

        fn openssl(&self, words: &[&str]) -> Vec<u8> {
            let mut openssl = Command::new("openssl");
            let output = openssl.args(words).current_dir(self.0.path()).output();
            let output = output.expect("openssl runs");
            assert!(output.status.success(), "{words:?}: {output:?}");
            output.stdout
        }
    }

    fn read(path: &Path, passphrase: &Passphrase) -> Result<PublicKey, Error> {
        let key = SigningKey::read(path, passphrase, Development::Refused)?;
        Ok(key.public().clone())
    }

    #[test]
    fn a_key_is_encrypted_private_and_never_replaced() {
        let room = Room::new();
        let path = room.path("release.pem");
        let key = SigningKey::make(&path, &room.passphrase()).expect("a key");
        let text = fs::read_to_string(&path).expect("the file");
        assert!(
            text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            "{text}"
        );
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            read(&path, &room.passphrase()).expect("opens"),
            *key.public()
        );
        assert!(matches!(
            SigningKey::make(&path, &room.passphrase()),
            Err(Error::Exists(_))
        ));
        fs::write(room.path("passphrase"), "another passphrase").expect("written");
        assert!(matches!(
            read(&path, &room.passphrase()),
            Err(Error::Locked(_))
        ));
    }

    #[test]
    fn openssl_opens_our_keys_and_we_open_its() {
        let room = Room::new();
        let ours = SigningKey::make(&room.path("ours.pem"), &room.passphrase()).expect("a key");
        let pass = "file:passphrase";
        let public = room.openssl(&["pkey", "-in", "ours.pem", "-passin", pass, "-pubout"]);
        assert_eq!(PublicKey::read(&public), Ok(ours.public().clone()));
        assert_eq!(public_pem(ours.public()).as_bytes(), public);
        let encrypted = ["-aes256", "-pass", pass, "-out"];
        let ed25519 = ["genpkey", "-algorithm", "ed25519"];
        let p256 = [
            "genpkey",
            "-algorithm",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ];
        for (name, how) in [("ed25519.pem", &ed25519[..]), ("p256.pem", &p256)] {
            room.openssl(&[how, &encrypted, &[name]].concat());
            let public = room.openssl(&["pkey", "-in", name, "-passin", pass, "-pubout"]);
            let found = read(&room.path(name), &room.passphrase()).expect("opens");
            assert_eq!(Ok(found), PublicKey::read(&public), "{name}");
        }
        // Without encryption nobody is asked.
        room.openssl(&[&ed25519[..], &["-out", "plain.pem"]].concat());
        read(&room.path("plain.pem"), &Passphrase::Terminal).expect("opens");
    }

    #[test]
    fn the_development_key_signs_only_where_it_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../measurements/releases/development/root.pem");
        let read = |development| SigningKey::read(&root, &Passphrase::Terminal, development);
        assert!(matches!(
            read(Development::Refused),
            Err(Error::Development(_))
        ));
        let key = read(Development::Named).expect("named");
        assert!(key.public().is_development());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let room = Room::new();
        for bytes in [
            "",
            "not a key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            fs::write(room.path("key.pem"), bytes).expect("written");
            let found = read(&room.path("key.pem"), &room.passphrase());
            assert!(matches!(found, Err(Error::NoKey(_))), "{bytes:?}");
        }
        fs::write(room.path("key.pem"), vec![b'x'; 20_000]).expect("written");
        assert!(matches!(
            read(&room.path("key.pem"), &room.passphrase()),
            Err(Error::NoKey(_))
        ));
    }
}
