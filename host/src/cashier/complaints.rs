//! What goes wrong over and over is said once a minute.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{mutex::held, talk::say};

/// How long the same is not said again.
const SILENCE: Duration = Duration::from_mins(1);

/// What was said last, and when.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<Option<(String, Instant)>>);

impl Complaints {
    /// Says it, unless it was just said.
    pub(crate) fn say(&self, what: &str) {
        let mut last = held(&self.0);
        let is_new = last
            .as_ref()
            .is_none_or(|(said, at)| said != what || at.elapsed() >= SILENCE);
        if is_new {
            say(what);
            *last = Some((what.to_owned(), Instant::now()));
        }
    }
}
