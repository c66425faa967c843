//! TLS 1.3 to the one server whose certificate the configuration pins.

use std::{io, sync::Arc};

use chrysalis_attestation::encoding::digest::sha256;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::tls;

/// No resumption: each connection is a new handshake, with its own exporter to bind evidence to.
pub(super) fn configuration(
    certificate: [u8; 32],
    protocol: &[u8],
) -> Result<Arc<ClientConfig>, Error> {
    let provider = tls::provider();
    let pinned = Pinned {
        certificate,
        algorithms: provider.signature_verification_algorithms,
    };
    let mut configuration = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    configuration.alpn_protocols = vec![protocol.to_vec()];
    configuration.resumption = Resumption::disabled();
    Ok(Arc::new(configuration))
}

/// Whether the server ended a handshake because it does not know the protocol.
pub(super) fn knows_no_such_protocol(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|it| it.downcast_ref());
    let unknown = AlertDescription::NoApplicationProtocol;
    error == Some(&Error::AlertReceived(unknown))
}

/// One certificate, by its digest. What stands in it does not matter: the configuration is measured.
#[derive(Debug)]
struct Pinned {
    certificate: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if sha256(&[end_entity]) == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Never offered; if it were ever reached, it must not pass.
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
