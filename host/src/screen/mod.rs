//! What a provider sees while a guest serves: on a terminal one screen, redrawn in place; else a line a minute. Numbers of the whole
//! machine and of its models, nothing of any client.

mod text;

use std::{
    env,
    io::{self, IsTerminal},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::termios::tcgetwinsize;
use tokio::time::{MissedTickBehavior, interval};

use self::text::{Seen, Size};
use crate::{
    guest::Guest,
    metrics::{counters::Counters, presence::Presence},
    talk::{Live, is_json, say},
};

/// How often the screen is redrawn.
const REDRAWN: Duration = Duration::from_millis(500);
/// How often a line is written where there is no terminal.
const WRITTEN: Duration = Duration::from_mins(1);

/// What is shown.
#[derive(Debug)]
pub(crate) struct Screen {
    guest: Arc<Guest>,
    counters: Arc<Counters>,
    /// None in a run without a network.
    presence: Option<Arc<Presence>>,
    listen: SocketAddr,
    platform: String,
    /// Whether to redraw in place.
    live: bool,
    started: Instant,
}

impl Screen {
    /// Of a guest whose clients connect to `listen`. `verbose` asks for lines.
    pub(crate) fn new(
        guest: &Arc<Guest>,
        counters: &Arc<Counters>,
        presence: Option<Arc<Presence>>,
        listen: SocketAddr,
        platform: String,
        verbose: bool,
    ) -> Self {
        Self {
            guest: Arc::clone(guest),
            counters: Arc::clone(counters),
            presence,
            listen,
            platform,
            live: !verbose && !is_json() && terminal(),
            started: Instant::now(),
        }
    }

    /// Shows it for as long as it is polled.
    pub(crate) async fn show(&self) {
        if self.live {
            self.redraw().await;
        } else {
            self.write().await;
        }
    }

    async fn redraw(&self) {
        let mut clock = interval(REDRAWN);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let live = Live::new();
        loop {
            clock.tick().await;
            let lines = text::screen(&self.seen(), size());
            // Without a terminal there is nothing to show, and the guest serves on.
            if live.draw(lines).is_err() {
                return;
            }
        }
    }

    async fn write(&self) {
        let mut clock = interval(WRITTEN);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        loop {
            clock.tick().await;
            let line = text::line(&self.seen());
            // A machine at rest says nothing.
            if line != before {
                if let Some(line) = &line {
                    say(line);
                }
                before = line;
            }
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            busy: self.guest.busy(Instant::now()),
            counters: &self.counters,
            presence: self.presence.as_deref(),
            listen: self.listen,
            platform: &self.platform,
            up: self.started.elapsed(),
        }
    }
}

/// Whether a person looks, at something that can redraw.
fn terminal() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    !dumb && io::stdout().is_terminal() && io::stderr().is_terminal()
}

fn size() -> Size {
    let usual = Size::default();
    tcgetwinsize(io::stderr()).map_or(usual, |size| Size {
        columns: match size.ws_col {
            0 => usual.columns,
            columns => columns.into(),
        },
        rows: match size.ws_row {
            0 => usual.rows,
            rows => rows.into(),
        },
    })
}
