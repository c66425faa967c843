//! What the evidence is bound to: the four formulas, byte for byte as in docs/spec/binding.md.
//!
//! Each hash starts with a label: one byte of length, then the label's ASCII. No two uses can collide.

use crate::encoding::digest::{sha256, sha384, sha512};

/// The conversation that evidence is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// Asked over TLS: fresh, and for this connection only.
    Asked {
        /// Chosen by the relying party.
        nonce: [u8; 32],
        /// RFC 9266 `tls-exporter` of the connection.
        exporter: [u8; 32],
    },
    /// Asked over TLS by a key server, to which the enclave is the client: fresh, and for this connection only. The enclave serves nobody
    /// yet, so its models have given no known answer.
    Keys {
        /// Chosen by the key server.
        nonce: [u8; 32],
        /// RFC 9266 `tls-exporter` of the connection.
        exporter: [u8; 32],
    },
    /// Made at boot, before any client: carried in the certificate. It does not show freshness.
    Boot,
}

/// How a verdict describes what evidence is bound to.
impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Asked { .. } | Self::Keys { .. } => "this TLS session, your nonce",
            Self::Boot => "this TLS key, at boot",
        })
    }
}

impl Session {
    /// Whether the evidence answers a question over a connection, and so is fresh.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Asked { .. } | Self::Keys { .. })
    }

    /// What stands for it in the anchor. `spki` is the DER `SubjectPublicKeyInfo` of the key that terminates TLS.
    ///
    /// `SHA-384("chrysalis/session/v1" ‖ nonce ‖ exporter)`, `SHA-384("chrysalis/keys/v1" ‖ nonce ‖ exporter)`, or
    /// `SHA-384("chrysalis/boot/v1" ‖ spki)`
    pub fn digest(&self, spki: &[u8]) -> SessionDigest {
        SessionDigest(match self {
            Self::Asked { nonce, exporter } => {
                sha384(&[&label("chrysalis/session/v1"), nonce, exporter])
            }
            Self::Keys { nonce, exporter } => {
                sha384(&[&label("chrysalis/keys/v1"), nonce, exporter])
            }
            Self::Boot => sha384(&[&label("chrysalis/boot/v1"), spki]),
        })
    }
}

/// What stands for a session in the anchor: its own digest, or the root of a [`Tree`](super::path::Tree) in which it is a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDigest([u8; 48]);

impl SessionDigest {
    /// The root of a tree of sessions.
    pub(super) fn of_root(root: [u8; 48]) -> Self {
        Self(root)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }
}

/// The label of RFC 9266; the context is empty and the length 32.
pub const TLS_EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What everything else is derived from: the conversation, the key that terminates TLS, and the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor([u8; 48]);

impl Anchor {
    /// `SHA-384("chrysalis/anchor/v1" ‖ session ‖ SHA-384(spki) ‖ SHA-384(claims))`
    ///
    /// `spki` is the DER `SubjectPublicKeyInfo` of the key that terminates TLS; `claims` is the deterministic CBOR of the claims.
    pub fn new(session: &Session, spki: &[u8], claims: &[u8]) -> Self {
        Self::over(&session.digest(spki), spki, claims)
    }

    /// The same over what stands for the session: where one report answers many questions, the root of their tree.
    pub fn over(session: &SessionDigest, spki: &[u8], claims: &[u8]) -> Self {
        Self(sha384(&[
            &label("chrysalis/anchor/v1"),
            &session.0,
            &sha384(&[spki]),
            &sha384(&[claims]),
        ]))
    }

    /// What each GPU signs: `SHA-256("chrysalis/gpu/v1" ‖ anchor)`
    pub fn gpu_nonce(&self) -> [u8; 32] {
        sha256(&[&label("chrysalis/gpu/v1"), &self.0])
    }

    /// What the CPU signs: `SHA-512("chrysalis/report/v1" ‖ anchor ‖ SHA-384(gpu_evidence))`
    ///
    /// `gpu_evidence` is the deterministic CBOR array of every GPU's evidence; without GPUs, that of the empty array.
    pub fn report_data(&self, gpu_evidence: &[u8]) -> [u8; 64] {
        sha512(&[
            &label("chrysalis/report/v1"),
            &self.0,
            &sha384(&[gpu_evidence]),
        ])
    }

    /// The anchor's bytes.
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }
}

/// The digest of a configuration, as in `HOST_DATA`: SHA-256.
pub fn host_data(configuration: &[u8]) -> [u8; 32] {
    sha256(&[configuration])
}

/// What each hash of this project begins with: one byte of length, then the label.
pub fn label(text: &'static str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("labels are short constants");
    [&[length], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evidence::encode_gpus, nvidia::GpuEvidence};

    /// Any change of the formulas changes these bytes; docs/spec/binding.md states the same vector.
    #[test]
    fn the_formulas_are_those_of_the_specification() {
        let session = Session::Asked {
            nonce: [1; 32],
            exporter: [2; 32],
        };
        let anchor = Anchor::new(&session, b"spki", b"claims");
        let vector = [
            hex::encode(anchor.as_bytes()),
            hex::encode(anchor.gpu_nonce()),
            hex::encode(anchor.report_data(&[0x80])),
        ];
        assert_eq!(
            vector,
            [
                "f8793bf289d1037c3d1a2cebab2a6b0036da12dfe34ea1d79aca2ae5a2b461060df27ff9ee727f255f2cb7e569d15565",
                "0e9d68742afc745a332b5957fde1c76d72be2ad1307f51cbed3f00b24b0ae6c0",
                "6370ed85a0726f15f3775b6fb9c07a89b66cd53329544a5f50e8a327ea3b80c9a8272a9d973ab0c5ee35df461c959c665059971da6b2b3f70af1c3f95a81e0ba",
            ]
        );
    }

    /// One GPU; docs/spec/binding.md states the same vector.
    #[test]
    fn the_gpus_are_encoded_as_in_the_specification() {
        let session = Session::Asked {
            nonce: [1; 32],
            exporter: [2; 32],
        };
        let gpu = GpuEvidence {
            report: b"report".to_vec(),
            chain: vec![b"leaf".to_vec(), b"root".to_vec()],
        };
        let evidence = encode_gpus(&[gpu]);
        assert_eq!(
            hex::encode(&evidence),
            "8182467265706f727482446c65616644726f6f74"
        );
        let anchor = Anchor::new(&session, b"spki", b"claims");
        assert_eq!(
            hex::encode(anchor.report_data(&evidence)),
            "bea61fb8c6f6349dd655b8f297734420d89fa1b55462345f4f4e77b9e5830992bb0107f40dccb010e94c067dc6549e654a3dfb7863e1e10a5e3b46e175b8c4fb"
        );
    }

    #[test]
    fn a_boot_session_is_never_an_asked_one() {
        let asked = Session::Asked {
            nonce: [0; 32],
            exporter: [0; 32],
        };
        assert_ne!(
            Anchor::new(&asked, b"k", b"c"),
            Anchor::new(&Session::Boot, b"k", b"c")
        );
    }
}
