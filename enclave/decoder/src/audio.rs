//! A file, packet by packet: what is damaged in the middle is left out, and what is cut short ends early.

use std::io::{Cursor, Write};

use symphonia::core::{
    errors::Error,
    formats::{FormatOptions, FormatReader, probe::Hint},
    io::{MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
};

use crate::{limits::RATE, refusal::Refusal, track::Track, wav::Wav};

/// Writes all that can be heard of a file. A damaged file is refused unless a second of it can be heard.
pub(crate) fn decode(file: Vec<u8>, wav: &mut Wav<impl Write>) -> Result<(), Refusal> {
    let mut format = open(file)?;
    let mut track = Track::of(format.as_ref())?;
    let mut whole = true;
    let mut samples = Vec::new();
    loop {
        match format.next_packet() {
            Ok(Some(packet)) => whole &= track.decode(&packet, &mut samples)?,
            Ok(None) => break,
            // Another recording follows in the same file.
            Err(Error::ResetRequired) => {
                track.end(&mut samples);
                track = Track::of(format.as_ref())?;
            }
            Err(_) => {
                whole = false;
                break;
            }
        }
        wav.write(&samples)?;
        samples.clear();
    }
    track.end(&mut samples);
    wav.write(&samples)?;
    if whole || wav.samples() >= RATE {
        Ok(())
    } else {
        Err(Refusal::Broken)
    }
}

/// The container. Names and kinds of files are not asked for: the bytes say what they are.
fn open(file: Vec<u8>) -> Result<Box<dyn FormatReader>, Refusal> {
    let stream = MediaSourceStream::new(
        Box::new(Cursor::new(file)),
        MediaSourceStreamOptions::default(),
    );
    symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| match error {
            Error::Unsupported(_) => Refusal::Unknown,
            _ => Refusal::Broken,
        })
}
