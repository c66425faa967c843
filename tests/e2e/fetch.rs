//! `chrysalis fetch` as a person runs it, against a service of this machine that answers as AMD's does, with real objects
//! from tests/vectors/real.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread,
};

use chrysalis_tests::paths;
use serde_json::Value;

fn chrysalis(folder: &Path, arguments: &str) -> Output {
    Command::new(paths::tool("chrysalis"))
        .current_dir(folder)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .args(arguments.split_whitespace())
        .output()
        .expect("the program is built: cargo build -p chrysalis")
}

/// The exit code, and the JSON on stdout.
#[track_caller]
fn json(folder: &Path, arguments: &str) -> (i32, Value) {
    let output = chrysalis(folder, &format!("{arguments} --format json"));
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().expect("no signal");
    let value = serde_json::from_slice(&output.stdout);
    (code, value.unwrap_or_else(|_| panic!("{talk}")))
}

/// That nothing was done, and why.
#[track_caller]
fn cannot(folder: &Path, arguments: &str, why: &str) {
    let output = chrysalis(folder, arguments);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(output.stdout.is_empty(), "stdout is for what was found");
    assert!(talk.contains(why), "{talk}");
}

/// A service that answers a path with these parts by these bytes, and anything else by 404.
fn service(answers: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let known = answers.iter().find(|(part, _)| first.contains(part));
            let (status, body) = known.map_or((404, &[][..]), |(_, body)| (200, &body[..]));
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = connection.write_all(&[head.as_bytes(), body].concat());
        }
    });
    base
}

#[test]
fn a_report_is_verified_from_what_was_fetched_for_it() {
    let Some(vectors) = chrysalis_test_support::real(&[]) else {
        return;
    };
    let read = |name: &str| fs::read(vectors.join("snp").join(name)).expect("a vector");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("report.bin"), read("genoa-v3-ms/report.bin")).expect("room");
    // The list of that year has ended by any later clock, and what has ended is not kept.
    let base = service(vec![
        ("/vcek/v1/Genoa/crl", read("crls/genoa_2024-10.crl.der")),
        (
            "blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84",
            read("genoa-v3-ms/vcek.der"),
        ),
    ]);
    let fetch = format!("fetch report.bin --into store --mirror amd={base}");
    let (code, found) = json(folder, &fetch);
    assert_eq!(code, 1, "{found}");
    let outcomes: Vec<_> = found["objects"]
        .as_array()
        .expect("objects")
        .iter()
        .map(|it| &it["outcome"])
        .collect();
    assert_eq!(outcomes, ["fetched", "failed"]);
    assert_eq!(found["objects"][1]["code"], "unfit");
    assert!(
        found["objects"][1]["detail"]
            .as_str()
            .expect("text")
            .contains("crl_expired")
    );
    let (code, found) = json(folder, &fetch);
    assert_eq!((code, &found["objects"][0]["outcome"]), (1, &"kept".into()));

    let verify = "verify snp --report report.bin --collateral store --at 2026-09-01T00:00:00Z";
    let (code, verdict) = json(folder, verify);
    assert_eq!(
        (code, &verdict["code"]),
        (1, &"revocation_unchecked".into()),
        "{verdict}"
    );
    let (code, verdict) = json(folder, &format!("{verify} --without crl"));
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"genuine".into()),
        "{verdict}"
    );

    let status = "fetch status store";
    assert_eq!(
        json(folder, &format!("{status} --at 2026-09-01T00:00:00Z")).0,
        0
    );
    let (code, listed) = json(folder, &format!("{status} --at 2034-01-01T00:00:00Z"));
    assert_eq!(
        (code, &listed["objects"][0]["condition"]),
        (1, &"stale".into())
    );
    let text = chrysalis(folder, &format!("{status} --at 2034-01-01T00:00:00Z"));
    let text = String::from_utf8(text.stdout).expect("text");
    assert!(
        text.starts_with("stale   until 2033-02-05 ") && text.contains("\nhint: "),
        "{text}"
    );
    let path = listed["objects"][0]["path"].as_str().expect("a path");
    fs::write(folder.join("store").join(path), "something else").expect("room");
    let (code, listed) = json(folder, &format!("{status} --at 2026-09-01T00:00:00Z"));
    assert_eq!(
        (code, &listed["objects"][0]["condition"]),
        (1, &"damaged".into())
    );
    cannot(folder, verify, "is not the file that was kept");
}

#[test]
fn what_cannot_be_fetched_for_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (name, content) in [
        ("empty", &b""[..]),
        ("rim.xml", b"<SoftwareIdentity/>"),
        ("gpu.bin", &[0x11, 0xE0, 0, 0]),
        ("noise", b"hello"),
        ("huge", &vec![b'x'; 5 << 20]),
    ] {
        fs::write(folder.join(name), content).expect("room");
    }
    cannot(
        folder,
        "fetch empty --into store",
        "it is empty, and no evidence",
    );
    cannot(
        folder,
        "fetch rim.xml --into store",
        "XML, perhaps a RIM, and no evidence",
    );
    cannot(
        folder,
        "fetch gpu.bin --into store",
        "one PEM file of its chain",
    );
    cannot(folder, "fetch noise --into store", "this is no evidence");
    cannot(folder, "fetch huge --into store", "more than");
    cannot(folder, "fetch absent --into store", "cannot read absent");
    cannot(folder, "fetch noise", "--into");
    cannot(
        folder,
        "fetch noise --into store --mirror amd=kds",
        "must begin with https://",
    );
    cannot(folder, "fetch status nowhere", "has no store.json");
    assert!(!folder.join("store").exists());
}
