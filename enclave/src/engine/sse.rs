//! Server-sent events, as an engine streams them (WHATWG HTML, §9.2): only `data` counts, and an event ends at an empty line.

use super::call::Fault;

/// The most bytes of one event.
const MAX_EVENT: usize = 256 * 1024;

/// Takes bytes as they come, and gives whole events.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    after_return: bool,
}

impl Events {
    /// The events that end in these bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut events = Vec::new();
        for &byte in bytes {
            // A line ends with a return, a line feed, or both.
            let ends = match byte {
                b'\n' if self.after_return => {
                    self.after_return = false;
                    continue;
                }
                b'\r' | b'\n' => true,
                _ => false,
            };
            self.after_return = byte == b'\r';
            if ends {
                events.extend(self.end_line());
            } else {
                self.line.push(byte);
            }
            let held = self.data.as_ref().map_or(0, Vec::len);
            if held.saturating_add(self.line.len()) > MAX_EVENT {
                return Err(Fault::TooLong);
            }
        }
        Ok(events)
    }

    /// Whether an event has begun that did not end.
    pub(super) const fn is_open(&self) -> bool {
        self.data.is_some() || !self.line.is_empty()
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        // Comments and other fields mean nothing here.
        let value = line.strip_prefix(b"data:")?;
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            none => *none = Some(value.to_vec()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&str]) -> Vec<String> {
        let mut events = Events::default();
        pieces
            .iter()
            .flat_map(|piece| events.take(piece.as_bytes()).unwrap())
            .map(|event| String::from_utf8(event).unwrap())
            .collect()
    }

    #[test]
    fn an_event_is_whole_however_it_is_cut() {
        let text = ": hello\n\ndata: {\"a\": 1}\n\ndata:two\r\ndata: lines\r\n\r\nevent: x\ndata: [DONE]\n\n";
        let wanted = ["{\"a\": 1}", "two\nlines", "[DONE]"];
        assert_eq!(all(&[text]), wanted);
        for at in 0..text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(all(&[a, b]), wanted, "{at}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_open() {
        let mut events = Events::default();
        assert!(events.take(b"data: {").unwrap().is_empty());
        assert!(events.is_open());
        events.take(b"}\n\n").unwrap();
        assert!(!events.is_open());
    }

    #[test]
    fn an_event_that_goes_on_for_ever_is_cut() {
        let mut events = Events::default();
        let line = format!("data: {}\n", "x".repeat(1000));
        let outcome = (0..300).try_for_each(|_| events.take(line.as_bytes()).map(drop));
        assert_eq!(outcome, Err(Fault::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Events::default().take(&bytes);
        }
    }
}
