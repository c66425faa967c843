//! Claims now.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use chrysalis_chain::amount;
use clap::Args;

use super::open;
use crate::{
    cashier::{
        book::Book,
        options::{ChainOptions, DatabaseOptions},
        till::{Round, Till},
    },
    clock,
    format::print,
};

/// Something that was claimed is not paid yet, or nothing could be asked.
const NOT_YET: u8 = 1;
/// Between two looks at the chain.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(crate) struct ClaimOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(flatten)]
    chain: ChainOptions,
    /// Claim all that the contract pays, however much of it goes in fees
    #[arg(long)]
    all: bool,
    /// The longest to wait for the chain to show it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

pub(super) fn claim(options: &ClaimOptions) -> anyhow::Result<ExitCode> {
    let book = Book::open(&options.database.path()?)?;
    let owner = open::owner(&book)?;
    let till = open::till(book, owner, &options.chain)?;
    let paid = settle(&till, options.all, Duration::from_secs(options.wait), PAUSE)?;
    Ok(if paid {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_YET)
    })
}

/// Makes rounds until nothing is under way. Whether that came to pass in time.
fn settle(till: &Till, all: bool, wait: Duration, pause: Duration) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let mut is_first = true;
    loop {
        let round = till.round(clock::now()?.0, all && is_first);
        show(&round)?;
        let is_over = !round.open && round.trouble.is_empty();
        if is_over && round.paid.is_empty() && is_first {
            print("nothing is worth a claim\n")?;
        }
        if is_over || begun.elapsed() >= wait {
            return Ok(is_over);
        }
        is_first = false;
        thread::sleep(pause);
    }
}

fn show(round: &Round) -> anyhow::Result<()> {
    for sent in &round.sent {
        print(&format!(
            "claimed {} of lane {}\n",
            amount::write(sent.due),
            sent.lane
        ))?;
    }
    for sent in &round.paid {
        let fees = sent.cost.map_or("fees not known".to_owned(), |cost| {
            format!("{} of it in fees", amount::write(cost))
        });
        let paid = amount::write(sent.paid.unwrap_or_default());
        print(&format!("paid {paid} from lane {}, {fees}\n", sent.lane))?;
    }
    for trouble in &round.trouble {
        eprintln!("{trouble}");
    }
    Ok(())
}
