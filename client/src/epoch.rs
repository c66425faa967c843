//! The epoch of an enclave, as receipts name it: the evidence in its certificate.

use chrysalis_attestation::evidence::Evidence;
use chrysalis_settle::{Attested, EpochEvidence};

use crate::Error;
use chrysalis_attestation::evidence::claims::Claims;

/// An epoch's evidence, from the certificate of a connection that was verified.
///
/// The certificate comes from whoever has the connection's TLS key, and the conversation's own evidence says whose that is. So what is in it
/// is the enclave's word; anyone else can verify it as well, for it is signed by the hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    attested: Attested,
    evidence: EpochEvidence,
}

impl Epoch {
    /// The epoch in this certificate, of the enclave that has this TLS key and this receipt key.
    pub(crate) fn of(
        certificate: &[u8],
        spki: &[u8],
        receipt_key: [u8; 32],
    ) -> Result<Self, Error> {
        let (evidence, key) = Evidence::from_certificate(certificate)?;
        let claims = Claims::decode(&evidence.claims)?;
        if claims.receipt_key != receipt_key || key != spki {
            return Err(Error::KeyChanged);
        }
        Ok(Self {
            attested: Attested::of(&claims, &evidence),
            evidence: EpochEvidence {
                spki: key,
                bundle: evidence.encode(),
            },
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
