//! The memory of another process, searched for what should not be there: and first for what should, so that the search is known to
//! find.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use ed25519_dalek::{VerifyingKey, hazmat::ExpandedSecretKey};
use memchr::memmem;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes that are shown before and after the beginning of what was found.
const AROUND: usize = 160;
/// The order of P-256's group, and what Montgomery's reduction needs of it: -1/n modulo 2^64.
const ORDER: [u64; 4] = [
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
];
const ORDER_INVERSE: u64 = 0xccd1_c8aa_ee00_bc4f;

/// Everything that a process can write to, read while it runs or is stopped.
pub struct Memory {
    file: File,
    ranges: Vec<(u64, u64)>,
}

impl Memory {
    /// Of this process; `None` if we may not read it. The enclave closes its memory to all but the administrator.
    pub fn of(process: u32) -> Option<Self> {
        let file = File::open(format!("/proc/{process}/mem")).ok()?;
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
        let range = |line: &str| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16));
            rest.starts_with("rw").then_some((start.ok()?, end.ok()?))
        };
        Some(Self {
            file,
            ranges: maps.lines().filter_map(range).collect(),
        })
    }

    /// Of the guest of this process, if it is a QEMU: the file that the guest's memory is (`memory-backend-memfd`). It lasts for as
    /// long as it is open here.
    pub fn of_guest(process: u32) -> Option<Self> {
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        let of_guest = |path: &PathBuf| {
            let target = fs::read_link(path).unwrap_or_default();
            target
                .to_string_lossy()
                .starts_with("/memfd:memory-backend")
        };
        let path = files.flatten().map(|file| file.path()).find(of_guest)?;
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        Some(Self {
            file,
            ranges: vec![(0, length)],
        })
    }

    /// Calls `see` with each piece; pieces overlap by so many bytes. Each begins at a multiple of 4096.
    fn each(&self, overlap: usize, mut see: impl FnMut(&[u8])) {
        let mut chunk = vec![0; CHUNK + overlap];
        for &(start, end) in &self.ranges {
            for at in (start..end).step_by(CHUNK) {
                let most = usize::try_from(end - at).unwrap_or(CHUNK);
                let most = most.min(chunk.len());
                let length = self.file.read_at(&mut chunk[..most], at).unwrap_or(0);
                see(&chunk[..length]);
            }
        }
    }

    /// Of the guest whose QEMU is a child of this process, or of a child.
    ///
    /// # Panics
    /// When there is none.
    pub fn of_vm(host: u32) -> Self {
        let mut processes = vec![host];
        while let Some(process) = processes.pop() {
            if let Some(memory) = Self::of_guest(process) {
                return memory;
            }
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
            let children = children.unwrap_or_default();
            processes.extend(
                children
                    .split_whitespace()
                    .filter_map(|it| it.parse::<u32>().ok()),
            );
        }
        panic!("no process has a guest's memory");
    }

    /// How often it has these bytes.
    pub fn count(&self, wanted: &[u8]) -> usize {
        let mut found = 0;
        self.each(wanted.len() - 1, |piece| {
            found += memmem::find_iter(piece, wanted).count();
        });
        found
    }

    /// What stands around these bytes, each place where they are, for whoever asks why.
    pub fn around(&self, wanted: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        self.each(wanted.len() - 1, |piece| {
            found.extend(memmem::find_iter(piece, wanted).map(|at| {
                let around = &piece[at.saturating_sub(AROUND)..piece.len().min(at + AROUND)];
                around.escape_ascii().to_string()
            }));
        });
        found
    }

    /// The private half of a P-256 key as ring keeps it, d in Montgomery's form and little-endian words; found by its public point
    /// alone, uncompressed.
    pub fn p256_key(&self, point: &[u8]) -> Option<PrivateKey> {
        let mut found = None;
        self.each(48, |piece| {
            // ring has room for P-384: the last two words are zero.
            for place in piece.windows(48).step_by(8) {
                if found.is_none() && place[32..48] == [0; 16] && is_random(&place[..32]) {
                    found = PrivateKey::of(place, point);
                }
            }
        });
        found
    }

    /// The private half of an Ed25519 key as ring keeps it: beside the public key, a scalar and a prefix.
    pub fn ed25519_scalar(&self, public: &[u8; 32]) -> Option<[u8; 32]> {
        let mut found = None;
        self.each(160, |piece| {
            let places = memmem::find_iter(piece, public).filter_map(|at| {
                let from = at.checked_sub(64)?;
                piece.get(from..from + 160)
            });
            for place in places {
                let starts = [0, 32, 96, 128];
                let scalars = starts.map(|at| place[at..at + 32].try_into().expect("32 bytes"));
                let fits = |scalar: &[u8; 32]| {
                    let mut expanded = [0; 64];
                    expanded[..32].copy_from_slice(scalar);
                    let key = ExpandedSecretKey::from_bytes(&expanded);
                    VerifyingKey::from(&key).as_bytes() == public
                };
                found = found.or_else(|| scalars.into_iter().find(fits));
            }
        });
        found
    }
}

/// 32 bytes that may be drawn at random: hardly one in a million that are has less than 20 different ones, and pointers, lengths
/// and zeros do.
fn is_random(bytes: &[u8]) -> bool {
    bytes[..8] != [0; 8] && bytes.iter().collect::<BTreeSet<_>>().len() >= 20
}

/// A private key, in each form in which memory may have it.
pub struct PrivateKey {
    /// 32 bytes each: as ring computes with it, the number in little-endian order, and in big-endian order.
    pub forms: [[u8; 32]; 3],
}

impl PrivateKey {
    fn of(place: &[u8], point: &[u8]) -> Option<Self> {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(place.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        let little = bytes_of(reduced(words));
        let mut big = little;
        big.reverse();
        let fits = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &big,
            point,
            &SystemRandom::new(),
        );
        fits.is_ok().then_some(Self {
            forms: [bytes_of(words), little, big],
        })
    }
}

fn bytes_of(words: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Out of Montgomery's form: the number divided by 2^256, modulo the order (Handbook of Applied Cryptography, 14.32).
fn reduced(number: [u64; 4]) -> [u64; 4] {
    let mut words = [number[0], number[1], number[2], number[3], 0];
    for _ in 0..4 {
        let factor = u128::from(words[0].wrapping_mul(ORDER_INVERSE));
        let mut carry = 0;
        for (word, order) in words.iter_mut().zip(ORDER.into_iter().chain([0])) {
            let sum = u128::from(*word) + factor * u128::from(order) + carry;
            *word = low(sum);
            carry = sum >> 64;
        }
        words = [words[1], words[2], words[3], words[4], low(carry)];
    }
    let result = [words[0], words[1], words[2], words[3]];
    match less_order(result) {
        Some(smaller) => smaller,
        None => result,
    }
}

/// Minus the order, if it is not less.
fn less_order(number: [u64; 4]) -> Option<[u64; 4]> {
    let mut borrow = false;
    let mut smaller = [0; 4];
    for at in 0..4 {
        let (first, under) = number[at].overflowing_sub(ORDER[at]);
        let (second, again) = first.overflowing_sub(u64::from(borrow));
        smaller[at] = second;
        borrow = under || again;
    }
    (!borrow).then_some(smaller)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is meant"
)]
const fn low(number: u128) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leaves_montgomerys_form() {
        // 2^256 modulo the order is one, in that form.
        let one = [
            0x0c46_353d_039c_daaf,
            0x4319_0552_58e8_617b,
            0,
            0x0000_0000_ffff_ffff,
        ];
        assert_eq!(reduced(one), [1, 0, 0, 0]);
        assert_eq!(reduced([0; 4]), [0; 4]);
        assert_eq!(reduced(ORDER), [0; 4]);
    }
}
