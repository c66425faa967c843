//! A directory on loopback that does as it is told, and keeps what it got.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use chrysalis_attestation::encoding::{
    cbor::{self, Fields},
    digest::sha256,
};
use chrysalis_network::{ProviderId, SignedListing};

use crate::mutex::held;

/// What it does with listings, or with reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Does {
    #[default]
    Takes,
    /// Refuses with this status and code.
    Refuses(u16, &'static str),
    /// Takes its time.
    Sleeps(Duration),
}

#[derive(Default)]
pub(super) struct Got {
    pub(super) listings: Does,
    pub(super) reports: Does,
    /// Every listing that was taken, and whether evidence came with it.
    pub(super) listed: Vec<(SignedListing, bool)>,
    /// Every report that was taken.
    pub(super) reported: Vec<Vec<u8>>,
    /// Requests of all sorts.
    pub(super) asked: usize,
    /// SHA-256 of the evidence that it has.
    pub(super) evidence: BTreeSet<[u8; 32]>,
    /// What it lists.
    pub(super) current: BTreeMap<ProviderId, u64>,
}

pub(super) struct Fake {
    pub(super) address: SocketAddr,
    pub(super) got: Arc<Mutex<Got>>,
}

impl Fake {
    pub(super) fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    pub(super) fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::<Mutex<Got>>::default();
        let kept = Arc::clone(&got);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let got = Arc::clone(&kept);
                thread::spawn(move || while serve(stream.as_ref().unwrap(), &got).is_some() {});
            }
        });
        Self { address, got }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn told(&self, listings: Does, reports: Does) {
        let mut got = held(&self.got);
        (got.listings, got.reports) = (listings, reports);
    }

    /// Every listing that was taken.
    pub(super) fn listed(&self) -> Vec<(SignedListing, bool)> {
        held(&self.got).listed.clone()
    }

    pub(super) fn reported(&self) -> Vec<Vec<u8>> {
        held(&self.got).reported.clone()
    }

    /// How many of the listings that count last.
    pub(super) fn lists(&self) -> usize {
        held(&self.got).current.len()
    }
}

fn serve(mut stream: &TcpStream, got: &Mutex<Got>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let is_listing = head.starts_with("put /v1/listings ");
    assert!(
        is_listing || head.starts_with("post /v1/reports "),
        "{head}"
    );
    assert!(
        head.contains("content-type: application/cbor\r\n"),
        "{head}"
    );
    held(got).asked += 1;
    let does = if is_listing {
        held(got).listings
    } else {
        held(got).reports
    };
    let (status, said) = match does {
        Does::Sleeps(how_long) => {
            thread::sleep(how_long);
            return None;
        }
        Does::Refuses(status, code) => (status, refusal(code)),
        Does::Takes if is_listing => list(&mut held(got), &body),
        Does::Takes => {
            held(got).reported.push(body);
            (200, "{}".to_owned())
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{said}",
        said.len()
    );
    stream.write_all(answer.as_bytes()).ok()
}

fn refusal(code: &str) -> String {
    format!(
        r#"{{"error": {{"code": "{code}", "message": "this\u001b[2J will not do", "hint": "set the clock"}}}}"#
    )
}

fn list(got: &mut Got, body: &[u8]) -> (u16, String) {
    let mut fields = Fields::of(cbor::decode(body).unwrap()).unwrap();
    let listing = fields.take("listing").and_then(cbor::bytes).unwrap();
    let evidence = fields.take("evidence").and_then(cbor::bytes);
    assert!(fields.left_over().is_none());
    let listing = SignedListing::verify(&listing).unwrap();
    if let Some(evidence) = &evidence {
        got.evidence.insert(sha256(&[evidence]));
    }
    // This one has the evidence of one epoch at most.
    if got.evidence.is_empty() {
        return (409, refusal("evidence_wanted"));
    }
    let (id, seq) = (listing.id(), listing.listing().seq);
    if got.current.get(&id).is_some_and(|before| *before >= seq) {
        return (409, refusal("listing_old"));
    }
    if listing.listing().until == 0 {
        got.current.remove(&id);
    } else {
        got.current.insert(id, seq);
    }
    got.listed.push((listing, evidence.is_some()));
    (200, r#"{"until": 1, "id": "00"}"#.to_owned())
}
