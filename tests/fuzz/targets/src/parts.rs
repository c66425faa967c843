//! Several files in one input, with a mark between them, so that a mutation of one leaves the others as they are.

/// What stands between two parts.
pub const MARK: &[u8] = b"\n--8<--\n";

/// The parts of an input. Missing ones are empty; the last takes all that is left.
pub fn split<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = bytes;
    let mut parts = [&bytes[..0]; N];
    for (place, part) in parts.iter_mut().enumerate() {
        let end = if place + 1 < N { mark(rest) } else { None };
        *part = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&[], |end| &rest[end + MARK.len()..]);
    }
    parts
}

/// The input that these are the parts of.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(MARK)
}

fn mark(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MARK.len()).position(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_the_last_takes_the_rest() {
        let joined = join(&[b"a", b"", b"c"]);
        assert_eq!(split::<3>(&joined), [&b"a"[..], b"", b"c"]);
        assert_eq!(split::<2>(&joined), [&b"a"[..], &[MARK, b"c"].concat()]);
        assert_eq!(split::<4>(&joined), [&b"a"[..], b"", b"c", b""]);
        assert_eq!(split::<1>(b""), [b""]);
    }
}
