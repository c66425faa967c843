//! PEM with certificates, lists and keys: blocks, line ends between them, and otherwise only NUL bytes at the very end.
//!
//! This is the only reader. Libraries that hand out C strings leave NULs after the text, and some tools end lines with CRLF; neither
//! changes what a block holds. A NUL between two blocks, text around them or another label is a mistake, and refused.

use data_encoding::BASE64;

use super::{base64, x509};
use crate::Rejection;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// The only characters allowed between blocks.
const LINE_END: [char; 2] = ['\r', '\n'];
/// RFC 7468 §2.
const LINE: usize = 64;

/// The label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a revocation list.
pub const REVOCATION_LIST: &str = "X509 CRL";

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The text between the dashes, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded base64.
    pub der: Vec<u8>,
}

/// Whether these bytes begin like PEM, so that no other form need be tried.
pub fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(BEGIN.as_bytes())
}

/// Every block, in the order of the text. `None` if there is anything else, or no block.
pub fn blocks(bytes: &[u8]) -> Option<Vec<Block>> {
    let text = str::from_utf8(bytes).ok()?;
    let mut rest = text.trim_end_matches('\0').trim_matches(LINE_END);
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest.strip_prefix(BEGIN)?.split_once(DASHES)?;
        let is_label =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
        if label.is_empty() || !label.bytes().all(is_label) {
            return None;
        }
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        blocks.push(Block {
            label: label.to_owned(),
            der: base64::decode(&body.replace(LINE_END, ""))?,
        });
        rest = after.trim_start_matches(LINE_END);
    }
    (!blocks.is_empty()).then_some(blocks)
}

/// The DER of each block, all of which must have this label.
pub fn labelled(label: &str, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let of_label = |block: Block| (block.label == label).then_some(block.der);
    blocks(bytes)?.into_iter().map(of_label).collect()
}

/// Reads a DER certificate, or every certificate of a PEM text, as DER.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    if x509::certificate(bytes).is_ok() {
        return Ok(vec![bytes.to_vec()]);
    }
    let found = labelled(CERTIFICATE, bytes).ok_or(Rejection::CertificateMalformed {
        which: "a certificate",
    })?;
    for der in &found {
        x509::certificate(der)?;
    }
    Ok(found)
}

/// A block, with lines of 64 characters.
pub fn block(label: &str, der: &[u8]) -> String {
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for line in BASE64.encode(der).as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// The one certificate of a file that is built in.
pub(crate) fn pinned(text: &str) -> Vec<u8> {
    let certificates = labelled(CERTIFICATE, text.as_bytes());
    let [der] = certificates
        .and_then(|it| it.try_into().ok())
        .expect("each pinned file has one certificate; a test reads them");
    der
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn two() -> String {
        block(CERTIFICATE, &[1, 2]) + &block(CERTIFICATE, &[3; 100])
    }

    fn read(text: &[u8]) -> Option<Vec<Vec<u8>>> {
        labelled(CERTIFICATE, text)
    }

    #[test]
    fn what_ends_lines_and_what_lies_behind_the_text_changes_nothing() {
        let expected = Some(vec![vec![1, 2], vec![3; 100]]);
        let lines = two();
        for text in [
            lines.clone(),
            lines.replace('\n', "\r\n"),
            lines.replace("-----\n-----", "-----\n\n\r\n-----"),
            lines.trim_end().to_owned(),
            format!("\r\n{lines}"),
            format!("{lines}\0"),
            format!("{lines}\0\0\0\0\0"),
            format!("{}\0\0", lines.trim_end()),
            format!("{}\r\n\0\0", lines.replace('\n', "\r\n")),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_stands_between_before_or_in_blocks() {
        let lines = two();
        let (first, second) = lines.split_at(block(CERTIFICATE, &[1, 2]).len());
        for bad in [
            String::new(),
            "\0\0".to_owned(),
            "AQI=".to_owned(),
            format!("{first}\0{second}"),
            format!("{first}\0\n{second}"),
            format!("\0{lines}"),
            format!("{lines}\0x"),
            format!("{lines}\0\n{second}"),
            format!("subject=CN = a\n{lines}"),
            format!("{first}text\n{second}"),
            format!("{lines}text"),
            format!("{lines} "),
            format!("{first}\t{second}"),
            format!("{first}-----BEGIN CERTIFICATE-----\n"),
            lines[..20].to_owned(),
            lines.replace("AQI=", "AQJ="),
            lines.replace("AQI=", "AQI=\nAQI="),
            lines.replace("AQI=", "AQ\0I="),
            lines.replace("AQI=", "AQ I="),
            lines.replace("AQI=", "AQI=\x0C"),
            lines.replace("AQI=", "Proc-Type: 4,ENCRYPTED\n\nAQI="),
            lines.replacen("END CERTIFICATE", "END X509 CRL", 1),
            lines.replacen("CERTIFICATE", "certificate", 2),
            lines.replacen(" CERTIFICATE", "", 2),
            lines.replacen("CERTIFICATE", "X509 CRL", 2),
            format!("\u{FEFF}{lines}"),
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(read(&[0xFF]), None);
    }

    #[test]
    fn blocks_have_the_label_that_they_close_with() {
        let list = block(REVOCATION_LIST, &[7]);
        let both = format!("{}{list}", block(CERTIFICATE, &[1]));
        let labels: Vec<_> = blocks(both.as_bytes())
            .expect("two")
            .into_iter()
            .map(|it| it.label)
            .collect();
        assert_eq!(labels, [CERTIFICATE, REVOCATION_LIST]);
        assert_eq!(
            labelled(REVOCATION_LIST, list.as_bytes()),
            Some(vec![vec![7]])
        );
        assert_eq!(labelled(REVOCATION_LIST, both.as_bytes()), None);
        assert!(is_pem(b"\n -----BEGIN X") && !is_pem(b"MIIB"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_and_noise_is_not(der in vec(any::<u8>(), 0..300), noise in vec(any::<u8>(), 1..300)) {
            prop_assert_eq!(labelled("X", block("X", &der).as_bytes()), Some(vec![der]));
            prop_assert!(read(&noise).is_none());
        }
    }
}
