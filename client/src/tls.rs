//! TLS to a peer that no certificate authority vouches for, and ordinary TLS. This is the one dangerous module of the client.
//!
//! A name in a certificate says nothing about what runs behind it, so this client does not look at names. The handshake proves one
//! thing: that the peer holds the private key of the certificate it shows. The evidence says whose key that is, and until it does
//! the connection is a [`crate::channel::Channel`], which can ask for evidence and nothing else.

use std::sync::Arc;

use chrysalis_attestation::evidence::{KeyAgreement, binding::TLS_EXPORTER_LABEL};
use chrysalis_wire::api::ALPN;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms,
        aws_lc_rs::{
            default_provider,
            kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768},
        },
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// AWS-LC, with a post-quantum key agreement first: what is recorded today must not be readable one day.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..default_provider()
    }
}

/// TLS 1.3 only, no resumption: each connection is a new handshake, with its own exporter to bind evidence to.
pub(crate) fn dangerous_configuration() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = provider();
    let verifier = HandshakeOnly {
        algorithms: provider.signature_verification_algorithms,
    };
    let mut configuration = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    configuration.alpn_protocols = vec![ALPN.to_vec()];
    configuration.resumption = Resumption::disabled();
    Ok(Arc::new(configuration))
}

/// Ordinary TLS: a relay or a directory is a stranger, whose name the system's roots vouch for. Why not, if it cannot be.
pub(crate) fn ordinary() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let configuration = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(configuration))
}

/// DER `SubjectPublicKeyInfo` of a certificate's key.
pub(crate) fn public_key(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, rustls::Error> {
    Ok(ParsedCertificate::try_from(certificate)?
        .subject_public_key_info()
        .to_vec())
}

/// What only the two ends of a connection know: RFC 9266.
pub(crate) fn exporter<Data>(
    connection: &ConnectionCommon<Data>,
) -> Result<[u8; 32], rustls::Error> {
    connection.export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
}

/// How the keys of a connection were agreed; `None` where this client does not know the group.
pub(crate) fn agreement<Data>(connection: &ConnectionCommon<Data>) -> Option<KeyAgreement> {
    let group = connection.negotiated_key_exchange_group()?;
    KeyAgreement::of_tls(group.name().into())
}

/// Checks possession of the certificate's key and, deliberately, nothing else.
#[derive(Debug)]
struct HandshakeOnly {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for HandshakeOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Not trust, only that it is a certificate with a key in it. Trust comes from the evidence.
        ParsedCertificate::try_from(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Never offered; if it were ever reached, it must not pass.
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
