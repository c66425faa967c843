//! The program itself, with files of each kind: a second of a tone of 440 Hz, made with ffmpeg for this purpose
//! (`-f lavfi -i sine=frequency=440:sample_rate=48000:duration=1`), and a video without sound.
#![allow(clippy::unwrap_used, reason = "a fault of a test fails it")]
#![allow(clippy::cast_precision_loss, reason = "small numbers")]

use std::{
    fs::{self, File},
    io::{Seek, Write},
    path::Path,
    process::{Command, Output},
};

const KINDS: [&str; 7] = [
    "opus.ogg",
    "opus-stereo.webm",
    "mp3.mp3",
    "aac.m4a",
    "flac.flac",
    "vorbis.ogg",
    "mulaw.wav",
];

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audio")).join(name)).unwrap()
}

fn decode(bytes: &[u8]) -> Output {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    run(file)
}

fn run(file: File) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chrysalis-decoder"))
        .stdin(file)
        .output()
        .unwrap()
}

/// The samples of what must be a WAV file.
fn samples(output: &Output) -> Vec<i16> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (header, samples) = output.stdout.split_at(44);
    assert!(header.starts_with(b"RIFF") && header.ends_with(b"data\xff\xff\xff\xff"));
    let two = samples.chunks(2);
    two.map(|two| i16::from_le_bytes([two[0], two[1]]))
        .collect()
}

fn refused(bytes: &[u8]) -> (Option<i32>, String) {
    let output = decode(bytes);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("\nhint: "), "{said}");
    (output.status.code(), said)
}

#[test]
fn every_kind_of_file_becomes_the_same_tone() {
    for kind in KINDS {
        let samples = samples(&decode(&fixture(kind)));
        // Formats that work in frames end up to two of them late: 2048 samples of 44.1 kHz.
        assert!(
            (15_990..=17_500).contains(&samples.len()),
            "{kind}: {}",
            samples.len()
        );
        let middle = &samples[4_000..12_000];
        let rising = middle.windows(2).filter(|two| two[0] < 0 && two[1] >= 0);
        // 440 Hz for half a second
        assert!((219..=221).contains(&rising.count()), "{kind}");
        let squares: f64 = middle.iter().map(|it| f64::from(*it).powi(2)).sum();
        let loudness = (squares / middle.len() as f64).sqrt();
        // ffmpeg makes an eighth of the full amplitude, and of two channels less.
        assert!((1_900.0..3_200.0).contains(&loudness), "{kind}: {loudness}");
    }
}

/// As far as it goes, if a second has come out.
#[test]
fn what_is_cut_short_is_decoded_or_refused() {
    for kind in ["opus.ogg", "mp3.mp3", "flac.flac", "vorbis.ogg"] {
        let whole = fixture(kind);
        let twice = decode(&whole[..whole.len() / 3]);
        // A stream may end anywhere: where the format cannot tell, it is a shorter recording.
        assert!(
            matches!(twice.status.code(), Some(0 | 5)),
            "{kind}: {twice:?}"
        );
    }
    let flac = fixture("flac.flac");
    assert_eq!(refused(&flac[..4_000]).0, Some(5));
    // Without the index, which is at its end, nothing says what the rest is.
    let m4a = fixture("aac.m4a");
    assert_eq!(refused(&m4a[..m4a.len() - 300]).0, Some(3));
}

#[test]
fn recordings_that_follow_each_other_are_all_decoded() {
    let once = fixture("opus.ogg");
    let twice = samples(&decode(&[once.clone(), once].concat()));
    assert!(twice.len() > 31_900, "{}", twice.len());
}

#[test]
fn each_refusal_has_a_code_and_a_hint() {
    assert_eq!(refused(b"").0, Some(3));
    assert_eq!(refused(b"<html>not found</html>").0, Some(3));
    assert_eq!(refused(&fixture("video.mp4")).0, Some(6));
    let output = run(huge());
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(output.stdout.is_empty());
}

/// A file of more than 64 MiB, all of it a hole.
fn huge() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    file
}

#[test]
fn no_damage_ends_it_otherwise() {
    for kind in KINDS {
        let whole = fixture(kind);
        // Every 97th byte, over and over: headers as well as sound.
        for start in 0..12 {
            let mut file = whole.clone();
            for byte in file.iter_mut().skip(start).step_by(97) {
                *byte ^= 0x55;
            }
            let code = decode(&file).status.code();
            assert!(matches!(code, Some(0 | 3..=6)), "{kind} {start}: {code:?}");
        }
    }
}

#[test]
fn help_has_an_example() {
    let program = || Command::new(env!("CARGO_BIN_EXE_chrysalis-decoder"));
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("Example:"));
    assert_eq!(program().arg("x").status().unwrap().code(), Some(2));
}
