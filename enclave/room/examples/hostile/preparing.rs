//! The program that prepares: the first line of what it is given says what it plays.

use std::{
    fs,
    io::{self, BufRead, Read, Write},
    process::{Command, exit},
    thread,
    time::Duration,
};

pub(crate) fn play() {
    let mut input = io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    match line
        .trim_end()
        .split_once(' ')
        .unwrap_or((line.trim_end(), ""))
    {
        ("exit", code) => exit(code.parse().unwrap()),
        ("wait", _) => thread::sleep(Duration::from_mins(10)),
        ("doors", _) => print!("{}", doors()),
        _ => {
            let mut rest = String::new();
            input.read_to_string(&mut rest).unwrap();
            print!("{}", rest.to_uppercase());
        }
    }
    io::stdout().flush().unwrap();
}

/// What opens that must not, a word each.
fn doors() -> String {
    let mut open = Vec::new();
    if Command::new("/usr/bin/hostile").arg("end").spawn().is_ok() {
        open.push("processes");
    }
    if std::net::TcpStream::connect("127.0.0.1:8080").is_ok()
        || std::net::TcpListener::bind("127.0.0.1:0").is_ok()
    {
        open.push("tcp");
    }
    if fs::write("/run/file", "").is_ok() || fs::write("/usr/file", "").is_ok() {
        open.push("files");
    }
    if std::env::vars().count() > 0 {
        open.push("environment");
    }
    // SAFETY: a call with a number, which does not touch this process's memory.
    if unsafe { libc::kill(-1, 0) } == 0 {
        open.push("signals");
    }
    // SAFETY: the same.
    if unsafe { libc::syscall(libc::SYS_seccomp, 2, 0, 0) } != -1 {
        open.push("filters");
    }
    open.join(" ")
}
