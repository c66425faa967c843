//! Frames: a little-endian `u32` length, then that many bytes of CBOR.

use std::io::{Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// The most bytes one frame's payload may have.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// The most bytes that one write to a vsock may carry.
///
/// A guest's write over 32 KiB stalls its connection under `vhost-device-vsock` 0.3; see docs/reference/vsock.md.
pub const MAX_VSOCK_WRITE: usize = 28 * 1024;

/// A message that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer closed the connection before or inside a frame.
    #[error("the peer closed the connection")]
    Closed,
    /// The length prefix is over [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// The payload is not the message that was expected.
    #[error("a frame does not hold the message expected: {0}")]
    Malformed(serde_cbor::Error),
    /// The transport failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Encodes one message as a whole frame, prefix included.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let payload = serde_cbor::to_vec(message).map_err(FrameError::Malformed)?;
    let length = bounded(payload.len())?;
    let mut frame = Vec::with_capacity(payload.len().saturating_add(4));
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// Decodes one message from a frame's payload, the prefix already taken off.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    serde_cbor::from_slice(payload).map_err(FrameError::Malformed)
}

/// Writes one message.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), FrameError> {
    to.write_all(&encode(message)?)?;
    Ok(to.flush()?)
}

/// Reads one message, or [`FrameError::Closed`] at the end of the stream.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, FrameError> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix).map_err(closed_or_io)?;
    let mut payload = vec![0; checked_length(prefix)?];
    from.read_exact(&mut payload).map_err(closed_or_io)?;
    decode(&payload)
}

/// Writes one message, in pieces that a vsock carries.
#[cfg(feature = "tokio")]
pub async fn write_async<T: Serialize>(
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    message: &T,
) -> Result<(), FrameError> {
    use tokio::io::AsyncWriteExt;
    for piece in encode(message)?.chunks(MAX_VSOCK_WRITE) {
        to.write_all(piece).await?;
    }
    Ok(to.flush().await?)
}

/// Reads one message, or [`FrameError::Closed`] at the end of the stream. Not cancel-safe: a read that is dropped
/// half-way loses its place in the stream.
#[cfg(feature = "tokio")]
pub async fn read_async<T: DeserializeOwned>(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
) -> Result<T, FrameError> {
    use tokio::io::AsyncReadExt;
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix).await.map_err(closed_or_io)?;
    let mut payload = vec![0; checked_length(prefix)?];
    from.read_exact(&mut payload).await.map_err(closed_or_io)?;
    decode(&payload)
}

fn checked_length(prefix: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
    bounded(length)?;
    Ok(length)
}

fn bounded(length: usize) -> Result<u32, FrameError> {
    match u32::try_from(length) {
        Ok(short) if length <= MAX_FRAME => Ok(short),
        _ => Err(FrameError::TooLong(length)),
    }
}

fn closed_or_io(error: std::io::Error) -> FrameError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => FrameError::Closed,
        _ => FrameError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_a_length_over_the_limit_before_allocating() {
        let prefix = u32::MAX.to_le_bytes();
        let refused = read::<String>(&mut prefix.as_slice()).unwrap_err();
        assert!(matches!(refused, FrameError::TooLong(_)), "{refused}");
    }

    #[test]
    fn names_a_stream_that_ends_inside_a_frame() {
        let frame = encode(&"hello").unwrap();
        let cut = &frame[..frame.len() - 1];
        assert!(matches!(
            read::<String>(&mut &*cut),
            Err(FrameError::Closed)
        ));
    }

    #[test]
    fn refuses_bytes_after_the_message() {
        let mut payload = serde_cbor::to_vec(&1u8).unwrap();
        payload.push(0);
        assert!(matches!(
            decode::<u8>(&payload),
            Err(FrameError::Malformed(_))
        ));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = read::<crate::host::ToHost>(&mut &*bytes);
            let _ = decode::<crate::host::FromHost>(&bytes);
            let _ = decode::<crate::gpu::ToGpus>(&bytes);
            let _ = decode::<crate::gpu::FromGpus>(&bytes);
            let _ = decode::<crate::room::Plan>(&bytes);
            let _ = decode::<crate::room::FromRoom>(&bytes);
            let _ = decode::<crate::keys::Request>(&bytes);
            let _ = decode::<crate::keys::Answer>(&bytes);
        }

        #[test]
        fn every_string_survives_the_trip(text in ".*") {
            let frame = encode(&text).unwrap();
            prop_assert_eq!(read::<String>(&mut &*frame).unwrap(), text);
        }
    }
}
