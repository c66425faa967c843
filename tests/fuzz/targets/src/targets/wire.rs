//! What host, enclave and rooms tell each other, the configuration that the host brings, whom a request addresses, and the
//! form that audio comes in.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use chrysalis_wire::{
    configuration::Configuration,
    frame,
    host::{FromHost, ToHost},
    keys::{Answer, Challenge, Request},
    local::{Addressed, HostName},
    multipart,
    room::{FromRoom, Plan},
};

/// A frame that is read can be written, and read again.
pub(super) fn frame(bytes: &[u8]) {
    macro_rules! try_as {
        ($($message:ty),+) => {$(
            if let Ok(message) = frame::read::<$message>(&mut &*bytes) {
                let written = frame::encode(&message).expect("what was read can be written");
                frame::read::<$message>(&mut &*written).expect("what was written can be read");
            }
        )+};
    }
    try_as!(ToHost, FromHost, Plan, FromRoom, Challenge, Request, Answer);
}

/// The configuration's TOML.
pub(super) fn configuration(bytes: &[u8]) {
    let _ = Configuration::parse(bytes);
}

/// What a `Host` header says. Nothing but this machine's own names, with the port, is the listener.
pub(super) fn host_name(bytes: &[u8]) {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    if Addressed::of([bytes], None, local, &[]) == Addressed::Here {
        let text = str::from_utf8(bytes).expect("a host is text");
        let (host, _) = text.rsplit_once(':').expect("a port that is not 80");
        let name = host.strip_suffix('.').unwrap_or(host);
        let inside = host.trim_start_matches('[').trim_end_matches(']');
        let v4 = host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback());
        let v6 = |it: Ipv6Addr| it.to_canonical().is_loopback();
        assert!(
            name.eq_ignore_ascii_case("localhost") || v4 || inside.parse().is_ok_and(v6),
            "{text} is not this machine"
        );
    }
    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = text.parse::<HostName>() {
        let found = Addressed::of([text.as_bytes()], None, local, &[name]);
        assert_eq!(found, Addressed::Here, "{text} is not itself");
    }
}

/// A form, after the Content-Type in its first line. What is read can be written, and read again.
pub(super) fn form(bytes: &[u8]) {
    let (head, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let boundary = multipart::boundary(&head).unwrap_or("b");
    let Ok(parts) = multipart::parse(boundary, body) else {
        return;
    };
    let mut writer = multipart::Writer::new(boundary.to_owned(), body.len());
    for part in &parts {
        writer.file("file", "a", "audio/wav", &[part.data]);
    }
    let (boundary, written) = writer.finish();
    let again = multipart::parse(&boundary, &written).expect("what was written can be read");
    assert!(
        again
            .iter()
            .map(|part| part.data)
            .eq(parts.iter().map(|part| part.data))
    );
}
