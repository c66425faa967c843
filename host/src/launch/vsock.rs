//! The host's end of the guest's vsock: the kernel's if it works, or else a program's.

use std::{
    fmt,
    fs::OpenOptions,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener};

use super::{guard, programs};
use crate::{guest::link::Link, state::StateFolder};

/// The longest that the program may take to be ready for QEMU.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// Context ids under this one are not for guests.
const FIRST_GUEST_CID: u32 = 3;
/// The program's socket for QEMU, in the state folder.
const FOR_QEMU: &str = "vhost.sock";
/// The kernel gives a free port for this one.
const ANY_PORT: u32 = u32::MAX;

/// A way to give a guest a vsock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VsockWay {
    /// `/dev/vhost-vsock`
    Kernel,
    /// `vhost-device-vsock`, at this place.
    Device(PathBuf),
}

impl fmt::Display for VsockWay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel => formatter.write_str("AF_VSOCK by /dev/vhost-vsock"),
            Self::Device(program) => write!(formatter, "{}", program.display()),
        }
    }
}

impl VsockWay {
    /// The best that works here.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let why = match kernel() {
            Ok(()) => return Ok(Self::Kernel),
            Err(why) => why,
        };
        match programs::vsock_device() {
            Some(program) => Ok(Self::Device(program)),
            None => bail!(
                "{why}, and there is no vhost-device-vsock\n\
                 hint: run `modprobe vhost_vsock` as root, or `cargo install vhost-device-vsock --version 0.3.0 --locked`"
            ),
        }
    }
}

/// Whether the kernel's vsock works, by using it; if not, what is in its way.
pub(crate) fn kernel() -> Result<(), String> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/vhost-vsock")
        .map_err(|error| format!("/dev/vhost-vsock does not open ({error})"))?;
    VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, ANY_PORT))
        .map(drop)
        .map_err(|error| format!("AF_VSOCK sockets do not work ({error})"))
}

/// A context id that no other guest of this machine has, since no other process has our id.
pub(super) fn guest_cid() -> u32 {
    FIRST_GUEST_CID.saturating_add(std::process::id())
}

/// Where the program listens for QEMU.
pub(super) fn socket(state: &Path) -> PathBuf {
    state.join(FOR_QEMU)
}

/// Starts the program, and returns when QEMU can connect to its socket.
pub(super) async fn start(
    program: &Path,
    state: &StateFolder,
) -> anyhow::Result<(Child, PathBuf, Link)> {
    let for_qemu = state.fresh(FOR_QEMU)?;
    let for_us = state.fresh("vsock.sock")?;
    state.fresh("vsock.sock_1024")?;
    let mut command = Command::new(program);
    command
        .arg("--socket")
        .arg(&for_qemu)
        .arg("--uds-path")
        .arg(&for_us);
    let mut child = guard::spawn(&mut command)
        .with_context(|| format!("cannot start {}", program.display()))?;
    let ready = async {
        while !for_qemu.exists() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ready = timeout(START_PATIENCE, ready) => {
            ready.with_context(|| format!("{} was not ready within {START_PATIENCE:?}", program.display()))?;
        }
        status = child.wait() => bail!("{} ended at once ({})", program.display(), status?),
    }
    Ok((child, for_qemu, Link::Device(for_us)))
}
