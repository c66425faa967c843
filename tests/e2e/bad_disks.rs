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

    /// Changes the first model's disk, and means it: the configuration names what comes of it.
    fn with_model(mut self, change: impl FnOnce(&mut [u8])) -> Self {
        let model = &self.configuration.models[0];
        let mut disk = fs::read(self.disks().join(model.disk.file())).expect("a disk");
        change(&mut disk);
        let root = "0123456789abcdef".repeat(4);
        fs::write(self.disks().join(format!("{root}.img")), &disk).expect("a disk");
        let size = usize::try_from(model.size.expect("a file")).expect("a length");
        let weights = hex::encode(digest(&SHA256, &disk[..size]));
        for (from, to) in [(&model.disk.root, root), (&model.weights, weights)] {
            assert!(self.text.contains(from), "{from}: {}", self.text);
            self.text = self.text.replace(from, &to);
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

#[test]
fn a_disk_that_holds_no_model_is_named_by_the_model() {
    let failed = Scene::honest().with_model(|disk| disk.fill(0)).fail();
    named(failed, "engine_failed", "smollm2-135m-instruct");
}

#[test]
fn a_model_of_an_architecture_that_the_engine_does_not_know_is_named() {
    let scene = Scene::honest().with_model(|disk| {
        let key = b"general.architecture";
        let key = disk.windows(key.len()).position(|it| it == key);
        // After the key: the type of its value, and its length.
        let value = key.expect("an architecture") + 20 + 4 + 8;
        assert_eq!(&disk[value..value + 5], b"llama");
        disk[value] = b'x';
    });
    named(scene.fail(), "engine_failed", "smollm2-135m-instruct");
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
    named(scene.fail(), "there is no disk", &disk);
}

#[test]
fn an_engine_that_is_named_twice_is_named() {
    let mut scene = Scene::honest();
    let (start, rest) = scene.text.split_once("[[engine]]").expect("an engine");
    let engine = rest.split("[[model]]").next().expect("a model");
    scene.text = format!("{start}[[engine]]{engine}[[engine]]{rest}");
    let name = &scene.configuration.engines[0].name;
    named(scene.fail(), "engine.name", &format!("{name} twice"));
}
