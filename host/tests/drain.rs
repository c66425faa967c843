//! Draining, with the program itself, a real enclave as a process, and a real engine: what `make test` has built, or the test is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::unnecessary_debug_formatting,
    reason = "a test may panic, and TOML wants quotes"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const HOST: &str = env!("CARGO_BIN_EXE_chrysalis-host");
const PATIENCE: Duration = Duration::from_mins(5);

/// A run, ended with the test.
struct Run {
    child: Child,
    folder: tempfile::TempDir,
    ready: Value,
}

fn built(variable: &str, default: &str) -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    env::var_os(variable).map_or_else(|| workspace.join(default), PathBuf::from)
}

impl Run {
    /// With more options. `None`: there is no image here, and the test is skipped.
    fn start(options: &[&str]) -> Option<Self> {
        let image = built("CHRYSALIS_IMAGE", "build/cpu");
        let binaries = built(
            "CHRYSALIS_BINARIES",
            "target/image/x86_64-unknown-linux-gnu/release",
        );
        if !image.is_dir() || !binaries.join("chrysalis-enclave").is_file() {
            chrysalis_test_support::skip("there is no image here: make image");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // The simulated vendor's keys take long to make.
        let vendor = built("CHRYSALIS_TEST_VENDOR", "build/tests/simulated-amd");
        if vendor.is_dir() {
            let mut copy = Command::new("cp");
            copy.arg("-r")
                .arg(vendor)
                .arg(folder.path().join("simulated-amd"));
            assert!(copy.status().unwrap().success());
        }
        // All but the image's folder is said outside of the command line.
        let settings = folder.path().join("settings.toml");
        let text = format!(
            "configuration = {:?}\ndisks = {:?}\nwithout-vm = {:?}\nready-file = {:?}\nlisten = \"127.0.0.1:0\"\nlog = \"json\"\n",
            built("CHRYSALIS_CONFIGURATION", "build/demo.toml"),
            built("CHRYSALIS_DISKS", "build/disks"),
            binaries.join("chrysalis-enclave"),
            folder.path().join("ready.json"),
        );
        fs::write(&settings, text).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", HOST, "run"])
            .arg(image)
            .arg("--settings")
            .arg(settings)
            .arg("--state")
            .arg(folder.path())
            .args(options)
            .env("CHRYSALIS_RUN_METRICS", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut run = Self {
            child,
            folder,
            ready: Value::Null,
        };
        let begun = Instant::now();
        while run.ready.is_null() {
            let text = fs::read_to_string(run.folder.path().join("ready.json"));
            run.ready = text
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default();
            let ended = run.child.try_wait().unwrap();
            let waits = ended.is_none() && begun.elapsed() < PATIENCE;
            assert!(waits, "{ended:?}\n{}", run.log());
            thread::sleep(Duration::from_millis(50));
        }
        Some(run)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Events of the log with this name.
    fn events(&self, name: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().map(|line| {
            let read = serde_json::from_str::<Value>(line);
            read.unwrap_or_else(|_| panic!("a line that is no JSON: {line}"))
        });
        lines.filter(|event| event["event"] == name).collect()
    }

    fn address(&self, what: &str) -> &str {
        self.ready[what].as_str().unwrap()
    }

    /// What a supervisor is told: the status, and a line.
    fn supervise(&self, method: &str, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address("metrics"));
        curl(&["-X", method, &url])
    }

    /// A client that reads what is streamed to it.
    fn stream(&self, tokens: u32) -> (Child, BufReader<ChildStdout>) {
        let mut client = Command::new("curl")
            .args(["-ksN", "--data", &question(tokens, true)])
            .arg(format!(
                "https://{}/v1/chat/completions",
                self.address("listen")
            ))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = BufReader::new(client.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert_ne!(answer.read_line(&mut line).unwrap(), 0, "{}", self.log());
        }
        (client, answer)
    }

    /// One that asks for a whole answer.
    fn ask(&self) -> (u16, String) {
        let url = format!("https://{}/v1/chat/completions", self.address("listen"));
        curl(&["--data", &question(4, false), &url])
    }

    fn ended(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < within, "it goes on:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn terminate(&self) {
        let process = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &process])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Endless but for its tokens: the model is small, and would stop by itself.
fn question(tokens: u32, stream: bool) -> String {
    let messages = json!([{"role": "user", "content": "Count from one to a thousand, in words."}]);
    json!({"model": "smollm2-135m-instruct", "max_tokens": tokens, "stream": stream, "messages": messages, "temperature": 0.0})
        .to_string()
}

fn curl(words: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["-ks", "-w", "\n%{http_code}"])
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn a_stream_under_way_is_finished_and_new_work_is_refused() {
    let Some(mut run) = Run::start(&[]) else {
        return;
    };
    assert_eq!(run.supervise("GET", "/ready"), (200, "ready\n".to_owned()));
    assert_eq!(run.supervise("GET", "/healthz").0, 200);
    assert_eq!(run.ask().0, 200);
    let (mut client, mut answer) = run.stream(1200);
    let drain = Command::new(HOST)
        .arg("drain")
        .arg(run.address("metrics"))
        .spawn();
    let mut drain = drain.unwrap();
    let begun = Instant::now();
    let refused = loop {
        let (status, body) = run.ask();
        if status == 503 {
            break body;
        }
        assert!(
            status == 200 && begun.elapsed() < PATIENCE,
            "{status} {body}"
        );
    };
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(refused["error"]["code"], "draining");
    assert_eq!(run.supervise("GET", "/ready").0, 503);
    assert_eq!(run.supervise("GET", "/healthz").0, 200);
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("data: [DONE]"), "{rest}\n{}", run.log());
    assert!(client.wait().unwrap().success());
    assert!(run.ended(Duration::from_mins(1)).success(), "{}", run.log());
    assert!(drain.wait().unwrap().success());
    let stopped = run.events("stopped");
    assert!(
        stopped[0]["message"]
            .as_str()
            .unwrap()
            .contains("finished what it did")
    );
    assert_eq!(run.events("serving")[0]["listen"], run.ready["listen"]);
    assert!(run.events("cut_off").is_empty());
}

#[test]
fn a_drain_that_never_ends_is_bounded_and_says_what_it_cuts_off() {
    let Some(mut run) = Run::start(&["--grace", "2"]) else {
        return;
    };
    let (mut client, mut answer) = run.stream(2000);
    // The guest says once a second how busy it is.
    thread::sleep(Duration::from_millis(1500));
    let begun = Instant::now();
    run.terminate();
    // A supervisor that says it again changes nothing.
    thread::sleep(Duration::from_millis(500));
    run.terminate();
    let status = run.ended(Duration::from_mins(1));
    assert!(
        begun.elapsed() >= Duration::from_secs(2) && status.success(),
        "{}",
        run.log()
    );
    let cut = run.events("cut_off");
    assert_eq!(cut.len(), 1, "{}", run.log());
    assert_eq!(
        (&cut[0]["running"], &cut[0]["grace_s"]),
        (&json!(1), &json!(2))
    );
    assert!(cut[0]["hint"].as_str().unwrap().contains("--grace"));
    let mut rest = String::new();
    answer.read_to_string(&mut rest).ok();
    assert!(!rest.contains("data: [DONE]"), "{rest}");
    client.wait().unwrap();
}

#[test]
fn ctrl_c_ends_a_drain_at_once() {
    let Some(mut run) = Run::start(&[]) else {
        return;
    };
    let (mut client, _answer) = run.stream(2000);
    run.terminate();
    thread::sleep(Duration::from_secs(1));
    assert!(run.child.try_wait().unwrap().is_none());
    let process = run.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &process])
            .status()
            .unwrap()
            .success()
    );
    run.ended(Duration::from_secs(30));
    client.kill().ok();
    client.wait().ok();
}
