//! A network around the stage's hosts: an operator who lists them, and directories that publish that, honestly or not.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrysalis_attestation::{
    Time,
    encoding::digest::{Hex, sha256},
};
use chrysalis_client::system_time;
use chrysalis_network::{
    Chain, Class, ClassFile, Descriptor, Directory, Endpoint, Listing, Now, NowEntry, SignedListing,
};
use chrysalis_settle::{Sign, SignedOffer};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::stage::Host;

/// The weights of the stage's model, and its name.
pub(crate) const WEIGHTS: [u8; 32] = [4; 32];
pub(crate) const MODEL: &str = "smollm2";

/// An Ed25519 key.
pub(crate) struct Key(Ed25519KeyPair);

impl Key {
    pub(crate) fn new(byte: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap())
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

/// What a directory does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    Honest,
    /// Closes every connection.
    Down,
    Gigabytes,
    Slow,
    /// Yesterday's news.
    Old,
    /// One byte of a listing is another.
    Forged,
    AnotherNetwork,
}

/// A directory.
#[derive(Clone)]
pub(crate) struct Publisher {
    address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    conduct: Conduct,
    files: Vec<ClassFile>,
    prices: BTreeMap<[u8; 16], u64>,
    index: u64,
    asked: Vec<String>,
    /// Whatever else it has, by path.
    others: BTreeMap<String, Vec<u8>>,
}

/// The network of these directories.
pub(crate) fn descriptor(directories: &[&Publisher]) -> Descriptor {
    let directory = |(number, it): (usize, &&Publisher)| Directory {
        url: format!("http://{}", it.address),
        key: Hex(Key::new(100 + u8::try_from(number).unwrap()).public()),
    };
    Descriptor {
        name: "network.example".into(),
        version: 1,
        expires: Time(system_time().0 + 86_400),
        policy: Hex([0; 32]),
        chain: Chain {
            symbol: "GRAM".into(),
            global_id: -3,
            purse: Hex([0; 32]),
        },
        directories: directories.iter().enumerate().map(directory).collect(),
        classes: vec![Class {
            name: MODEL.into(),
            weights: Hex(WEIGHTS),
        }],
    }
}

/// [`Descriptor::id`] of that network.
fn network_id() -> [u8; 32] {
    sha256(&[
        &chrysalis_attestation::evidence::binding::label("chrysalis/network/v1"),
        b"network.example",
    ])
}

/// An operator's listing of a host; its payee is the operator's number.
pub(crate) fn listing(
    operator: u8,
    offer: &SignedOffer,
    at: SocketAddr,
    seq: u64,
    until: i64,
) -> Vec<u8> {
    let listing = Listing {
        network: network_id(),
        operator: Key::new(operator).public(),
        seq,
        payee: [operator; 32],
        lane_min: 100,
        delay_min: 3600,
        endpoints: vec![Endpoint::parse(&at.to_string()).unwrap()],
        region: "here".into(),
        offer: offer.encode(),
        until: system_time().0 + until,
    };
    listing.sign(&Key::new(operator)).unwrap()
}

/// The same for an honest host, for half an hour.
pub(crate) fn honest(operator: u8, host: &Host) -> Vec<u8> {
    listing(operator, &host.offer(), host.address(), 1, 1800)
}

impl Publisher {
    /// One that publishes nothing yet.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let publisher = Self {
            address: listener.local_addr().unwrap(),
            inside: Arc::new(Mutex::new(Inside {
                conduct: Conduct::Honest,
                files: vec![ClassFile {
                    network: network_id(),
                    weights: WEIGHTS,
                    epoch: 0,
                    listings: BTreeMap::new(),
                }],
                prices: BTreeMap::new(),
                index: 0,
                asked: Vec::new(),
                others: BTreeMap::new(),
            })),
        };
        let inside = Arc::clone(&publisher.inside);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&inside), tcp));
            }
        });
        publisher
    }

    /// From now on it does this.
    pub(crate) fn conduct(&self, conduct: Conduct) {
        self.inside.lock().unwrap().conduct = conduct;
    }

    /// Publishes these and nothing else, each with what it asks.
    pub(crate) fn publish(&self, listings: &[(Vec<u8>, u64)]) {
        let mut inside = self.inside.lock().unwrap();
        let mut file = inside.files.last().unwrap().clone();
        file.epoch += 1;
        file.listings.clear();
        inside.prices.clear();
        for (bytes, price) in listings {
            let id = SignedListing::verify(bytes).unwrap().id();
            file.listings.insert(id, bytes.clone());
            inside.prices.insert(id.0, *price);
        }
        inside.files.push(file);
    }

    /// What it says that the class costs.
    pub(crate) fn index(&self, index: u64) {
        self.inside.lock().unwrap().index = index;
    }

    /// Has this file as well.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut inside = self.inside.lock().unwrap();
        inside.others.insert(path.to_owned(), bytes.to_vec());
    }

    /// The paths that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.inside.lock().unwrap().asked.clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Inside {
    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        self.asked.push(path.to_owned());
        if let Some(other) = self.others.get(path) {
            return Some(other.clone());
        }
        let last = self.files.last()?;
        let mut network = last.network;
        if self.conduct == Conduct::AnotherNetwork {
            network[0] ^= 1;
        }
        let weights = Hex(WEIGHTS);
        if path == format!("/now/{weights}") {
            let entry = |(id, price): (&[u8; 16], &u64)| {
                let entry = NowEntry {
                    price: *price,
                    load: 500,
                };
                (chrysalis_network::ProviderId(*id), entry)
            };
            let old = if self.conduct == Conduct::Old {
                86_400
            } else {
                0
            };
            let now = Now {
                network,
                weights: WEIGHTS,
                at: system_time().0 - old,
                epoch: last.epoch,
                since: 0,
                index: self.index,
                entries: self.prices.iter().map(entry).collect(),
            };
            return Some(now.encode());
        }
        let file = path.strip_prefix(&format!("/listings/{weights}/"))?;
        let (kind, epoch) = file.split_once('-')?;
        let epoch: usize = epoch.parse().ok()?;
        let file = self.files.get(epoch)?;
        let mut bytes = match kind {
            "full" => file.encode(),
            "delta" => file.since(self.files.get(epoch.checked_sub(1)?)?).encode(),
            _ => return None,
        };
        if self.conduct == Conduct::Forged {
            let at = bytes.windows(4).position(|part| part == b"here")?;
            bytes[at] = b'w';
        }
        Some(bytes)
    }
}

async fn serve(inside: Arc<Mutex<Inside>>, mut tcp: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if tcp.read_exact(&mut byte).await.is_err() {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (conduct, file) = {
        let mut inside = inside.lock().unwrap();
        (inside.conduct, inside.file(path))
    };
    match conduct {
        Conduct::Down => return,
        Conduct::Gigabytes => return endless(tcp, Duration::ZERO).await,
        Conduct::Slow => return endless(tcp, Duration::from_millis(200)).await,
        _ => {}
    }
    let answer = match file {
        None => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        Some(file) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", file.len());
            [head.into_bytes(), file].concat()
        }
    };
    let _ = tcp.write_all(&answer).await;
}

/// An answer that never ends.
async fn endless(mut tcp: TcpStream, pause: Duration) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\n\r\n";
    let mut sent = tcp.write_all(head).await;
    while sent.is_ok() {
        tokio::time::sleep(pause).await;
        sent = tcp.write_all(&[0xa8; 1024]).await;
    }
}
