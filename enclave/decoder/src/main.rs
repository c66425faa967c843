//! Turns any audio into 16 kHz mono WAV: a file on standard input, a WAV file on standard output. It reads strangers' bytes,
//! so it runs in an engine's room, one process for each file, and never in the enclave's own process.
//!
//! It is trusted for nothing: whoever reads its output checks the form and bounds the length. What it says on standard error is for
//! people who run it by hand; in a room, only its exit code goes anywhere.

mod audio;
mod limits;
mod refusal;
mod resample;
mod track;
mod wav;

use std::{
    io::{self, BufWriter, Read, Write},
    panic,
    process::ExitCode,
};

use limits::MAX_FILE;
use refusal::Refusal;
use wav::Wav;

const HELP: &str = "\
Turns any audio into a WAV file of 16 kHz, one channel and 16 bits.

Usage: chrysalis-decoder <FILE >WAV

Reads OGG (Opus, Vorbis), MP3, WAV, M4A (AAC, ALAC), FLAC and WebM.

Example: chrysalis-decoder <voice.ogg >voice.wav

Exit codes: 0 done, 3 no audio that it knows, 4 too long, 5 damaged, 6 no track of audio; 1 no input or output, 2 usage";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => {
            let _ = writeln!(io::stdout(), "{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(word) => {
            let _ = writeln!(io::stderr(), "unknown argument {word:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    // A decoder that trips over a damaged file says so like one that notices.
    panic::set_hook(Box::new(|_| {}));
    match panic::catch_unwind(run).unwrap_or(Err(Refusal::Broken)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            let _ = writeln!(io::stderr(), "{refusal}");
            ExitCode::from(refusal.code())
        }
    }
}

fn run() -> Result<(), Refusal> {
    let mut file = Vec::new();
    io::stdin().take(MAX_FILE + 1).read_to_end(&mut file)?;
    if file.len() as u64 > MAX_FILE {
        return Err(Refusal::TooLong);
    }
    let mut wav = Wav::begin(BufWriter::new(io::stdout()));
    audio::decode(file, &mut wav)?;
    wav.end()
}
