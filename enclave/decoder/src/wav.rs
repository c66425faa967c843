//! What is written: a WAV file whose header says no length, because its reader is a pipe.

use std::io::Write;

use crate::{
    limits::{MAX_SECONDS, RATE},
    refusal::Refusal,
};

/// The length of what goes on to the end.
const TO_THE_END: [u8; 4] = u32::MAX.to_le_bytes();

/// A file that is being written. Its header comes with the first sample, or at the end.
pub(crate) struct Wav<W> {
    to: W,
    begun: bool,
    samples: u32,
}

impl<W: Write> Wav<W> {
    pub(crate) fn begin(to: W) -> Self {
        Self {
            to,
            begun: false,
            samples: 0,
        }
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> u32 {
        self.samples
    }

    /// Writes samples, which are −1 to 1; what is louder is cut off.
    pub(crate) fn write(&mut self, samples: &[f32]) -> Result<(), Refusal> {
        if !self.begun {
            self.header()?;
        }
        for sample in samples {
            if self.samples >= MAX_SECONDS * RATE {
                return Err(Refusal::TooLong);
            }
            self.samples += 1;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float becomes the nearest number that an i16 holds"
            )]
            let sample = (sample * 32768.0).round() as i16;
            self.to.write_all(&sample.to_le_bytes())?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn end(mut self) -> Result<(), Refusal> {
        if !self.begun {
            self.header()?;
        }
        Ok(self.to.flush()?)
    }

    fn header(&mut self) -> Result<(), Refusal> {
        self.begun = true;
        let pieces: [&[u8]; 9] = [
            b"RIFF",
            &TO_THE_END,
            b"WAVEfmt ",
            &16_u32.to_le_bytes(),
            // Integers, one channel
            &[1, 0, 1, 0],
            &RATE.to_le_bytes(),
            // Bytes a second
            &(RATE * 2).to_le_bytes(),
            // Bytes and bits a sample
            &[2, 0, 16, 0],
            b"data",
        ];
        self.to.write_all(&pieces.concat())?;
        Ok(self.to.write_all(&TO_THE_END)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(samples: &[f32]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut wav = Wav::begin(&mut file);
        wav.write(samples).unwrap();
        wav.end().unwrap();
        file
    }

    #[test]
    fn the_header_is_44_bytes_even_without_samples() {
        let file = written(&[]);
        assert_eq!((file.len(), &file[36..40]), (44, &b"data"[..]));
        assert_eq!(file[24..28], 16_000_u32.to_le_bytes());
    }

    #[test]
    fn what_is_too_loud_is_cut_off_and_what_is_no_number_is_silent() {
        let file = written(&[0.5, 7.0, -7.0, f32::NAN]);
        let samples: Vec<_> = file[44..]
            .chunks(2)
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect();
        assert_eq!(samples, [16_384, i16::MAX, i16::MIN, 0]);
    }

    #[test]
    fn more_than_two_hours_are_refused() {
        let mut wav = Wav::begin(std::io::sink());
        wav.samples = MAX_SECONDS * RATE - 1;
        assert!(wav.write(&[0.0]).is_ok());
        assert!(matches!(wav.write(&[0.0]), Err(Refusal::TooLong)));
    }
}
