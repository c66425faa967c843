//! PEM as chains of certificates come in: CERTIFICATE blocks, white space between them, and nothing else.

use crate::base64;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of each certificate. None if there is anything else, or no certificate.
pub(crate) fn parse(text: &str) -> Option<Vec<Vec<u8>>> {
    let mut certificates = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        certificates.push(unwrapped(body)?);
        rest = after.trim_ascii_start();
    }
    (!certificates.is_empty()).then_some(certificates)
}

/// Whether this PEM holds exactly this certificate.
pub(crate) fn is(pem: &str, der: &[u8]) -> bool {
    parse(pem).is_some_and(|certificates| certificates == [der])
}

/// The bytes of base64 with white space where lines break.
pub(crate) fn unwrapped(text: &str) -> Option<Vec<u8>> {
    let lines: String = text.split_ascii_whitespace().collect();
    base64::decode(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks_and_nothing_between_them() {
        let block = format!("{BEGIN}\nAQI=\n{END}\n");
        assert_eq!(parse(&block), Some(vec![vec![1, 2]]));
        assert_eq!(
            parse(&format!("{block}\n{block}")),
            Some(vec![vec![1, 2]; 2])
        );
        for bad in [
            "",
            "AQI=",
            &format!("x{block}"),
            &format!("{block}x{block}"),
            &block[..20],
            &block.replace("AQI=", "AQJ="),
            &block.replace("AQI=", "AQI=\nAQI="),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
