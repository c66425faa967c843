//! Base64 in which each value has only one text.
//!
//! RFC 4648 with padding. The library refuses stray last bits, but accepts several padded texts in a row as one; here padding ends
//! the text.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding};

/// The bytes of a text in the common alphabet (§4). `None` if it is anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    in_alphabet(&BASE64, text)
}

/// The bytes of a text in the common alphabet, with white space at line breaks.
pub fn decode_lines(text: &str) -> Option<Vec<u8>> {
    let lines: String = text.split_ascii_whitespace().collect();
    decode(&lines)
}

/// The same in the alphabet for URLs and file names (§5).
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    in_alphabet(&BASE64URL, text)
}

/// The same without padding, as RFC 7515 and RFC 9999 write it.
pub fn decode_url_unpadded(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// The bytes of a whole file in base64, as services transport evidence: either alphabet, padded or not, with line breaks anywhere, and
/// white space or NULs around it. `None` if it is anything else.
pub fn decode_file(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes)
        .ok()?
        .trim_end_matches('\0')
        .trim_ascii();
    let letters: String = text.split_ascii_whitespace().collect();
    let unpadded = letters.trim_end_matches('=');
    if unpadded.is_empty() || letters.len() - unpadded.len() > 2 {
        return None;
    }
    let is_padded = letters.len() != unpadded.len();
    if is_padded && !letters.len().is_multiple_of(4) {
        return None;
    }
    let decode = |alphabet: &Encoding| alphabet.decode(unpadded.as_bytes()).ok();
    decode(&BASE64_NOPAD).or_else(|| decode(&BASE64URL_NOPAD))
}

fn in_alphabet(alphabet: &Encoding, text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    alphabet.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text() {
        for (text, bytes) in [
            ("", &[][..]),
            ("AQ==", &[1]),
            ("AQI=", &[1, 2]),
            ("AQID", &[1, 2, 3]),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(decode_url(text).as_deref(), Some(bytes), "{text}");
        }
        for text in [
            "AQ", "AQ=", "AQ===", "AR==", "AQJ=", "AQ==Ag==", "AQ==AgME", "AQI=AQI=", "====",
            "A Q==", "AQ==\n",
        ] {
            assert_eq!(decode(text), None, "{text}");
            assert_eq!(decode_url(text), None, "{text}");
        }
    }

    #[test]
    fn lines_may_break_anywhere() {
        for text in ["AQID", "AQ\r\nID\n", " A Q I\tD "] {
            assert_eq!(decode_lines(text), Some(vec![1, 2, 3]), "{text:?}");
        }
        assert_eq!(decode_lines("AQ\0ID"), None);
    }

    #[test]
    fn without_padding_one_value_has_one_text_too() {
        for (text, bytes) in [
            ("", &[][..]),
            ("AQ", &[1]),
            ("AQI", &[1, 2]),
            ("-_-_", &[0xFB, 0xFF, 0xBF]),
        ] {
            assert_eq!(decode_url_unpadded(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["A", "AR", "AQ==", "+/+/", "AQ AQ"] {
            assert_eq!(decode_url_unpadded(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_may_be_written_in_any_of_the_ways_that_services_write_it() {
        let bytes = Some(vec![0xFB, 0xFF, 0xBF, 0xFB]);
        for text in [
            "+/+/+w==",
            "-_-_-w==",
            "+/+/+w",
            "-_-_-w",
            "\n+/+\r\n/+w==\n",
            "+/+/+w==\0\0",
            "+/+/+w==\n\0",
        ] {
            assert_eq!(decode_file(text.as_bytes()), bytes, "{text:?}");
        }
        for text in [
            "",
            "\n",
            "=",
            "====",
            "+/+/-_",
            "+/+/+w=",
            "+/+/+w===",
            "+/+/+x==",
            "+/\0+/",
            "{}",
            "<a/>",
            "+/+/+w==+w==",
        ] {
            assert_eq!(decode_file(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(decode_file(&[0xFF]), None);
    }

    #[test]
    fn alphabets_are_two() {
        assert_eq!(decode("+/+/"), decode_url("-_-_"));
        assert_eq!(decode("-_-_"), None);
        assert_eq!(decode_url("+/+/"), None);
    }
}
