//! Chains of certificates as Intel's quotes and services carry them: PEM, line feeds, at most one NUL at the end.

use data_encoding::BASE64;

use crate::nvidia::pem;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const END: &str = "-----END CERTIFICATE-----";
/// RFC 7468 §2.
const LINE: usize = 64;

/// Intel's chains have two or three.
pub(crate) const MAX_CHAIN: usize = 4;

/// The DER of each certificate, in the order of the text. None where there is anything else.
pub(crate) fn chain(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let text = str::from_utf8(text).ok()?;
    // Other white space would be passed over, and one chain would have several texts.
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\n';
    if !text.bytes().all(plain)
        || !text.starts_with(BEGIN)
        || !text.trim_end_matches('\n').ends_with(END)
    {
        return None;
    }
    pem::parse(text).filter(|chain| chain.len() <= MAX_CHAIN)
}

/// A certificate in the form that [`chain`] reads.
pub(crate) fn block(der: &[u8]) -> String {
    let mut text = BEGIN.to_owned();
    for line in BASE64.encode(der).as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + END + "\n"
}
