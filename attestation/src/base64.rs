//! Base64 in which one value has one text.
//!
//! RFC 4648 with padding. The library refuses stray last bits, and yet takes several padded texts in a row for one; here padding
//! ends the text.

use data_encoding::{BASE64, BASE64URL, Encoding};

/// The bytes of a text in the common alphabet (§4). None where it is anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    in_alphabet(&BASE64, text)
}

/// The same in the alphabet for addresses and file names (§5).
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    in_alphabet(&BASE64URL, text)
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
    fn alphabets_are_two() {
        assert_eq!(decode("+/+/"), decode_url("-_-_"));
        assert_eq!(decode("-_-_"), None);
        assert_eq!(decode_url("+/+/"), None);
    }
}
