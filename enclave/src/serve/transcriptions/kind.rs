//! What kind of file it is, by its first bytes: what is no audio never reaches a decoder. A file's name says nothing.

use super::container;

/// The kinds of file that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flac,
    M4a,
    Mp3,
    Ogg,
    Wav,
    WebM,
}

/// What is sent instead.
pub(super) const KINDS: &str = "OGG (Opus or Vorbis), MP3, WAV, M4A, FLAC or WebM";

/// What people send by mistake, by its first bytes.
const OTHERS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"(\xb5/\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"FORM", "an AIFF file"),
    (b"#!AMR", "an AMR file"),
    (b"caff", "a CAF file"),
    (b"\x30\x26\xb2\x75", "a WMA or WMV file"),
    (b"FLV", "a Flash video"),
    (b"RIFX", "a big-endian WAV file"),
    (b"RF64", "an RF64 file"),
    (b"MThd", "a MIDI file"),
    (b"ADIF", "AAC without a container"),
];

/// The kind of a file, or what it is instead.
pub(super) fn of(file: &[u8]) -> Result<Kind, &'static str> {
    match file {
        [] => Err("empty"),
        [b'O', b'g', b'g', b'S', ..] => ogg(file),
        [b'f', b'L', b'a', b'C', ..] => Ok(Kind::Flac),
        [b'I', b'D', b'3', ..] => Ok(Kind::Mp3),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => container::webm(file).map(|()| Kind::WebM),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'A',
            b'V',
            b'E',
            ..,
        ] => Ok(Kind::Wav),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'A',
            b'V',
            b'I',
            b' ',
            ..,
        ] => Err("an AVI video"),
        [b'R', b'I', b'F', b'F', ..] => Err("a RIFF file without audio"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => container::mp4(file).map(|()| Kind::M4a),
        // MPEG audio, layer III, with a bit rate and a sampling rate.
        [0xff, second, third, ..]
            if second & 0xe6 == 0xe2
                && second & 0x18 != 0x08
                && third >> 4 != 0xf
                && third & 0x0c != 0x0c =>
        {
            Ok(Kind::Mp3)
        }
        [0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, ..] => Err("AAC without a container"),
        _ => Err(other(file)),
    }
}

/// An OGG file, by what its first page begins.
fn ogg(file: &[u8]) -> Result<Kind, &'static str> {
    const SEGMENTS: usize = 26;
    let payload = file
        .get(SEGMENTS)
        .map(|segments| SEGMENTS + 1 + usize::from(*segments))
        .and_then(|start| file.get(start..))
        .ok_or("an OGG file that ends in its first page")?;
    match payload {
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..]
        | [1, b'v', b'o', b'r', b'b', b'i', b's', ..]
        | [0x7f, b'F', b'L', b'A', b'C', ..] => Ok(Kind::Ogg),
        [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => Err("an OGG video"),
        [b'S', b'p', b'e', b'e', b'x', ..] => Err("an OGG file with Speex"),
        _ => Err("an OGG file without audio"),
    }
}

fn other(file: &[u8]) -> &'static str {
    const LOOKED_AT: usize = 512;
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| file.starts_with(start)) {
        return what;
    }
    let start = file.get(..file.len().min(LOOKED_AT)).unwrap_or_default();
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let text = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character may be cut in the middle.
        Err(error) => error.error_len().is_none(),
    };
    if text && !start.iter().any(control) {
        "text"
    } else {
        "not audio that this server knows"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(payload: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0\x02".to_vec();
        page.resize(26, 0);
        page.push(1);
        page.push(u8::try_from(payload.len()).unwrap());
        page.extend_from_slice(payload);
        page
    }

    #[test]
    fn audio_is_known_by_its_first_bytes() {
        for (file, kind) in [
            (page(b"OpusHead\x01"), Kind::Ogg),
            (page(b"\x01vorbis"), Kind::Ogg),
            (page(b"\x7fFLAC"), Kind::Ogg),
            (b"fLaC\0".to_vec(), Kind::Flac),
            (b"ID3\x04".to_vec(), Kind::Mp3),
            (b"\xff\xfb\x90\x64".to_vec(), Kind::Mp3),
            (b"\xff\xf3\x40\xc4".to_vec(), Kind::Mp3),
            (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), Kind::Wav),
        ] {
            assert_eq!(of(&file), Ok(kind), "{file:?}");
        }
    }

    #[test]
    fn what_is_no_audio_is_named() {
        for (file, what) in [
            (b"".to_vec(), "empty"),
            (
                b"PK\x03\x04\x14".to_vec(),
                "a ZIP archive or an office document",
            ),
            (b"\x1f\x8b\x08".to_vec(), "a gzip archive"),
            (b"%PDF-1.7".to_vec(), "a PDF document"),
            (b"\xff\xd8\xff\xe0".to_vec(), "a JPEG picture"),
            (b"\x89PNG\r\n".to_vec(), "a PNG picture"),
            (b"#!AMR\n".to_vec(), "an AMR file"),
            (b"RIFF\x24\0\0\0AVI LIST".to_vec(), "an AVI video"),
            (b"RIFF\x24\0\0\0WEBP".to_vec(), "a RIFF file without audio"),
            (b"\xff\xf1\x50\x80".to_vec(), "AAC without a container"),
            (b"hello".to_vec(), "text"),
            ("\u{e9}\n".repeat(400).into_bytes(), "text"),
            (
                b"\xff\xfeh\0i\0".to_vec(),
                "not audio that this server knows",
            ),
            (vec![0; 64], "not audio that this server knows"),
            (b"OggS".to_vec(), "an OGG file that ends in its first page"),
            (page(b"\x80theora"), "an OGG video"),
            (page(b"Speex   "), "an OGG file with Speex"),
            (page(b"fishead"), "an OGG file without audio"),
        ] {
            assert_eq!(of(&file), Err(what), "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), start in prop::sample::select(vec![
            &b"OggS"[..], b"RIFF", b"\0\0\0\x10ftyp", b"\x1a\x45\xdf\xa3", b"\xff", b"ID3",
        ])) {
            let _ = of(&bytes);
            let _ = of(&[start, &bytes].concat());
        }
    }
}
