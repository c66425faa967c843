//! NVIDIA's real GPUs, asked through the worker. The only roots here are NVIDIA's: on hardware nothing is simulated.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrysalis_attestation::{
    alone::Verified,
    nvidia::{Devices, GpuEvidence, NvidiaRoots, evidence::read_chain},
};
use chrysalis_wire::gpu::{Answer, FromGpus, MAX_GPUS, Missing, State, Tested, ToGpus, WORKER};
use rustix::fs::{Gid, Uid, chown};
use tokio::{sync::Mutex, time::sleep};

use super::{
    GpuError,
    worker::{Lost, No, Worker},
};
use crate::process::Executable;

/// The worker on the driver's disk. It loads libraries, so it comes with a loader; the enclave itself loads nothing.
const WORKER_FILE: &str = "/nvidia/bin/chrysalis-gpu-nvidia";
const LOADER: &str = "/nvidia/lib64/ld-linux-x86-64.so.2";
const ARGUMENTS: &[&str] = &["--library-path", "/nvidia/lib", WORKER_FILE];
/// CUDA does not cache programs that it compiled: there is no place for them.
const ENVIRONMENT: &[(&str, &str)] = &[("CUDA_CACHE_DISABLE", "1")];

/// The pause between two looks at the GPUs' state.
const LOOK: Duration = Duration::from_secs(5);

/// Hopper: the first generation with a confidential mode.
const LEAST_CAPABILITY: (u32, u32) = (9, 0);
/// Bytes of memory that a GPU of that generation can have: anything else was misread, or is only part of a GPU.
const MEMORY: std::ops::RangeInclusive<u64> = (32 << 30)..=(4 << 40);

/// The machine's GPUs.
pub(super) struct Nvidia {
    /// The worker, or how it was lost. A lost worker is not restarted: the GPUs would have to be set ready again.
    worker: Arc<Mutex<Result<Worker, Lost>>>,
    roots: NvidiaRoots,
    /// How many there were at first, by the worker's word.
    first: OnceLock<u32>,
}

impl Nvidia {
    /// Starts the worker on the driver's disk.
    pub(super) fn start() -> Result<Self, GpuError> {
        let missing = |error: io::Error| GpuError::NoDriver(format!("{WORKER_FILE}: {error}"));
        fs::metadata(WORKER_FILE).map_err(missing)?;
        give_devices(Path::new("/dev")).map_err(missing)?;
        Self::start_program(&Executable {
            path: LOADER.into(),
            arguments: ARGUMENTS,
            environment: ENVIRONMENT,
            unprivileged: false,
        })
        .map_err(missing)
    }

    fn start_program(program: &Executable) -> io::Result<Self> {
        let (process, socket) = program.start()?;
        Ok(Self::new(
            Worker::over(Some(process), socket),
            NvidiaRoots::nvidia(),
        ))
    }

    fn new(worker: Worker, roots: NvidiaRoots) -> Self {
        Self {
            worker: Arc::new(Mutex::new(Ok(worker))),
            roots,
            first: OnceLock::new(),
        }
    }

    /// Whose chains count.
    pub(super) fn roots(&self) -> NvidiaRoots {
        self.roots.clone()
    }

    /// Refuses what the evidence would cause to be refused anyway, in words that say what to turn on or off.
    pub(super) async fn require_confidential(&self) -> Result<(), GpuError> {
        let state = self.state().await?;
        let State {
            gpus,
            confidential,
            production,
            devtools,
        } = state;
        tracing::info!(gpus, confidential, production, devtools, "GPUs found");
        self.first.get_or_init(|| gpus);
        confident(state)
    }

    /// Asks for their state until it is no longer as it should be, or as it was; or until the worker is lost.
    pub(super) async fn trouble(&self) -> GpuError {
        loop {
            let state = match self.state().await {
                Ok(state) => state,
                Err(error) => return error,
            };
            if let Err(error) = confident(state) {
                return error;
            }
            let before = *self.first.get_or_init(|| state.gpus);
            if state.gpus != before {
                let why = format!("there are {}, and there were {before}", state.gpus);
                return GpuError::Changed(why);
            }
            sleep(LOOK).await;
        }
    }

    async fn state(&self) -> Result<State, GpuError> {
        self.ask(ToGpus::State, |answer| match answer {
            FromGpus::State(state) => Some(state),
            _ => None,
        })
        .await
    }

    /// What they answer to `nonce`, not verified.
    pub(super) async fn evidence(&self, nonce: [u8; 32]) -> Result<Vec<GpuEvidence>, GpuError> {
        let answers = self
            .ask(ToGpus::Evidence { nonce }, |answer| match answer {
                FromGpus::Evidence(answers) if answers.len() <= MAX_GPUS => Some(answers),
                _ => None,
            })
            .await?;
        let read = |Answer { report, chain }: Answer| {
            let chain = read_chain(&chain)?;
            Ok(GpuEvidence { report, chain })
        };
        answers
            .into_iter()
            .map(|answer| read(answer).map_err(|rejection| GpuError::refused(&rejection)))
            .collect()
    }

    /// Lets them compute, now that they have been verified.
    pub(super) async fn set_ready(&self, _proof: &Verified<Devices>) -> Result<(), GpuError> {
        self.ask(ToGpus::SetReady, |answer| match answer {
            FromGpus::Ready => Some(()),
            _ => None,
        })
        .await
    }

    /// Checks that all of them compute, as many as were verified. A worker gains nothing by lying here: this finds broken GPUs
    /// before a client does.
    pub(super) async fn test(&self, verified: &Verified<Devices>) -> Result<(), GpuError> {
        let tested = self
            .ask(ToGpus::SelfTest, |answer| match answer {
                FromGpus::Tested(tested) if tested.len() <= MAX_GPUS => Some(tested),
                _ => None,
            })
            .await
            .map_err(|error| match error {
                GpuError::WorkerFailed(why) => GpuError::SelfTest(why),
                other => other,
            })?;
        let (found, verified) = (tested.len(), verified.gpus().len());
        if found != verified {
            let why = format!("CUDA sees {found} GPUs, and {verified} were verified");
            return Err(GpuError::SelfTest(why));
        }
        tested.iter().try_for_each(require_whole)
    }

    /// Asks the worker. A client that goes away while it waits must not leave half an answer for the next one, so the
    /// conversation is a task of its own.
    async fn ask<T: Send + 'static>(
        &self,
        question: ToGpus,
        wanted: fn(FromGpus) -> Option<T>,
    ) -> Result<T, GpuError> {
        let mut held = self.worker.clone().lock_owned().await;
        let conversation = tokio::spawn(async move {
            let heard = match &mut *held {
                Ok(worker) => worker.ask(&question, wanted).await,
                Err(lost) => Err(*lost),
            };
            heard.inspect_err(|lost| *held = Err(*lost))
        });
        match conversation.await.unwrap_or(Err(Lost::Ended))? {
            Ok(answer) => Ok(answer),
            Err(No::Failed(why)) => Err(GpuError::WorkerFailed(why)),
            Err(No::Unconfined(why)) => Err(GpuError::Unconfined(why)),
            Err(No::Missing(Missing::Library { why })) => Err(GpuError::NoDriver(why)),
            Err(No::Missing(Missing::Driver)) => {
                Err(GpuError::NoDriver("none is loaded".to_owned()))
            }
            Err(No::Missing(_)) => Err(GpuError::NoGpu),
        }
    }
}

fn confident(state: State) -> Result<(), GpuError> {
    if !state.confidential {
        return Err(GpuError::NotConfidential("confidential mode is off"));
    }
    if !state.production {
        return Err(GpuError::NotConfidential("its protection is simulated"));
    }
    if state.devtools {
        return Err(GpuError::DevTools);
    }
    Ok(())
}

fn require_whole(tested: &Tested) -> Result<(), GpuError> {
    let Tested {
        name,
        capability,
        memory,
    } = tested;
    if *capability < LEAST_CAPABILITY {
        let (major, minor) = capability;
        let why = format!("{name:?} has compute capability {major}.{minor}, below 9.0");
        return Err(GpuError::SelfTest(why));
    }
    if !MEMORY.contains(memory) {
        let why = format!("{name:?} has {memory} bytes of memory, which no whole GPU has");
        return Err(GpuError::SelfTest(why));
    }
    tracing::info!(name, memory, "GPU tested");
    Ok(())
}

/// The worker runs as its own user; the driver's nodes are made for the administrator.
fn give_devices(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("nvidia") {
            let (user, group) = (Uid::from_raw(WORKER), Gid::from_raw(WORKER));
            chown(entry.path(), Some(user), Some(group))?;
        }
    }
    Ok(())
}

#[cfg(test)]
impl Nvidia {
    /// The same with a worker played by a test.
    pub(super) fn played(socket: tokio::net::UnixStream, roots: NvidiaRoots) -> Self {
        Self::new(Worker::over(None, socket), roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_image_without_the_worker_is_named() {
        let refused = Nvidia::start().err().unwrap();
        assert_eq!(refused.code(), "gpu_driver_missing");
        let why = refused.to_string();
        assert!(why.starts_with("no GPU found: "), "{why}");
        assert!(why.contains(WORKER_FILE), "{why}");
    }

    #[tokio::test]
    async fn a_process_that_ends_is_lost() {
        let program = Executable {
            path: "/bin/true".into(),
            arguments: &[],
            environment: &[],
            unprivileged: false,
        };
        let gpus = Nvidia::start_program(&program).unwrap();
        let refused = gpus.require_confidential().await.unwrap_err();
        assert!(
            matches!(refused, GpuError::WorkerLost(Lost::Ended)),
            "{refused}"
        );
    }

    #[test]
    fn the_devices_become_the_workers_own() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidiactl", "vda"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        if give_devices(folder.path()).is_err() {
            // Only the administrator can change an owner.
            assert!(!rustix::process::geteuid().is_root());
            return;
        }
        let owner = |name: &str| fs::metadata(folder.path().join(name)).unwrap().uid();
        assert_eq!((owner("nvidia0"), owner("nvidiactl")), (WORKER, WORKER));
        assert_ne!(owner("vda"), WORKER);
    }
}
