//! Disks and configurations that no provider should launch: each stops the boot before anyone is served, and is named.

use std::{fs, path::PathBuf, process::ExitStatus};

use chrysalis_tests::{
    machine::{Machine, Plan},
    paths,
};
use chrysalis_wire::configuration::Configuration;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

/// The demonstration's configuration and disks, to spoil.
struct Scene {
    folder: TempDir,
    text: String,
    configuration: Configuration,
}

impl Scene {
    fn honest() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disks = folder.path().join("disks");
        fs::create_dir(&disks).expect("a folder");
        for entry in fs::read_dir(paths::disks()).expect("the disks") {
            let from = entry.expect("a disk").path();
            let from = from.canonicalize().expect("a path");
            let to = disks.join(from.file_name().expect("a name"));
            std::os::unix::fs::symlink(from, to).expect("a link");
        }
        let text = fs::read_to_string(paths::configuration()).expect("a configuration");
        Self {
            folder,
            configuration: Configuration::parse(text.as_bytes()).expect("a good configuration"),
            text,
        }
    }

    fn disks(&self) -> PathBuf {
        self.folder.path().join("disks")
    }

    /// Puts a file of its own in place of the first model's, and names it as if it were meant.
    fn with_model(mut self, bytes: &[u8]) -> Self {
        let model = &self.configuration.models[0];
        let root = "0123456789abcdef".repeat(4);
        fs::write(self.disks().join(format!("{root}.img")), bytes).expect("a disk");
        let weights = hex::encode(digest(&SHA256, bytes));
        let sizes = [model.size.expect("a file"), bytes.len() as u64];
        for (from, to) in [
            (model.disk.root.clone(), root),
            (model.weights.clone(), weights),
            (
                format!("size = {}", sizes[0]),
                format!("size = {}", sizes[1]),
            ),
            (
                format!("blocks = {}", model.disk.blocks),
                format!("blocks = {}", sizes[1].div_ceil(4096)),
            ),
        ] {
            assert!(self.text.contains(&from), "{from}: {}", self.text);
            self.text = self.text.replace(&from, &to);
        }
        self
    }

    /// Boots it, which fails: the exit status and all that was printed.
    fn fail(&self) -> (ExitStatus, String) {
        let configuration = self.folder.path().join("configuration.toml");
        fs::write(&configuration, &self.text).expect("a configuration");
        Machine::fail(&Plan {
            configuration,
            disks: self.disks(),
            ..Plan::process()
        })
    }
}

fn named((status, log): (ExitStatus, String), code: &str, says: &str) {
    assert!(!status.success(), "{log}");
    for wanted in [code, says, "hint:"] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
}

/// The weights of the demonstration's model.
fn weights() -> Vec<u8> {
    fs::read(paths::model_disk()).expect("a disk (make image)")
}

#[test]
fn a_disk_that_holds_no_model_is_named_by_the_model() {
    let failed = Scene::honest().with_model(&[0; 8192]).fail();
    named(failed, "engine_failed", "smollm2-135m-instruct");
}

#[test]
fn a_model_of_an_architecture_that_the_engine_does_not_know_is_named() {
    let mut weights = weights();
    let key = b"general.architecture";
    let key = weights.windows(key.len()).position(|it| it == key);
    let value = key.expect("an architecture") + 20 + 4 + 8;
    assert_eq!(&weights[value..value + 5], b"llama");
    weights[value] = b'x';
    let failed = Scene::honest().with_model(&weights).fail();
    named(failed, "engine_failed", "smollm2-135m-instruct");
}

#[test]
fn one_byte_of_the_weights_changed_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan::process().with_changed_model(folder.path(), 50_000_000);
    named(Machine::fail(&plan), "disk_wrong", "smollm2-135m-instruct");
}

#[test]
fn an_engine_without_a_card_is_named() {
    let scene = Scene::honest();
    let tree = scene
        .disks()
        .join(&scene.configuration.engines[0].disk.root);
    fs::remove_file(&tree).expect("a link");
    fs::create_dir(&tree).expect("an empty folder");
    named(scene.fail(), "engine_failed", "/engine.toml");
}

#[test]
fn a_disk_that_is_not_there_is_named() {
    let scene = Scene::honest();
    let disk = scene.configuration.models[0].disk.file();
    fs::remove_file(scene.disks().join(&disk)).expect("a link");
    named(scene.fail(), "", &disk);
}

#[test]
fn an_engine_that_is_named_twice_is_named() {
    let mut scene = Scene::honest();
    let (start, rest) = scene.text.split_once("[[engine]]").expect("an engine");
    let engine = rest.split("[[model]]").next().expect("a model");
    scene.text = format!("{start}[[engine]]{engine}[[engine]]{rest}");
    let name = &scene.configuration.engines[0].name;
    named(scene.fail(), "", &format!("engine.name is {name} twice"));
}
