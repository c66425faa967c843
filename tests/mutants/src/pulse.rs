//! Says every few seconds that something still goes on.

use std::{
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// How long nothing is said.
const SILENCE: Duration = Duration::from_secs(8);

/// Says it until it is dropped.
pub(crate) struct Pulse {
    _end: Sender<()>,
}

impl Pulse {
    /// What goes on.
    pub(crate) fn start(what: &str) -> Self {
        let (end, ended) = mpsc::channel();
        let what = what.to_owned();
        let began = Instant::now();
        thread::spawn(move || {
            while ended.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("    {what}, {} s", began.elapsed().as_secs());
            }
        });
        Self { _end: end }
    }
}
