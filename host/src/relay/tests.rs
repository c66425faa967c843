use super::*;
use std::{net::SocketAddr, path::Path};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, UnixListener},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// As good as never.
const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(50);

/// `limit` places, and all of them for one client.
fn places(limit: usize) -> Bounds {
    Bounds {
        connections: limit,
        ..Bounds::default()
    }
}

/// A relay within `bounds` in front of a guest that runs `serve` on each connection.
async fn relay_to<F: Future<Output = ()> + Send + 'static>(
    folder: &Path,
    bounds: Bounds,
    serve: impl Fn(tokio::net::UnixStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<Counters>) {
    let guest = UnixListener::bind(folder.join("tls.sock")).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = guest.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
    let counters = Arc::new(Counters::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let relay = Relay::new(
        Link::Folder(folder.to_owned()),
        Arc::clone(&counters),
        bounds,
        false,
    );
    tokio::spawn(relay.serve(listener));
    (address, counters)
}

async fn echo(stream: tokio::net::UnixStream) {
    let (from, to) = split(stream);
    let unread = AtomicU64::new(0);
    pump(from, to, PATIENCE, [&unread, &unread]).await.ok();
}

/// A client that has said something.
async fn speaking(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"x").await.unwrap();
    client
}

/// The other end of `client` is gone.
async fn ended(client: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut rest))
        .await
        .expect("an end");
}

async fn eventually(holds: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn carries_32_mib_both_ways_at_once_and_counts_them() {
    const SIZE: usize = 32 << 20;
    let folder = tempfile::tempdir().unwrap();
    let (address, counters) = relay_to(folder.path(), places(4), echo).await;
    let (mut from, mut to) = split(TcpStream::connect(address).await.unwrap());
    let sent: Vec<u8> = (0..SIZE)
        .map(|at| u8::try_from(at * 31 % 251).unwrap())
        .collect();
    let expected = sent.clone();
    tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    timeout(PATIENCE, from.read_to_end(&mut back))
        .await
        .unwrap()
        .unwrap();
    assert!(back == expected, "{} bytes came back changed", back.len());
    eventually(|| counters.open.read() == 0).await;
    assert_eq!(
        [counters.to_guest.read(), counters.from_guest.read()],
        [SIZE as u64; 2]
    );
    assert_eq!([counters.total.read(), counters.broken.read()], [1, 0]);
}

/// A client from another address of this machine.
async fn from_address(number: usize, address: SocketAddr) -> TcpStream {
    let [.., c, d] = number.to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 1, c, d], 0))).unwrap();
    socket.connect(address).await.unwrap()
}

#[tokio::test]
async fn two_thousand_idle_connections_stay_and_delay_nobody() {
    const IDLE: usize = 2000;
    let folder = tempfile::tempdir().unwrap();
    let (address, counters) = relay_to(folder.path(), only(|_| {}), echo).await;
    // This process has all four ends of each.
    crate::descriptors::room(Some(2 * IDLE), 0).unwrap();
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut client = from_address(number / 16, address).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
        idle.push(client);
    }
    assert_eq!(counters.open.read(), IDLE as u64);
    let mut active = from_address(IDLE, address).await;
    active.set_nodelay(true).unwrap();
    for _ in 0..100 {
        let asked = Instant::now();
        active.write_all(b"y").await.unwrap();
        active.read_u8().await.unwrap();
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{:?}",
            asked.elapsed()
        );
    }
    for client in &mut idle {
        client.write_all(b"z").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'z');
    }
    assert_eq!([counters.refused.read(), counters.broken.read()], [0, 0]);
}

#[test]
fn a_client_gets_no_more_than_there_is_and_four_times_as_many_in_a_row() {
    let bounds = Bounds::default();
    let same = bounds.within(bounds.connections, 64);
    assert_eq!(same.client.burst, bounds.client.burst);
    let few = bounds.within(16, 64);
    assert_eq!([few.connections, few.client.connections], [16, 16]);
}

#[tokio::test]
async fn a_half_closed_connection_still_gets_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = relay_to(folder.path(), places(4), async |mut stream| {
        let mut question = String::new();
        stream.read_to_string(&mut question).await.unwrap();
        stream
            .write_all(format!("{question}!").as_bytes())
            .await
            .unwrap();
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"whole question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, "whole question!");
}

#[tokio::test]
async fn one_broken_connection_touches_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (address, counters) = relay_to(folder.path(), places(4), echo).await;
    let mut healthy = TcpStream::connect(address).await.unwrap();
    let mut broken = TcpStream::connect(address).await.unwrap();
    broken.write_all(b"x").await.unwrap();
    eventually(|| counters.to_guest.read() == 1).await;
    broken.set_zero_linger().unwrap();
    drop(broken);
    eventually(|| counters.open.read() == 1).await;
    healthy.write_all(b"still").await.unwrap();
    let mut back = [0; 5];
    timeout(PATIENCE, healthy.read_exact(&mut back))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&back, b"still");
}

#[tokio::test]
async fn refuses_one_connection_too_many_and_takes_one_again_when_a_place_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let (address, counters) = relay_to(folder.path(), places(2), echo).await;
    let first = speaking(address).await;
    let _second = speaking(address).await;
    eventually(|| counters.open.read() == 2).await;
    let mut third = speaking(address).await;
    let ended = timeout(PATIENCE, third.read(&mut [0])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert_eq!(counters.refused.read(), 1);
    drop(first);
    eventually(|| counters.open.read() == 1).await;
    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(b"y").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, fourth.read_u8()).await.unwrap().unwrap(),
        b'y'
    );
}

#[tokio::test]
async fn a_reader_that_stops_reading_stops_the_sender() {
    let folder = tempfile::tempdir().unwrap();
    let (address, counters) = relay_to(folder.path(), places(2), async |stream| {
        sleep(PATIENCE).await;
        drop(stream);
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let flood = async {
        let chunk = vec![0; 1 << 20];
        for _ in 0..256 {
            client.write_all(&chunk).await.unwrap();
        }
    };
    assert!(
        timeout(Duration::from_millis(500), flood).await.is_err(),
        "256 MiB went nowhere"
    );
    assert!(
        counters.to_guest.read() < 4 << 20,
        "{}",
        counters.to_guest.read()
    );
}

/// Bounds of which only the named ones can end a connection while a test runs.
fn only(bounds: impl FnOnce(&mut Bounds)) -> Bounds {
    let mut only = Bounds {
        first_byte: LONG,
        idle: LONG,
        reading: LONG,
        still: LONG,
        farewell: LONG,
        ..Bounds::default()
    };
    bounds(&mut only);
    only
}

#[tokio::test]
async fn a_place_is_free_soon_after_the_enclave_hung_up() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.still = SHORT);
    let hang_up = async |mut stream: tokio::net::UnixStream| {
        stream.read_u8().await.ok();
    };
    let (address, counters) = relay_to(folder.path(), bounds, hang_up).await;
    // Its own side stays open, and it says no more.
    let mut client = speaking(address).await;
    ended(&mut client).await;
    eventually(|| counters.total.read() == 1 && counters.open.read() == 0).await;
}

#[tokio::test]
async fn a_client_that_drips_on_after_the_end_has_an_end_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.farewell = SHORT);
    // Says its last word and reads on for ever.
    let (address, counters) = relay_to(folder.path(), bounds, async |mut stream| {
        stream.shutdown().await.unwrap();
        tokio::io::copy(&mut stream, &mut tokio::io::sink())
            .await
            .ok();
    })
    .await;
    let mut client = speaking(address).await;
    ended(&mut client).await;
    timeout(PATIENCE, async {
        while client.write_all(b"drip").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the relay to hang up");
    eventually(|| counters.open.read() == 0).await;
}

#[tokio::test]
async fn a_half_closed_client_that_gets_no_answer_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.still = SHORT);
    // Neither answers nor ends.
    let (address, counters) = relay_to(folder.path(), bounds, async |stream| {
        sleep(LONG).await;
        drop(stream);
    })
    .await;
    let mut client = speaking(address).await;
    client.shutdown().await.unwrap();
    ended(&mut client).await;
    eventually(|| counters.total.read() == 1 && counters.open.read() == 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_gives_up_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.reading = SHORT);
    let (address, counters) = relay_to(folder.path(), bounds, async |mut stream| {
        let flood = vec![7; 1 << 16];
        while stream.write_all(&flood).await.is_ok() {}
    })
    .await;
    let _client = speaking(address).await;
    eventually(|| counters.broken.read() == 1 && counters.open.read() == 0).await;
}

#[tokio::test]
async fn silent_clients_do_not_lock_out_others() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| {
        bounds.connections = 2;
        bounds.silent = 2;
    });
    let (address, counters) = relay_to(folder.path(), bounds, echo).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut client = speaking(address).await;
    let answer = timeout(PATIENCE, client.read_u8()).await;
    assert_eq!(answer.unwrap().unwrap(), b'x');
    // The first to be silent had to go; the guest never heard of any.
    ended(&mut silent[0]).await;
    assert_eq!(counters.total.read(), 1);
}

#[tokio::test]
async fn a_client_that_stays_silent_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.first_byte = SHORT);
    let (address, counters) = relay_to(folder.path(), bounds, echo).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    ended(&mut client).await;
    assert_eq!(counters.total.read(), 0);
}

#[tokio::test]
async fn one_client_leaves_places_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = only(|bounds| bounds.client.connections = 2);
    let (address, counters) = relay_to(folder.path(), bounds, echo).await;
    let held = [speaking(address).await, speaking(address).await];
    eventually(|| counters.open.read() == 2).await;
    ended(&mut speaking(address).await).await;
    assert_eq!(counters.refused.read(), 1);
    // Another address of this machine is another client.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(address).await.unwrap();
    other.write_all(b"y").await.unwrap();
    let answer = timeout(PATIENCE, other.read_u8()).await;
    assert_eq!(answer.unwrap().unwrap(), b'y');
    drop(held);
}
