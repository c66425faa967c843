//! Versions as devices report them, and the names under which NVIDIA publishes their reference measurements.

use std::{cmp::Ordering, fmt};

/// A driver's version, such as `550.90.07`: two to four numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverVersion(String);

impl DriverVersion {
    /// Numbers separated by dots; the text is kept unchanged, since it is part of RIM names.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = text.split('.').count();
        let numbers = text.split('.').all(|part| {
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        });
        (numbers && (2..=4).contains(&parts)).then(|| Self(text.to_owned()))
    }

    /// Whether it is older than `floor`, number by number; a missing number is zero.
    pub fn is_below(&self, floor: &Self) -> bool {
        let (mut ours, mut theirs) = (self.numbers(), floor.numbers());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return false,
                (a, b) => match a.unwrap_or(0).cmp(&b.unwrap_or(0)) {
                    Ordering::Equal => {}
                    order => return order == Ordering::Less,
                },
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u16> {
        self.0.split('.').map(|part| part.parse().unwrap_or(0))
    }
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A VBIOS version, such as `96.00.9F.00.01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VbiosVersion([u8; 5]);

impl VbiosVersion {
    /// Reads a report's eight bytes: the version itself as a little-endian number, then the OEM's part.
    pub fn from_report([d, c, b, a, oem, _, _, _]: [u8; 8]) -> Self {
        Self([a, b, c, d, oem])
    }

    /// Without the dots, as in a RIM's id.
    pub fn compact(self) -> String {
        hex::encode_upper(self.0)
    }
}

impl fmt::Display for VbiosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.map(|part| format!("{part:02X}"));
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(text: &str) -> DriverVersion {
        DriverVersion::parse(text).expect("a version")
    }

    #[test]
    fn a_vbios_version_is_stored_backwards() {
        let version = VbiosVersion::from_report([0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]);
        assert_eq!(version.to_string(), "96.00.9F.00.01");
        assert_eq!(version.compact(), "96009F0001");
    }

    #[test]
    fn driver_versions_compare_number_by_number() {
        assert!(driver("550.54.15").is_below(&driver("550.90.07")));
        assert!(driver("90.99").is_below(&driver("550.1")));
        assert!(!driver("550.90.07").is_below(&driver("550.90.7")));
        assert!(!driver("550.90").is_below(&driver("550.90.0")));
        assert!(driver("550.90").is_below(&driver("550.90.1")));
    }

    #[test]
    fn a_driver_version_is_numbers() {
        for bad in [
            "",
            "550",
            "550.",
            ".90",
            "550.90a",
            "550..90",
            "1.2.3.4.5",
            "550.90.00007",
            "../..",
        ] {
            assert_eq!(DriverVersion::parse(bad), None, "{bad}");
        }
    }
}
