//! What the enclave asks of a room: the walls around an engine. One plan in, one answer back, over a Unix socket; then the
//! socket's end says that the engine has ended.

use serde::{Deserialize, Serialize};

/// Where the engine listens, inside.
pub const SOCKET: &str = "/run/e.sock";
/// The socket's name in [`Plan::run`].
pub const SOCKET_NAME: &str = "e.sock";
/// Where the model is, inside: a file, or a folder.
pub const MODEL: &str = "/model";

/// What to build, and what to start in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The tree of the engine's disk, outside.
    pub root: String,
    /// The model, outside: a block device, a file or a folder. It becomes [`MODEL`].
    pub model: Option<String>,
    /// A folder, outside, that becomes `/run`: the engine makes [`SOCKET`] in it.
    pub run: String,
    /// The program, inside.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory, inside.
    pub directory: String,
    /// Which system calls it may make.
    pub walls: Walls,
    /// A port of 127.0.0.1, inside, that is to be reached through [`SOCKET`], for an engine that knows TCP alone.
    pub port: Option<u16>,
    /// Its user and group: one for each room.
    pub user: u32,
    /// What it may have in memory.
    pub memory_mib: u32,
    /// Processes and threads that it may have.
    pub processes: u32,
    /// Device nodes that it may use.
    pub devices: Vec<String>,
    /// Files and folders that it may read besides: outside, inside.
    pub libraries: Vec<(String, String)>,
    /// Go on where the kernel lacks Landlock or cgroups: for tests, and an enclave that is an ordinary process.
    pub partial: bool,
}

/// Which system calls an engine may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Walls {
    /// What a server in C++ makes.
    Native,
    /// What Python and its libraries make.
    Python,
}

/// The room's answer, before the engine runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromRoom {
    /// All walls are up, and the program is started next.
    Walled,
    /// The kernel does not put up all of them.
    Unconfined {
        /// What is missing.
        why: String,
    },
    /// There is nothing to start, or it would not.
    NotStarted {
        /// Why.
        why: String,
    },
}
