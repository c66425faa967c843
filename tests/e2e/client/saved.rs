//! Saved sessions: anyone with one can repeat every check, and no byte of it can be changed.

use chrysalis_client::{AttestedConnection, Error, SavedSession};

use crate::stage::{Enclave, Host, relying_party};

async fn saved() -> SavedSession {
    let host = Host::serving(Enclave::honest()).await;
    let enclave = AttestedConnection::connect(&host.target(), &relying_party())
        .await
        .unwrap();
    enclave.saved_session().clone()
}

fn verifies(bytes: &[u8]) -> Result<(), Error> {
    // A file that does not even decode is refused before any check.
    let saved = SavedSession::decode(bytes).map_err(|error| Error::Protocol(error.to_string()))?;
    relying_party().verify_session(&saved).map(|_| ())
}

#[tokio::test]
async fn a_saved_session_verifies_without_the_enclave() {
    let bytes = saved().await.encode();
    verifies(&bytes).unwrap();
}

#[tokio::test]
async fn a_saved_session_with_one_flipped_bit_does_not_verify() {
    let bytes = saved().await.encode();
    // Every seventh byte reaches every field, in a time that a person waits for.
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(
            verifies(&flipped).is_err(),
            "byte {at} of {} can be changed",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn a_saved_session_of_another_conversation_does_not_verify() {
    let (one, other) = (saved().await, saved().await);
    let chrysalis_attestation::evidence::binding::Session::Asked { nonce, exporter } =
        other.session()
    else {
        panic!("a conversation is asked")
    };
    let spliced = SavedSession::new(one.spki().to_vec(), nonce, exporter, one.bundle().to_vec());
    assert_eq!(
        verifies(&spliced.encode()).unwrap_err().code(),
        "binding_mismatch"
    );
}
