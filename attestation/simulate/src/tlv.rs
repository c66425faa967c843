//! A writer for the bit of DER that has no type in `x509-cert`: OCSP answers, and the vendors' own extensions.

/// The tags in use here.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0A;
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

/// Encodes one value, whose content is these parts in a row.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0);
    if content.len() > 0x7F {
        // At most eight bytes of length.
        out.push(0x80 | significant.clone().map(|_| 1_u8).sum::<u8>());
    }
    match content.len() {
        0 => out.push(0),
        _ => out.extend(significant),
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        for (size, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (256, &[4, 0x82, 1, 0]),
            (70_000, &[4, 0x83, 1, 0x11, 0x70]),
        ] {
            let value = tlv(tag::OCTET_STRING, &[&vec![7; size]]);
            assert_eq!(value.strip_suffix(&vec![7; size][..]), Some(header));
        }
    }
}
