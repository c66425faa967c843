//! TLS, of whichever end: the library and key agreements, and what binds evidence to a connection.

mod agreement;

use chrysalis_attestation::evidence::binding::TLS_EXPORTER_LABEL;
use rustls::ConnectionCommon;

pub(crate) use self::agreement::provider;

/// What only the two ends of a connection know: RFC 9266.
pub(crate) fn exporter<Data>(connection: &ConnectionCommon<Data>) -> Option<[u8; 32]> {
    connection
        .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
        .ok()
}
