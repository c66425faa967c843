//! Being found: what the enclave offers is listed in every directory of the network that the provider chose, and its price reports are
//! passed on (docs/spec/network.md).
//!
//! The enclave signs what it offers, the operator signs where it is; a directory can leave out both, and change neither. Directories are
//! other people's machines: one that is down or slow, or says no, is named once and asked again, and the guest serves on.

mod descriptor;
mod directory;
mod edition;
mod operator;
pub(crate) mod options;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{anyhow, ensure};
use chrysalis_chain::{Address, amount};
use chrysalis_collateral::Http;
use chrysalis_network::{Descriptor, MAX_ENDPOINTS};
use chrysalis_settle::SignedReport;
use chrysalis_wire::configuration::{Configuration, Payment};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout_at},
};

use self::{
    directory::Directory,
    edition::{Edition, Offered, Terms},
    operator::Operator,
    options::NetworkOptions,
};
use crate::{
    cashier::options::PaymentOptions, clock, metrics::presence::Presence, mutex::held,
    state::StateFolder, talk::say,
};

/// How fast everything is.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// How long a listing lasts, and how long after it is made the next one is. Long before the end, so that a directory may be down for
    /// a while.
    lasts: Duration,
    renewed: Duration,
    /// The least time from one edition to the next, whatever the guest offers.
    least: Duration,
    /// How long a directory may take for one thing.
    patience: Duration,
    /// The first pause before a directory is asked again, and the longest.
    back_off: (Duration, Duration),
    /// How long all directories together may take for the end.
    farewell: Duration,
}

const PACE: Pace = Pace {
    lasts: Duration::from_mins(50),
    renewed: Duration::from_mins(20),
    least: Duration::from_secs(5),
    patience: Duration::from_secs(20),
    back_off: (Duration::from_secs(1), Duration::from_mins(2)),
    farewell: Duration::from_secs(5),
};

/// Lists what one run serves.
pub(crate) struct Lister {
    network: Descriptor,
    terms: Terms,
    operator: Operator,
    /// What the line says of the price.
    price: String,
    pace: Pace,
    directories: Vec<Arc<Directory>>,
    offered: watch::Sender<Arc<Offered>>,
    editions: watch::Sender<Option<Arc<Edition>>>,
    counts: Arc<Presence>,
    said: Mutex<Said>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Said {
    /// The number of the newest edition.
    seq: u64,
    /// How many directories list, as it was said last.
    listed: Option<usize>,
    /// What was said of models that are not listed, or of why nothing is.
    complaint: Option<String>,
}

impl Lister {
    /// As the provider asked for it; none without a network. `chain` is the global id of the chain that the cashier asks, if it is known.
    pub(crate) async fn start(
        options: &NetworkOptions,
        payment: &PaymentOptions,
        configuration: &Configuration,
        chain: Option<i32>,
        state: &StateFolder,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let (Some(source), Some(key)) = (&options.network, &options.operator_key) else {
            return Ok(None);
        };
        check_endpoints(options)?;
        let operator = Operator::read(key)?;
        let payee = payee(configuration.serving.payment, payment)?;
        let http = Arc::new(Http::new());
        let (wanted, asked) = (options.clone(), Arc::clone(&http));
        let (from, seen, now) = (source.clone(), state.join(descriptor::SEEN), clock::now()?);
        let read = spawn_blocking(move || descriptor::read(&wanted, &from, &seen, &asked, now));
        let network = read.await??;
        let wanted = network.chain.global_id;
        ensure!(
            payee.is_none() || chain.is_none_or(|found| found == wanted),
            "the network {} is paid on the chain {wanted}, and --chain is asked about {}\nhint: name a server of the network's chain",
            network.name,
            chain.unwrap_or_default()
        );
        let price = match payee {
            None => "free".to_owned(),
            Some(_) => format!(
                "floor {} a million tokens   lanes from {}",
                amount::write(payment.floor.unwrap_or_default()),
                amount::write(payment.lanes.lane_min)
            ),
        };
        let terms = Terms {
            network: network.id(),
            payee: payee.unwrap_or_default(),
            lane_min: payment.lanes.lane_min,
            delay_min: payment.lanes.delay_min,
            endpoints: options.endpoints.clone(),
            region: options.region.clone().unwrap_or_default(),
        };
        let lister = Self::new(network, terms, operator, price, PACE, &http);
        lister.begin();
        Ok(Some(lister))
    }

    fn new(
        network: Descriptor,
        terms: Terms,
        operator: Operator,
        price: String,
        pace: Pace,
        http: &Arc<Http>,
    ) -> Arc<Self> {
        let directories = network.directories.iter();
        let directories: Vec<_> = directories
            .map(|it| Directory::new(&it.url, Arc::clone(http), pace.patience))
            .collect();
        let counts = Arc::new(Presence::default());
        counts.directories.set(directories.len() as u64);
        Arc::new(Self {
            network,
            terms,
            operator,
            price,
            pace,
            directories,
            offered: watch::Sender::default(),
            editions: watch::Sender::default(),
            counts,
            said: Mutex::default(),
            tasks: Mutex::default(),
        })
    }

    fn begin(self: &Arc<Self>) {
        let mut tasks = held(&self.tasks);
        tasks.push(tokio::spawn(Arc::clone(self).keep()));
        for directory in &self.directories {
            let bringing = Arc::clone(self).bring(Arc::clone(directory));
            tasks.push(tokio::spawn(bringing));
        }
    }

    /// What is counted.
    pub(crate) fn counts(&self) -> Arc<Presence> {
        Arc::clone(&self.counts)
    }

    /// Takes what the enclave offers from now on, or says in a word why not.
    pub(crate) fn offer(&self, offers: Vec<Vec<u8>>, evidence: &[u8]) -> Result<(), String> {
        let offered = Offered::read(offers, evidence, &self.network)?;
        let left_out = offered.left_out.iter();
        let left_out = left_out.map(|(model, why)| format!("{model} is not listed: {why}\n"));
        let left_out: String = left_out.collect();
        if !left_out.is_empty() {
            let hint = "serve the network's models, each once, or ask whoever runs it for a class";
            self.complain(&format!("{left_out}hint: {hint}"));
        }
        self.offered.send_replace(Arc::new(offered));
        Ok(())
    }

    /// Passes a price report on, as soon as each directory takes it. Or says in a word why not.
    pub(crate) fn report(&self, report: Vec<u8>) -> Result<(), String> {
        SignedReport::verify(&report).map_err(|rejection| rejection.code().to_owned())?;
        let report: Arc<[u8]> = report.into();
        for directory in &self.directories {
            let dropped = directory.keep_report(Arc::clone(&report));
            self.counts.dropped.add(dropped);
        }
        self.count();
        Ok(())
    }

    /// Makes an edition whenever something new is offered, and long before the last one ends.
    async fn keep(self: Arc<Self>) {
        let mut offered = self.offered.subscribe();
        loop {
            let current = Arc::clone(&offered.borrow_and_update());
            if !current.is_empty() {
                match self.edition(&current, None) {
                    Ok(edition) => drop(self.editions.send_replace(Some(Arc::new(edition)))),
                    Err(why) => self.complain(&why),
                }
                sleep(self.pace.least).await;
            }
            tokio::select! {
                changed = offered.changed() => if changed.is_err() {
                    return;
                },
                () = sleep(self.pace.renewed) => {}
            }
        }
    }

    /// All that is listed from now on, until then or for as long as a listing lasts.
    fn edition(&self, offered: &Offered, until: Option<i64>) -> Result<Edition, String> {
        let now = clock::now().map_err(|error| format!("nothing is listed: {error:#}"))?;
        if now >= self.network.expires && until.is_none() {
            return Err(format!(
                "nothing is listed any more: the network's descriptor expired on {}\nhint: get the current one, and start again with it",
                self.network.expires
            ));
        }
        let lasts = i64::try_from(self.pace.lasts.as_secs()).unwrap_or_default();
        let until = until.unwrap_or_else(|| now.0.saturating_add(lasts));
        let seq = self.next_seq();
        self.terms.list(offered, &self.operator, seq, until)
    }

    /// Milliseconds since 1970, so that it grows over restarts as well; and by one where the clock does not go on.
    fn next_seq(&self) -> u64 {
        let mut said = held(&self.said);
        said.seq = clock::milliseconds().max(said.seq.saturating_add(1));
        said.seq
    }

    /// Keeps one directory supplied.
    async fn bring(self: Arc<Self>, directory: Arc<Directory>) {
        let mut editions = self.editions.subscribe();
        let mut pause = None;
        loop {
            let edition = editions.borrow_and_update().clone();
            if let Some(edition) = edition {
                let to = Arc::clone(&directory);
                let brought = spawn_blocking(move || to.bring(&edition)).await;
                let (is_done, dropped) = brought.unwrap_or((false, 0));
                pause = match (is_done, pause) {
                    (true, _) => None,
                    (false, None) => Some(self.pace.back_off.0),
                    (false, Some(pause)) => Some(self.pace.back_off.1.min(pause * 2)),
                };
                self.counts.dropped.add(dropped);
                self.counts.troubled.add(u64::from(!is_done));
                self.count();
            }
            let again = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    None => directory.arrived.notified().await,
                }
            };
            tokio::select! {
                changed = editions.changed() => if changed.is_err() {
                    return;
                },
                () = again => {}
            }
        }
    }

    /// Counts who lists, and says so where it changed: at first once all were asked.
    fn count(&self) {
        let now = clock::now().map_or(i64::MAX, |now| now.0);
        let listed = self.directories.iter().filter(|it| it.lists(now)).count();
        let waiting: usize = self.directories.iter().map(|it| it.waiting()).sum();
        self.counts.listing.set(listed as u64);
        self.counts.waiting.set(waiting as u64);
        let all_tried = self.directories.iter().all(|it| it.is_tried());
        let mut said = held(&self.said);
        if all_tried && said.listed != Some(listed) {
            said.listed = Some(listed);
            say(self.line(listed));
        }
    }

    fn line(&self, listed: usize) -> String {
        let offered = self.offered.borrow();
        format!(
            "listed in {listed} of {} directories   {}  {}",
            self.directories.len(),
            offered.models().join(", "),
            self.price
        )
    }

    /// The same again is not said again.
    fn complain(&self, what: &str) {
        let mut said = held(&self.said);
        if said.complaint.as_deref() != Some(what) {
            say(what);
            said.complaint = Some(what.to_owned());
        }
    }

    /// Tells every directory that it is over, for as long as that may take.
    async fn withdraw(&self) {
        held(&self.tasks).drain(..).for_each(|task| task.abort());
        let offered = Arc::clone(&self.offered.borrow());
        let Ok(edition) = self.edition(&offered, Some(0)).map(Arc::new) else {
            return;
        };
        let end = Instant::now() + self.pace.farewell;
        let tell = |directory: &Arc<Directory>| {
            let (directory, edition) = (Arc::clone(directory), Arc::clone(&edition));
            let url = directory.url().to_owned();
            let told = spawn_blocking(move || directory.withdraw(&edition));
            async move { (url, matches!(timeout_at(end, told).await, Ok(Ok(true)))) }
        };
        let telling: Vec<_> = self.directories.iter().map(tell).collect();
        for told in telling {
            if let (url, false) = told.await {
                say(format_args!(
                    "the directory {url} was not told that this is over: it lists what was here for an hour at most"
                ));
            }
        }
    }
}

/// The end of what is listed, where anything is.
pub(crate) async fn withdraw(lister: Option<Arc<Lister>>) {
    if let Some(lister) = lister {
        lister.withdraw().await;
    }
}

fn check_endpoints(options: &NetworkOptions) -> anyhow::Result<()> {
    let different: BTreeSet<_> = options.endpoints.iter().collect();
    ensure!(
        (1..=MAX_ENDPOINTS).contains(&different.len())
            && different.len() == options.endpoints.len(),
        "a listing has 1 to {MAX_ENDPOINTS} addresses, each once\nhint: give --endpoint once for each"
    );
    for endpoint in options.endpoints.iter().filter(|_| !options.allow_private) {
        endpoint
            .check_public()
            .map_err(|rejection| anyhow!("--endpoint: {rejection}\nhint: {}", rejection.hint()))?;
    }
    Ok(())
}

/// Whom the listings name; none where nobody can pay.
fn payee(payment: Payment, options: &PaymentOptions) -> anyhow::Result<Option<[u8; 32]>> {
    match (payment, &options.payee) {
        (Payment::None, _) => Ok(None),
        (
            _,
            Some(Address {
                workchain: 0,
                address,
                ..
            }),
        ) => Ok(Some(address.0)),
        (_, Some(_)) => Err(anyhow!(
            "a listing names a payee in workchain 0, and --payee is in another\nhint: be paid to an account in workchain 0"
        )),
        (Payment::Optional | Payment::Required, None) => Err(anyhow!(
            "by the configuration answers are paid for, and a listing names who is paid\nhint: name your account with --payee, or set \
             serving.payment to \"none\""
        )),
    }
}
