//! How much a directory takes: a server on one core, and what talks to it on the others. `make bench-network` runs this: so many PROVIDERS
//! list with evidence, then renew and report as fast as they are answered, while so many CLIENTS poll a class with its ETag, each every ten
//! seconds.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chrysalis_attestation::encoding::digest::Hex;
use chrysalis_directory::{
    Cuts,
    server::{Limits, Rate, Server, listen},
};
use chrysalis_image::publish::write_whole;
use chrysalis_network::{Listing, Upload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Enclave, Key, Making, WEIGHTS, World};

/// Connections that send at once.
const SENDERS: usize = 8;
/// How often each client polls.
const POLLS: Duration = Duration::from_secs(10);

/// Where the server says at which address it is.
const ADDRESS: &str = "CHRYSALIS_LOAD_ADDRESS";

#[test]
#[ignore = "a measurement, which make bench-network runs"]
fn many_providers_and_clients() {
    let number = |name: &str, or: u64| {
        let word = env::var(name).ok();
        word.map_or(or, |word| word.parse().unwrap())
    };
    drive(
        number("PROVIDERS", 2500),
        number("CLIENTS", 1000),
        number("SECONDS_LONG", 60),
    );
}

#[test]
#[ignore = "the server of the measurement, which starts it"]
fn serves() {
    if let Some(path) = env::var_os(ADDRESS) {
        serve(Path::new(&path));
    }
}

fn serve(path: &Path) -> ! {
    let mut world = World::with(Making {
        cuts: Cuts { every: 60 },
        ..Making::default()
    });
    let hands = world.hands.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(1));
            hands.pass(1);
        }
    });
    let rate = Rate {
        burst: u32::MAX,
        per_minute: u32::MAX,
    };
    let limits = Limits {
        connections_per_client: 4096,
        per_client: rate,
        of_all: rate,
        ..Limits::default()
    };
    let server = Server::new(Arc::clone(&world.desk), &world.public(), limits);
    world.publisher.tick().expect("published");
    thread::spawn(move || {
        loop {
            world.publisher.tick().expect("published");
            thread::sleep(Duration::from_secs(1));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = listen("127.0.0.1:0".parse().expect("an address")).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        write_whole(path, address.as_bytes()).expect("written");
        server.serve(listener).await;
    });
    unreachable!("it serves for ever")
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> (Running, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("address");
    let own = env::current_exe().expect("this program");
    let child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(own)
        .args(["--ignored", "--exact", "load::serves"])
        .env(ADDRESS, &path)
        .stdout(Stdio::null())
        .spawn()
        .expect("taskset starts");
    let running = Running(child);
    loop {
        thread::sleep(Duration::from_millis(100));
        if let Ok(address) = fs::read_to_string(&path) {
            return (running, address.parse().expect("an address"));
        }
    }
}

/// One request on a connection that stays.
fn send(stream: &mut TcpStream, line: &str, body: &[u8]) -> String {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .expect("sent");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).expect("an answer");
        assert!(count > 0, "cut off");
        answer.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|it| it.strip_prefix("content-length: "));
            if length.is_none_or(|it| it.parse() == Ok(body.len())) {
                return text.into_owned();
            }
        }
    }
}

/// Runs `each` for every number on several connections, and says how long that took.
fn side_by_side(
    address: SocketAddr,
    each: impl Fn(&mut TcpStream, u64) -> bool + Sync,
) -> Duration {
    let next = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).expect("connected");
                stream.set_nodelay(true).expect("no delay");
                while each(&mut stream, next.fetch_add(1, Ordering::Relaxed)) {}
            });
        }
    });
    began.elapsed()
}

fn drive(providers: u64, clients: u64, seconds: u64) {
    let world = World::new();
    let enclave = |number: u64| {
        let mut enclave = Enclave::new(&format!("enclave {number}"));
        enclave.chip = u8::try_from(2 + number / 64).expect("at most 16 000 providers");
        enclave
    };
    eprintln!("making {providers} enclaves");
    let enclaves: Vec<(Enclave, Upload, Listing)> = (0..providers)
        .map(|number| {
            let enclave = enclave(number);
            let evidence = enclave.evidence();
            let listing = enclave.listing(&world, &evidence);
            let signed = listing.sign(&Key::of(&enclave.operator)).expect("signed");
            let upload = Upload {
                listing: signed,
                evidence: Some(evidence),
            };
            (enclave, upload, listing)
        })
        .collect();
    let (server, address) = start();
    let first = side_by_side(address, |stream, at| {
        let Some((_, upload, _)) = enclaves.get(usize::try_from(at).expect("small")) else {
            return false;
        };
        let answer = send(stream, "PUT /v1/listings", &upload.encode());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        true
    });
    println!(
        "first listings, evidence verified    {:>8.0} a minute",
        rate(providers, first)
    );

    let polled = poll(address, clients);
    let cpu = cpu_seconds(server.0.id());
    let until = Instant::now() + Duration::from_secs(seconds);
    let sent = AtomicU64::new(0);
    let took = side_by_side(address, |stream, at| {
        let (enclave, _, listing) = &enclaves[usize::try_from(at % providers).expect("small")];
        let round = at / providers;
        let answer = if round.is_multiple_of(2) {
            let report = enclave.reports(round / 2 + 1).pop().expect("a report");
            send(stream, "POST /v1/reports", &report)
        } else {
            let mut listing = listing.clone();
            (listing.seq, listing.until) = (
                round + 1,
                listing.until + i64::try_from(round).expect("small"),
            );
            let upload = Upload {
                listing: listing.sign(&Key::of(&enclave.operator)).expect("signed"),
                evidence: None,
            };
            send(stream, "PUT /v1/listings", &upload.encode())
        };
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        sent.fetch_add(1, Ordering::Relaxed);
        Instant::now() < until
    });
    let busy = (cpu_seconds(server.0.id()) - cpu) / took.as_secs_f64();
    println!(
        "listings and reports                 {:>8.0} a minute",
        rate(sent.into_inner(), took)
    );
    let (polls, fresh) = (
        polled.0.load(Ordering::Relaxed),
        polled.1.load(Ordering::Relaxed),
    );
    println!(
        "polls by {clients} clients               {:>8.0} a minute, {fresh} of {polls} with something new",
        rate(polls, took)
    );
    println!("the server's share of a core         {busy:>8.2}");
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 * 60.0 / took.as_secs_f64()
}

/// How many polls were answered, and how many of them with a file. They go on while the program does.
fn poll(address: SocketAddr, clients: u64) -> Arc<(AtomicU64, AtomicU64)> {
    let counts: Arc<(AtomicU64, AtomicU64)> = Arc::default();
    let counted = Arc::clone(&counts);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut all = Vec::new();
            for number in 0..clients {
                let counts = Arc::clone(&counted);
                let wait = POLLS.mul_f64(rate_of(number, clients));
                all.push(tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    client(address, &counts).await;
                }));
            }
            for one in all {
                let _ = one.await;
            }
        });
    });
    counts
}

#[expect(clippy::cast_precision_loss, reason = "spreads clients over time")]
fn rate_of(number: u64, clients: u64) -> f64 {
    number as f64 / clients as f64
}

async fn client(address: SocketAddr, counts: &(AtomicU64, AtomicU64)) {
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("connected");
    let mut tag = String::from("\"\"");
    loop {
        let request = format!(
            "GET /now/{} HTTP/1.1\r\nhost: a\r\nif-none-match: {tag}\r\n\r\n",
            Hex(WEIGHTS)
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok(count @ 1..) = stream.read(&mut buffer).await else {
                // The measurement is over.
                return;
            };
            answer.extend(&buffer[..count]);
            let Some(end) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            let new = head.starts_with("HTTP/1.1 200");
            let line = |name: &str| {
                head.lines()
                    .find_map(|it| it.strip_prefix(name).map(str::to_owned))
            };
            let length: usize =
                line("content-length: ").map_or(0, |it| it.parse().expect("a number"));
            if !new || answer.len() == end + 4 + length {
                tag = line("etag: ").expect("a tag");
                counts.0.fetch_add(1, Ordering::Relaxed);
                counts.1.fetch_add(u64::from(new), Ordering::Relaxed);
                break;
            }
        }
        tokio::time::sleep(POLLS).await;
    }
}

/// Of a process: what it and the system computed for it.
fn cpu_seconds(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    let ticks: u32 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<u32>().expect("ticks"))
        .sum();
    f64::from(ticks) / 100.0
}
