//! The development key. Its private half is public, in `measurements/releases/development/root.pem`, so that anyone can try out how
//! releases are signed, renewed and revoked. A signature by this key proves nothing.
//!
//! It is refused where a [`PublicKey`](super::PublicKey) is read, so nothing accepts it by accident: only [`Development::Named`] lets
//! it through, and callers that pass this say [`ANYONE_CAN_SIGN`] in every output.

use crate::encoding::digest::Hex;

/// The 32 bytes of the Ed25519 key. They never change.
pub(super) const KEY: [u8; 32] = [
    0x98, 0x01, 0x3f, 0x23, 0x5e, 0x3e, 0x8b, 0x62, 0xa2, 0x62, 0xf4, 0xd9, 0xc4, 0x34, 0xdf, 0x1c,
    0x08, 0xf9, 0x6c, 0x50, 0xd0, 0x99, 0x64, 0xbe, 0xbe, 0x30, 0x46, 0x0f, 0x03, 0x76, 0x60, 0xd1,
];

/// SHA-256 of its `SubjectPublicKeyInfo`: the development root's id.
pub const DEVELOPMENT_ROOT: Hex<32> = Hex([
    0x3f, 0xbb, 0xd4, 0x61, 0x5a, 0x29, 0xd8, 0x69, 0xb2, 0xae, 0x70, 0x04, 0xd9, 0x2f, 0xe4, 0x0c,
    0x62, 0x73, 0x49, 0xf9, 0x35, 0x32, 0x6a, 0xd8, 0x7d, 0xf4, 0x42, 0x0c, 0x43, 0x6f, 0xa1, 0x77,
]);

/// The warning in every output that rests on the development key.
pub const ANYONE_CAN_SIGN: &str = "development key: anyone can sign";

/// Whether a relying party accepts the development key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Development {
    /// It does not: the default everywhere.
    #[default]
    Refused,
    /// It accepts the key explicitly, knowing that anyone can sign with it.
    Named,
}
