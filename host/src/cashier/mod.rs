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
mod fleet;
mod lane;
mod ledger;
mod lookout;
pub(crate) mod options;
mod owner;
mod payments;
mod rule;
mod slice;
#[cfg(test)]
mod tests;
mod text;
mod till;
mod verify;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use chrysalis_chain::server;
use chrysalis_wire::host::{FromHost, NoLane, ToHost};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout_at},
};
use tycho_types::models::StdAddr;

use self::{
    answers::{Answers, Conditions},
    book::Book,
    complaints::Complaints,
    fleet::{Remote, Secret},
    lookout::Lookout,
    options::{FleetOptions, PaymentOptions},
    text::told,
    till::{Round, Till},
};
use crate::{clock, metrics::takings::Takings, state::StateFolder, talk::say};

/// The time between a lane's two answers.
const PAUSE: Duration = Duration::from_secs(10);
/// The time between two rounds: while claims are under way, and otherwise.
const BUSY: Duration = Duration::from_secs(15);
const CALM: Duration = Duration::from_secs(30);
/// How long the last claims may take, and how often the chain is asked about them.
const FAREWELL: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_secs(3);

/// Takes the payments of a run, if it has a payee. Its database is written by this run alone.
pub(crate) struct Cashier {
    floor: u64,
    paid: Option<Paid>,
    /// Of the fleet, if it has one: then this run keeps nothing itself.
    remote: Option<Remote>,
}

struct Paid {
    answers: Arc<Answers>,
    till: Arc<Till>,
    /// The kernel lets go of it with the process. None where several share a database.
    _lock: Option<File>,
}

impl Cashier {
    /// For a run without a payee.
    pub(crate) fn unpaid(floor: u64) -> Self {
        Self {
            floor,
            paid: None,
            remote: None,
        }
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
        if let (Some(address), Some(file)) = (&options.fleet_cashier, &options.fleet_secret_file) {
            let remote = Remote::new(address.clone(), Secret::read(file)?)?;
            return Ok(Self {
                floor,
                paid: None,
                remote: Some(remote),
            });
        }
        let path = options::database(options.cashier.as_ref(), state);
        let place = Place::File(path.clone(), lock(&path)?);
        let opened = open(place, payee, &options.chain, &options.chain_key_file).await?;
        Ok(Self::with(options.conditions(), opened, false))
    }

    /// For a fleet.
    async fn of_fleet(options: &FleetOptions, state: &StateFolder) -> anyhow::Result<Self> {
        let path = options::database(options.cashier.as_ref(), state);
        #[cfg(feature = "postgres")]
        let shared = options.postgres.clone().map(Place::Postgres);
        #[cfg(not(feature = "postgres"))]
        let shared: Option<Place> = None;
        let place = match shared {
            Some(place) => place,
            None => Place::File(path.clone(), lock(&path)?),
        };
        let chain = &options.chain;
        let opened = open(place, &options.payee, &chain.chain, &chain.chain_key_file).await?;
        Ok(Self::with(options.lanes.conditions(0), opened, true))
    }

    fn with(conditions: Conditions, (till, lock): (Till, Option<File>), of_fleet: bool) -> Self {
        let till = Arc::new(till);
        let is_local = till.lookout.is_local();
        if is_local {
            say(
                "payment: the local chain, where nothing is worth anything, and one answer is enough",
            );
        }
        let pause = (!is_local).then_some(PAUSE);
        let answers = if of_fleet {
            Answers::of_fleet(Arc::clone(&till), conditions, pause)
        } else {
            Answers::new(Arc::clone(&till), conditions, pause)
        };
        let paid = Some(Paid {
            answers,
            till,
            _lock: lock,
        });
        Self {
            floor: conditions.floor,
            paid,
            remote: None,
        }
    }

    /// Who answers, if there is a database here.
    fn answers(&self) -> Option<Arc<Answers>> {
        self.paid.as_ref().map(|paid| Arc::clone(&paid.answers))
    }

    /// What is counted, if there is a payee.
    pub(crate) fn takings(&self) -> Option<Arc<Takings>> {
        let paid = self.paid.as_ref()?;
        Some(Arc::clone(&paid.till.takings))
    }

    /// Whether there is a payee.
    pub(crate) fn is_paid(&self) -> bool {
        self.paid.is_some() || self.remote.is_some()
    }

    /// The chain's global id, as far as it is known.
    pub(crate) fn network(&self) -> Option<i32> {
        self.paid.as_ref()?.till.lookout.known_network()
    }

    /// Answers a question about payment.
    pub(crate) async fn answer(&self, question: ToHost) -> FromHost {
        if let (Some(remote), false) = (&self.remote, question == ToHost::Terms) {
            return remote.answer(question).await;
        }
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

    /// Claims what the enclave that is gone has left: no tab of its key grows any more, so nothing is gained by waiting. For as long as
    /// the chain takes, and a minute at most; what is not paid by then is claimed by whoever keeps the database next.
    pub(crate) async fn claim_the_last(&self) {
        if let Some(remote) = &self.remote {
            remote.farewell().await;
        }
        let Some(paid) = &self.paid else { return };
        let end = Instant::now() + FAREWELL;
        let mut is_first = true;
        loop {
            let (till, asked) = (Arc::clone(&paid.till), is_first);
            let round = spawn_blocking(move || clock::now().map(|now| till.round(now.0, asked)));
            let Ok(Ok(Ok(round))) = timeout_at(end, round).await else {
                say(
                    "payment: the last claims are not seen as paid yet\nhint: the next run claims again, as does `chrysalis-host cashier claim`",
                );
                return;
            };
            for line in told(&round) {
                say(line);
            }
            if !round.open && round.trouble.is_empty() {
                return;
            }
            is_first = false;
            sleep(LOOK.min(end.saturating_duration_since(Instant::now()))).await;
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

/// Where a database is.
enum Place {
    File(PathBuf, File),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

/// Opens the database for this payee, and asks the chain whose it is. With the lock that goes with it.
async fn open(
    place: Place,
    payee: &StdAddr,
    chain: &[String],
    keys: &[PathBuf],
) -> anyhow::Result<(Till, Option<File>)> {
    let server = server::open_all(chain, keys)?;
    let payee = payee.clone();
    let opened = spawn_blocking(move || {
        let (mut book, lock) = match place {
            Place::File(path, lock) => (Book::open_or_create(&path)?, Some(lock)),
            #[cfg(feature = "postgres")]
            Place::Postgres(words) => (Book::postgres(&words)?, None),
        };
        let network = owner::claim(&mut book, &payee, &*server)?;
        let lookout = Lookout::new(server, payee, network);
        let till = Till::new(book, lookout, Arc::new(Takings::default()));
        let till = if lock.is_none() { till.shared() } else { till };
        anyhow::Ok((till, lock))
    });
    opened.await?
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
