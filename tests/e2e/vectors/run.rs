//! Asks `chrysalis` what a request asks, as a person would on the command line.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrysalis_attestation::evidence::KeyAgreement;
use chrysalis_client::SavedSession;
use chrysalis_tests::paths;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is no option of the command line: it says what is asked, or needs more than an option.
const NOT_OPTIONS: [&str; 11] = [
    "kind",
    "shows",
    "bundle",
    "certificate",
    "spki",
    "nonce",
    "exporter",
    "agreement",
    "manifest",
    "log",
    "seen",
];

/// A vector's folder, and room for what has to be made.
pub(crate) struct Run {
    folder: PathBuf,
    request: Value,
    room: TempDir,
}

impl Run {
    pub(crate) fn new(folder: &Path, request: &Value) -> Self {
        Self {
            folder: folder.to_owned(),
            request: request.clone(),
            room: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The verdict as the command line prints it.
    pub(crate) fn outcome(&self) -> Value {
        match self.text("kind") {
            Some("bundle") => self.ask(&["verify"], &[self.conversation()]),
            Some("release") => self.release(),
            Some(kind) => {
                let nonce = self.nonce();
                self.ask(&["verify", kind], nonce.as_ref().map_or(&[], |it| &it[..]))
            }
            None => panic!("the request has no kind"),
        }
    }

    /// Everything that is wrong with a report, a quote or GPUs, each code once.
    pub(crate) fn failures(&self) -> BTreeSet<String> {
        let kind = self.text("kind").expect("a kind");
        let mut more = vec!["--explain-only".to_owned()];
        more.extend(self.nonce().into_iter().flatten());
        let found = self.ask(&["verify", kind], &more);
        let failures = found["failures"].as_array().into_iter().flatten();
        let codes = failures.filter_map(|it| it["code"].as_str());
        codes.map(str::to_owned).collect()
    }

    fn nonce(&self) -> Option<[String; 2]> {
        let nonce = self.text("nonce")?;
        let option = match self.text("kind") {
            Some("nvidia") => "--nonce",
            _ => "--tpm-nonce",
        };
        Some([option.to_owned(), nonce.to_owned()])
    }

    /// With every option that the request has a value for.
    fn ask(&self, verb: &[&str], more: &[String]) -> Value {
        self.ask_of(&Value::Null, verb, more)
    }

    /// The same, where something else has values of its own for some of the options.
    fn ask_of(&self, other: &Value, verb: &[&str], more: &[String]) -> Value {
        let mut command = self.command(verb);
        command.args(more);
        let request = self.request.as_object().expect("an object");
        for (key, value) in request {
            if NOT_OPTIONS.contains(&key.as_str()) {
                continue;
            }
            let value = other.get(key).unwrap_or(value);
            let option = match (verb.last(), key.as_str()) {
                (Some(&"tdx"), "collateral") => "--quote-collateral".to_owned(),
                _ => format!("--{}", key.replace('_', "-")),
            };
            if *value == json!(true) {
                command.arg(option);
                continue;
            }
            let several = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in several {
                command.arg(&option);
                command.arg(self.value(value));
            }
        }
        run(&mut command)
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(
            paths::tool("chrysalis")
                .canonicalize()
                .expect("the program: cargo build -p chrysalis"),
        );
        command
            .args(verb)
            .args(["--format", "json"])
            .current_dir(&self.folder)
            .env("XDG_STATE_HOME", self.room.path());
        command
    }

    /// A file's name or a text as it is; a file of zeros once it is made.
    fn value(&self, value: &Value) -> String {
        match (value.as_str(), value["zeros"].as_u64()) {
            (Some(text), _) => text.to_owned(),
            (_, Some(count)) => {
                let path = self.room.path().join("zeros");
                fs::write(&path, zeros(count)).expect("room");
                path.display().to_string()
            }
            _ => panic!("{value} is no value"),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.request[key].as_str()
    }

    /// A certificate, a bundle that nobody talked about, or a saved session of what was said and seen.
    fn conversation(&self) -> String {
        if let Some(certificate) = self.text("certificate") {
            return certificate.to_owned();
        }
        if self.text("spki").is_none() {
            return self.text("bundle").expect("a file").to_owned();
        }
        let hex = |key| hex::decode(self.text(key).expect("hex")).expect("hex");
        let of_32 = |key| hex(key).try_into().expect("32 bytes");
        let bundle = self.folder.join(self.text("bundle").expect("a file"));
        let bundle = fs::read(bundle).expect("the bundle");
        let saved = SavedSession::new(hex("spki"), of_32("nonce"), of_32("exporter"), bundle);
        let agreement = self
            .text("agreement")
            .map(|name| KeyAgreement::named(name).expect("a key agreement"));
        let saved = saved.agreed(agreement);
        let path = self.room.path().join("session.cbor");
        fs::write(&path, saved.encode()).expect("room");
        path.display().to_string()
    }

    /// First what was seen before, which must be in order; then what is asked. The program remembers.
    fn release(&self) -> Value {
        let verb = ["release", "verify"];
        let arguments = |of: &Value| {
            let mut arguments = vec![of["manifest"].as_str().expect("a file").to_owned()];
            if let Some(log) = of["log"].as_str() {
                arguments.extend(["--log".to_owned(), log.to_owned()]);
            }
            arguments
        };
        for seen in self.request["seen"].as_array().into_iter().flatten() {
            let found = self.ask_of(seen, &verb, &arguments(seen));
            assert_eq!(found["verdict"], "current", "what was seen: {found}");
        }
        let mut found = self.ask(&verb, &arguments(&self.request));
        found["claims"] = found["release"].take();
        found
    }
}

/// So many zeros.
pub(crate) fn zeros(count: u64) -> Vec<u8> {
    vec![0; usize::try_from(count).expect("a length")]
}

fn run(command: &mut Command) -> Value {
    let output = command.output().expect("the program runs");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(
        |_| json!({"error": String::from_utf8_lossy(&output.stderr), "command": format!("{command:?}")}),
    );
    let wanted = match found["verdict"].as_str() {
        None => 2,
        Some("rejected") => 1,
        Some(_) => 0,
    };
    assert_eq!(output.status.code(), Some(wanted), "{found}");
    found
}
