//! A hostile engine on a disk of its own, and rooms around it.

use std::{
    fs::{self, File},
    io::Read,
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use chrysalis_sandbox::{SeccompAction, answer, any, filter};
use chrysalis_test_support::skip;
use chrysalis_wire::{
    frame,
    room::{FromRoom, MIN_USER, Plan, Walls},
};
use rustix::process::geteuid;

const ROOM: &str = env!("CARGO_BIN_EXE_chrysalis-room");
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine's disk, a folder for its socket, and a model.
pub(crate) struct Engine {
    pub(crate) folder: tempfile::TempDir,
}

/// A room that was sent its plan.
pub(crate) struct Room {
    pub(crate) process: Child,
    pub(crate) enclave: UnixStream,
    socket: PathBuf,
}

/// The engine, unless this user may not build walls.
pub(crate) fn engine() -> Option<Engine> {
    if !geteuid().is_root() {
        skip("only root can build the walls of a room");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let put = |from: &Path, to: &str| {
        let to = tree.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    let program = Path::new(ROOM).with_file_name("examples/hostile");
    put(&program, "usr/bin/hostile");
    // The libraries that this test has loaded are those that the engine needs.
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let file = line.split_whitespace().nth(5).unwrap_or_default();
        if file.contains(".so") {
            put(Path::new(file), file);
        }
        if file.contains("/ld-linux") {
            put(Path::new(file), "usr/lib64/ld-linux-x86-64.so.2");
        }
    }
    for name in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), tree.join(name)).unwrap();
    }
    fs::write(tree.join("engine.toml"), "").unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(
        folder.path().join("model"),
        [b"GGUF".as_slice(), &[0; 8188]].concat(),
    )
    .unwrap();
    Some(Engine { folder })
}

/// A command that runs the room.
pub(crate) fn room() -> Command {
    Command::new(ROOM)
}

/// The same, where a folder of plain files plays cgroup2: this machine may have none with the controllers.
pub(crate) fn room_with_cgroups() -> Command {
    let script = "mount -t tmpfs none /sys/fs/cgroup && echo cpu memory pids >/sys/fs/cgroup/cgroup.controllers && exec \"$0\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, ROOM]);
    command
}

impl Engine {
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A plan that plays `arguments`, as a user that no other test has.
    pub(crate) fn plan(&self, walls: Walls, arguments: &[&str]) -> Plan {
        static USER: AtomicU32 = AtomicU32::new(MIN_USER);
        let process = std::process::id() % 10_000;
        Plan {
            root: self.path("tree"),
            model: Some(self.path("model")),
            run: self.path("run"),
            program: "/usr/bin/hostile".into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: vec![("GIVEN".into(), "yes".into())],
            directory: "/usr".into(),
            walls,
            port: None,
            user: USER.fetch_add(1, Ordering::Relaxed) + 100 * process,
            memory_mib: 128,
            processes: 16,
            devices: vec![],
            libraries: vec![],
            prepare: None,
            secrets: vec![],
            partial: true,
        }
    }

    /// Starts a room and sends it a plan.
    pub(crate) fn start(&self, plan: &Plan) -> Room {
        self.start_by(&mut Command::new(ROOM), plan)
    }

    /// The same, through a command that runs the room in the end.
    pub(crate) fn start_by(&self, command: &mut Command, plan: &Plan) -> Room {
        let (mut enclave, theirs) = UnixStream::pair().unwrap();
        enclave.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = command
            .stdin(OwnedFd::from(theirs))
            .env("SECRET", "of the enclave")
            .spawn()
            .unwrap();
        frame::write(&mut enclave, plan).unwrap();
        let socket = self.folder.path().join("run/e.sock");
        Room {
            process,
            enclave,
            socket,
        }
    }

    /// The same, on a kernel that answers one system call with an error.
    pub(crate) fn start_without(
        &self,
        call: libc::c_long,
        error: libc::c_int,
        command: &mut Command,
        plan: &Plan,
    ) -> Room {
        // A filter is a thread's and its children's.
        thread::scope(|scope| {
            let start = || {
                filter(any(&[call]), answer(error), SeccompAction::Allow).unwrap();
                self.start_by(command, plan)
            };
            scope.spawn(start).join().unwrap()
        })
    }

    /// Starts a room that must come to stand.
    pub(crate) fn walled(&self, plan: &Plan) -> Room {
        let mut room = self.start(plan);
        assert_eq!(room.answer(), FromRoom::Walled);
        room
    }

    /// Why a room does not start.
    pub(crate) fn not_started(&self, plan: &Plan) -> String {
        match self.start(plan).answer() {
            FromRoom::NotStarted { why } => why,
            other => panic!("{other:?}"),
        }
    }
}

impl Room {
    pub(crate) fn answer(&mut self) -> FromRoom {
        frame::read(&mut self.enclave).unwrap()
    }

    /// A connection to the engine, once it listens.
    pub(crate) fn connect(&self) -> UnixStream {
        connect(&self.socket)
    }

    /// A connection to the program that prepares.
    pub(crate) fn connect_to_prepare(&self) -> UnixStream {
        connect(&self.socket.with_file_name("prepare.sock"))
    }

    /// What the engine says.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        self.connect().read_to_string(&mut words).unwrap();
        words
    }

    /// The same, if it listens already.
    pub(crate) fn words_if_any(&self) -> Option<String> {
        let mut words = String::new();
        UnixStream::connect(&self.socket)
            .ok()?
            .read_to_string(&mut words)
            .ok()?;
        Some(words)
    }

    /// Waits until the room closes its end.
    pub(crate) fn end(&mut self) {
        assert_eq!(self.enclave.read(&mut [0; 16]).unwrap(), 0);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(socket: &Path) -> UnixStream {
    let started = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(connection) => {
                connection.set_read_timeout(Some(PATIENCE)).unwrap();
                return connection;
            }
            Err(error) if started.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The processes of a room, its first one included, with what the kernel says about each.
pub(crate) fn processes(user: u32) -> Vec<String> {
    let own = format!("Uid:\t{user}\t");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let status = |path: &Path| {
        let mut text = String::new();
        let file = File::open(path.join("status"));
        // It may end in between.
        let _ = file.and_then(|mut file| file.read_to_string(&mut text));
        text
    };
    entries
        .map(|entry| status(&entry.path()))
        .filter(|text| text.contains(&own) && !text.contains("State:\tZ"))
        .collect()
}
