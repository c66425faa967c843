//! Addresses as people write them.

use tycho_types::models::{StdAddr, StdAddrFormat};

/// Reads an address in any of its forms: `UQ…`, `EQ…`, `kQ…`, `0:…`.
pub fn parse(text: &str) -> Option<StdAddr> {
    let parsed = StdAddr::from_str_ext(text, StdAddrFormat::any());
    parsed.ok().map(|(address, _)| address)
}

/// `UQ…`: what a wallet takes to send money to. The first of it does not come back where there is no contract yet.
pub fn friendly(address: &StdAddr) -> String {
    address.display_base64_url(false).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_the_same_one() {
        let raw = "0:f00f53582b416a41cb8c64444819ce41caa49ac91c47f8bc4297fc6816cbbc41";
        let address = parse(raw).unwrap();
        let text = friendly(&address);
        assert!(text.starts_with("UQ") && text.len() == 48, "{text}");
        assert_eq!(parse(&text), Some(address.clone()));
        let bounceable = address.display_base64(true).to_string();
        assert_eq!(parse(&bounceable), Some(address));
        for wrong in ["", "UQ", "0:00", &text[..47]] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        // One letter changed: the checksum says so.
        let mut typo = text.into_bytes();
        typo[10] = if typo[10] == b'A' { b'B' } else { b'A' };
        assert_eq!(parse(&String::from_utf8(typo).unwrap()), None);
    }
}
