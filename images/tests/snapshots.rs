//! What a mirror lost: the snapshot archive that apt's configuration names has it, and the digest decides there, too. Mirror and
//! archive are servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use chrysalis_image::{
    Error,
    digest::Sha256,
    inputs::{apt::Archives, fetch::Fetcher, lock::Input},
};
use workbench::{MOMENT, Workbench};

/// What was asked for, in order, over all servers of a test.
type Asked = Arc<Mutex<Vec<String>>>;

/// Serves a folder for as long as the test runs, and gives its address.
fn serve(folder: PathBuf, asked: &Asked) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::clone(asked);
    thread::spawn(move || {
        for connection in listener.incoming() {
            // A downloader may hang up whenever it likes.
            let _ = answer(&connection.unwrap(), &folder, &asked);
        }
    });
    address
}

fn answer(mut connection: &TcpStream, folder: &Path, asked: &Asked) -> std::io::Result<()> {
    let lines = BufReader::new(connection).lines();
    let head: Vec<String> = lines
        .map_while(|line| line.ok().filter(|line| !line.is_empty()))
        .collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1));
    let path = path.unwrap_or_default().trim_start_matches('/');
    asked.lock().unwrap().push(path.to_owned());
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    connection.write_all(&body)
}

/// A machine whose mirror has nothing any more.
struct Machine {
    bench: Workbench,
    asked: Asked,
}

impl Machine {
    /// None where apt does not run; then the test is skipped.
    fn new() -> Option<Self> {
        if Command::new("apt-config").arg("dump").output().is_err() {
            chrysalis_test_support::skip("no apt to read a configuration with");
            return None;
        }
        let machine = Self {
            bench: Workbench::new(),
            asked: Asked::default(),
        };
        let mirror = serve(machine.bench.path("lost"), &machine.asked);
        fs::create_dir_all(machine.bench.path("etc/apt.conf.d")).unwrap();
        let source = format!("deb {mirror}/debian trixie main\n");
        machine.bench.write("etc/sources.list", source.as_bytes());
        Some(machine)
    }

    /// apt's configuration names this template for Debian, and this one for its security updates.
    fn configure(&self, main: &str, security: &str) {
        let scope = "Acquire::Snapshots::URI::Override";
        let text = format!(
            "{scope}::Label::Debian \"{main}\";\n{scope}::Label::Debian-Security \"{security}\";\n"
        );
        self.bench
            .write("etc/apt.conf.d/50snapshots", text.as_bytes());
    }

    /// A snapshot archive with the bench's packages at this moment.
    fn snapshots(&self, moment: &str) {
        let address = serve(self.bench.path("snapshots"), &self.asked);
        self.configure(
            &format!("{address}/debian/@SNAPSHOTID@/"),
            &format!("{address}/debian-security/@SNAPSHOTID@/"),
        );
        for (folder, pool) in [("debian", "pool"), ("debian-security", "pool/updates")] {
            let place = format!("snapshots/{folder}/{moment}/{pool}/main");
            let place = self.bench.path(&place);
            fs::create_dir_all(&place).unwrap();
            for name in ["firmware.deb", "kernel.deb"] {
                let from = self.bench.path("archive/pool/main").join(name);
                fs::copy(from, place.join(name)).unwrap();
            }
        }
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher {
            cache: self.bench.path("cache"),
            mirrors: Vec::new(),
            archives: Archives::read(&self.bench.path("etc")),
        }
    }

    fn kernel(&self) -> Input {
        let inputs = &self.bench.lock.input;
        let kernel = inputs.iter().find(|input| input.name == "kernel");
        kernel.unwrap().clone()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn fetches_all_that_the_mirror_lost() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots(MOMENT);
    let inputs = &machine.bench.lock.input;
    machine.fetcher().fetch_all("all", inputs).unwrap();
    assert_eq!(machine.bench.cached(), inputs.len());
    for input in inputs {
        let path = machine.fetcher().fetch(input).unwrap();
        assert_eq!(Sha256::of(&fs::read(path).unwrap()), input.sha256);
    }
}

#[test]
fn asks_the_users_mirror_first_and_the_snapshot_archive_last() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots(MOMENT);
    let mut fetcher = machine.fetcher();
    let own = serve(machine.bench.path("lost"), &machine.asked);
    fetcher.mirrors.push(format!("{own}/own"));
    fetcher.fetch(&machine.kernel()).unwrap();
    assert_eq!(
        machine.asked(),
        [
            "own/pool/main/kernel.deb",
            "debian/pool/main/kernel.deb",
            "debian/20261129T000000Z/pool/main/kernel.deb"
        ]
    );
}

#[test]
fn looks_one_day_later_where_the_snapshot_is_from_before_the_package() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots("20261130T000000Z");
    machine.fetcher().fetch(&machine.kernel()).unwrap();
}

#[test]
fn knows_the_archive_of_security_updates() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots(MOMENT);
    let mut kernel = machine.kernel();
    kernel.suite = Some("trixie-security".into());
    kernel.path = "pool/updates/main/kernel.deb".into();
    machine.fetcher().fetch(&kernel).unwrap();
    let last = "debian-security/20261129T000000Z/pool/updates/main/kernel.deb";
    assert_eq!(machine.asked().last().map(String::as_str), Some(last));
}

#[test]
fn refuses_other_bytes() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots(MOMENT);
    let path = format!("snapshots/debian/{MOMENT}/pool/main/kernel.deb");
    let mut bytes = fs::read(machine.bench.path(&path)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    machine.bench.write(&path, &bytes);
    let kernel = machine.kernel();
    let error = machine.fetcher().fetch(&kernel).unwrap_err();
    assert!(
        matches!(&error, Error::WrongHash { expected, what, .. } if *expected == kernel.sha256 && what.contains(MOMENT)),
        "{error}"
    );
    assert_eq!(machine.bench.cached(), 0);
}

#[test]
fn says_everywhere_that_it_looked() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots("20250101T000000Z");
    let error = machine.fetcher().fetch(&machine.kernel()).unwrap_err();
    let text = error.to_string();
    for part in [
        "/debian/pool/main/kernel.deb: 404",
        "/debian/20261129T000000Z/pool/main/kernel.deb: 404",
        "/debian/20261130T000000Z/pool/main/kernel.deb: 404",
        "hint: `make lock`",
        "--mirror URL",
        "docs/guide/image.md",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn names_a_template_without_its_placeholder() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.configure("http://127.0.0.1:1/debian/", "no");
    let text = machine.fetcher().fetch(&machine.kernel()).unwrap_err();
    let text = text.to_string();
    let wanted = "Acquire::Snapshots::URI::Override::Label::Debian is http://127.0.0.1:1/debian/, without @SNAPSHOTID@";
    assert!(text.contains(wanted), "{text}");
    assert_eq!(machine.asked(), ["debian/pool/main/kernel.deb"]);
}

#[test]
fn says_that_no_configuration_names_a_snapshot_archive() {
    let bench = Workbench::new();
    let kernel = bench.path("archive/pool/main/kernel.deb");
    fs::remove_file(kernel).unwrap();
    let text = bench.build().unwrap_err().to_string();
    for part in [
        "no snapshot archive: apt's Acquire::Snapshots::URI::* has none for trixie",
        "hint:",
        "a template in apt's configuration",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn says_that_the_lock_names_no_moment() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.snapshots(MOMENT);
    let mut kernel = machine.kernel();
    kernel.snapshot = None;
    let text = machine.fetcher().fetch(&kernel).unwrap_err().to_string();
    assert!(
        text.contains("the lock names no moment (snapshot)"),
        "{text}"
    );
}
