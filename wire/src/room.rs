//! What the enclave tells the room, over a socket pair: which engine to start, and what it may see. One [`Plan`] in, one
//! [`FromRoom`] back; after [`FromRoom::Walled`] nothing more is said, and whichever end closes first ends the engine.
//!
//! The plan comes from the measured configuration and from the engine's measured disk. The room holds no key and reads no
//! prompt, and what the engine does later does not pass through these messages.

use serde::{Deserialize, Serialize};

/// The most bytes of a room's words that are repeated to anybody.
pub const MAX_WHY: usize = 512;
/// The smallest user number that a room takes: those below are the machine's own.
pub const MIN_USER: u32 = 10_000;
/// The socket on which an engine answers, as it sees it; outside, it lies in [`Plan::run`].
pub const SOCKET: &str = "/run/e.sock";
/// Its name in [`Plan::run`].
pub const SOCKET_NAME: &str = "e.sock";
/// The model, as an engine sees it: a file, or a folder.
pub const MODEL: &str = "/model";

/// One engine: what to start, and what it may see and use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The folder outside whose entries become the engine's root, read-only: its mounted disk.
    pub root: String,
    /// The model outside: a block device or a file, which becomes the file [`MODEL`], or a folder.
    pub model: Option<String>,
    /// The folder outside that becomes `/run`. The room makes it the engine's own; [`SOCKET`] appears in it.
    pub run: String,
    /// The program, as the engine sees it: an absolute path.
    pub program: String,
    /// Its arguments, ready to use.
    pub arguments: Vec<String>,
    /// Its whole environment; with [`Walls::Python`], `HOME` is added where it is not named.
    pub environment: Vec<(String, String)>,
    /// Its working directory, as the engine sees it: an absolute path.
    pub directory: String,
    /// What it needs of a system.
    pub walls: Walls,
    /// The port of 127.0.0.1 on which it answers, if it cannot answer on [`SOCKET`] itself: the room carries one to the
    /// other.
    pub port: Option<u16>,
    /// Its user and its group, of which no one else is, except another process of the same model: at least [`MIN_USER`].
    pub user: u32,
    /// The most memory for all of it, in MiB: at least 1.
    pub memory_mib: u32,
    /// The most processes and threads, together: at least 1.
    pub processes: u32,
    /// Device nodes that it may use, below `/dev`, at the same place inside.
    pub devices: Vec<String>,
    /// Files and folders to add, read-only: the place outside, then the place inside, an absolute path.
    pub libraries: Vec<(String, String)>,
    /// Go on where the kernel has no Landlock or no cgroups: for tests and development, never in an image.
    pub partial: bool,
}

/// What an engine needs of a system, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Walls {
    /// A compiled program: threads, files and its socket. No processes, no `/proc`, no devices but those of the plan.
    Native,
    /// A Python interpreter: processes of its own, TCP among them, `/proc`, `/dev/shm`, and a home.
    Python,
}

/// The room's one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromRoom {
    /// Every wall is up, and the program has been started within them.
    Walled,
    /// The kernel does not put up all of the walls; the room exits next.
    Unconfined {
        /// What is missing, for people; at most [`MAX_WHY`] bytes.
        why: String,
    },
    /// The plan cannot be followed; the room exits next.
    NotStarted {
        /// Why, for people; at most [`MAX_WHY`] bytes.
        why: String,
    },
}
