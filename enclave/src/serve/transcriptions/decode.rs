//! Where a file becomes samples: outside of the enclave's own process, because decoders read strangers' bytes.

use bytes::Bytes;

use super::wav::Wav;
use crate::{
    engine::{Served, Undecoded},
    serve::error::ApiError,
};

/// The most seconds of audio in one request: 55 MiB of samples.
pub(super) const MAX_SECONDS: u64 = 1800;
/// The most bytes that a decoder may write: that, and a header.
pub(super) const MAX_DECODED: usize = 1800 * 32_000 + 4096;

/// Turns any audio into a WAV file of 16 kHz, one channel and 16 bits.
pub(super) trait Decode {
    /// Ends a decoder that writes more than `most` bytes, and drops what it wrote.
    fn decode(
        &self,
        audio: Bytes,
        most: usize,
    ) -> impl Future<Output = Result<Bytes, Undecoded>> + Send;
}

/// By the program in its engine's room.
impl Decode for Served {
    async fn decode(&self, audio: Bytes, most: usize) -> Result<Bytes, Undecoded> {
        self.prepare(audio, most).await
    }
}

/// The samples of a file. One that has them already needs no decoder.
pub(super) async fn samples(decoder: &impl Decode, file: Bytes) -> Result<Wav, ApiError> {
    let wav = if let Ok(wav) = Wav::decoded(&file) {
        wav
    } else {
        let written = decoder.decode(file, MAX_DECODED).await.map_err(refused)?;
        // A decoder that writes something else was led to it by the file, and keeps nothing for the next one.
        Wav::decoded(&written).map_err(|_| refused(Undecoded::NotAudio))?
    };
    if wav.seconds() == 0.0 {
        return Err(ApiError::invalid(
            "file",
            "file has no audio in it; send a longer one",
        ));
    }
    Ok(wav)
}

fn refused(why: Undecoded) -> ApiError {
    match why {
        Undecoded::NotAudio => ApiError::invalid(
            "file",
            "file cannot be decoded: it is damaged, cut short or has no audio; send it again, or as WAV",
        ),
        Undecoded::TooLong => ApiError::invalid(
            "file",
            format!("file has more than {MAX_SECONDS} seconds of audio; send it in shorter pieces"),
        ),
        Undecoded::Failed => ApiError::engine_failed(),
        Undecoded::NoDecoder => ApiError::unsupported_because(
            "file",
            "this server has no decoder; send WAV of 16 kHz, one channel and 16 bits",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::transcriptions::wav::tests::file;

    struct Fake(Result<Bytes, Undecoded>);

    impl Decode for Fake {
        async fn decode(&self, _: Bytes, most: usize) -> Result<Bytes, Undecoded> {
            let fits = |decoded: &Bytes| decoded.len() <= most;
            self.0
                .clone()
                .and_then(|decoded| fits(&decoded).then_some(decoded).ok_or(Undecoded::TooLong))
        }
    }

    async fn refusal(said: Result<Bytes, Undecoded>) -> (u16, Option<String>, String) {
        let error = samples(&Fake(said), Bytes::new()).await.unwrap_err();
        (error.status.as_u16(), error.parameter, error.message)
    }

    #[tokio::test]
    async fn a_file_becomes_samples() {
        let wav = samples(&Fake(Ok(file(16_000, 5))), Bytes::new())
            .await
            .unwrap();
        assert!((wav.seconds() - 1.0).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn a_file_that_has_samples_needs_no_decoder() {
        let none = Fake(Err(Undecoded::NoDecoder));
        assert!(samples(&none, file(16_000, 5)).await.is_ok());
    }

    #[tokio::test]
    async fn each_refusal_says_what_to_do() {
        let long = Bytes::from(vec![0; MAX_DECODED + 1]);
        for (said, status, hint) in [
            (Err(Undecoded::NotAudio), 400, "or as WAV"),
            (Ok(Bytes::from_static(b"<html>")), 400, "or as WAV"),
            (Ok(file(0, 0)), 400, "send a longer one"),
            (Ok(long), 400, "shorter pieces"),
            (Err(Undecoded::TooLong), 400, "more than 1800 seconds"),
        ] {
            let (code, parameter, message) = refusal(said).await;
            assert_eq!((code, parameter.as_deref()), (status, Some("file")));
            assert!(message.contains(hint), "{message}");
        }
        assert_eq!(refusal(Err(Undecoded::Failed)).await.1, None);
        assert_eq!(refusal(Err(Undecoded::Failed)).await.0, 502);
        let (status, parameter, message) = refusal(Err(Undecoded::NoDecoder)).await;
        assert_eq!((status, parameter.as_deref()), (400, Some("file")));
        assert!(message.contains("16 kHz"), "{message}");
    }
}
