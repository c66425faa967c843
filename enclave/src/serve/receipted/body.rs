//! A stream on its way to a client, hashed as it passes, with the receipt before its last event.
//!
//! Which event is the last is the dialect's affair. Once the meter says that the answer has ended, nothing more is waited for: what is left
//! is held back until the stream ends, so that the receipt finds its place, and that costs no time.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use chrysalis_settle::{End, Receipt};
use chrysalis_wire::{api::RECEIPT_EVENT, content::Content};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use ring::digest::{Context as Hash, SHA256};

use crate::serve::{
    answer::{Body, Broken},
    receipt::{Issue, Meter},
};

/// The body of a stream that gets a receipt. Dropped before its end, it makes the receipt of a cancelled job.
pub(super) struct Receipted {
    body: Body,
    /// What was handed over so far: its content alone, for what fills it is added later.
    hash: Hash,
    content: Content,
    /// What comes after the answer's end.
    held: BytesMut,
    issue: Option<Issue>,
    meter: Meter,
}

impl Receipted {
    pub(super) fn new(body: Body, issue: Issue, meter: Meter) -> Self {
        Self {
            body,
            hash: Hash::new(&SHA256),
            content: Content::default(),
            held: BytesMut::new(),
            issue: Some(issue),
            meter,
        }
    }

    /// Whether the answer is over, and only the stream's own end is left.
    fn is_over(&self) -> bool {
        self.meter.used().end.is_some()
    }

    /// Counts what is handed over. Comments are nothing of the answer.
    fn hand_over(&mut self, piece: &[u8]) {
        let said = self.content.push(piece);
        self.hash.update(&said);
        if !said.is_empty()
            && let Some(issue) = &mut self.issue
        {
            issue.handed_over();
        }
    }

    /// The rest, with the receipt in its place.
    fn end(&mut self) -> Option<Bytes> {
        let held = self.held.split();
        let (before, last) = held.split_at(last_event(&held));
        self.hand_over(before);
        let used = self.meter.used();
        let end = used.end.unwrap_or(End::Failed);
        let issue = self.issue.take()?;
        let receipt = issue.receipt(&used, finished(&self.hash), end);
        let event = receipt.as_ref().map(event).unwrap_or_default();
        Some([before, event.as_bytes(), last].concat().into())
    }
}

impl HttpBody for Receipted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.issue.is_none() {
            return Poll::Ready(None);
        }
        loop {
            let data = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(self.end().map(|rest| Ok(Frame::data(rest)))),
                Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
            };
            if self.is_over() {
                self.held.extend_from_slice(&data);
            } else {
                self.hand_over(&data);
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Receipted {
    fn drop(&mut self) {
        if let Some(issue) = self.issue.take() {
            let used = self.meter.used();
            let end = match used.end {
                Some(End::Failed) => End::Failed,
                // What was held back was never handed over.
                _ => End::Cancelled,
            };
            let _ = issue.receipt(&used, finished(&self.hash), end);
        }
    }
}

fn finished(hash: &Hash) -> [u8; 32] {
    let digest = hash.clone().finish();
    digest.as_ref().try_into().unwrap_or_default()
}

/// Where the last event begins. Each ends in an empty line.
fn last_event(events: &[u8]) -> usize {
    const BREAK: &[u8] = b"\n\n";
    let whole = events.strip_suffix(BREAK).unwrap_or(events);
    let mut breaks = whole.windows(BREAK.len());
    let before = breaks.rposition(|part| part == BREAK);
    before.map_or(0, |at| at.saturating_add(BREAK.len()))
}

fn event(receipt: &Receipt) -> String {
    format!("event: {RECEIPT_EVENT}\ndata: {}\n\n", receipt.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_found() {
        for (events, last) in [
            ("data: [DONE]\n\n", "data: [DONE]\n\n"),
            ("data: 1\n\ndata: [DONE]\n\n", "data: [DONE]\n\n"),
            (
                "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n",
                "event: b\ndata: 2\n\n",
            ),
            ("", ""),
        ] {
            assert_eq!(&events[last_event(events.as_bytes())..], last);
        }
    }
}
