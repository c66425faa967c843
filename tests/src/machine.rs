//! A provider's machine for tests: `chrysalis-host run` with everything of its own in a temporary folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::paths;

/// The longest that a boot may take before a test gives up: emulated, on a busy machine. On some processors QEMU takes ten times
/// as long as on others for a guest's multiplications.
const BOOT_LIMIT: Duration = Duration::from_mins(15);

/// What to boot, and how to lie.
#[derive(Clone)]
pub struct Plan {
    /// The image folder.
    pub image: PathBuf,
    /// The configuration.
    pub configuration: PathBuf,
    /// The folder of the engines' and models' disks.
    pub disks: PathBuf,
    /// Run the enclave as a process instead of a VM.
    pub without_vm: bool,
    /// More arguments of `chrysalis-host run`.
    pub arguments: Vec<String>,
}

impl Plan {
    /// The released image in a VM.
    pub fn vm() -> Self {
        Self {
            image: paths::image(),
            configuration: paths::configuration(),
            disks: paths::disks(),
            without_vm: false,
            arguments: Vec::new(),
        }
    }

    /// The same enclave as a plain process: seconds sooner, nothing isolated.
    pub fn process() -> Self {
        Self {
            without_vm: true,
            ..Self::vm()
        }
    }

    /// With one more argument and its value.
    #[must_use]
    pub fn with(mut self, flag: &str, value: &str) -> Self {
        self.arguments.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// With a copy of the disks in `at`, in which one byte of the model is another.
    #[must_use]
    pub fn with_changed_model(mut self, at: &Path, byte: usize) -> Self {
        let changed = paths::model_disk();
        for entry in fs::read_dir(&self.disks).expect("the disks") {
            let from = entry.expect("a disk").path();
            let to = at.join(from.file_name().expect("a name"));
            if from == changed {
                let mut bytes = fs::read(&from).expect("a disk");
                bytes[byte] ^= 1;
                fs::write(to, bytes).expect("a changed copy");
            } else {
                let from = from.canonicalize().expect("a path");
                std::os::unix::fs::symlink(from, to).expect("a link");
            }
        }
        at.clone_into(&mut self.disks);
        self
    }

    /// With a changed copy of the image: `change` gets the copy's folder.
    #[must_use]
    pub fn with_image(mut self, at: &Path, change: impl FnOnce(&Path)) -> Self {
        copy_folder(&self.image, at);
        change(at);
        at.clone_into(&mut self.image);
        self
    }
}

/// A host and its enclave, stopped when dropped.
pub struct Machine {
    host: Child,
    state: TempDir,
    ready: serde_json::Value,
}

impl Machine {
    /// Boots, and waits until the enclave serves.
    ///
    /// # Panics
    /// When it does not; the host's output is in the message.
    pub fn boot(plan: &Plan) -> Self {
        match Self::try_boot(plan) {
            Ok(machine) => machine,
            Err((status, log)) => panic!("the machine did not come up ({status}):\n{log}"),
        }
    }

    /// Boots a machine that is expected to fail: its exit status and output.
    pub fn fail(plan: &Plan) -> (ExitStatus, String) {
        match Self::try_boot(plan) {
            Ok(_) => panic!("the machine came up, and should not have"),
            Err(failure) => failure,
        }
    }

    fn try_boot(plan: &Plan) -> Result<Self, (ExitStatus, String)> {
        let state = tempfile::tempdir().expect("a temporary folder");
        copy_folder(&vendor(), &state.path().join("simulated-amd"));
        copy_folder(&gpu_vendor(), &state.path().join("simulated-nvidia"));
        let ready_file = state.path().join("ready.json");
        let log = fs::File::create(state.path().join("host.log")).expect("a log file");
        // The host dies with this process, also when a test is killed.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM"])
            .arg(paths::tool("chrysalis-host"))
            .arg("run")
            .arg(&plan.image)
            .arg("--configuration")
            .arg(&plan.configuration)
            .arg("--disks")
            .arg(&plan.disks)
            .arg("--state")
            .arg(state.path())
            .arg("--ready-file")
            .arg(&ready_file)
            .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .args(&plan.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        if plan.without_vm {
            command
                .arg("--without-vm")
                .arg(paths::measured("chrysalis-enclave"));
        }
        let mut host = spawn_kept(command);
        let deadline = Instant::now() + BOOT_LIMIT;
        loop {
            if let Ok(text) = fs::read_to_string(&ready_file)
                && let Ok(ready) = serde_json::from_str(&text)
            {
                return Ok(Self { host, state, ready });
            }
            if let Some(status) = host.try_wait().expect("the host can be waited for") {
                return Err((status, log_of(state.path())));
            }
            if Instant::now() > deadline {
                host.kill().ok();
                let status = host.wait().expect("a killed host ends");
                return Err((
                    status,
                    format!("no answer in time\n{}", log_of(state.path())),
                ));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where clients connect: `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// Where clients connect: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.ready["listen"]
            .as_str()
            .expect("the ready file has `listen`")
    }

    /// Where the metrics are: `127.0.0.1:PORT`.
    pub fn metrics(&self) -> &str {
        self.ready["metrics"]
            .as_str()
            .expect("the ready file has `metrics`")
    }

    /// The launch digest that the host computed.
    pub fn launch_digest(&self) -> &str {
        self.ready["launch_digest"]
            .as_str()
            .expect("the ready file has `launch_digest`")
    }

    /// Everything the host keeps: sockets, console, logs, keys of the simulation.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// What the host printed.
    pub fn log(&self) -> String {
        log_of(self.state())
    }

    /// Process id of the host.
    pub fn pid(&self) -> u32 {
        self.host.id()
    }

    /// A policy for exactly the released image and configuration under this test's simulated root.
    pub fn policy(&self) -> PathBuf {
        let path = self.state().join("policy.toml");
        fs::write(&path, honest_policy()).expect("a policy file");
        path
    }

    /// Waits until the run ends by itself, and gives the exit status and output.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.host.wait().expect("the host ends");
        (status, self.log())
    }

    /// Stops as a person would, by SIGINT, and gives the exit status.
    pub fn interrupt(self) -> (ExitStatus, String) {
        run("kill", &["-INT", &self.host.id().to_string()]);
        self.ended()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.host.kill().ok();
        self.host.wait().ok();
    }
}

/// What a relying party writes that wants the released image, its configuration, and these simulated roots.
pub fn honest_policy() -> String {
    static POLICY: OnceLock<String> = OnceLock::new();
    let policy = POLICY.get_or_init(|| policy_for(&paths::configuration()));
    policy.clone()
}

/// The same for another configuration.
///
/// # Panics
/// When the command line makes none.
pub fn policy_for(configuration: &Path) -> String {
    let (cpu, gpu) = (vendor(), gpu_vendor());
    let output = Command::new(paths::tool("chrysalis"))
        .args(["policy", "init", "--vcpus", "2", "--image"])
        .arg(paths::image())
        .arg("--configuration")
        .arg(configuration)
        .arg("--minimum-tcb")
        .arg(paths::minimum_tcb())
        .arg("--simulated-root")
        .arg(cpu.join("ark.pem"))
        .arg("--simulated-root")
        .arg(gpu.join("device-root.pem"))
        .arg("--simulated-root")
        .arg(gpu.join("rim-root.pem"))
        .output()
        .expect("chrysalis starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The keys of the simulated vendor that all tests share: making them takes seconds.
pub fn vendor() -> PathBuf {
    let path = paths::vendor();
    chrysalis_simulate::Amd::open_or_create(&path, chrysalis_client::system_time(), &mut |_| ())
        .expect("simulated keys");
    path
}

/// The same for the GPUs.
pub fn gpu_vendor() -> PathBuf {
    let path = paths::vendor().with_file_name("simulated-nvidia");
    chrysalis_simulate::Nvidia::open_or_create(&path, chrysalis_client::system_time())
        .expect("a simulated seed");
    path
}

/// Runs the relying party's command line.
pub fn chrysalis(arguments: &[&str]) -> Output {
    Command::new(paths::tool("chrysalis"))
        .args(arguments)
        .output()
        .expect("chrysalis starts")
}

/// Runs a program and gives its standard output.
///
/// # Panics
/// When it fails; what it printed is in the message.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect(program);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn log_of(state: &Path) -> String {
    fs::read_to_string(state.join("host.log")).unwrap_or_default()
}

/// Copies a folder of plain files.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a file type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

/// Spawns from a thread that lives as long as the process: the kernel's parent-death signal follows the thread.
pub fn spawn_kept(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<Child>);
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in taken {
                reply
                    .send(command.spawn().expect("the program starts"))
                    .ok();
            }
        });
        orders
    });
    let (reply, child) = mpsc::channel();
    keeper.send((command, reply)).expect("the keeper lives");
    child.recv().expect("the keeper spawns")
}
