//! Starting a guest: a VM, or for tests and development the enclave as a plain process.

pub(crate) mod accelerator;
pub(crate) mod disks;
pub(crate) mod gpu;
mod guard;
pub(crate) mod id_block;
pub(crate) mod platform;
pub(crate) mod programs;
pub(crate) mod protection;
mod qemu;
mod shell;
mod trial;
pub(crate) mod vsock;

use std::{env, fmt, path::Path, process::ExitStatus, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use chrysalis_measure::{CommandLine, Image};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    guest::{console::Console, link::Link},
    state::StateFolder,
    talk::say,
};
use accelerator::{Accelerator, AcceleratorChoice, Kind};
use disks::DiskFile;
use gpu::{Iommu, PciAddress};
use programs::QemuVersion;
use protection::Protection;
use qemu::{Machine, VsockDevice};
use vsock::VsockWay;

/// The longest that a dead guest's last lines may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a guest may take to end with a better reason, before a broken vsock device ends the run.
const GUEST_FIRST: Duration = Duration::from_secs(2);

/// A machine to launch.
pub(crate) struct VmPlan<'a> {
    pub(crate) image: &'a Image,
    pub(crate) disks: &'a [DiskFile],
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u32,
    pub(crate) accelerator: AcceleratorChoice,
    pub(crate) protection: Protection,
    pub(crate) gpus: Vec<PciAddress>,
}

/// A guest that runs. Dropping it kills it.
pub(crate) struct Running {
    /// The machine, or the enclave's process.
    child: Child,
    /// Everything around it.
    pub(crate) way: Way,
}

/// What is around a guest, before it starts and while it runs.
pub(crate) struct Way {
    /// The user-space vsock device in front of it.
    device: Option<Child>,
    output: Vec<JoinHandle<()>>,
    /// How to reach it.
    pub(crate) link: Link,
    /// What executes it, for people.
    pub(crate) executed: String,
    /// How bytes reach it, for people.
    pub(crate) reached: String,
}

/// How a guest ended by itself.
#[derive(Debug)]
pub(crate) enum End {
    /// It exited.
    Exited(ExitStatus),
    /// The vsock device in front of it exited, and nothing reaches the guest any more.
    DeviceBroke(ExitStatus),
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(formatter, "the guest ended by itself ({status})"),
            Self::DeviceBroke(status) => {
                write!(
                    formatter,
                    "vhost-device-vsock ended under the guest ({status})"
                )
            }
        }
    }
}

/// A guest that is not yet started, but can be reached: its questions can be listened for first.
pub(crate) struct Prepared {
    command: Command,
    way: Way,
}

/// Prepares a VM.
pub(crate) async fn vm(
    plan: VmPlan<'_>,
    state: &StateFolder,
    console: &Arc<Console>,
) -> anyhow::Result<Prepared> {
    let qemu = programs::qemu()?;
    if let (Protection::Tdx(_), Some(version)) = (&plan.protection, QemuVersion::of(&qemu).await) {
        ensure!(
            version.starts_tdx(),
            "QEMU {version} cannot start TDX guests\nhint: {}",
            programs::TDX_FIX
        );
    }
    let accelerator = plan.accelerator(&qemu, state.path()).await?;
    let way = VsockWay::find().context("the guest cannot be reached")?;
    say(format_args!("protection: {}", plan.protection));
    say(format_args!("accelerator: {accelerator}"));
    say(format_args!("vsock: {way}"));
    let mut output = Vec::new();
    let (device, link, vsock) = match &way {
        VsockWay::Kernel => {
            let cid = vsock::guest_cid();
            (None, Link::Kernel(cid), VsockDevice::Kernel { cid })
        }
        VsockWay::Device(program) => {
            let (mut child, socket, link) = vsock::start(program, state).await?;
            output.extend(follow(console, "vsock: ", &mut child));
            (Some(child), link, VsockDevice::User { socket })
        }
    };
    let mut command = Command::new(qemu);
    command.args(plan.machine(accelerator.kind, vsock).arguments()?);
    let way = Way {
        device,
        output,
        link,
        executed: accelerator.to_string(),
        reached: way.to_string(),
    };
    Ok(Prepared { command, way })
}

/// The command that would start a VM, as a shell takes it. Starts nothing.
pub(crate) async fn printed(plan: VmPlan<'_>, state: &Path) -> anyhow::Result<String> {
    let qemu = programs::qemu()?;
    let accelerator = plan.accelerator(&qemu, &env::temp_dir()).await?;
    let vsock = match VsockWay::find() {
        Ok(VsockWay::Device(_)) => VsockDevice::User {
            socket: vsock::socket(state),
        },
        Ok(VsockWay::Kernel) | Err(_) => VsockDevice::Kernel {
            cid: vsock::guest_cid(),
        },
    };
    let arguments = plan.machine(accelerator.kind, vsock).arguments()?;
    shell::command(&qemu, &arguments)
}

impl VmPlan<'_> {
    async fn accelerator(&self, qemu: &Path, scratch: &Path) -> anyhow::Result<Accelerator> {
        match self.protection {
            Protection::None => Accelerator::choose(qemu, self.accelerator, scratch).await,
            Protection::Snp(_) | Protection::Tdx(_) => Accelerator::of_protected(self.accelerator),
        }
    }

    fn machine(self, accelerator: Kind, vsock: VsockDevice) -> Machine {
        let which = match self.protection {
            Protection::None => CommandLine::Simulated,
            Protection::Snp(_) | Protection::Tdx(_) => CommandLine::Hardware,
        };
        let driver = self.image.driver().map(|file| DiskFile::driver(&file));
        Machine {
            protection: self.protection,
            accelerator,
            kernel: self.image.kernel(),
            initrd: self.image.initrd(),
            command_line: self.image.command_line(which).to_owned(),
            disks: self.disks.iter().cloned().chain(driver).collect(),
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            vsock,
            gpus: self.gpus,
            iommu: Iommu::of_this_machine(Path::new("/")),
        }
    }
}

/// Prepares the enclave as a process with its disks in a folder: with the same arguments as on a VM's command line, the image's day among them, and
/// nothing isolated.
pub(crate) fn process(
    binary: &Path,
    image: &Image,
    disks: &Path,
    state: &StateFolder,
) -> anyhow::Result<Prepared> {
    for name in ["host.sock", "tls.sock"] {
        state.fresh(name)?;
    }
    let word = |name: &str, path: &Path| {
        let mut word = std::ffi::OsString::from(name);
        word.push(path);
        word
    };
    let binary = std::fs::canonicalize(binary)
        .with_context(|| format!("cannot find the enclave binary {}", binary.display()))?;
    let mut command = Command::new(binary);
    let words = image.command_line(CommandLine::Simulated).split(' ');
    command
        .args(words.filter(|word| word.starts_with("not_before=")))
        .arg("platform=simulated")
        .arg(word("host=unix:", state.path()))
        .arg(word("disks=", disks));
    let way = Way {
        device: None,
        output: Vec::new(),
        link: Link::Folder(state.path().to_owned()),
        executed: "none, no VM: nothing is isolated".to_owned(),
        reached: "Unix sockets in the state folder".to_owned(),
    };
    Ok(Prepared { command, way })
}

impl Prepared {
    /// How the guest will be reached.
    pub(crate) fn link(&self) -> &Link {
        &self.way.link
    }

    /// Starts the guest.
    pub(crate) fn start(mut self, console: &Arc<Console>) -> anyhow::Result<Running> {
        let program = self.command.as_std().get_program().to_owned();
        let mut child = guard::spawn(&mut self.command)
            .with_context(|| format!("cannot start {}", program.display()))?;
        self.way.output.extend(follow(console, "", &mut child));
        let way = self.way;
        Ok(Running { child, way })
    }
}

impl Running {
    /// Returns when the guest ended by itself, and its last lines are in the console.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<End> {
        let end = tokio::select! {
            biased;
            status = self.child.wait() => End::Exited(status?),
            status = device_ended(&mut self.way.device) => {
                match timeout(GUEST_FIRST, self.child.wait()).await {
                    Ok(guest) => End::Exited(guest?),
                    Err(_) => End::DeviceBroke(status?),
                }
            }
        };
        self.last_words().await;
        Ok(end)
    }

    /// Ends it at once.
    pub(crate) async fn kill(&mut self) {
        // It fails only for a child that has ended already.
        let _ = self.child.kill().await;
        self.last_words().await;
    }

    async fn last_words(&mut self) {
        if let Some(device) = &mut self.way.device {
            let _ = device.kill().await;
        }
        let _ = timeout(LAST_WORDS, async {
            for output in self.way.output.drain(..) {
                let _ = output.await;
            }
        })
        .await;
    }
}

async fn device_ended(device: &mut Option<Child>) -> std::io::Result<ExitStatus> {
    match device {
        Some(device) => device.wait().await,
        None => std::future::pending().await,
    }
}

fn follow(console: &Arc<Console>, prefix: &'static str, child: &mut Child) -> Vec<JoinHandle<()>> {
    let out = child.stdout.take().map(|out| console.follow(prefix, out));
    let err = child.stderr.take().map(|err| console.follow(prefix, err));
    out.into_iter().chain(err).collect()
}
