//! Any number of samples per second to 16 kHz: a windowed sinc, whose cut-off is below half of the lower of the two rates.

use std::f64::consts::PI;

use crate::limits::RATE;

/// Rates that are taken. Beyond them there is no audio, only arithmetic.
pub(crate) const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 16.0;
/// The pass band, of what the lower rate could hold.
const PASS: f64 = 0.94;
/// Places between two samples for which the filter is computed; between those it is interpolated.
const PHASES: u32 = 256;

/// Resamples one channel.
pub(crate) struct Resampler {
    rate: u32,
    /// Samples that one output takes.
    taps: usize,
    /// The filter, a row of `taps` for each phase, and one row more.
    rows: Vec<f32>,
    /// Samples that are still needed, the oldest first.
    kept: Vec<f32>,
    /// The next output's place after the oldest sample, in parts of [`RATE`].
    place: u32,
}

impl Resampler {
    /// One for this rate, which must be one of [`RATES`].
    pub(crate) fn new(rate: u32) -> Self {
        let ratio = (f64::from(RATE) / f64::from(rate)).min(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "16 to 384"
        )]
        let half = (CROSSINGS / ratio).ceil() as u32;
        let rows = (0..=PHASES)
            .flat_map(|phase| row(half, f64::from(phase) / f64::from(PHASES), ratio * PASS));
        let half = half as usize;
        Self {
            rate,
            taps: 2 * half,
            rows: rows.collect(),
            // Silence before the first sample
            kept: vec![0.0; half - 1],
            place: 0,
        }
    }

    /// Takes samples, and gives those of 16 kHz that are ready.
    pub(crate) fn take(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.rate == RATE {
            return out.extend_from_slice(samples);
        }
        self.kept.extend_from_slice(samples);
        let mut start = 0;
        while let Some(window) = self.kept.get(start..start + self.taps) {
            out.push(self.sample(window));
            self.place += self.rate;
            start += (self.place / RATE) as usize;
            self.place %= RATE;
        }
        self.kept.drain(..start.min(self.kept.len()));
    }

    /// Gives the last ones.
    pub(crate) fn end(&mut self, out: &mut Vec<f32>) {
        let silence = vec![0.0; self.taps / 2];
        if self.rate != RATE {
            self.take(&silence, out);
        }
    }

    fn sample(&self, window: &[f32]) -> f32 {
        let phase = self.place * PHASES / RATE;
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^24")]
        let between = ((self.place * PHASES) % RATE) as f32 / RATE as f32;
        let row = |phase: u32| {
            let start = phase as usize * self.taps;
            let row = self.rows.get(start..start + self.taps);
            dot(row.unwrap_or_default(), window)
        };
        row(phase) * (1.0 - between) + row(phase + 1) * between
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// The filter for outputs this far after a sample. Its sum is 1, so that nothing gets louder.
fn row(half: u32, after: f64, cutoff: f64) -> Vec<f32> {
    let weights: Vec<f64> = (0..2 * half)
        .map(|tap| {
            let distance = after + f64::from(half) - 1.0 - f64::from(tap);
            sinc(cutoff * distance) * window(distance / f64::from(half))
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    #[expect(clippy::cast_possible_truncation, reason = "weights of samples")]
    let row = weights.into_iter().map(|weight| (weight / sum) as f32);
    row.collect()
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    (PI * x).sin() / (PI * x)
}

/// Blackman's, −1 to 1.
fn window(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    0.42 + 0.5 * (PI * x).cos() + 0.08 * (2.0 * PI * x).cos()
}

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let samples = (f64::from(rate) * seconds) as usize;
        let at = |sample: usize| (2.0 * PI * hertz * sample as f64 / f64::from(rate)).sin() / 2.0;
        (0..samples).map(|sample| at(sample) as f32).collect()
    }

    /// In pieces, as they come from a decoder.
    fn resampled(samples: &[f32], rate: u32) -> Vec<f32> {
        let (mut resampler, mut out) = (Resampler::new(rate), Vec::new());
        for piece in samples.chunks(1152) {
            resampler.take(piece, &mut out);
        }
        resampler.end(&mut out);
        out
    }

    #[test]
    fn a_tone_stays_the_same_tone_at_every_rate() {
        for rate in [
            8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 383_999,
        ] {
            let out = resampled(&tone(440.0, rate, 1.0), rate);
            assert!(out.len().abs_diff(16_000) <= 1, "{rate}: {}", out.len());
            let wanted = tone(440.0, 16_000, 1.0);
            // Without the ends, where it begins from silence
            let pairs = out.iter().zip(&wanted).skip(200).take(15_500);
            let worst = pairs
                .map(|(is, wanted)| (is - wanted).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-3, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_gone() {
        let out = resampled(&tone(10_000.0, 48_000, 1.0), 48_000);
        let loudest = out.iter().skip(200).take(15_500).map(|it| it.abs());
        assert!(loudest.fold(0.0, f32::max) < 1e-3);
    }

    #[test]
    fn one_sample_is_enough() {
        assert_eq!(resampled(&[0.5], 48_000).len(), 1);
        assert_eq!(resampled(&[], 44_100).len(), 0);
        assert_eq!(resampled(&[0.5], 8_000).len(), 2);
    }
}
