//! Whether a container that may hold a video has a track of audio in it: MP4 (ISO 14496-12) and `WebM` (EBML, RFC 8794;
//! Matroska, RFC 9559). Only the sizes and kinds of boxes are read, each in one pass.

/// An MP4 file must have a track that is sound.
pub(super) fn mp4(file: &[u8]) -> Result<(), &'static str> {
    let Some(movie) = find(file, *b"moov") else {
        return Err("an M4A file without its index, cut short");
    };
    let sound = boxes(movie)
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, track)| find(find(track, *b"mdia")?, *b"hdlr"))
        .any(|handler| handler.get(8..12) == Some(b"soun"));
    if sound {
        Ok(())
    } else {
        Err("a video without audio")
    }
}

/// The content of the first box of a kind.
fn find(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let (_, content) = boxes(bytes).find(|(kind, _)| *kind == wanted)?;
    Some(content)
}

/// The boxes of an MP4 file, or of a box: kind and content. Ends with what is cut short.
fn boxes(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (size, after) = rest.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        let (length, after) = match u32::from_be_bytes(*size) {
            // To the end of the file.
            0 => (after.len(), after),
            1 => {
                let (size, after) = after.split_first_chunk()?;
                let size = usize::try_from(u64::from_be_bytes(*size)).ok()?;
                (size.checked_sub(16)?, after)
            }
            size => (usize::try_from(size).ok()?.checked_sub(8)?, after),
        };
        let (content, after) = after.split_at(length.min(after.len()));
        rest = after;
        Some((*kind, content))
    })
}

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const AUDIO: &[u8] = &[2];

/// A `WebM` file must have a track that is audio.
pub(super) fn webm(file: &[u8]) -> Result<(), &'static str> {
    let segment = elements(file).find(|(id, _)| *id == SEGMENT);
    let tracks = segment.and_then(|(_, segment)| {
        elements(segment)
            // What is heard and seen comes after what says how.
            .take_while(|(id, _)| *id != CLUSTER)
            .find(|(id, _)| *id == TRACKS)
    });
    let Some((_, tracks)) = tracks else {
        return Err("a WebM file without its list of tracks, cut short");
    };
    let audio = elements(tracks)
        .filter(|(id, _)| *id == TRACK_ENTRY)
        .any(|(_, entry)| {
            elements(entry).any(|(id, content)| id == TRACK_TYPE && content == AUDIO)
        });
    if audio {
        Ok(())
    } else {
        Err("a video without audio")
    }
}

/// The elements of a `WebM` file, or of an element: identifier and content. Ends with what is cut short.
fn elements(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (id, _, after) = number(rest, 4)?;
        let (size, width, after) = number(after, 8)?;
        // The size is a number without the bit that says its width; all ones are to the end.
        let most = (1_u64 << width.checked_mul(7)?).checked_sub(1)?;
        let size = size & most;
        let length = usize::try_from(size).ok().filter(|_| size != most);
        let length = length.unwrap_or(after.len()).min(after.len());
        let (content, after) = after.split_at(length);
        rest = after;
        Some((u32::try_from(id).ok()?, content))
    })
}

/// A number of variable width, with the bit that says its width; and the width.
fn number(bytes: &[u8], most: u32) -> Option<(u64, u32, &[u8])> {
    let width = bytes.first()?.leading_zeros().checked_add(1)?;
    if width > most {
        return None;
    }
    let (number, rest) = bytes.split_at_checked(usize::try_from(width).ok()?)?;
    let number = number
        .iter()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte));
    Some((number, width, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).unwrap();
        [&size.to_be_bytes(), &kind, content].concat()
    }

    fn track(handler: [u8; 4]) -> Vec<u8> {
        let handler = boxed(*b"hdlr", &[&[0; 8][..], &handler, &[0; 12]].concat());
        boxed(
            *b"trak",
            &[boxed(*b"tkhd", &[0; 20]), boxed(*b"mdia", &handler)].concat(),
        )
    }

    fn mp4_of(tracks: &[Vec<u8>]) -> Vec<u8> {
        let movie = boxed(
            *b"moov",
            &[boxed(*b"mvhd", &[0; 20]), tracks.concat()].concat(),
        );
        [
            boxed(*b"ftyp", b"M4A \0\0\0\0"),
            boxed(*b"mdat", &[9; 30]),
            movie,
        ]
        .concat()
    }

    #[test]
    fn an_mp4_file_has_sound_or_is_refused() {
        assert_eq!(mp4(&mp4_of(&[track(*b"soun")])), Ok(()));
        assert_eq!(mp4(&mp4_of(&[track(*b"vide"), track(*b"soun")])), Ok(()));
        assert_eq!(
            mp4(&mp4_of(&[track(*b"vide")])),
            Err("a video without audio")
        );
        assert_eq!(mp4(&mp4_of(&[])), Err("a video without audio"));
        let whole = mp4_of(&[track(*b"soun")]);
        let cut = "an M4A file without its index, cut short";
        assert_eq!(mp4(&whole[..40]), Err(cut));
        // A box of 64-bit size, and one to the end.
        let large = [
            &1_u32.to_be_bytes()[..],
            b"free",
            &20_u64.to_be_bytes(),
            &[0; 4],
        ]
        .concat();
        let last = [&[0; 4], b"moov", &track(*b"soun")[..]].concat();
        assert_eq!(mp4(&[large, last].concat()), Ok(()));
    }

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        let size = u16::try_from(content.len()).unwrap() | 0x4000;
        [id, &size.to_be_bytes(), content].concat()
    }

    fn webm_of(types: &[u8]) -> Vec<u8> {
        let entry = |kind: &u8| {
            element(
                &[0xae],
                &[element(&[0xd7], &[1]), element(&[0x83], &[*kind])].concat(),
            )
        };
        let tracks = element(
            &TRACKS.to_be_bytes(),
            &types.iter().flat_map(entry).collect::<Vec<_>>(),
        );
        let cluster = [
            &CLUSTER.to_be_bytes()[..],
            &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[7; 9],
        ]
        .concat();
        let segment = [
            &SEGMENT.to_be_bytes()[..],
            &[0xff],
            &element(&[0xec], &[0; 3]),
            &tracks,
            &cluster,
        ]
        .concat();
        [element(&[0x1a, 0x45, 0xdf, 0xa3], &[0; 5]), segment].concat()
    }

    #[test]
    fn a_webm_file_has_audio_or_is_refused() {
        assert_eq!(webm(&webm_of(&[2])), Ok(()));
        assert_eq!(webm(&webm_of(&[1, 2])), Ok(()));
        assert_eq!(webm(&webm_of(&[1])), Err("a video without audio"));
        let whole = webm_of(&[2]);
        let cut = "a WebM file without its list of tracks, cut short";
        assert_eq!(webm(&whole[..14]), Err(cut));
        assert_eq!(webm(&[0x1a, 0x45, 0xdf, 0xa3]), Err(cut));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0_usize..200, byte: u8) {
            let _ = (mp4(&bytes), webm(&bytes));
            for mut file in [mp4_of(&[track(*b"soun")]), webm_of(&[1, 2])] {
                let at = at % file.len();
                file[at] = byte;
                let _ = (mp4(&file), webm(&file), mp4(&file[..at]), webm(&file[..at]));
            }
        }
    }
}
