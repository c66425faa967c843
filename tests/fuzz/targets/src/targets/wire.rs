//! What host, enclave and engine tell each other, and the configuration that the host brings.

use chrysalis_wire::{
    configuration::Configuration,
    engine::{FromEngine, ToEngine},
    frame,
    host::{FromHost, ToHost},
};

/// A frame that is read can be written, and read again.
pub(super) fn frame(bytes: &[u8]) {
    macro_rules! try_as {
        ($($message:ty),+) => {$(
            if let Ok(message) = frame::read::<$message>(&mut &*bytes) {
                let written = frame::encode(&message).expect("what was read can be written");
                frame::read::<$message>(&mut &*written).expect("what was written can be read");
            }
        )+};
    }
    try_as!(ToHost, FromHost, ToEngine, FromEngine);
}

/// The configuration's TOML.
pub(super) fn configuration(bytes: &[u8]) {
    let _ = Configuration::parse(bytes);
}
