//! How the two ends of a conversation agreed on its keys. The relying party sees this on its own connection; no evidence says it.

use std::fmt;

/// A key agreement that protects a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAgreement {
    /// TLS: X25519 with ML-KEM-768 (draft-ietf-tls-ecdhe-mlkem).
    X25519MlKem768,
    /// HPKE: X-Wing, X25519 with ML-KEM-768 (draft-connolly-cfrg-xwing-kem).
    XWing,
    /// X25519 alone.
    X25519,
    /// P-256 alone.
    Secp256r1,
    /// P-384 alone.
    Secp384r1,
}

impl KeyAgreement {
    /// Every one, by its registered name.
    const NAMES: [(Self, &'static str); 5] = [
        (Self::X25519MlKem768, "X25519MLKEM768"),
        (Self::XWing, "X-Wing"),
        (Self::X25519, "x25519"),
        (Self::Secp256r1, "secp256r1"),
        (Self::Secp384r1, "secp384r1"),
    ];

    /// The one with this name; `None` if it is not known here.
    pub fn named(name: &str) -> Option<Self> {
        let mut known = Self::NAMES.into_iter();
        known.find(|(_, known)| *known == name).map(|(it, _)| it)
    }

    /// The group of a TLS connection, by its number in IANA's registry of supported groups; `None` if it is not known here.
    pub fn of_tls(group: u16) -> Option<Self> {
        match group {
            0x11ec => Some(Self::X25519MlKem768),
            0x001d => Some(Self::X25519),
            0x0017 => Some(Self::Secp256r1),
            0x0018 => Some(Self::Secp384r1),
            _ => None,
        }
    }

    /// Its name, as the registries write it.
    pub fn name(self) -> &'static str {
        let mut known = Self::NAMES.into_iter();
        known
            .find(|(it, _)| *it == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether a quantum computer that exists one day cannot read what is recorded today.
    pub fn is_post_quantum(self) -> bool {
        matches!(self, Self::X25519MlKem768 | Self::XWing)
    }
}

impl fmt::Display for KeyAgreement {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        for (agreement, name) in KeyAgreement::NAMES {
            assert_eq!(agreement.name(), name);
            assert_eq!(KeyAgreement::named(name), Some(agreement));
        }
        assert_eq!(KeyAgreement::named("x448"), None);
        assert_eq!(KeyAgreement::of_tls(0x001e), None);
    }

    #[test]
    fn only_hybrids_outlast_a_quantum_computer() {
        let post_quantum = KeyAgreement::NAMES.map(|(it, _)| it.is_post_quantum());
        assert_eq!(post_quantum, [true, true, false, false, false]);
    }
}
