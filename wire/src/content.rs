//! What an answer says, apart from what fills it: receipts and comparisons are about this, on both sides.
//!
//! An answer is filled on its way out ([`crate::configuration::Padding`]): a stream of events by comments, each a block of its own,
//! a whole one by white space at its end. Either may be cut anywhere in transport.

/// A whole answer, or a request, without the white space at its end.
pub fn of_whole(body: &[u8]) -> &[u8] {
    body.trim_ascii_end()
}

/// Takes a stream of events in pieces, and passes on all but its comments.
#[derive(Debug, Clone, Default)]
pub struct Content {
    line: Line,
    /// Whether the last whole line was a comment.
    after_comment: bool,
}

/// Where in a line the stream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Begins,
    Comment,
    Content,
}

impl Content {
    /// The next piece of the stream without comments, and without the empty line after each.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut content = Vec::with_capacity(piece.len());
        for byte in piece {
            if self.is_content(*byte) {
                content.push(*byte);
            }
        }
        content
    }

    fn is_content(&mut self, byte: u8) -> bool {
        let line = match (self.line, byte) {
            (Line::Begins, b':') => Line::Comment,
            (Line::Begins, b'\n') if self.after_comment => {
                self.after_comment = false;
                return false;
            }
            (Line::Begins, _) => Line::Content,
            (line, _) => line,
        };
        let comment = line == Line::Comment;
        if byte == b'\n' {
            self.line = Line::Begins;
            self.after_comment = comment;
        } else {
            self.line = line;
        }
        !comment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_content_wherever_the_stream_is_cut() {
        let stream = b": still here\n\ndata: 1\n\n:   \n:  \n\nevent: a\ndata: x:y\n\n\ndata: [DONE]\n\n:\n\n";
        let content = b"data: 1\n\nevent: a\ndata: x:y\n\n\ndata: [DONE]\n\n";
        for cut in 0..=stream.len() {
            for length in [1, 2, 7, stream.len()] {
                let (first, rest) = stream.split_at(cut);
                let mut found = Content::default();
                let mut all = found.push(first);
                for piece in rest.chunks(length) {
                    all.extend(found.push(piece));
                }
                assert_eq!(all, content, "cut at {cut}, then every {length}");
            }
        }
    }

    #[test]
    fn white_space_at_the_end_is_no_content() {
        assert_eq!(of_whole(b"{\"a\": 1}  \n"), b"{\"a\": 1}");
        assert_eq!(of_whole(b" \n"), b"");
    }
}
