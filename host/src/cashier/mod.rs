//! Being paid: what enclaves are owed is kept, lanes are looked up, and what is due is claimed (docs/spec/settle.md).
//!
//! Only the payee cares whether a lane is funded, so nothing here is measured or trusted by anyone else. A wrong answer costs the provider,
//! which is why two answers of the chain must agree before one counts. [`answers`] answers the enclave, [`till`] claims, [`book`] is what
//! is on the disk.

mod answers;
mod book;
mod ceiling;
pub(crate) mod command;
mod complaints;
mod lane;
mod ledger;
mod lookout;
pub(crate) mod options;
mod owner;
mod payments;
mod rule;
#[cfg(test)]
mod tests;
mod text;
mod till;
mod verify;

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use chrysalis_chain::server;
use chrysalis_wire::host::{FromHost, NoLane, ToHost};
use tokio::{task::spawn_blocking, time::sleep};

use self::{
    answers::Answers,
    book::Book,
    complaints::Complaints,
    lookout::Lookout,
    options::PaymentOptions,
    text::told,
    till::{Round, Till},
};
use crate::{clock, metrics::takings::Takings, state::StateFolder, talk::say};

/// The time between a lane's two answers.
const PAUSE: Duration = Duration::from_secs(10);
/// The time between two rounds: while claims are under way, and otherwise.
const BUSY: Duration = Duration::from_secs(15);
const CALM: Duration = Duration::from_secs(30);

/// Takes the payments of a run, if it has a payee. Its database is written by this run alone.
pub(crate) struct Cashier {
    floor: u64,
    paid: Option<Paid>,
}

struct Paid {
    answers: Arc<Answers>,
    till: Arc<Till>,
    /// The kernel lets go of it with the process.
    _lock: File,
}

impl Cashier {
    /// For a run without a payee.
    pub(crate) fn unpaid(floor: u64) -> Self {
        Self { floor, paid: None }
    }

    /// As the provider asked for it. Claims and follows the chain from now on.
    pub(crate) async fn start(
        options: &PaymentOptions,
        state: &StateFolder,
    ) -> anyhow::Result<Arc<Self>> {
        let cashier = Arc::new(Self::open(options, state).await?);
        tokio::spawn(Arc::clone(&cashier).keep());
        Ok(cashier)
    }

    async fn open(options: &PaymentOptions, state: &StateFolder) -> anyhow::Result<Self> {
        let floor = options.floor.unwrap_or_default();
        let Some(payee) = &options.payee else {
            return Ok(Self::unpaid(floor));
        };
        let path = options::database(options, state);
        let lock = lock(&path)?;
        let server = server::open_all(&options.chain, &options.chain_key_file)?;
        let payee = payee.clone();
        let opened = spawn_blocking(move || {
            let mut book = Book::open_or_create(&path)?;
            let network = owner::claim(&mut book, &payee, &*server)?;
            let lookout = Lookout::new(server, payee, network);
            anyhow::Ok(Till::new(book, lookout, Arc::new(Takings::default())))
        });
        let till = Arc::new(opened.await??);
        let is_local = till.lookout.is_local();
        if is_local {
            say(
                "payment: the local chain, where nothing is worth anything, and one answer is enough",
            );
        }
        let pause = (!is_local).then_some(PAUSE);
        let answers = Answers::new(Arc::clone(&till), options.conditions(), pause);
        let paid = Some(Paid {
            answers,
            till,
            _lock: lock,
        });
        Ok(Self { floor, paid })
    }

    /// What is counted, if there is a payee.
    pub(crate) fn takings(&self) -> Option<Arc<Takings>> {
        let paid = self.paid.as_ref()?;
        Some(Arc::clone(&paid.till.takings))
    }

    /// Whether there is a payee.
    pub(crate) fn is_paid(&self) -> bool {
        self.paid.is_some()
    }

    /// The chain's global id, as far as it is known.
    pub(crate) fn network(&self) -> Option<i32> {
        self.paid.as_ref()?.till.lookout.known_network()
    }

    /// Answers a question about payment.
    pub(crate) async fn answer(&self, question: ToHost) -> FromHost {
        let Some(paid) = &self.paid else {
            return match question {
                ToHost::Terms => FromHost::Terms { floor: self.floor },
                ToHost::Lane { .. } => NoLane::Unknown.into(),
                _ => FromHost::Refused("this run has no payee: start it with --payee".to_owned()),
            };
        };
        match question {
            ToHost::Terms => paid.answers.terms(),
            ToHost::Lane { purse, lane } => paid.answers.lane(&purse, lane).await,
            ToHost::Owed(owed) => paid.answers.owed(owed).await,
            ToHost::Report(report) => paid.answers.report(report).await,
            _ => FromHost::Refused("this is no question about payment".to_owned()),
        }
    }

    /// For as long as it is polled.
    async fn keep(self: Arc<Self>) {
        let Some(paid) = &self.paid else { return };
        let complaints = Complaints::default();
        loop {
            let till = Arc::clone(&paid.till);
            let round = spawn_blocking(move || clock::now().map(|now| till.round(now.0, false)));
            let round = match round.await {
                Ok(Ok(round)) => round,
                Ok(Err(error)) => Round {
                    trouble: vec![format!("{error:#}")],
                    ..Round::default()
                },
                Err(_) => Round::default(),
            };
            for line in told(&round) {
                say(line);
            }
            for trouble in &round.trouble {
                complaints.say(trouble);
            }
            sleep(if round.open { BUSY } else { CALM }).await;
        }
    }
}

/// Two runs that wrote one database would each let a lane's money be spent.
fn lock(database: &Path) -> anyhow::Result<File> {
    let mut path = database.to_owned().into_os_string();
    path.push(".lock");
    let shown = Path::new(&path).display().to_string();
    let lock = File::create(&path).map_err(|error| {
        anyhow!("cannot make {shown}: {error}\nhint: choose another database with --cashier")
    })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "another run keeps the cashier's database {}\nhint: stop it, or choose another file with --cashier",
            database.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).context(shown),
    }
}
