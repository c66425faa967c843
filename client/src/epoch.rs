//! The epoch of an enclave, as receipts name it: the evidence in its certificate.

use std::sync::Arc;

use chrysalis_attestation::evidence::{Evidence, SavedSession, claims::Claims};
use chrysalis_settle::{Attested, EpochEvidence};

use crate::Error;

/// An epoch's evidence, from the certificate of a connection that was verified.
///
/// The certificate comes from whoever has the connection's TLS key, and the conversation's own evidence says whose that is. So what is in it
/// is the enclave's word; anyone else can verify it as well, for it is signed by the hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    attested: Attested,
    /// Shared: a proxy keeps its epoch beside each stream.
    evidence: Arc<EpochEvidence>,
}

impl Epoch {
    /// The epoch in this certificate, of the enclave that has this conversation's TLS key and this receipt key. What vendors signed
    /// about it is not all in a certificate, and so is taken from the conversation's own evidence.
    pub(crate) fn of(
        certificate: &[u8],
        verified: &SavedSession,
        receipt_key: [u8; 32],
    ) -> Result<Self, Error> {
        let (mut evidence, key) = Evidence::from_certificate(certificate)?;
        let claims = Claims::decode(&evidence.claims)?;
        if claims.receipt_key != receipt_key || key != verified.spki() {
            return Err(Error::KeyChanged);
        }
        evidence.endorsements = Evidence::decode(verified.bundle())?.endorsements;
        Ok(Self {
            attested: Attested::of(&claims, &evidence),
            evidence: Arc::new(EpochEvidence {
                spki: key,
                bundle: evidence.encode(),
            }),
        })
    }

    /// What receipts of this epoch name.
    pub fn attested(&self) -> &Attested {
        &self.attested
    }

    /// The evidence, to keep beside receipts.
    pub fn evidence(&self) -> &EpochEvidence {
        &self.evidence
    }
}
