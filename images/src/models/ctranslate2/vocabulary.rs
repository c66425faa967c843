//! A vocabulary of GPT-2's sort: each word's bytes as letters that can be printed.

use std::collections::BTreeMap;

use crate::models::error::NotModel;

/// The first of the tokens that are no text.
const END: &str = "<|endoftext|>";

/// The bytes of the words before the special ones: of a JSON list, or one a line.
pub(super) fn words(file: &[u8]) -> Result<Vec<Vec<u8>>, NotModel> {
    let malformed = || NotModel::malformed("vocabulary");
    let text = std::str::from_utf8(file).map_err(|_| malformed())?;
    let list: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|_| malformed())?
    } else {
        text.split('\n').map(str::to_owned).collect()
    };
    let end = list.iter().position(|word| word == END);
    let end = end.ok_or_else(malformed)?;
    let bytes = letters();
    let byte = |letter| bytes.get(&letter).copied();
    let words = list.iter().take(end);
    let words = words.map(|word| word.chars().map(byte).collect());
    words.collect::<Option<_>>().ok_or_else(malformed)
}

/// Which letter stands for which byte: itself if it can be printed, or else the next one from 256 on.
fn letters() -> BTreeMap<char, u8> {
    let mut next = 256;
    let letter = |byte: u8| {
        if matches!(byte, 33..=126 | 161..=172 | 174..=255) {
            return (char::from(byte), byte);
        }
        let letter = char::from_u32(next).unwrap_or_default();
        next += 1;
        (letter, byte)
    };
    (0..=u8::MAX).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_lines_up_to_the_special_words() {
        let words_of = |file: &str| words(file.as_bytes());
        let wanted = vec![b"!".to_vec(), b" a".to_vec(), vec![0xc3]];
        assert_eq!(
            words_of("!\nĠa\nÃ\n<|endoftext|>\n<|x|>"),
            Ok(wanted.clone())
        );
        assert_eq!(words_of(r#"["!", "Ġa", "Ã", "<|endoftext|>"]"#), Ok(wanted));
        for bad in ["", "a\nb", "[1]", "[", "日\n<|endoftext|>"] {
            assert_eq!(
                words_of(bad),
                Err(NotModel::Malformed { what: "vocabulary" }),
                "{bad}"
            );
        }
    }
}
