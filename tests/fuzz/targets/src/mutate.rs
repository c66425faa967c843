//! Mutations without feedback, for machines where libFuzzer cannot run: what its own mutators do, from a fixed seed.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Numbers that lengths and counts trip over.
const EDGES: [u32; 10] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
];
/// A block that is moved, repeated or removed has at most so many bytes.
const BLOCK: usize = 128;

const DICTIONARIES: [(&str, &str); 6] = [
    ("bundle", include_str!("../../dictionaries/bundle.dict")),
    ("policy", include_str!("../../dictionaries/policy.dict")),
    ("rim", include_str!("../../dictionaries/rim.dict")),
    ("tdx", include_str!("../../dictionaries/tdx.dict")),
    ("wire", include_str!("../../dictionaries/wire.dict")),
    ("x509", include_str!("../../dictionaries/x509.dict")),
];

/// The words of a dictionary, which are written as libFuzzer reads them: one in double quotes on a line, bytes as `\xNN`.
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let text = DICTIONARIES.iter().find(|(name, _)| *name == dictionary);
    let lines = text.map_or("", |(_, text)| text).lines();
    lines
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'))
        .map(unescape)
        .collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.strip_prefix('\\');
        let hex = escaped.and_then(|it| it.strip_prefix('x')?.get(..2));
        let (byte, taken) = match (escaped, hex.map(|it| u8::from_str_radix(it, 16))) {
            (_, Some(Ok(byte))) => (byte, 4),
            (Some(after), _) => (after.bytes().next().unwrap_or(b'\\'), 2),
            (None, _) => (u8::try_from(first).unwrap_or(b'?'), first.len_utf8()),
        };
        bytes.push(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    bytes
}

/// Makes inputs from seeds. The same seed makes the same inputs.
#[derive(Debug)]
pub struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    words: Vec<Vec<u8>>,
    longest: usize,
    random: ChaCha20Rng,
}

impl<'a> Mutator<'a> {
    /// Of inputs no longer than `longest`.
    pub fn new(seeds: &'a [Vec<u8>], words: Vec<Vec<u8>>, longest: usize, seed: u64) -> Self {
        Self {
            seeds,
            words,
            longest,
            random: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    /// The next input: a seed after one to eight changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..=self.below(8) {
            self.change(&mut input);
        }
        input.truncate(self.longest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let place = self.below(input.len() + 1);
        let end = (place + 1 + self.below(BLOCK)).min(input.len());
        match self.below(10) {
            0 | 1 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= bit;
                }
            }
            2 => {
                let value = self.byte();
                if let Some(byte) = input.get_mut(place) {
                    *byte = value;
                }
            }
            3 => drop(input.drain(place..end)),
            4 => {
                let block = input[place..end].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, block);
            }
            5 => {
                let noise: Vec<u8> = (0..self.below(16)).map(|_| self.byte()).collect();
                input.splice(place..place, noise);
            }
            6 => self.edge(input, place),
            7 => {
                let word = self.word();
                let over = if self.below(2) == 0 { word.len() } else { 0 };
                let end = (place + over).min(input.len());
                input.splice(place..end, word);
            }
            8 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                input.truncate(place);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.truncate(place),
        }
    }

    /// Puts a number at the edge of its range in place of one, two or four bytes, either end first.
    fn edge(&mut self, input: &mut [u8], place: usize) {
        let value = EDGES[self.below(EDGES.len())];
        let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
        let width = [1, 2, 4][self.below(3)];
        let bytes = if self.below(2) == 0 {
            &little[..width]
        } else {
            &big[4 - width..]
        };
        for (to, from) in input.iter_mut().skip(place).zip(bytes) {
            *to = *from;
        }
    }

    fn seed(&mut self) -> Vec<u8> {
        let place = self.below(self.seeds.len().max(1));
        self.seeds.get(place).cloned().unwrap_or_default()
    }

    fn word(&mut self) -> Vec<u8> {
        let place = self.below(self.words.len().max(1));
        self.words.get(place).cloned().unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.random.next_u32().to_le_bytes()[0]
    }

    /// From 0 to below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        let random = usize::try_from(self.random.next_u32()).expect("an address has 32 bits");
        random % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_libfuzzer_writes_them() {
        assert_eq!(unescape(r#"a\x00\\\"b"#), b"a\0\\\"b");
        for (name, _) in DICTIONARIES {
            assert!(!words(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let seeds = [b"one".to_vec(), vec![0; 100]];
        let some = |seed| {
            let mut mutator = Mutator::new(&seeds, words("rim"), 50, seed);
            let inputs: Vec<_> = (0..100).map(|_| mutator.next_input()).collect();
            assert!(inputs.iter().all(|input| input.len() <= 50));
            inputs
        };
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}
