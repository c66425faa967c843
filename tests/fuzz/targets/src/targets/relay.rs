//! What comes through relays: requests as they are sealed, and what is inside of them and of answers.

use std::sync::LazyLock;

use chrysalis_ohttp::{AnswerReader, Configuration, Form, GatewayKeys, Request, SEED};
use zeroize::Zeroizing;

/// The keys that the seeds are for.
pub(crate) static KEYS: LazyLock<GatewayKeys> =
    LazyLock::new(|| GatewayKeys::new(0, &Zeroizing::new([7; SEED])));

/// A sealed request, and key configurations. Nothing that was not sealed for these keys is opened, so only the seeds are.
pub(super) fn encapsulated(bytes: &[u8]) {
    for form in [Form::Whole, Form::Chunked] {
        if let Ok(opened) = KEYS.open(form, bytes) {
            assert!(opened.message.len() < bytes.len(), "it grew");
        }
    }
    let _ = Configuration::best(bytes);
}

/// A request that was opened, and an answer. A request that is read can be written, padded, and read again.
pub(super) fn inside(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        let written = request
            .encode_padded()
            .expect("what was read can be written");
        assert!(written.len().is_power_of_two(), "its length is told");
        assert_eq!(Request::decode(&written).as_ref(), Ok(&request));
    }
    // However an answer arrives, the same is read.
    assert_eq!(read(bytes, bytes.len().max(1)), read(bytes, 1));
}

/// What is read of an answer that arrives in pieces of this length: its parts joined, and whether it ends well.
fn read(bytes: &[u8], step: usize) -> (Vec<u8>, Option<bool>) {
    let (mut reader, mut read) = (AnswerReader::default(), Vec::new());
    for piece in bytes.chunks(step) {
        reader.push(piece);
        loop {
            match reader.next_part() {
                Ok(Some(chrysalis_ohttp::Part::Content(piece))) => read.extend(piece),
                Ok(Some(head)) => read.extend(format!("{head:?}").bytes()),
                Ok(None) => break,
                Err(_) => return (read, None),
            }
        }
    }
    (read, Some(reader.is_over()))
}
