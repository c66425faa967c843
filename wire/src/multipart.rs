//! `multipart/form-data` (RFC 7578, RFC 2046 §5.1): a form with a file in it, read strictly and written.
//!
//! Trusts nothing: a body is read in one pass, parts and their heads are bounded, nothing is copied, and what is not exactly
//! one closed list of named parts is an error.

/// The most parts of one form.
pub const MAX_PARTS: usize = 64;
/// The most bytes of one part's head.
pub const MAX_HEAD: usize = 4096;
/// The most bytes of a boundary, RFC 2046 §5.1.1.
const MAX_BOUNDARY: usize = 70;

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name, as it was written.
    pub name: &'a str,
    /// The file's name, if it is one. Means nothing.
    pub file_name: Option<&'a str>,
    /// The content.
    pub data: &'a [u8],
}

/// A body that is not such a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// the Content-Type is not multipart/form-data
    #[error("the Content-Type is not multipart/form-data")]
    NotMultipart,
    /// the Content-Type names no boundary of 1 to 70 characters
    #[error("the Content-Type names no boundary of 1 to 70 characters")]
    NoBoundary,
    /// the body does not begin with the boundary
    #[error("the body does not begin with the boundary")]
    NoBeginning,
    /// the body ends before its last boundary
    #[error("the body ends before its last boundary")]
    NoEnd,
    /// something follows the last boundary
    #[error("something follows the last boundary")]
    Trailing,
    /// a boundary is followed by something else than a line break or its end
    #[error("a boundary is followed by something else than a line break or its end")]
    Boundary,
    /// there are more than 64 parts
    #[error("there are more than {MAX_PARTS} parts")]
    TooManyParts,
    /// a part's head has more than 4096 bytes, or no end
    #[error("a part's head has more than {MAX_HEAD} bytes, or no end")]
    HeadTooLong,
    /// a part's head is not UTF-8, or has a line that is no header
    #[error("a part's head is not UTF-8, or has a line that is no header")]
    Head,
    /// a part has no Content-Disposition with a name
    #[error("a part has no Content-Disposition with a name")]
    NoName,
    /// a part has a Content-Transfer-Encoding, which a form may not
    #[error("a part has a Content-Transfer-Encoding, which a form may not")]
    Encoded,
}

/// The boundary that a Content-Type names.
pub fn boundary(content_type: &str) -> Result<&str, Malformed> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(Malformed::NotMultipart);
    }
    let boundary = parameter(parameters, "boundary").ok_or(Malformed::NoBoundary)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let fits = (1..=MAX_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(allowed)
        && !boundary.ends_with(' ');
    if fits {
        Ok(boundary)
    } else {
        Err(Malformed::NoBoundary)
    }
}

/// The parts of a body.
pub fn parse<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, Malformed> {
    let delimiter = format!("\r\n--{boundary}");
    // The first boundary has no line break before it.
    let first = delimiter.get(2..).unwrap_or_default();
    let mut rest = body
        .strip_prefix(first.as_bytes())
        .ok_or(Malformed::NoBeginning)?;
    let mut parts = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(b"--") {
            return match after {
                b"" | b"\r\n" => Ok(parts),
                _ => Err(Malformed::Trailing),
            };
        }
        rest = match rest.strip_prefix(b"\r\n") {
            Some(rest) => rest,
            None if rest.is_empty() => return Err(Malformed::NoEnd),
            None => return Err(Malformed::Boundary),
        };
        if parts.len() == MAX_PARTS {
            return Err(Malformed::TooManyParts);
        }
        let (part, after) = part(rest, delimiter.as_bytes())?;
        parts.push(part);
        rest = after;
    }
}

/// The part at the beginning, and what follows the boundary after it.
fn part<'a>(rest: &'a [u8], delimiter: &[u8]) -> Result<(Part<'a>, &'a [u8]), Malformed> {
    const BLANK: &[u8] = b"\r\n\r\n";
    let bounded = rest.get(..rest.len().min(MAX_HEAD)).unwrap_or_default();
    let end = find(bounded, BLANK).ok_or(Malformed::HeadTooLong)?;
    let (head, body) = rest.split_at_checked(end).ok_or(Malformed::HeadTooLong)?;
    let (name, file_name) = names(head)?;
    let body = body.get(BLANK.len()..).unwrap_or_default();
    let end = find(body, delimiter).ok_or(Malformed::NoEnd)?;
    let (data, after) = body.split_at_checked(end).ok_or(Malformed::NoEnd)?;
    let after = after.get(delimiter.len()..).unwrap_or_default();
    let part = Part {
        name,
        file_name,
        data,
    };
    Ok((part, after))
}

/// The names in a head.
fn names(head: &[u8]) -> Result<(&str, Option<&str>), Malformed> {
    let head = std::str::from_utf8(head).map_err(|_| Malformed::Head)?;
    let mut found = None;
    for line in head.split("\r\n") {
        let (key, value) = line.split_once(':').ok_or(Malformed::Head)?;
        if key.eq_ignore_ascii_case("content-transfer-encoding") {
            let plain = ["7bit", "8bit", "binary"];
            if !plain
                .iter()
                .any(|word| value.trim().eq_ignore_ascii_case(word))
            {
                return Err(Malformed::Encoded);
            }
        }
        if key.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = value.split_once(';').ok_or(Malformed::NoName)?;
            if !kind.trim().eq_ignore_ascii_case("form-data") || found.is_some() {
                return Err(Malformed::NoName);
            }
            let name = parameter(parameters, "name").ok_or(Malformed::NoName)?;
            found = Some((name, parameter(parameters, "filename")));
        }
    }
    found.ok_or(Malformed::NoName)
}

/// A parameter of a header's value: `; key="value"` or `; key=value`. What is within quotes is taken as it stands.
fn parameter<'a>(mut rest: &'a str, wanted: &str) -> Option<&'a str> {
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let (value, after) = quoted.split_once('"')?;
            (value, after.split_once(';').map_or("", |(_, after)| after))
        } else {
            let (value, after) = after.split_once(';').unwrap_or((after, ""));
            (value.trim(), after)
        };
        if key.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// Where a needle that begins with a carriage return and has no second one is first. In one pass: what matched in part needs
/// no second look.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = haystack.get(from..)?;
        let at = from.checked_add(rest.iter().position(|byte| *byte == b'\r')?)?;
        if haystack.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at.checked_add(1)?;
    }
}

/// Writes a form. The boundary must not occur in it: random bytes in hexadecimal do not.
#[derive(Debug, Clone)]
pub struct Writer {
    boundary: String,
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty form, with room for `capacity` bytes.
    pub fn new(boundary: String, capacity: usize) -> Self {
        Self {
            boundary,
            bytes: Vec::with_capacity(capacity),
        }
    }

    /// Adds a text.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.head(&format!("name=\"{name}\""), None);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds a file, in pieces that follow each other.
    pub fn file(
        &mut self,
        name: &'static str,
        file_name: &'static str,
        kind: &'static str,
        pieces: &[&[u8]],
    ) {
        self.head(
            &format!("name=\"{name}\"; filename=\"{file_name}\""),
            Some(kind),
        );
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The boundary and the body.
    pub fn finish(mut self) -> (String, Vec<u8>) {
        self.bytes
            .extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (self.boundary, self.bytes)
    }

    fn head(&mut self, names: &str, kind: Option<&str>) {
        let kind = kind.map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; {names}\r\n{kind}\r\n",
            self.boundary
        );
        self.bytes.extend_from_slice(head.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(head: &str, data: &str) -> Vec<u8> {
        format!("--b\r\n{head}\r\n\r\n{data}\r\n--b--\r\n").into_bytes()
    }

    #[test]
    fn a_form_has_its_parts_in_order() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
            --b\r\ncontent-disposition: form-data; filename=\"a;name=b.ogg\"; name=file\r\nContent-Type: audio/ogg\r\n\r\n\
            \r\n--\0\r\n\r\n--b--";
        let parts = parse("b", body).unwrap();
        let part = |name, file_name, data| Part {
            name,
            file_name,
            data,
        };
        assert_eq!(
            parts,
            [
                part("model", None, &b"m"[..]),
                part("file", Some("a;name=b.ogg"), b"\r\n--\0\r\n"),
            ]
        );
        assert_eq!(parse("b", b"--b--\r\n").unwrap(), []);
    }

    #[test]
    fn a_content_type_names_its_boundary() {
        for (kind, expected) in [
            ("multipart/form-data; boundary=abc", "abc"),
            (
                "Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"",
                "a b",
            ),
            (
                "multipart/form-data;boundary=----WebKitFormBoundaryX;x=y",
                "----WebKitFormBoundaryX",
            ),
        ] {
            assert_eq!(boundary(kind), Ok(expected), "{kind}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        for (kind, error) in [
            ("application/json", Malformed::NotMultipart),
            ("multipart/mixed; boundary=a", Malformed::NotMultipart),
            ("multipart/form-data", Malformed::NoBoundary),
            ("multipart/form-data; boundary=", Malformed::NoBoundary),
            ("multipart/form-data; boundary=\"a", Malformed::NoBoundary),
            (
                "multipart/form-data; boundary=\"a \"",
                Malformed::NoBoundary,
            ),
            (
                "multipart/form-data; boundary=\"a\r\"",
                Malformed::NoBoundary,
            ),
            (&long, Malformed::NoBoundary),
        ] {
            assert_eq!(boundary(kind), Err(error), "{kind}");
        }
    }

    #[test]
    fn names_what_is_malformed() {
        let named = "Content-Disposition: form-data; name=\"a\"";
        let part = format!("\r\n{named}\r\n\r\n\r\n--b");
        let many = format!("--b{}--", part.repeat(MAX_PARTS + 1));
        let long = format!("{named}\r\nX: {}", "x".repeat(MAX_HEAD));
        for (body, error) in [
            (b"".to_vec(), Malformed::NoBeginning),
            (b"preamble\r\n--b--".to_vec(), Malformed::NoBeginning),
            (b"--b".to_vec(), Malformed::NoEnd),
            (b"--bc\r\n".to_vec(), Malformed::Boundary),
            (b"--b--\r\nepilogue".to_vec(), Malformed::Trailing),
            (b"--b\r\n".to_vec(), Malformed::HeadTooLong),
            (
                format!("--b\r\n{named}\r\n\r\ndata").into_bytes(),
                Malformed::NoEnd,
            ),
            (format!("--b{part}").into_bytes(), Malformed::NoEnd),
            (many.into_bytes(), Malformed::TooManyParts),
            (form(&long, ""), Malformed::HeadTooLong),
            (form("no header", ""), Malformed::Head),
            (form("Content-Type: text/plain", ""), Malformed::NoName),
            (
                form("Content-Disposition: form-data", ""),
                Malformed::NoName,
            ),
            (
                form("Content-Disposition: attachment; name=a", ""),
                Malformed::NoName,
            ),
            (
                form("Content-Disposition: form-data; filename=\"name=a\"", ""),
                Malformed::NoName,
            ),
            (form(&format!("{named}\r\n{named}"), ""), Malformed::NoName),
            (
                form(&format!("{named}\r\nContent-Transfer-Encoding: base64"), ""),
                Malformed::Encoded,
            ),
            (
                [b"--b\r\n".as_slice(), b"\xff: \r\n\r\n\r\n--b--"].concat(),
                Malformed::Head,
            ),
        ] {
            let text = String::from_utf8_lossy(&body);
            assert_eq!(
                parse("b", &body),
                Err(error),
                "{}",
                text.get(..60).unwrap_or(&text)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".*", file in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut writer = Writer::new("0123456789abcdef".into(), 64);
            writer.text("text", &text);
            writer.file("file", "a.wav", "audio/wav", &[&file, b"end"]);
            let (boundary, body) = writer.finish();
            let parts = parse(&boundary, &body).unwrap();
            assert_eq!((parts[0].name, parts[0].data), ("text", text.as_bytes()));
            assert_eq!((parts[1].name, parts[1].file_name), ("file", Some("a.wav")));
            assert_eq!(parts[1].data, [&file[..], b"end"].concat());
        }

        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..128),
            text in "(--b|--|\r\n|\r|\n|: |Content-Disposition: form-data; |name=|filename=|\"|;|a|é)*",
        ) {
            for body in [&bytes[..], text.as_bytes()] {
                let _ = parse("b", body);
                let _ = parse("b", &[b"--b\r\n", body].concat());
            }
            let _ = boundary(&text);
            let _ = boundary(&format!("multipart/form-data; {text}"));
        }
    }
}
