//! A watchtower: claims from a copy of the database, which it only reads. That the host claims the same at the same time does no harm.

use std::{path::Path, process::ExitCode, thread, time::Duration};

use clap::Args;

use super::open;
use crate::{
    cashier::{
        book::{self, Book, explained},
        complaints::Complaints,
        options::{ChainOptions, DatabaseOptions},
        text::told,
        till::Till,
    },
    clock,
    mutex::held,
    talk::say,
};

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct WatchOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(flatten)]
    chain: ChainOptions,
}

pub(super) fn watch(options: &WatchOptions) -> anyhow::Result<ExitCode> {
    let path = options.database.path()?;
    let copy = Book::read(&path)?;
    let owner = open::owner(&copy)?;
    drop(copy);
    let till = open::till(in_memory()?, owner, &options.chain)?;
    say(format_args!(
        "watching the lanes of {}",
        till.lookout.payee()
    ));
    let complaints = Complaints::default();
    loop {
        if let Err(error) = learn(&till, &path) {
            complaints.say(&format!("going on with what was read last: {error:#}"));
        }
        let round = till.round(clock::now()?.0, false);
        for line in told(&round) {
            say(line);
        }
        for trouble in &round.trouble {
            complaints.say(trouble);
        }
        thread::sleep(PAUSE);
    }
}

fn in_memory() -> anyhow::Result<Book> {
    Book::in_memory().map_err(|error| anyhow::anyhow!(explained(&error)))
}

/// Reads what is new in the copy. As in the database itself, nothing falls that is known already.
pub(in crate::cashier) fn learn(till: &Till, path: &Path) -> anyhow::Result<()> {
    let copy = Book::read(path)?;
    let learned = || -> book::Result<()> {
        let mut book = held(&till.book);
        for lane in copy.lanes()? {
            book.add_lane(&lane)?;
            book.raise(lane.id, lane.locked)?;
        }
        for tab in copy.tabs(None)? {
            let since = tab.paid_at.unwrap_or(tab.first_seen);
            book.put(std::slice::from_ref(&tab.entry), since)?;
        }
        Ok(())
    };
    learned().map_err(|error| anyhow::anyhow!("{}: {}", path.display(), explained(&error)))
}
