//! Over HTTP: files with their tags, and what is too much, too long or too slow.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use chrysalis_directory::server::{Limits, Rate, Server, listen};

use crate::world::{Enclave, World};

/// A server of this world, for as long as the test runs.
fn serve(world: &World, limits: Limits) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::new(Arc::clone(&world.desk), &world.public(), limits);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            server.serve(listener).await;
        });
    });
    receiver.recv().unwrap()
}

fn ask(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{head}\r\nhost: directory.example\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // Who refuses a body may close before all of it was sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn put(address: SocketAddr, body: &[u8]) -> String {
    let head = format!(
        "PUT /v1/listings HTTP/1.1\r\ncontent-length: {}",
        body.len()
    );
    ask(address, &head, body)
}

#[test]
fn files_come_with_a_tag_and_only_once_to_who_has_them() {
    let mut world = World::new();
    world.list(&Enclave::new("one")).unwrap();
    world.publisher.tick().unwrap();
    let address = serve(&world, Limits::default());
    for name in ["network", "checkpoint", "entries/000000"] {
        let answer = ask(address, &format!("GET /{name} HTTP/1.1"), b"");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.as_bytes(), world.read(name));
        let tag = head
            .lines()
            .find_map(|it| it.strip_prefix("etag: "))
            .unwrap();
        let again = format!("GET /{name} HTTP/1.1\r\nif-none-match: {tag}");
        let again = ask(address, &again, b"");
        assert!(
            again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"),
            "{again}"
        );
        let head = ask(address, &format!("HEAD /{name} HTTP/1.1"), b"");
        assert!(
            head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert_eq!(
            head.contains("immutable"),
            name.starts_with("entries"),
            "{head}"
        );
    }
    for (line, status) in [
        ("GET /../directory.sqlite HTTP/1.1", "404"),
        ("GET /..%2fdirectory.sqlite HTTP/1.1", "404"),
        ("GET /now HTTP/1.1", "404"),
        ("GET /evidence/00 HTTP/1.1", "404"),
        ("POST /network HTTP/1.1", "405"),
        ("GET /v1/listings HTTP/1.1", "405"),
        ("PUT /v1/reports HTTP/1.1", "405"),
    ] {
        let answer = ask(address, line, b"");
        assert_eq!(answer.get(9..12), Some(status), "{line}: {answer}");
        assert!(answer.contains(r#"{"error":{"code":""#), "{answer}");
    }
}

#[test]
fn listings_and_reports_are_taken_or_refused_in_json() {
    let world = World::new();
    let address = serve(&world, Limits::default());
    let mut one = Enclave::new("one");
    let answer = put(address, &one.upload(&world).encode());
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains(r#""until":"#),
        "{answer}"
    );
    let report = &one.reports(1)[0];
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\ncontent-length: {}",
        report.len()
    );
    let answer = ask(address, &head, report);
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n{}"),
        "{answer}"
    );
    one.endpoint = "10.0.0.1:443".to_owned();
    one.seq = 2;
    let answer = put(address, &one.upload(&world).encode());
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains(r#""code":"endpoint_private""#),
        "{answer}"
    );
}

#[test]
fn four_gigabytes_are_refused_before_they_are_read() {
    let world = World::new();
    let address = serve(&world, Limits::default());
    let head = "PUT /v1/listings HTTP/1.1\r\ncontent-length: 4294967296";
    let answer = ask(address, head, b"");
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("upload_too_long"),
        "{answer}"
    );
    // Without a length, at the limit.
    let head = "PUT /v1/listings HTTP/1.1\r\ntransfer-encoding: chunked";
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend(vec![0; 0x10000]);
    chunk.extend(b"\r\n");
    let answer = ask(address, head, &chunk.repeat(40));
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
}

#[test]
fn a_body_that_does_not_come_ends() {
    let world = World::new();
    let limits = Limits {
        body: Duration::from_millis(200),
        bodies: 1,
        ..Limits::default()
    };
    let address = serve(&world, limits);
    let head = "PUT /v1/listings HTTP/1.1\r\ncontent-length: 1000";
    let answer = ask(address, head, b"a few bytes");
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("upload_slow"),
        "{answer}"
    );
    // And the next has its place.
    let answer = put(address, &Enclave::new("one").upload(&world).encode());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn who_sends_too_much_is_told_to_wait() {
    let world = World::new();
    let limits = Limits {
        per_client: Rate {
            burst: 2,
            per_minute: 1,
        },
        behind_proxy: true,
        ..Limits::default()
    };
    let address = serve(&world, limits);
    let send = |client: &str| {
        let head = format!(
            "POST /v1/reports HTTP/1.1\r\ncontent-length: 1\r\nx-forwarded-for: 192.0.2.9, {client}"
        );
        ask(address, &head, b"x").get(9..12).unwrap().to_owned()
    };
    assert_eq!([send("192.0.2.1"), send("192.0.2.1")], ["400", "400"]);
    assert_eq!(send("192.0.2.1"), "429");
    assert_eq!(send("192.0.2.2"), "400");
}

#[test]
fn a_client_has_so_many_connections_at_once() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let limits = Limits {
        connections_per_client: 3,
        ..Limits::default()
    };
    let address = serve(&world, limits);
    let open: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    // The server has seen all three once the fourth is closed.
    let mut closed = false;
    for _ in 0..100 {
        let answer = ask(address, "GET /network HTTP/1.1", b"");
        closed = answer.is_empty();
        if closed {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(closed, "a fourth connection is served");
    drop(open);
    for _ in 0..100 {
        if ask(address, "GET /network HTTP/1.1", b"").starts_with("HTTP/1.1 200") {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("no connection is served again");
}
