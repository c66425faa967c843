//! Seeds of what host, enclave and rooms tell each other, of hosts, and of a form.

use chrysalis_wire::{
    frame::encode,
    host::{FIRST_TOKEN_BOUNDS_MS, FromHost, GpuAnswer, Load, ModelLoad, Status, ToHost},
    keys::{Answer, Request, WantedSecret},
    room::{FromRoom, Plan, SecretFile, Walls},
};

use super::{Seed, seed};

const FORM: &str = "multipart/form-data; boundary=b\n--b\r\n\
    Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOggS\r\n--b--\r\n";

const CONFIGURATION: &str = r#"version = 2
[[engine]]
name = "llama-cpu"
disk = { root = "abababababababababababababababababababababababababababababababab", blocks = 9 }
threads = 1
memory_mib = 512
[[model]]
name = "smollm2"
kind = "chat"
engine = "llama-cpu"
disk = { root = "abababababababababababababababababababababababababababababababab", blocks = 3 }
size = 8193
secrets = ["licence"]
weights = "abababababababababababababababababababababababababababababababab"
context = 2048
parallel = 4
known_answer = [{ prompt = "?", text = "!" }]
[serving]
queue = 8
default_max_tokens = 256
[keys]
address = "keys.example:8700"
certificate_sha256 = "abababababababababababababababababababababababababababababababab"
"#;

pub(super) fn seeds() -> Vec<Seed> {
    let report_data = [7; 64];
    let failed = ToHost::Status(Status::Failed {
        code: "disk_wrong".to_owned(),
        message: "build them again".to_owned(),
    });
    let endorsements = FromHost::Endorsements {
        certificates: vec![vec![0x30, 0], vec![0x30, 1, 0]],
        crls: vec![vec![0x30, 0]],
        tdx: b"{}".to_vec(),
        rims: vec![b"<a/>".to_vec()],
        ocsp: vec![vec![0x30, 0]],
        statements: vec![b"{}".to_vec()],
    };
    let evidence = ToHost::Evidence {
        quote: vec![4, 0],
        gpus: vec![GpuAnswer {
            report: vec![0x11, 0xE0],
            chain: vec![vec![0x30, 0]],
        }],
    };
    let load = ToHost::Status(Status::Load(Load {
        at_ms: 9000,
        attested_at_ms: 3000,
        memory_free_kib: 16_384,
        memory_total_kib: 1_000_000,
        models: vec![ModelLoad {
            name: "smollm2".to_owned(),
            running: 1,
            queued: 2,
            requests: 3,
            refused: 0,
            failed: 0,
            prompt_tokens: 64,
            completion_tokens: 128,
            first_token_ms: vec![0; FIRST_TOKEN_BOUNDS_MS.len() + 1],
            restarts: 0,
            ready: true,
        }],
    }));
    let offers = ToHost::Offers {
        offers: vec![vec![0xA2, 0x65]],
        evidence: vec![0xA2, 0x64],
    };
    let plan = Plan {
        root: "/disks/a".to_owned(),
        model: Some("/dev/disk-b".to_owned()),
        run: "/rooms/20000".to_owned(),
        program: "/bin/server".to_owned(),
        arguments: vec!["--model".to_owned(), "/model".to_owned()],
        environment: vec![("HOME".to_owned(), "/tmp".to_owned())],
        directory: "/".to_owned(),
        walls: Walls::Native,
        port: Some(8080),
        user: 20_000,
        memory_mib: 512,
        processes: 64,
        devices: Vec::new(),
        libraries: Vec::new(),
        partial: false,
        prepare: None,
        secrets: vec![SecretFile {
            name: "licence".to_owned(),
            bytes: 4,
        }],
    };
    let unconfined = FromRoom::Unconfined {
        why: "no Landlock".to_owned(),
    };
    let frames = [
        (
            "simulated-report",
            encode(&ToHost::SimulatedReport { report_data }),
        ),
        ("failed", encode(&failed)),
        ("endorsements", encode(&endorsements)),
        ("evidence", encode(&evidence)),
        ("load", encode(&load)),
        ("offers", encode(&offers)),
        ("plan", encode(&plan)),
        ("unconfined", encode(&unconfined)),
        ("keys-request", encode(&keys_request())),
        ("keys-given", encode(&keys_given())),
    ];
    let frames = frames.map(|(name, bytes)| seed("wire", name, bytes.expect("a small message")));
    let configuration = seed("configuration", "good", CONFIGURATION);
    let hosts = [
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "a.example",
    ];
    let hosts = hosts.map(|host| seed("host_name", host, host));
    frames
        .into_iter()
        .chain([configuration])
        .chain(hosts)
        .chain([seed("form", "good", FORM)])
        .collect()
}

fn keys_request() -> Request {
    Request {
        spki: vec![0x30, 0],
        bundle: vec![0xD9],
        wanted: vec!["ab".repeat(32)],
        secrets: vec![WantedSecret {
            model: "smollm2".to_owned(),
            name: "licence".to_owned(),
        }],
    }
}

fn keys_given() -> Answer {
    Answer::Given {
        keys: vec![vec![7; 64].into()],
        secrets: vec![b"word".to_vec().into()],
    }
}
