//! Intel's revocation lists: one from the root, one from the intermediate. Both must be present, signed and fresh.

use x509_parser::prelude::CertificateRevocationList;

use super::certificate::{Certificate, is_ecdsa_sha256};
use crate::{Memory, Rejection, Span, Time, encoding::x509};

/// Extensions that a list may have: authority key identifier and list number. Others could narrow its scope.
const KNOWN_EXTENSIONS: [&str; 2] = ["2.5.29.35", "2.5.29.20"];

/// A revocation list that its issuer signed.
#[derive(Debug)]
pub(crate) struct RevocationList<'a> {
    which: &'static str,
    list: CertificateRevocationList<'a>,
    until: Time,
}

impl<'a> RevocationList<'a> {
    /// Reads a list and checks that `issuer` signed it.
    pub(crate) fn verify(
        der: &'a [u8],
        which: &'static str,
        issuer: &Certificate<'_>,
        memory: &Memory,
    ) -> Result<Self, Rejection> {
        let malformed = |what| Rejection::IntelCrlMalformed { which, what };
        let list = x509::revocation_list(der).map_err(|_| malformed("cannot be read as X.509"))?;
        if list.issuer().as_raw() != issuer.subject().as_raw() {
            return Err(Rejection::IntelCrlIssuer { which });
        }
        let algorithms = [&list.signature_algorithm, &list.tbs_cert_list.signature];
        if !algorithms.into_iter().all(is_ecdsa_sha256)
            || !issuer.signed_der(
                list.tbs_cert_list.as_ref(),
                &list.signature_value.data,
                memory,
            )
        {
            return Err(Rejection::IntelCrlSignature { which });
        }
        if list
            .extensions()
            .iter()
            .any(|it| !KNOWN_EXTENSIONS.contains(&it.oid.to_id_string().as_str()))
        {
            return Err(malformed("has an extension that could narrow its scope"));
        }
        let until = list
            .next_update()
            .ok_or(malformed("does not say when it expires"))?;
        let until = Time(until.timestamp());
        Ok(Self { which, list, until })
    }

    /// Checks that `now` lies between its update and the next.
    pub(crate) fn check_fresh(&self, now: Time) -> Result<Time, Rejection> {
        let which = self.which;
        let from = Time(self.list.last_update().timestamp());
        if now < from {
            return Err(Rejection::IntelCrlNotYetValid { which, from });
        }
        if now > self.until {
            return Err(Rejection::IntelCrlExpired {
                which,
                until: self.until,
            });
        }
        Ok(self.until)
    }

    /// When it was made and until when it is valid, if `now` lies between the two.
    pub(crate) fn span(&self, now: Time) -> Result<Span, Rejection> {
        Ok(Span {
            until: self.check_fresh(now)?,
            from: Time(self.list.last_update().timestamp()),
            number: self
                .list
                .crl_number()
                .and_then(|number| number.try_into().ok()),
        })
    }

    /// Checks that it does not name this certificate.
    pub(crate) fn check_absent(&self, certificate: &Certificate<'_>) -> Result<(), Rejection> {
        let listed = self
            .list
            .iter_revoked_certificates()
            .any(|revoked| revoked.serial() == certificate.serial());
        if listed {
            return Err(Rejection::IntelCertificateRevoked {
                which: certificate.which,
            });
        }
        Ok(())
    }
}
