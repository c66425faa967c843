//! What an engine does get: its model, a socket, and a port that is carried to it.

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::{fs::MetadataExt, net::UnixListener},
    process::Command,
};

use chrysalis_test_support::skip;
use chrysalis_wire::room::{Plan, Walls};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::fixture::{Engine, Room, engine};

fn words(engine: &Engine, walls: Walls, model: String) -> String {
    let plan = Plan {
        model: Some(model),
        ..engine.plan(walls, &["model"])
    };
    engine.walled(&plan).words()
}

#[test]
fn a_file_is_read_and_mapped_as_the_model() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        assert_eq!(words(&engine, walls, engine.path("model")), "8192 GGUF");
    }
}

#[test]
fn a_folder_is_the_model() {
    let Some(engine) = engine() else { return };
    let folder = engine.path("weights");
    fs::create_dir(&folder).unwrap();
    fs::write(format!("{folder}/config.json"), "{}").unwrap();
    assert_eq!(words(&engine, Walls::Python, folder), "{}");
}

#[test]
fn a_block_device_is_read_and_mapped_as_the_model() {
    let Some(engine) = engine() else { return };
    let made = Command::new("losetup")
        .args(["--find", "--show", "--read-only"])
        .arg(engine.path("model"))
        .output();
    let device = match made {
        Ok(made) if made.status.success() => {
            String::from_utf8(made.stdout).unwrap().trim().to_owned()
        }
        _ => return skip("this machine makes no loop devices"),
    };
    let found = words(&engine, Walls::Native, device.clone());
    let detached = Command::new("losetup").args(["--detach", &device]).status();
    assert_eq!(found, "8192 GGUF");
    assert!(detached.unwrap().success());
}

#[test]
fn a_socket_that_was_left_behind_is_in_nobodys_way() {
    let Some(engine) = engine() else { return };
    drop(UnixListener::bind(engine.path("run/e.sock")).unwrap());
    assert_eq!(
        words(&engine, Walls::Native, engine.path("model")),
        "8192 GGUF"
    );
}

#[test]
fn libraries_of_the_plan_are_added() {
    let Some(engine) = engine() else { return };
    let extra = engine.path("extra");
    fs::create_dir(&extra).unwrap();
    fs::copy(
        engine.path("tree/usr/bin/hostile"),
        format!("{extra}/hostile"),
    )
    .unwrap();
    let plan = Plan {
        libraries: vec![(extra, "/driver/bin".into())],
        program: "/driver/bin/hostile".into(),
        ..engine.plan(Walls::Native, &["model"])
    };
    assert_eq!(engine.walled(&plan).words(), "8192 GGUF");
}

/// Many at once, each with an answer of its own.
#[test]
fn a_port_is_carried_to_the_socket() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let plan = Plan {
            port: Some(8080),
            ..engine.plan(walls, &["http", "8080"])
        };
        let room = engine.walled(&plan);
        ready(&room);
        let ask = |number| {
            let mut client = room.connect();
            client
                .write_all(format!("GET /{number} HTTP/1.1\r\n\r\n").as_bytes())
                .unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            client
        };
        // More than are carried at a time: the others wait.
        let clients: Vec<_> = (0..100).map(ask).collect();
        for (number, mut client) in clients.into_iter().enumerate() {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with(&format!("\r\n\r\n/{number}")), "{answer}");
        }
    }
}

/// The room's socket is there before the engine listens: until it does, connections close without an answer.
fn ready(room: &Room) {
    for _ in 0..1000 {
        let mut client = room.connect();
        let mut answer = String::new();
        let asked = client.write_all(b"GET /ready HTTP/1.1\r\n\r\n");
        if asked.is_ok()
            && client
                .read_to_string(&mut answer)
                .is_ok_and(|length| length > 0)
        {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it is never ready");
}

/// As the enclave makes a GPU's nodes: root's alone. This one is that of `/dev/zero`.
struct Node(String);

impl Node {
    fn make() -> Self {
        let path = format!("/dev/nvidia-test-{}", std::process::id());
        let (kind, mode) = (FileType::CharacterDevice, Mode::RUSR | Mode::WUSR);
        mknodat(CWD, &path, kind, mode, makedev(1, 5)).unwrap();
        Self(path)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_device_of_the_plan_is_the_engines_own() {
    let Some(engine) = engine() else { return };
    let node = Node::make();
    for walls in [Walls::Native, Walls::Python] {
        let plan = Plan {
            devices: vec![node.0.clone()],
            ..engine.plan(walls, &["device", &node.0])
        };
        assert_eq!(engine.walled(&plan).words(), "Ok([0, 0, 0, 0])");
        let without = engine.plan(walls, &["device", &node.0]);
        let words = engine.walled(&without).words();
        assert!(words.contains("NotFound"), "{words}");
    }
    // Outside it stays root's.
    assert_eq!(fs::metadata(&node.0).unwrap().uid(), 0);
    let no_device = engine.path("tree/engine.toml");
    let link = format!("{}-link", node.0);
    std::os::unix::fs::symlink(&no_device, &link).unwrap();
    let link = Node(link);
    let plan = Plan {
        devices: vec![link.0.clone()],
        ..engine.plan(Walls::Python, &["end"])
    };
    let why = engine.not_started(&plan);
    assert!(why.contains("it is no character device"), "{why}");
}

#[test]
fn a_file_is_added_at_a_place_that_the_disk_does_not_have() {
    let Some(engine) = engine() else { return };
    let library = engine.path("libcuda.so.1");
    fs::write(&library, [0; 4]).unwrap();
    let inside = "/nvidia/lib/libcuda.so.1".to_owned();
    let plan = Plan {
        libraries: vec![(library, inside.clone())],
        ..engine.plan(Walls::Python, &["device", &inside])
    };
    // Read-only.
    let words = engine.walled(&plan).words();
    assert!(
        words.contains("ReadOnlyFilesystem") || words.contains("PermissionDenied"),
        "{words}"
    );
}
