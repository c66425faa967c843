//! Comments of server-sent events, of any length from three bytes on. Clients skip them.

use bytes::BytesMut;

/// The shortest comment: a colon, and the empty line after it. It is a block of its own, so that a client that reads events by
/// their blocks, and not by their lines, finds no event changed.
pub(super) const SHORTEST: usize = b":\n\n".len();
/// The most bytes of a line: some clients read lines of no more than 64 KiB.
const LINE: usize = 1024;

/// Appends a comment of this many bytes, at least [`SHORTEST`].
pub(super) fn append(text: &mut BytesMut, length: usize) {
    let mut left = length.saturating_sub(1);
    while left > 0 {
        // A line has a colon and a line break at least.
        let line = if left > LINE + 1 { LINE } else { left };
        text.extend_from_slice(b":");
        text.resize(text.len().saturating_add(line.saturating_sub(2)), b' ');
        text.extend_from_slice(b"\n");
        left = left.saturating_sub(line.max(2));
    }
    text.extend_from_slice(b"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_has_the_length_asked_for_and_no_long_line() {
        for length in (SHORTEST..5000).chain([1 << 16, 1 << 20]) {
            let mut text = BytesMut::new();
            append(&mut text, length);
            assert_eq!(text.len(), length);
            let text = std::str::from_utf8(&text).unwrap();
            let lines = text.strip_suffix("\n\n").unwrap().split('\n');
            for line in lines {
                assert!(line.starts_with(':') && line.len() <= LINE + 1, "{length}");
                assert_eq!(line[1..].trim(), "");
            }
        }
    }
}
