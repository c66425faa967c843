//! The receipts of the proxy's connections: asked for with each job, checked with each answer, and kept if a folder was named.

use std::sync::Arc;

use bytes::Bytes;
use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_settle::{Receipt, Rejection};
use chrysalis_wire::{
    api::{JOB, RECEIPT, RECEIPT_EVENT, is_job},
    content::{Content, of_whole},
};
use hyper::{
    HeaderMap, Method, Request,
    header::{HeaderName, HeaderValue},
};
use ring::{
    digest::{Context, SHA256},
    rand::{SecureRandom, SystemRandom},
};

use super::{
    gate::{Gate, Lease},
    given_up::GivenUp,
};
use crate::{Asked, Error};

/// A job that was asked for on behalf of a local program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    asked: Asked,
    /// The program named it, so it gets the receipt as well.
    by_program: bool,
}

impl Job {
    /// Names the job of a request, unless the program did. `None`: no model is asked, or the program named a job in a way that the enclave
    /// will refuse.
    pub(super) fn of(request: &mut Request<Bytes>) -> Result<Option<Self>, Error> {
        if request.method() != Method::POST || !is_job(request.uri().path()) {
            return Ok(None);
        }
        let hash = sha256(&[of_whole(request.body())]);
        let mut number = [0; 16];
        let by_program = if let Some(named) = request.headers().get(JOB) {
            if hex::decode_to_slice(named.as_bytes(), &mut number).is_err() {
                return Ok(None);
            }
            true
        } else {
            let random = SystemRandom::new().fill(&mut number);
            random.map_err(|_| Error::Local("no random numbers".into()))?;
            let value = HeaderValue::try_from(hex::encode(number));
            let value = value.map_err(|error| Error::Local(error.to_string()))?;
            let name = HeaderName::from_static(JOB);
            request.headers_mut().insert(name, value);
            false
        };
        Ok(Some(Self {
            asked: Asked {
                job: number,
                request: hash,
            },
            by_program,
        }))
    }

    /// What its receipt must be.
    pub(super) fn asked(&self) -> Asked {
        self.asked
    }

    /// Checks the receipt in the head of a whole answer, and takes it out unless the program asked for it. What it says that the answer
    /// costs, in nano.
    pub(super) async fn whole(
        &self,
        gate: &Gate,
        lease: &mut Lease,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<u64, Error> {
        let mut sent = headers.get_all(RECEIPT).iter();
        let text = match (sent.next(), sent.next()) {
            (Some(text), None) => text.to_str().unwrap_or_default(),
            _ => return Err(Rejection::Missing.into()),
        };
        let (receipt, _) = Receipt::from_text(text)?;
        let hash = sha256(&[of_whole(body)]);
        let amount = self.check(gate, lease, &receipt, hash).await?;
        if !self.by_program {
            headers.remove(RECEIPT);
        }
        Ok(amount)
    }

    /// Checks the receipt of an answer with this hash, and keeps it. What it says that the answer costs.
    async fn check(
        &self,
        gate: &Gate,
        lease: &mut Lease,
        receipt: &Receipt,
        answer: [u8; 32],
    ) -> Result<u64, Error> {
        let connection = &mut lease.connection;
        let (kept, turned) = match connection.accept(receipt, &self.asked, answer) {
            Ok(kept) => (kept, None),
            Err(Rejection::Evidence { .. }) => {
                // The epoch may have turned since the connection was made.
                let epoch = gate.current_epoch().await?;
                let kept = connection.accept_in(&epoch, receipt, &self.asked, answer)?;
                (kept, Some(epoch))
            }
            Err(rejection) => return Err(rejection.into()),
        };
        gate.keep(&kept, turned.as_ref().unwrap_or(connection.epoch()));
        Ok(kept.job().amount)
    }
}

/// Looks for the receipt in a stream of events, and hashes what comes before it.
pub(super) struct Watch {
    job: Job,
    hash: Context,
    content: Content,
    seen: bool,
    /// The enclave itself said that the answer is none: nothing is proved, and no receipt is missed.
    failed: bool,
    /// What becomes of the job if the program leaves before its receipt.
    given_up: Option<GivenUp>,
}

/// What a run of events holds.
pub(super) enum Found {
    /// No receipt.
    Nothing,
    /// A receipt, and what is to pass once it was checked: the events around it, itself among them if the program asked for it.
    Receipt {
        receipt: Receipt,
        /// Up to the receipt.
        before: Bytes,
        /// From there on.
        after: Bytes,
    },
}

impl Watch {
    pub(super) fn new(job: Job, gate: &Arc<Gate>, lease: &Lease) -> Self {
        Self {
            hash: Context::new(&SHA256),
            content: Content::default(),
            seen: false,
            failed: false,
            given_up: gate
                .wants_receipts()
                .then(|| GivenUp::new(gate, job.asked, &lease.connection)),
            job,
        }
    }

    /// Looks at whole events.
    pub(super) fn look(&mut self, events: &[u8]) -> Result<Found, Error> {
        self.failed |= is_failure(events);
        let Some((before, text, after)) = split(events).filter(|_| !self.seen) else {
            if !self.seen {
                self.hash.update(&self.content.push(events));
            }
            return Ok(Found::Nothing);
        };
        self.seen = true;
        self.hash.update(&self.content.push(before));
        let (receipt, _) = Receipt::from_text(text)?;
        let after = if self.job.by_program {
            events.get(before.len()..).unwrap_or_default()
        } else {
            after
        };
        Ok(Found::Receipt {
            receipt,
            before: Bytes::copy_from_slice(before),
            after: Bytes::copy_from_slice(after),
        })
    }

    /// Checks a receipt that was found. What it says that the answer costs.
    pub(super) async fn check(
        &mut self,
        gate: &Gate,
        lease: &mut Lease,
        receipt: &Receipt,
    ) -> Result<u64, Error> {
        let hash = self.hash.clone().finish();
        let hash = hash.as_ref().try_into().unwrap_or_default();
        self.given_up = None;
        self.job.check(gate, lease, receipt, hash).await
    }

    /// At the end of a stream: whether it had a receipt.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.given_up = None;
        if self.seen || self.failed {
            Ok(())
        } else {
            Err(Rejection::Missing.into())
        }
    }
}

/// Dropped with a stream that was never read to its end, and asks for its receipt then.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(given_up) = self.given_up.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(given_up.ask());
        }
    }
}

/// Whether an event says that the answer failed, in any of the API's dialects.
pub(super) fn is_failure(events: &[u8]) -> bool {
    let starts = [
        &b"data: {\"error\":"[..],
        b"event: error",
        b"event: response.failed",
    ];
    let mut lines = events.split(|byte| *byte == b'\n');
    lines.any(|line| starts.iter().any(|start| line.starts_with(start)))
}

/// The events before the receipt, its text, and the events after it. Events hold no empty lines, so nothing in one looks like this.
fn split(events: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let start = format!("event: {RECEIPT_EVENT}\ndata: ");
    let start = start.as_bytes();
    let at = if events.starts_with(start) {
        0
    } else {
        let mut places = events.windows(start.len().saturating_add(2));
        let found = places.position(|part| part.starts_with(b"\n\n") && part.ends_with(start));
        found?.saturating_add(2)
    };
    let (before, rest) = events.split_at_checked(at)?;
    let rest = rest.get(start.len()..)?;
    let end = rest.windows(2).position(|part| part == b"\n\n")?;
    let (data, after) = rest.split_at_checked(end)?;
    // Comments may fill the event up.
    let text = data.split(|byte| *byte == b'\n').next()?;
    Some((
        before,
        str::from_utf8(text).unwrap_or_default(),
        after.get(2..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receipt_is_found_wherever_it_stands() {
        let receipt = "event: receipt\ndata: abc\n\n";
        for (before, after) in [
            ("", ""),
            ("data: 1\n\n", "data: [DONE]\n\n"),
            (": still here\n\ndata: 1\n\n", ""),
        ] {
            let events = format!("{before}{receipt}{after}");
            let found = split(events.as_bytes()).unwrap();
            assert_eq!(found, (before.as_bytes(), "abc", after.as_bytes()));
        }
        let filled = "event: receipt\ndata: abc\n: filling\n\nrest";
        assert_eq!(
            split(filled.as_bytes()),
            Some((&b""[..], "abc", &b"rest"[..]))
        );
        for none in [
            "data: event: receipt\ndata: abc\n\n",
            "event: receipt\ndata: cut",
            "event: receipts\ndata: abc\n\n",
            "",
        ] {
            assert_eq!(split(none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn a_failure_is_one_in_every_dialect_and_words_are_none() {
        for failure in [
            "data: 1\n\ndata: {\"error\":{}}\n\n",
            "event: error\ndata: {}\n\n",
            "event: response.failed\ndata: {}\n\n",
        ] {
            assert!(is_failure(failure.as_bytes()), "{failure}");
        }
        let words = "data: {\"choices\":[{\"delta\":{\"content\":\"event: error\"}}]}\n\n";
        assert!(!is_failure(words.as_bytes()));
    }

    #[test]
    fn only_what_asks_a_model_names_a_job() {
        let request = |method: Method, path: &str, named: Option<&str>| {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(named) = named {
                request = request.header(JOB, named);
            }
            request.body(Bytes::from("{}")).unwrap()
        };
        let chat = "/v1/chat/completions";
        let mut plain = request(Method::POST, chat, None);
        let job = Job::of(&mut plain).unwrap().unwrap();
        assert!(!job.by_program);
        assert_eq!(plain.headers()[JOB], hex::encode(job.asked.job));
        let mut named = request(Method::POST, chat, Some(&"0A".repeat(16)));
        let job = Job::of(&mut named).unwrap().unwrap();
        assert!(job.by_program && job.asked.job == [10; 16]);
        for mut other in [
            request(Method::GET, chat, None),
            request(Method::POST, "/v1/tab", None),
            request(Method::POST, chat, Some("x")),
        ] {
            assert!(Job::of(&mut other).unwrap().is_none());
        }
    }
}
