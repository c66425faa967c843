//! A reader and a writer for the bit of DER that no library here covers: OCSP, the extension that holds a FWID, signatures, envelopes.
//!
//! Trusts nothing: lengths must be minimal and definite, tags fit in one byte, and the caller says where the end is.

/// The tags in use here.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0A;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;

    /// `[number]` around another value, or in place of a constructed one.
    pub(crate) const fn context(number: u8) -> u8 {
        0xA0 | number
    }

    /// `[number]` in place of a primitive value.
    pub(crate) const fn context_primitive(number: u8) -> u8 {
        0x80 | number
    }
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Der<'a> {
    rest: &'a [u8],
}

/// One value: its tag, its content, and all its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
}

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next value, of any kind. `None` at the end, and where the bytes are not DER.
    pub(crate) fn any(&mut self) -> Option<Value<'a>> {
        let (&tag, after_tag) = self.rest.split_first()?;
        let (length, after_length) = length(after_tag)?;
        let (content, rest) = after_length.split_at_checked(length)?;
        // Five low bits of ones announce a longer tag; nothing here has one.
        if tag & 0x1F == 0x1F {
            return None;
        }
        let raw = self.rest.get(..self.rest.len().checked_sub(rest.len())?)?;
        self.rest = rest;
        Some(Value { tag, content, raw })
    }

    /// The next value, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Option<Value<'a>> {
        self.any().filter(|value| value.tag == tag)
    }

    /// The content of the next value, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.value(tag).map(|value| value.content)
    }

    /// What is inside the next value, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self::new)
    }

    /// The content of the next value if it has this tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.rest.first() == Some(&tag) {
            self.take(tag)
        } else {
            None
        }
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// `Some` only if everything was read.
    pub(crate) fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=0x7F => Some((usize::from(first), rest)),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (length >= 0x80).then_some((usize::from(length), rest))
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            (length >= 0x100).then_some((usize::from(length), rest))
        }
        0x83 => {
            let ([a, b, c], rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?;
            (length >= 0x1_0000).then_some((length, rest))
        }
        // Nothing here has 16 MiB.
        _ => None,
    }
}

/// The bytes of a non-negative number, without leading zeros; empty for zero. `None` if DER would write it differently.
pub(crate) fn magnitude(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0] => Some(&[]),
        [0, rest @ ..] if rest.first().is_some_and(|it| *it >= 0x80) => Some(rest),
        [1..=0x7F, ..] => Some(content),
        _ => None,
    }
}

/// `SEQUENCE { r, s }`, as X.509 writes an ECDSA signature, as two numbers of half the width each.
pub(crate) fn pair_of_numbers<const WIDTH: usize>(bytes: &[u8]) -> Option<[u8; WIDTH]> {
    let mut outer = Der::new(bytes);
    let mut pair = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    let mut out = [0; WIDTH];
    for half in out.chunks_exact_mut(WIDTH / 2) {
        let magnitude = magnitude(pair.take(tag::INTEGER)?)?;
        let padding = half.len().checked_sub(magnitude.len())?;
        half.get_mut(padding..)?.copy_from_slice(magnitude);
    }
    pair.end()?;
    Some(out)
}

/// Encodes one value. The content must be shorter than 64 KiB, as is everything that this crate writes.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u16::try_from(content.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes()
    {
        [0, length @ 0..=0x7F] => out.push(length),
        [0, length] => out.extend([0x81, length]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for size in [0, 1, 127, 128, 255, 256, 65535] {
            let content = vec![7; size];
            let encoded = encode(tag::OCTET_STRING, &[&content]);
            let mut der = Der::new(&encoded);
            let value = der.value(tag::OCTET_STRING).expect("a value");
            assert_eq!(value.content, content);
            assert_eq!(value.raw, encoded);
            assert!(der.is_empty());
        }
    }

    #[test]
    fn each_pair_of_numbers_has_one_encoding() {
        let of = |bytes: &[u8]| pair_of_numbers::<4>(bytes);
        assert_eq!(of(&[0x30, 6, 2, 1, 5, 2, 1, 7]), Some([0, 5, 0, 7]));
        assert_eq!(
            of(&[0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 0]),
            Some([0, 0x80, 1, 0])
        );
        assert_eq!(of(&[0x30, 6, 2, 1, 0, 2, 1, 7]), Some([0, 0, 0, 7]));
        for bad in [
            // a leading zero, a negative number, no number, one too long, something behind, only one of them
            &[0x30, 7, 2, 2, 0, 5, 2, 1, 7][..],
            &[0x30, 6, 2, 1, 0x85, 2, 1, 7],
            &[0x30, 5, 2, 0, 2, 1, 7],
            &[0x30, 8, 2, 3, 1, 0, 0, 2, 1, 7],
            &[0x30, 7, 2, 1, 5, 2, 1, 7, 0],
            &[0x30, 6, 2, 1, 5, 2, 1, 7, 0],
            &[0x30, 3, 2, 1, 5],
        ] {
            assert_eq!(of(bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn refuses_what_is_not_der() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x1F, 0x01, 0x00],
        ] {
            assert!(Der::new(bytes).any().is_none(), "{bytes:02x?}");
        }
    }

    /// Nothing is missing of any of these: only the length is longer than it need be.
    #[test]
    fn refuses_a_length_that_fits_in_fewer_bytes() {
        for (head, size) in [
            (&[0x30, 0x81, 0x7F][..], 0x7F),
            (&[0x30, 0x82, 0x00, 0x80], 0x80),
            (&[0x30, 0x82, 0x00, 0xFF], 0xFF),
            (&[0x30, 0x83, 0x00, 0xFF, 0xFF], 0xFFFF),
            (&[0x30, 0x84, 0x00, 0x01, 0x00, 0x00], 0x1_0000),
        ] {
            let bytes = [head, &vec![0; size]].concat();
            assert!(Der::new(&bytes).any().is_none(), "{head:02x?}");
        }
        let bytes = [&[0x30, 0x83, 0x01, 0x00, 0x00][..], &vec![0; 0x1_0000]].concat();
        assert!(Der::new(&bytes).any().is_some(), "the shortest of its kind");
    }
}
