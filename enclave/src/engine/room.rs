//! An engine's room: a process of ours that builds the walls, starts the engine in them, and ends with it (`enclave/room`).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrysalis_wire::{
    configuration::{Device, Engine, Model},
    frame::{self, FrameError},
    room::{FromRoom, MAX_WHY, Plan, Prepare, SOCKET_NAME, SecretFile, Walls},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::{
    card::Card,
    end::{Aborted, End},
    gpus,
};
use crate::{
    boot::Ground,
    disks::Disks,
    failure::Failure,
    machine::Machine,
    process::{Executable, Process},
    secrets::{Given, Secret},
};

/// The program's file, next to the enclave's own.
const PROGRAM: &str = "chrysalis-room";
/// How long walls may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first of the engines' users. Each process has one that no other process has had lately.
const FIRST_USER: u32 = 20_000;
/// Users of one model.
const USERS: u32 = 64;
/// How long one file may be prepared: decoding half an hour of audio takes seconds.
const PREPARE_SECONDS: u32 = 120;

/// Opens rooms for one model.
pub(super) struct Rooms {
    program: PathBuf,
    engine: Engine,
    tree: PathBuf,
    model: PathBuf,
    /// The model's number.
    index: u32,
    /// Whether the machine is the enclave's own.
    own: bool,
    places: PathBuf,
}

/// A room with an engine in it, which ends when this is dropped.
pub(super) struct Room {
    /// Where the engine listens.
    pub(super) socket: PathBuf,
    /// Its end.
    pub(super) end: Arc<End>,
    _watch: Aborted,
    _run: RunFolder,
}

/// A folder for an engine's socket. It goes with the room.
struct RunFolder(PathBuf);

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process whose end may take a moment: the enclave does not wait for it.
struct Ending(Option<Process>);

impl Drop for Ending {
    fn drop(&mut self) {
        let process = self.0.take();
        std::thread::spawn(move || drop(process));
    }
}

impl Rooms {
    /// Those of a model, which has this number in the configuration, and its engine.
    pub(super) fn of(
        ground: &Ground,
        disks: &Disks,
        (index, model): (u32, &Model),
        engine: &Engine,
    ) -> io::Result<Self> {
        let own = ground.machine == Machine::Own;
        Ok(Self {
            program: std::env::current_exe()?.with_file_name(PROGRAM),
            engine: engine.clone(),
            tree: disks.tree(&engine.disk),
            model: disks.model(model),
            index,
            own,
            places: if own {
                PathBuf::from("/rooms")
            } else {
                std::env::temp_dir().join(format!("chrysalis-rooms-{}", std::process::id()))
            },
        })
    }

    /// Whether two processes may live at once: a GPU's memory has room for one.
    pub(super) fn may_overlap(&self) -> bool {
        self.engine.devices.is_empty()
    }

    /// What one process may have in memory.
    pub(super) const fn memory_mib(&self) -> u32 {
        self.engine.memory_mib
    }

    /// Opens a room and starts the engine in it.
    pub(super) async fn open(
        &self,
        card: &Card,
        model: &Model,
        number: u32,
        given: &Given,
    ) -> Result<Room, Failure> {
        let failed = |why: String| Failure::Engine {
            model: model.name.clone(),
            why,
        };
        let user = FIRST_USER
            .saturating_add(self.index.saturating_mul(USERS))
            .saturating_add(number % USERS);
        let run = self
            .folder(user)
            .map_err(|error| failed(format!("it got no folder for its socket: {error}")))?;
        let mut plan = self.plan(card, model, user, &run).map_err(failed)?;
        plan.secrets = given.secrets.iter().map(file).collect();
        let program = Executable {
            path: self.program.clone(),
            arguments: &[],
            environment: &[],
            unprivileged: false,
        };
        let started = program.start();
        let (process, mut socket) =
            started.map_err(|error| failed(format!("{}: {error}", self.program.display())))?;
        let process = Ending(Some(process));
        match timeout(PATIENCE, walls(&mut socket, &plan, given)).await {
            Ok(Ok(FromRoom::Walled)) => {}
            Ok(Ok(FromRoom::Unconfined { why })) => {
                return Err(Failure::Unconfined {
                    model: model.name.clone(),
                    why: shortened(why),
                });
            }
            Ok(Ok(FromRoom::NotStarted { why })) => return Err(failed(shortened(why))),
            Ok(Ok(_) | Err(_)) => return Err(failed("its room broke its protocol".to_owned())),
            Err(_) => return Err(failed("its room was not built in time".to_owned())),
        }
        let end = Arc::<End>::default();
        let told = end.clone();
        let watch = tokio::spawn(async move {
            let _process = process;
            // Nothing more is said: the socket's end is the engine's.
            let _ = socket.read(&mut [0]).await;
            told.came();
        });
        Ok(Room {
            socket: self.socket(user),
            end,
            _watch: Aborted(watch),
            _run: run,
        })
    }

    fn place(&self, user: u32) -> PathBuf {
        self.places.join(user.to_string())
    }

    fn socket(&self, user: u32) -> PathBuf {
        self.place(user).join(SOCKET_NAME)
    }

    fn folder(&self, user: u32) -> io::Result<RunFolder> {
        let place = self.place(user);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::create_dir_all(&place)?;
        Ok(RunFolder(place))
    }

    fn plan(&self, card: &Card, model: &Model, user: u32, run: &RunFolder) -> Result<Plan, String> {
        let start = &card.start;
        let gpus = self.engine.devices.contains(&Device::Nvidia);
        Ok(Plan {
            root: text(&self.tree)?,
            model: Some(text(&self.model)?),
            run: text(&run.0)?,
            program: start.program.clone(),
            arguments: card.arguments(&self.engine, model)?,
            environment: start.environment.clone().into_iter().collect(),
            directory: start.directory.clone(),
            walls: start.walls,
            port: start.port,
            user,
            memory_mib: self.engine.memory_mib,
            processes: match start.walls {
                Walls::Python => 4096,
                Walls::Native => 512,
            },
            devices: if gpus { gpus::nodes()? } else { Vec::new() },
            libraries: if gpus { gpus::libraries()? } else { Vec::new() },
            prepare: start.prepare.clone().map(|program| Prepare {
                program,
                seconds: PREPARE_SECONDS,
            }),
            secrets: Vec::new(),
            partial: !self.own,
        })
    }
}

/// Says it all and hears the answer. A room that refuses a plan may not wait for all of it.
async fn walls(
    socket: &mut UnixStream,
    plan: &Plan,
    given: &Given,
) -> Result<FromRoom, FrameError> {
    let sent = tell(socket, plan, given).await;
    match frame::read_async(socket).await {
        Ok(answer) => Ok(answer),
        Err(error) => Err(sent.err().unwrap_or(error)),
    }
}

/// The secrets go bare behind the plan: this memory is the last that they pass on their way to the engine's own files.
async fn tell(socket: &mut UnixStream, plan: &Plan, given: &Given) -> Result<(), FrameError> {
    frame::write_async(socket, plan).await?;
    for secret in &given.secrets {
        socket.write_all(&secret.value).await?;
    }
    Ok(())
}

/// What is said of a secret before it comes. One that is too long is refused by the room.
fn file(secret: &Secret) -> SecretFile {
    SecretFile {
        name: secret.name.clone(),
        bytes: u32::try_from(secret.value.len()).unwrap_or(u32::MAX),
    }
}

fn text(path: &Path) -> Result<String, String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn shortened(mut why: String) -> String {
    let mut end = why.len().min(MAX_WHY);
    while !why.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    why.truncate(end);
    why
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::secrets::Secrets;

    fn plan(given: &Given) -> Plan {
        Plan {
            root: "/disk".into(),
            model: None,
            run: "/run".into(),
            program: "/engine".into(),
            arguments: vec![],
            environment: vec![],
            directory: "/".into(),
            walls: Walls::Native,
            port: None,
            user: FIRST_USER,
            memory_mib: 1,
            processes: 1,
            devices: vec![],
            libraries: vec![],
            prepare: None,
            secrets: given.secrets.iter().map(file).collect(),
            partial: true,
        }
    }

    fn given() -> Arc<Given> {
        let names = ["licence", "token"].map(String::from);
        let values = [b"word".to_vec(), vec![7; 3]].map(Into::into);
        Secrets::new(&names, values.into_iter()).now()
    }

    /// What a room reads, and the enclave's other end, to which it says this.
    async fn heard(says: &[FromRoom]) -> (Vec<u8>, Result<FromRoom, FrameError>) {
        let (mut enclave, room) = UnixStream::pair().unwrap();
        let mut room = room.into_std().unwrap();
        room.set_nonblocking(false).unwrap();
        for word in says {
            frame::write(&mut room, word).unwrap();
        }
        room.shutdown(std::net::Shutdown::Write).unwrap();
        let given = given();
        let answer = walls(&mut enclave, &plan(&given), &given).await;
        drop(enclave);
        let mut words = Vec::new();
        room.read_to_end(&mut words).unwrap();
        (words, answer)
    }

    #[tokio::test]
    async fn secrets_follow_the_plan_that_announces_them_and_are_not_in_it() {
        let (words, answer) = heard(&[FromRoom::Walled]).await;
        assert_eq!(answer.unwrap(), FromRoom::Walled);
        let mut rest = words.as_slice();
        let plan: Plan = frame::read(&mut rest).unwrap();
        let announced: Vec<_> = plan
            .secrets
            .iter()
            .map(|it| (it.name.as_str(), it.bytes))
            .collect();
        assert_eq!(announced, [("licence", 4), ("token", 3)]);
        assert_eq!(rest, b"word\x07\x07\x07");
    }

    #[tokio::test]
    async fn a_room_that_ends_without_a_word_is_an_error() {
        assert!(heard(&[]).await.1.is_err());
    }

    /// A room that refuses the plan reads no secret.
    #[tokio::test]
    async fn a_room_that_refuses_at_once_is_heard() {
        let (mut enclave, room) = UnixStream::pair().unwrap();
        let mut room = room.into_std().unwrap();
        room.set_nonblocking(false).unwrap();
        let why = FromRoom::NotStarted { why: "no".into() };
        frame::write(&mut room, &why).unwrap();
        drop(room);
        let given = given();
        let answer = walls(&mut enclave, &plan(&given), &given).await;
        assert_eq!(answer.unwrap(), why);
    }
}
