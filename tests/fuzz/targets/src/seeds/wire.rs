//! Seeds of what host, enclave and room tell each other, of hosts, and of a form.

use chrysalis_wire::{
    frame::encode,
    host::{FromHost, GpuAnswer, Status, ToHost},
    room::{FromRoom, Plan, Walls},
};

use super::{Seed, seed};

const FORM: &str = "multipart/form-data; boundary=b\n--b\r\n\
    Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOggS\r\n--b--\r\n";

const CONFIGURATION: &str = r#"version = 2
[[engine]]
name = "llama-cpu"
disk = { root = "abababababababababababababababababababababababababababababababab", blocks = 9 }
threads = 2
memory_mib = 2048
[[model]]
name = "smollm2"
kind = "chat"
engine = "llama-cpu"
disk = { root = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", blocks = 3 }
size = 8193
weights = "abababababababababababababababababababababababababababababababab"
context = 2048
parallel = 4
[[model.known_answer]]
prompt = "The capital of France is"
text = " Paris."
[serving]
queue = 8
default_max_tokens = 256
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
    let plan = Plan {
        root: "/engines/llama-cpu".to_owned(),
        model: Some("/dev/mapper/model".to_owned()),
        run: "/rooms/0".to_owned(),
        program: "/usr/bin/llama-server".to_owned(),
        arguments: vec!["--model".to_owned(), "/model".to_owned()],
        environment: vec![("OMP_WAIT_POLICY".to_owned(), "passive".to_owned())],
        directory: "/".to_owned(),
        walls: Walls::Native,
        port: Some(8080),
        user: 20_000,
        memory_mib: 2048,
        processes: 64,
        devices: vec!["/dev/nvidia0".to_owned()],
        libraries: Vec::new(),
        partial: false,
    };
    let not_started = FromRoom::NotStarted {
        why: "no such program".to_owned(),
    };
    let frames = [
        (
            "simulated-report",
            encode(&ToHost::SimulatedReport { report_data }),
        ),
        ("failed", encode(&failed)),
        ("endorsements", encode(&endorsements)),
        ("evidence", encode(&evidence)),
        ("plan", encode(&plan)),
        ("walled", encode(&FromRoom::Walled)),
        ("not-started", encode(&not_started)),
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
