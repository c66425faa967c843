//! What comes out of a decoder: 16 kHz, one channel, 16 bits a sample. The decoder is trusted for nothing: its header is
//! read and dropped, and the engine gets one of ours.

use bytes::Bytes;

use crate::serve::misshapen::Misshapen;

/// Samples per second.
const RATE: u32 = 16_000;
/// Bytes of a sample.
const SAMPLE: usize = 2;
/// Below this in every sample (−66 dB) there is nothing to hear.
const SILENCE: u16 = 16;
/// Bytes of the longest stretch that is heard at once (a minute), and of the shortest.
const LONGEST: usize = 60 * 16_000 * SAMPLE;
const SHORTEST: usize = 45 * 16_000 * SAMPLE;
/// Bytes of what is called quiet or loud: a tenth of a second.
const MOMENT: usize = 1_600 * SAMPLE;
/// Bytes of the header.
const HEADER: usize = 44;

/// Samples of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wav(Bytes);

impl Wav {
    /// Reads what a decoder wrote. A decoder that writes to a pipe does not know the length: then the data go to the end.
    pub(super) fn decoded(file: &Bytes) -> Result<Self, Misshapen> {
        const WHAT: Misshapen = Misshapen("not a WAV file of 16 kHz, one channel and 16 bits");
        let Some(([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'], mut rest)) =
            file.split_at_checked(12)
        else {
            return Err(WHAT);
        };
        let mut as_wanted = false;
        while let Some((kind, after)) = rest.split_first_chunk::<4>() {
            let (size, after) = after.split_first_chunk().ok_or(WHAT)?;
            let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| WHAT)?;
            let (content, after) = after.split_at(size.min(after.len()));
            match kind {
                b"fmt " => as_wanted = content.starts_with(&format()),
                b"data" if as_wanted => {
                    let whole = content.len() - content.len() % SAMPLE;
                    let samples = content.get(..whole).unwrap_or_default();
                    return Ok(Self(file.slice_ref(samples)));
                }
                b"data" => return Err(WHAT),
                _ => {}
            }
            // Chunks begin at even places.
            rest = after.get(size % 2..).unwrap_or_default();
        }
        Err(WHAT)
    }

    /// So many samples in milliseconds, a begun one counted.
    pub(super) fn milliseconds(samples: usize) -> u64 {
        let samples = u64::try_from(samples).unwrap_or(u64::MAX);
        samples.div_ceil(u64::from(RATE / 1000))
    }

    /// How long it is.
    pub(super) fn seconds(&self) -> f64 {
        Self::at(self.samples())
    }

    /// How many samples it has.
    pub(super) fn samples(&self) -> usize {
        self.0.len() / SAMPLE
    }

    /// When a sample is heard, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "far fewer samples than 2^52")]
    pub(super) fn at(sample: usize) -> f64 {
        sample as f64 / f64::from(RATE)
    }

    /// What follows so many samples, up to a quiet place. None: nothing does.
    pub(super) fn stretch(&self, from: usize) -> Option<Self> {
        let rest = self.0.get(from.checked_mul(SAMPLE)?..)?;
        if rest.is_empty() {
            return None;
        }
        let length = if rest.len() > LONGEST {
            quiet_place(rest)
        } else {
            rest.len()
        };
        Some(Self(self.0.slice_ref(rest.get(..length)?)))
    }

    /// Whether there is anything to hear. Whisper makes up words for silence.
    pub(super) fn is_silent(&self) -> bool {
        amplitudes(&self.0).all(|amplitude| amplitude < SILENCE)
    }

    /// A header of ours, and the samples after it.
    pub(super) fn file(&self) -> ([u8; HEADER], &[u8]) {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let mut header = [0; HEADER];
        let pieces: [&[u8]; 7] = [
            b"RIFF",
            &length.saturating_add(36).to_le_bytes(),
            b"WAVEfmt ",
            &16_u32.to_le_bytes(),
            &format(),
            b"data",
            &length.to_le_bytes(),
        ];
        for (place, byte) in header.iter_mut().zip(pieces.into_iter().flatten()) {
            *place = *byte;
        }
        (header, &self.0)
    }
}

/// The middle of the quietest moment between the shortest and the longest stretch.
fn quiet_place(bytes: &[u8]) -> usize {
    let range = bytes.get(SHORTEST..LONGEST).unwrap_or_default();
    let loudness = |moment: &[u8]| amplitudes(moment).map(u64::from).sum::<u64>();
    let moments = range.chunks_exact(MOMENT).map(loudness).enumerate();
    let (quietest, _) = moments
        .min_by_key(|(_, loudness)| *loudness)
        .unwrap_or_default();
    SHORTEST + quietest * MOMENT + MOMENT / 2
}

/// How loud each sample is.
fn amplitudes(samples: &[u8]) -> impl Iterator<Item = u16> {
    let (samples, _) = samples.as_chunks::<SAMPLE>();
    samples
        .iter()
        .map(|sample| i16::from_le_bytes(*sample).unsigned_abs())
}

/// The content of the chunk `fmt `: PCM, channels, samples and bytes per second, bytes and bits of a sample.
fn format() -> [u8; 16] {
    let [r0, r1, r2, r3] = RATE.to_le_bytes();
    let [b0, b1, b2, b3] = (RATE * 2).to_le_bytes();
    [1, 0, 1, 0, r0, r1, r2, r3, b0, b1, b2, b3, 2, 0, 16, 0]
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A WAV file of this many samples of this value.
    pub(in crate::serve) fn file(samples: usize, value: i16) -> Bytes {
        let samples = value.to_le_bytes().repeat(samples);
        let (header, _) = Wav(Bytes::new()).file();
        let mut file = header.to_vec();
        file[40..].copy_from_slice(&u32::try_from(samples.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&samples);
        file.into()
    }

    #[test]
    fn what_is_written_is_read() {
        let wav = Wav::decoded(&file(8000, 99)).unwrap();
        assert_eq!((wav.seconds(), wav.is_silent()), (0.5, false));
        let (header, samples) = wav.file();
        let again = Bytes::from([&header, samples].concat());
        assert_eq!(
            again,
            file(8000, 99)[..]
                .iter()
                .enumerate()
                .map(|(at, byte)| match at {
                    // The length of all of it, which the test's file has not.
                    4..8 => header[at],
                    _ => *byte,
                })
                .collect::<Vec<u8>>()
        );
        assert_eq!(Wav::decoded(&again), Ok(wav));
        assert!(Wav::decoded(&file(100, -15)).unwrap().is_silent());
        assert!(!Wav::decoded(&file(100, i16::MIN)).unwrap().is_silent());
    }

    #[test]
    fn a_long_recording_is_cut_where_it_is_quiet() {
        let minute = 60 * 16_000;
        let mut loud = file(minute + 1, 1000).to_vec();
        let quiet = 44 + 50 * 16_000 * SAMPLE;
        loud[quiet..quiet + 2 * MOMENT].fill(0);
        let wav = Wav::decoded(&loud.into()).unwrap();
        let first = wav.stretch(0).unwrap();
        assert!(
            (first.seconds() - 50.05).abs() < 0.11,
            "{}",
            first.seconds()
        );
        let second = wav.stretch(first.samples()).unwrap();
        assert_eq!(first.samples() + second.samples(), minute + 1);
        assert_eq!(wav.stretch(minute + 1), None);
        assert_eq!(
            Wav::decoded(&file(minute, 1000))
                .unwrap()
                .stretch(0)
                .unwrap()
                .samples(),
            minute
        );
    }

    #[test]
    fn a_length_that_was_not_known_is_to_the_end() {
        let mut piped = file(4, 1).to_vec();
        piped[40..44].copy_from_slice(&[0xff; 4]);
        piped.push(7);
        assert_eq!(Wav::decoded(&piped.into()).unwrap().0.len(), 8);
    }

    #[test]
    fn another_format_is_refused() {
        for (at, byte) in [
            (0, 0),
            (8, 0),
            (20, 3),
            (22, 2),
            (24, 0),
            (34, 8),
            (36, b'x'),
        ] {
            let mut wrong = file(4, 1).to_vec();
            wrong[at] = byte;
            assert!(Wav::decoded(&wrong.into()).is_err(), "byte {at}");
        }
        assert!(Wav::decoded(&Bytes::from_static(b"RIFF")).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0_usize..52, byte: u8) {
            let mut near = file(4, 1).to_vec();
            near[at] = byte;
            for file in [bytes, near] {
                if let Ok(wav) = Wav::decoded(&file.into()) {
                    let _ = (wav.seconds(), wav.is_silent(), wav.file());
                }
            }
        }
    }
}
