//! What bytes that somebody hands over as evidence turn out to be, and the evidence and the conversation in them.

use chrysalis_attestation::{
    Rejection,
    encoding::pem,
    evidence::{Evidence, KeyAgreement, MAX_SAVED, SavedSession, binding::Session},
    snp::report::REPORT_SIZE,
};
use chrysalis_settle::Kept;

use crate::{Kind, Misuse, Place, decoded, described, misuse::misuse};

/// What bytes turned out to be.
#[derive(Debug, Clone)]
pub enum Artifact {
    /// What `verify --save` writes.
    Session(SavedSession),
    /// DER of a certificate; it may carry evidence.
    Certificate(Vec<u8>),
    /// Evidence without the conversation it is about.
    Bundle(Evidence),
    /// A CPU report alone.
    Report(Vec<u8>),
    /// Begins as a bundle does, and is none.
    Unreadable(Rejection),
}

/// Evidence, and the conversation that it must be about.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The evidence.
    pub evidence: Evidence,
    /// The conversation and the peer's key, DER `SubjectPublicKeyInfo`; `None`: nobody says which one.
    pub conversation: Option<(Session, Vec<u8>)>,
    /// How the conversation's keys were agreed, if that is known.
    pub agreement: Option<KeyAgreement>,
}

impl Artifact {
    /// Tells what `bytes` are.
    pub fn recognise(bytes: &[u8]) -> Result<Self, Misuse> {
        if bytes.len() > MAX_SAVED {
            misuse!("the file has more than {MAX_SAVED} bytes: evidence is shorter");
        }
        let bytes = &decoded(bytes)[..];
        if Kept::is_one(bytes) {
            misuse!("it is a receipt, and no evidence: `chrysalis receipt verify` takes it");
        }
        if bytes.len() == REPORT_SIZE {
            return Ok(Self::Report(bytes.to_vec()));
        }
        if pem::is_pem(bytes) {
            return match &mut pem::labelled(pem::CERTIFICATE, bytes).unwrap_or_default()[..] {
                [certificate] => Ok(Self::Certificate(std::mem::take(certificate))),
                [_, _, ..] => {
                    misuse!("the PEM file holds more than one certificate; give one at a time")
                }
                [] => {
                    misuse!("the PEM file holds no certificate, or something other than PEM blocks")
                }
            };
        }
        // A DER certificate is a SEQUENCE; no CBOR map begins so.
        if bytes.first() == Some(&0x30) {
            if Kind::of(bytes) == Kind::RevocationList {
                misuse!("it is {}, and no evidence", Kind::RevocationList);
            }
            return Ok(Self::Certificate(bytes.to_vec()));
        }
        if let Ok(saved) = SavedSession::decode(bytes) {
            return Ok(Self::Session(saved));
        }
        let kind = Kind::of(bytes);
        match (Evidence::decode(bytes), kind) {
            (Ok(evidence), _) => Ok(Self::Bundle(evidence)),
            (Err(rejection), Kind::Bundle) => Ok(Self::Unreadable(rejection)),
            (_, Kind::Session) => misuse!("it is {kind} that cannot be read: save it again"),
            (_, Kind::Unknown) => misuse!(
                "this is no evidence: neither a saved session, a bundle, a certificate nor a 1184-byte report; \
                 `chrysalis verify URL --save FILE` saves a session"
            ),
            _ => match (Place::of(kind), kind.check(bytes)) {
                (Some(place), Ok(())) => {
                    misuse!("it is {kind}, and no bundle: `{}` takes it", place.command)
                }
                (Some(_), Err(rejection)) => misuse!(
                    "it looks like {kind}, and cannot be read: {rejection}\nhint: {}",
                    rejection.hint()
                ),
                (None, _) => misuse!(
                    "it is {}, and neither a saved session, a bundle, a certificate nor a report",
                    described(bytes)
                ),
            },
        }
    }

    /// The evidence and its conversation; the inner error is a verdict.
    pub fn parts(self) -> Result<Result<Parts, Rejection>, Misuse> {
        let parts = |evidence, conversation, agreement| Parts {
            evidence,
            conversation,
            agreement,
        };
        Ok(match self {
            Self::Session(saved) => Evidence::decode(saved.bundle()).map(|evidence| {
                let conversation = (saved.session(), saved.spki().to_vec());
                parts(evidence, Some(conversation), saved.agreement())
            }),
            Self::Certificate(der) => Evidence::from_certificate(&der)
                .map(|(evidence, spki)| parts(evidence, Some((Session::Boot, spki)), None)),
            Self::Bundle(evidence) => Ok(parts(evidence, None, None)),
            Self::Unreadable(rejection) => Err(rejection),
            Self::Report(_) => misuse!(
                "this is a report by itself, and no bundle: `chrysalis verify snp --report` verifies it, `chrysalis show` explains it"
            ),
        })
    }

    /// What a bundle becomes once it is said which conversation it is about: the peer's key, what it was asked, the connection's RFC 9266
    /// `tls-exporter`, and how its keys were agreed. Anything else brings its own.
    pub fn joined_to(
        self,
        spki: Vec<u8>,
        nonce: [u8; 32],
        exporter: [u8; 32],
        agreement: Option<KeyAgreement>,
    ) -> Result<Self, Misuse> {
        let Self::Bundle(evidence) = self else {
            misuse!(
                "only a bare bundle needs its conversation: leave --session-key, --session-nonce and --session-exporter out"
            );
        };
        let saved = SavedSession::new(spki, nonce, exporter, evidence.encode());
        Ok(Self::Session(saved.agreed(agreement)))
    }
}
