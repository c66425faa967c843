//! Seeds of what host, enclave and engine tell each other, of hosts, and of a form.

use chrysalis_wire::{
    engine::{FinishReason, FromEngine, Message, Prompt, Sampling, ToEngine},
    frame::encode,
    host::{FromHost, GpuAnswer, Status, ToHost},
};

use super::{Seed, seed};

const FORM: &str = "multipart/form-data; boundary=b\n--b\r\n\
    Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOggS\r\n--b--\r\n";

const CONFIGURATION: &str = r#"version = 1
[model]
name = "smollm2"
size = 8193
sha256 = "abababababababababababababababababababababababababababababababab"
verity_root = "abababababababababababababababababababababababababababababababab"
verity_salt = "abababababababababababababababababababababababababababababababab"
[engine]
context = 2048
threads = 1
[known_answer]
text = "?"
tokens = [1, 2]
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
    let generate = ToEngine::Generate {
        id: 1,
        prompt: Prompt::Conversation(vec![Message {
            role: "user".to_owned(),
            content: "What is a chrysalis?".to_owned(),
        }]),
        sampling: Sampling {
            max_tokens: 64,
            temperature: 0.5,
            top_p: 1.0,
            seed: 7,
            stop: vec!["\n".to_owned()],
        },
    };
    let token = FromEngine::Token {
        id: 1,
        tokens: vec![1, -1, 70_000],
        text: "A".to_owned(),
    };
    let finished = FromEngine::Finished {
        id: 1,
        reason: FinishReason::Stop,
        prompt_tokens: 20,
        completion_tokens: 1,
    };
    let frames = [
        (
            "simulated-report",
            encode(&ToHost::SimulatedReport { report_data }),
        ),
        ("failed", encode(&failed)),
        ("endorsements", encode(&endorsements)),
        ("evidence", encode(&evidence)),
        ("generate", encode(&generate)),
        ("token", encode(&token)),
        ("finished", encode(&finished)),
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
