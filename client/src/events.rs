//! Server-sent events, cut at their boundaries: part of an event is never passed on as if it were a whole one.

use bytes::{Bytes, BytesMut};

/// The most bytes of one event. Longer ones pass in pieces, which is better than buffering without a limit.
const MAX_EVENT: usize = 1024 * 1024;

/// Holds back the beginning of an event until its end has arrived.
#[derive(Debug, Default)]
pub struct WholeEvents {
    held: BytesMut,
}

impl WholeEvents {
    /// Takes a piece of the stream and returns all the events that are now whole, possibly none.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        let whole = match end_of_events(&self.held) {
            0 if self.held.len() > MAX_EVENT => self.held.len(),
            end => end,
        };
        self.held.split_to(whole).freeze()
    }

    /// What is left over when the stream has ended cleanly.
    pub fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

/// The `data` of each event in a run of whole events.
pub fn data(events: &[u8]) -> impl Iterator<Item = &[u8]> {
    events.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line
            .strip_suffix(b"\r")
            .unwrap_or(line)
            .strip_prefix(b"data:")?;
        Some(line.strip_prefix(b" ").unwrap_or(line))
    })
}

/// The index after the last blank line, or 0.
fn end_of_events(bytes: &[u8]) -> usize {
    let after = |blank: &[u8]| {
        bytes
            .windows(blank.len())
            .rposition(|part| part == blank)
            .map_or(0, |at| at + blank.len())
    };
    after(b"\n\n").max(after(b"\r\n\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_an_event_back_until_its_blank_line() {
        let mut events = WholeEvents::default();
        assert_eq!(events.push(b"data: a\n"), "");
        assert_eq!(
            events.push(b"\ndata: b\n\ndata: "),
            "data: a\n\ndata: b\n\n"
        );
        assert_eq!(events.push(b"c\r\n\r\n"), "data: c\r\n\r\n");
        assert_eq!(events.push(b": half"), "");
        assert_eq!(events.finish(), ": half");
    }

    #[test]
    fn lets_an_endless_event_through_instead_of_holding_it() {
        let mut events = WholeEvents::default();
        assert_eq!(events.push(&vec![b'x'; MAX_EVENT + 1]).len(), MAX_EVENT + 1);
    }

    #[test]
    fn reads_the_data_and_skips_comments() {
        let stream = b": keep-alive\n\ndata: {\"a\":1}\r\n\r\ndata:[DONE]\n\n";
        let found: Vec<_> = data(stream).collect();
        assert_eq!(found, [b"{\"a\":1}".as_slice(), b"[DONE]"]);
    }
}
