//! A relay as RFC 9458 has it: it forwards what is encapsulated to one gateway, and what comes back, and that is all.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use chrysalis_wire::api::OHTTP;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use crate::relay::{client, head};

/// The relay, for as long as the process lives.
pub struct Forwarder(String);

impl Forwarder {
    /// Forwards to the gateway at `target`, `HOST:PORT`. It believes any certificate: what it carries is encrypted for the gateway.
    pub fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let target = target.to_owned();
        thread::spawn(move || {
            for asker in listener.incoming().flatten() {
                let target = target.clone();
                // Whoever hangs up ends that exchange, and no other.
                thread::spawn(move || forward(asker, &target));
            }
        });
        Self(format!("http://{address}/"))
    }

    /// Where clients send what they encapsulated.
    pub fn url(&self) -> &str {
        &self.0
    }
}

/// One request, and all of its answer as it comes.
fn forward(mut asker: TcpStream, target: &str) -> io::Result<()> {
    let head = head(&mut asker).ok_or(io::ErrorKind::UnexpectedEof)?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let field = fields.find(|(found, _)| found.eq_ignore_ascii_case(name));
        field.map_or(String::new(), |(_, value)| value.to_owned())
    };
    let length = field("content-length").parse().map_err(io::Error::other)?;
    let mut sealed = vec![0; length];
    asker.read_exact(&mut sealed)?;
    let name = ServerName::try_from("enclave").map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(client()), name).map_err(io::Error::other)?;
    let mut gateway = StreamOwned::new(connection, TcpStream::connect(target)?);
    let kind = field("content-type");
    write!(
        gateway,
        "POST {OHTTP} HTTP/1.1\r\nhost: {target}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    gateway.write_all(&sealed)?;
    gateway.flush()?;
    io::copy(&mut gateway, &mut asker).map(drop)
}
