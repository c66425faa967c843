//! What the enclave tells the room, over a socket pair: which engine to start, and what it may see. One [`Plan`] in, one
//! [`FromRoom`] back; after [`FromRoom::Walled`] nothing more is said, and whichever end closes first ends the engine. Right behind the
//! plan come the bytes of its [secrets](Plan::secrets), bare and in order, so that each has one place in the room's memory.
//!
//! The plan comes from the measured configuration and from the engine's measured disk. The room holds no key but on their way the
//! engine's own secrets, and reads no prompt; what the engine does later does not pass through these messages.

use serde::{Deserialize, Serialize};

/// The most bytes of a room's words that are repeated to anybody.
pub const MAX_WHY: usize = 512;
/// The smallest user number that a room takes: those below are the machine's own.
pub const MIN_USER: u32 = 10_000;
/// The socket on which an engine answers, as it sees it; outside, it lies in [`Plan::run`].
pub const SOCKET: &str = "/run/e.sock";
/// Its name in [`Plan::run`].
pub const SOCKET_NAME: &str = "e.sock";
/// The socket on which audio is turned into what an engine reads, as it sees it; outside, it lies in [`Plan::run`].
///
/// One connection a file: the file to the end of one direction, then the program's output, [`PREPARED`] and one byte, the
/// program's exit code. Without these last five bytes there is no answer.
pub const PREPARE_SOCKET: &str = "/run/prepare.sock";
/// Its name in [`Plan::run`].
pub const PREPARE_SOCKET_NAME: &str = "prepare.sock";
/// What comes after the program's output, before its exit code.
pub const PREPARED: [u8; 4] = *b"done";
/// The exit code of a program that was killed, or that did not start.
pub const PREPARE_KILLED: u8 = 255;
/// How many files are prepared at once; more wait.
pub const MAX_PREPARING: u8 = 2;
/// The model, as an engine sees it: a file, or a folder.
pub const MODEL: &str = "/model";
/// The folder of its secrets, as an engine sees it: files in memory.
pub const SECRETS: &str = "/secrets";

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
    /// The program beside the engine, in the same room, that turns audio into what the engine reads.
    pub prepare: Option<Prepare>,
    /// The files in [`SECRETS`], for the engine's user alone to read. Without any, there is no such folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretFile>,
    /// Go on where the kernel has no Landlock or no cgroups: for tests and development, never in an image.
    pub partial: bool,
}

/// A secret, whose bytes follow the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFile {
    /// Its name: [`is_secret_name`](crate::configuration::is_secret_name), and no other's.
    pub name: String,
    /// How many bytes it has: 1 to [`MAX_SECRET`](crate::configuration::MAX_SECRET).
    pub bytes: u32,
}

/// A program that prepares what an engine reads: one process for each file, from standard input to standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The program, as the engine sees it: an absolute path. It gets no arguments and no environment.
    pub program: String,
    /// How long it may take, in seconds: at least 1.
    pub seconds: u32,
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
