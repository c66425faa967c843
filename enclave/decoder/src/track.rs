//! The one track that is heard: its packets become samples of one channel.

use ropus::{DecodeMode, Decoder};
use symphonia::core::{
    audio::Channels,
    codecs::audio::{
        AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_OPUS,
    },
    errors::Error,
    formats::{FormatReader, TrackType},
    packet::Packet,
};

use crate::{
    limits::RATE,
    refusal::Refusal,
    resample::{RATES, Resampler},
};

/// Opus counts in these, whatever it decodes to.
const OPUS_RATE: u32 = 48_000;
/// The longest packet of Opus: 120 ms.
const OPUS_PACKET: usize = RATE as usize * 120 / 1000;

/// A track, and what decodes it.
pub(crate) struct Track {
    id: u32,
    codec: Codec,
    /// Of the rate that came last.
    resampler: Option<(u32, Resampler)>,
}

enum Codec {
    Any(Box<dyn AudioDecoder>),
    /// Straight to 16 kHz and one channel, as the format provides for.
    Opus {
        decoder: Box<Decoder>,
        /// Samples at the start that are none of the recording.
        skip: usize,
    },
}

impl Track {
    /// The track of audio that a container would have played, or its first.
    pub(crate) fn of(format: &dyn FormatReader) -> Result<Self, Refusal> {
        let track = format
            .first_track_known_codec(TrackType::Audio)
            .or_else(|| format.first_track(TrackType::Audio));
        let track = track.ok_or(Refusal::NoAudio)?;
        let parameters = track.codec_params.as_ref().and_then(|it| it.audio());
        let parameters = parameters.ok_or(Refusal::Unknown)?;
        let codec = if parameters.codec == CODEC_ID_OPUS {
            opus(parameters)?
        } else {
            let decoder = symphonia::default::get_codecs()
                .make_audio_decoder(parameters, &AudioDecoderOptions::default());
            Codec::Any(decoder.map_err(|error| match error {
                Error::Unsupported(_) => Refusal::Unknown,
                _ => Refusal::Broken,
            })?)
        };
        Ok(Self {
            id: track.id,
            codec,
            resampler: None,
        })
    }

    /// Decodes a packet to samples of 16 kHz. False: it is damaged. Of another track: nothing.
    pub(crate) fn decode(&mut self, packet: &Packet, out: &mut Vec<f32>) -> Result<bool, Refusal> {
        if packet.track_id != self.id {
            return Ok(true);
        }
        let Some((rate, samples)) = self.codec.samples(packet) else {
            return Ok(false);
        };
        if !RATES.contains(&rate) {
            return Err(Refusal::Broken);
        }
        self.resample(rate, &samples, out);
        Ok(true)
    }

    /// What is left of it.
    pub(crate) fn end(&mut self, out: &mut Vec<f32>) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            resampler.end(out);
        }
    }

    fn resample(&mut self, rate: u32, samples: &[f32], out: &mut Vec<f32>) {
        if self.resampler.as_ref().is_some_and(|(own, _)| *own != rate) {
            self.end(out);
        }
        let (_, resampler) = self
            .resampler
            .get_or_insert_with(|| (rate, Resampler::new(rate)));
        resampler.take(samples, out);
    }
}

impl Codec {
    /// A packet's rate and its samples; none: it is damaged.
    fn samples(&mut self, packet: &Packet) -> Option<(u32, Vec<f32>)> {
        match self {
            Self::Any(codec) => {
                let audio = codec.decode(packet).ok()?;
                let mut samples = Vec::new();
                audio.copy_to_vec_interleaved(&mut samples);
                Some((audio.spec().rate(), mono(&samples, audio.num_planes())))
            }
            Self::Opus { decoder, skip } => {
                let mut pcm = [0; OPUS_PACKET];
                let length = decoder
                    .decode(&packet.data, &mut pcm, DecodeMode::Normal)
                    .ok()?;
                let from = length.min(*skip);
                *skip -= from;
                let to = length.saturating_sub(in_16_khz(packet.trim_end.get()));
                let heard = pcm.get(from..to).unwrap_or_default().iter();
                let samples = heard.map(|sample| f32::from(*sample) / 32768.0);
                Some((RATE, samples.collect()))
            }
        }
    }
}

fn opus(parameters: &AudioCodecParameters) -> Result<Codec, Refusal> {
    let channels = parameters.channels.as_ref().map_or(1, Channels::count);
    if channels > 2 {
        return Err(Refusal::Unknown);
    }
    let decoder = Decoder::new(RATE, ropus::Channels::Mono).map_err(|_| Refusal::Unknown)?;
    // RFC 7845 §5.1: the samples to skip are in the header, after its name, a version and the channels.
    let header = parameters.extra_data.as_deref().unwrap_or_default();
    let skip = match header {
        [
            b'O',
            b'p',
            b'u',
            b's',
            b'H',
            b'e',
            b'a',
            b'd',
            _,
            _,
            low,
            high,
            ..,
        ] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    };
    Ok(Codec::Opus {
        decoder: Box::new(decoder),
        skip: in_16_khz(skip.into()),
    })
}

fn in_16_khz(samples: u64) -> usize {
    let samples = samples.saturating_mul(RATE.into()) / u64::from(OPUS_RATE);
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// The mean of all channels.
fn mono(samples: &[f32], channels: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a few channels")]
    let share = 1.0 / channels.max(1) as f32;
    let frames = samples.chunks_exact(channels.max(1));
    frames
        .map(|frame| frame.iter().sum::<f32>() * share)
        .collect()
}
