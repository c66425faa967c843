//! The program itself.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use chrysalis_image::publish::{SigningKey, public_pem};
use chrysalis_network::Descriptor;

use crate::world::{network_toml, policy_text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chrysalis-directory");

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let log = SigningKey::make_open(&at("log.pem")).unwrap();
        let owner = SigningKey::make_open(&at("network.pem")).unwrap();
        let policy = policy_text(&[]);
        let toml = network_toml("network.example", &policy, log.public().ed25519().unwrap());
        let envelope = Descriptor::envelope(toml.into_bytes()).unwrap();
        fs::write(at("network.json"), owner.seal(envelope).unwrap()).unwrap();
        fs::write(at("network.pub"), public_pem(owner.public())).unwrap();
        fs::write(at("policy.toml"), policy).unwrap();
        Self(folder)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg(verb).current_dir(self.0.path());
        command.args(["--network-key", "network.pub"]);
        command
    }

    fn serve(&self) -> Command {
        let mut command = self.command("serve");
        command.args([
            "--network",
            "network.json",
            "--policy",
            "policy.toml",
            "--key",
            "log.pem",
        ]);
        command.args(["--data", "data", "--listen", "127.0.0.1:0"]);
        command
    }

    fn refused(&self, command: &mut Command, why: &str) {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
        assert!(self.0.path().exists());
    }
}

/// Ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_directory_serves_what_its_auditor_finds_in_order() {
    let files = Files::new();
    let mut child = files.serve().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _running = Running(child);
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "network.example: 2 classes, log directory.example"
    );
    let url = lines.next().unwrap().unwrap();
    let public = files.0.path().join("data/public");
    for subject in [url.as_str(), public.to_str().unwrap()] {
        let output = files.command("check").arg(subject).output().unwrap();
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(
            said,
            "in order: 2 entries in the log, 2 class files, 0 listings, 0 reports, 0 pieces of evidence\n"
        );
    }
    fs::remove_file(public.join("entries/000001")).unwrap();
    let output = files.command("check").arg(&url).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("entries/000001: it is not there"), "{said}");
}

#[test]
fn a_directory_does_not_start_with_what_the_descriptor_does_not_name() {
    let files = Files::new();
    let at = |name: &str| files.0.path().join(name);
    SigningKey::make_open(&at("other.pem")).unwrap();
    let mut few = files.serve();
    files.refused(
        few.args(["--network-at-least", "2"]),
        "--network-at-least 2 with 1 keys",
    );
    fs::rename(at("log.pem"), at("kept.pem")).unwrap();
    fs::rename(at("other.pem"), at("log.pem")).unwrap();
    files.refused(
        &mut files.serve(),
        "names no directory whose log has the key",
    );
    fs::rename(at("kept.pem"), at("log.pem")).unwrap();
    fs::write(at("policy.toml"), "another\n").unwrap();
    files.refused(&mut files.serve(), "the network's descriptor names");
    let stranger = SigningKey::make_open(&at("stranger.pem")).unwrap();
    fs::write(at("network.pub"), public_pem(stranger.public())).unwrap();
    files.refused(&mut files.serve(), "descriptor_signers");
    fs::write(at("network.json"), "{}").unwrap();
    let output = files.serve().output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(Path::new(&at("data")).exists());
}
