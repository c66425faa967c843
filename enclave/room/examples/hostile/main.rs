//! An engine that is an enemy, for the tests: tries every door that it finds, and says over its socket which ones opened.
//!
//! Its first argument says what it plays; see [`main`].
#![allow(
    unsafe_code,
    reason = "it makes the system calls that no library offers"
)]
#![allow(clippy::unwrap_used, reason = "a fault here fails a test")]

mod doors;
mod floods;
mod preparing;
mod secrets;

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    thread,
    time::Duration,
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |place: usize| arguments.get(place).map_or("", String::as_str);
    match argument(0) {
        // Arguments: a file outside, a process outside, a TCP port outside, an abstract socket outside.
        "doors" => answer(&doors::try_all(
            argument(1),
            argument(2),
            argument(3),
            argument(4),
        )),
        "floods" => answer(&floods::all(argument(1) == "processes")),
        "memory" => answer(&floods::memory().to_string()),
        "model" => answer(&model()),
        "device" => answer(&device(argument(1))),
        // Arguments: the folder of another room's secrets, as seen outside.
        "secrets" => answer(&secrets::all(argument(1))),
        "http" => http(argument(1)),
        "end" => {}
        // Without arguments, it is the program that prepares.
        "" => preparing::play(),
        _ => thread::sleep(Duration::from_mins(10)),
    }
}

/// Says it to whoever connects first, then waits.
fn answer(what: &str) {
    let (mut enclave, _) = UnixListener::bind("/run/e.sock").unwrap().accept().unwrap();
    enclave.write_all(what.as_bytes()).unwrap();
    drop(enclave);
    thread::sleep(Duration::from_mins(10));
}

/// The first bytes of the model, read and mapped, and its size; or what a folder holds.
fn model() -> String {
    use std::{io::Seek, os::fd::AsRawFd};
    if fs::metadata("/model").unwrap().is_dir() {
        return fs::read_to_string("/model/config.json").unwrap();
    }
    let mut file = fs::File::open("/model").unwrap();
    let size = file.seek(std::io::SeekFrom::End(0)).unwrap();
    // SAFETY: a new mapping of a page that the file has.
    let mapped = unsafe {
        let place = std::ptr::null_mut();
        libc::mmap(
            place,
            4,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(mapped, libc::MAP_FAILED);
    // SAFETY: four bytes of that page.
    let bytes = unsafe { std::slice::from_raw_parts(mapped.cast::<u8>(), 4) };
    format!("{size} {}", String::from_utf8_lossy(bytes))
}

/// Whether a device can be read and written, and what it gives.
fn device(path: &str) -> String {
    let open = fs::File::options().read(true).write(true).open(path);
    let read = open.and_then(|mut file| {
        let mut bytes = [1; 4];
        file.read_exact(&mut bytes)?;
        file.write_all(&bytes)?;
        Ok(bytes)
    });
    format!("{read:?}")
}

/// A server that speaks TCP alone: one request, one answer, for ever.
fn http(port: &str) {
    let server = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    for client in server.incoming() {
        let mut client = client.unwrap();
        let mut request = [0; 4096];
        let length = client.read(&mut request).unwrap();
        let question = String::from_utf8_lossy(request.get(..length).unwrap()).into_owned();
        let path = question.split(' ').nth(1).unwrap_or("?").to_owned();
        let length = path.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{path}"
        );
        let _ = client.write_all(answer.as_bytes());
    }
}
