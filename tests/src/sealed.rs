//! A sealed model whose engine has a secret: its disk encrypted with the real tool, and its owner's key server as a real process.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use chrysalis_wire::configuration::Configuration;
use tempfile::TempDir;

use crate::{
    machine::{Plan, chrysalis, policy_for, run},
    paths,
};

/// The demonstration's model.
const MODEL: &str = "smollm2-135m-instruct";
/// The name of its engine's secret.
pub const SECRET: &str = "licence";
/// What the secret is at first.
pub const VALUE: &str = "a licence that nothing else here says: 93d1";

/// Disks of which one is sealed, a configuration that says so, and the owner's folder of keys.
pub struct Scene {
    folder: TempDir,
    address: String,
    /// The sealed disk's root.
    pub root: String,
}

/// A key server, stopped when dropped.
pub struct Server {
    process: Child,
    said: Arc<Mutex<String>>,
}

impl Scene {
    /// Seals the demonstration's model. Epochs last so many seconds.
    ///
    /// # Panics
    /// When a tool fails.
    pub fn new(epoch: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |name: &str| folder.path().join(name);
        fs::create_dir(place("disks")).expect("a folder");
        for entry in fs::read_dir(paths::disks()).expect("the disks") {
            let from = entry.expect("a disk").path();
            let from = from.canonicalize().expect("a path");
            let to = place("disks").join(from.file_name().expect("a name"));
            std::os::unix::fs::symlink(from, to).expect("a link");
        }
        // A port that nobody has now; the configuration has to name one before the server runs.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let address = free.expect("a port").to_string();
        let (disks, keys) = (shown(&place("disks")), shown(&place("keys")));
        let image = paths::tool("chrysalis-image");
        let seal = ["seal", MODEL, "--disks", &disks, "--keys", &keys];
        run(image.to_str().expect("a path"), &seal);
        let tool = paths::tool("chrysalis");
        let new = ["keys", "new", "--keys", &keys, "--address", &address];
        let section = run(tool.to_str().expect("a path"), &new);
        let text = fs::read_to_string(paths::configuration()).expect("a configuration");
        let text = text
            .replacen(
                "[[model]]\n",
                &format!("[[model]]\nsealed = true\nsecrets = [{SECRET:?}]\n"),
                1,
            )
            .replacen("seconds = 600", &format!("seconds = {epoch}"), 1);
        let text = format!("{text}\n{section}");
        let configuration = Configuration::parse(text.as_bytes()).expect("a good configuration");
        fs::write(place("configuration.toml"), &text).expect("a configuration");
        fs::write(
            place("policy.toml"),
            policy_for(&place("configuration.toml")),
        )
        .expect("a policy");
        fs::copy(place("policy.toml"), place("owners.toml")).expect("a policy");
        let scene = Self {
            root: configuration.models[0].disk.root.clone(),
            folder,
            address,
        };
        scene.owner_adds(VALUE, &[]);
        scene
    }

    /// The owner adds the engine's secret with this value, as the guide says.
    ///
    /// # Panics
    /// When the command fails.
    pub fn owner_adds(&self, value: &str, more: &[&str]) {
        let mut command = Command::new(paths::tool("chrysalis"));
        command.args(["keys", "add", SECRET, "--model", MODEL, "--keys"]);
        command.arg(self.place("keys")).arg("--configuration");
        command.arg(self.place("configuration.toml")).args(more);
        let mut process = command.stdin(Stdio::piped()).spawn().expect("a command");
        let mut input = process.stdin.take().expect("stdin");
        input.write_all(value.as_bytes()).expect("a pipe");
        drop(input);
        assert!(process.wait().expect("an end").success());
    }

    /// The owner says that the secret is for an engine that nobody runs.
    ///
    /// # Panics
    /// When there is no secret.
    pub fn owner_means_another_engine(&self) {
        let path = self.place("keys").join(format!("{SECRET}.secret"));
        let text = fs::read_to_string(&path).expect("a secret");
        let (before, after) = text.split_once(" engine ").expect("an engine");
        let text = format!("{before} engine {}{}", "0".repeat(64), &after[64..]);
        fs::write(path, text).expect("a secret");
    }

    /// The owner takes the secret back.
    ///
    /// # Panics
    /// When there is none.
    pub fn owner_takes_the_secret(&self) {
        fs::remove_file(self.place("keys").join(format!("{SECRET}.secret"))).expect("a secret");
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A provider's machine: in a VM it has the sealed disk alone.
    ///
    /// # Panics
    /// When the open disk cannot be taken away.
    pub fn plan(&self, plan: Plan) -> Plan {
        if !plan.without_vm {
            let open = self.place("disks").join(format!("{}.img", self.root));
            fs::remove_file(open).expect("a link");
        }
        Plan {
            configuration: self.place("configuration.toml"),
            disks: self.place("disks"),
            ..plan
        }
    }

    /// The disk's key.
    ///
    /// # Panics
    /// When there is none.
    pub fn key(&self) -> Vec<u8> {
        let text = fs::read_to_string(self.place("keys").join(format!("{}.key", self.root)));
        hex::decode(text.expect("a key").trim()).expect("digits")
    }

    /// What the owner wants from now on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn owner_wants(&self, policy: &str) {
        fs::write(self.place("owners.toml"), policy).expect("a policy");
    }

    /// The owner wants nobody any more.
    ///
    /// # Panics
    /// When the file is not there.
    pub fn owner_withdraws(&self) {
        fs::remove_file(self.place("owners.toml")).expect("a policy");
    }

    /// The owner's server.
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve(&self) -> Server {
        let mut command = Command::new(paths::tool("chrysalis"));
        command
            .args(["keys", "serve", "--listen", &self.address, "--keys"])
            .arg(self.place("keys"))
            .arg("--policy")
            .arg(self.place("owners.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("a key server");
        let mut lines = BufReader::new(process.stderr.take().expect("stderr"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("a line");
        assert!(
            first.starts_with("1 key and 1 secret for enclaves"),
            "{first}"
        );
        let said = Arc::new(Mutex::new(first));
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut heard = heard.lock().expect("nobody panicked");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Server { process, said }
    }

    /// Verifies the enclave as a client does, and asks it something.
    pub fn chat(&self, url: &str) -> Output {
        let policy = shown(&self.place("policy.toml"));
        chrysalis(&[
            "chat",
            url,
            "--policy",
            &policy,
            "--max-tokens",
            "4",
            "The capital of France is",
        ])
    }
}

impl Server {
    /// What it said so far.
    ///
    /// # Panics
    /// When the thread that listens did.
    pub fn said(&self) -> String {
        self.said.lock().expect("nobody panicked").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
