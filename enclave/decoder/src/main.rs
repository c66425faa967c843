//! Turns any audio into 16 kHz mono WAV: a file on standard input, a WAV file on standard output. It reads strangers' bytes,
//! so it runs in an engine's room, one process for each file, and never in the enclave's own process.
//!
//! It is trusted for nothing: whoever reads its output checks the form and bounds the length. What it says on standard error is for
//! people who run it by hand; in a room, only its exit code goes anywhere.

mod audio;
mod resample;
mod track;
mod wav;

use std::{
    fmt,
    io::{self, BufWriter, Read, Write},
    panic,
    process::ExitCode,
};

use wav::Wav;

const HELP: &str = "\
Turns any audio into a WAV file of 16 kHz, one channel and 16 bits.

Usage: chrysalis-decoder <FILE >WAV

Reads OGG (Opus, Vorbis), MP3, WAV, M4A (AAC, ALAC), FLAC and WebM.

Example: chrysalis-decoder <voice.ogg >voice.wav

Exit codes: 0 done, 3 no audio that it knows, 4 too long, 5 damaged, 6 no track of audio; 1 no input or output, 2 usage";

/// The most bytes of a file. It is held whole, because an M4A file may have its index at its end.
const MAX_FILE: u64 = 64 << 20;

/// Why there is no WAV file.
#[derive(Debug)]
enum Refusal {
    /// No container or no codec that it knows.
    Unknown,
    /// Longer than it may be.
    TooLong,
    /// Damaged, or cut short within its first second.
    Broken,
    /// A container without audio, such as a silent video.
    NoAudio,
    /// Standard input or output fails.
    Io(io::Error),
}

impl Refusal {
    fn code(&self) -> u8 {
        match self {
            Self::Io(_) => 1,
            Self::Unknown => 3,
            Self::TooLong => 4,
            Self::Broken => 5,
            Self::NoAudio => 6,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(
                to,
                "this is no audio that the decoder knows\nhint: send OGG, MP3, WAV, M4A, FLAC or WebM"
            ),
            Self::TooLong => write!(
                to,
                "longer than {} s, or larger than {} MiB\nhint: send it in shorter pieces",
                wav::MAX_SECONDS,
                MAX_FILE >> 20
            ),
            Self::Broken => write!(to, "the file is damaged or cut short\nhint: send it again"),
            Self::NoAudio => write!(
                to,
                "the file has no track of audio\nhint: send a file with sound"
            ),
            Self::Io(error) => write!(
                to,
                "{error}\nhint: give a file on standard input, and read standard output to its end"
            ),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

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
