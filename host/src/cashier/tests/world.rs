//! A chain, a client with a purse, an enclave that signs, and a host that wants to be paid.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrysalis_chain::{
    Chain, LOCAL_ID, Toncenter,
    purse::{self, Action, Keys, Lock, Order, State},
    server,
};
use chrysalis_settle::{Credential, Statement, TabId, Tag};
use chrysalis_wire::host::{FromHost, Owed};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tycho_types::{cell::Cell, models::StdAddr};

use super::liar::Liar;
use crate::{
    cashier::{
        answers::{Answers, Conditions},
        book::{Book, Owner},
        lane::LaneId,
        lookout::Lookout,
        till::{Round, Till},
    },
    clock,
    metrics::takings::Takings,
    mutex::held,
};

/// When the chain begins.
pub(in crate::cashier) const BEGINNING: u32 = 1_796_000_000;
pub(in crate::cashier) const COIN: u64 = 1_000_000_000;
/// The least that a claim must bring.
pub(in crate::cashier) const FLOOR: u64 = 27_235_200;

/// A local chain of its own, for as long as the tests run.
pub(in crate::cashier) struct World {
    pub(in crate::cashier) address: SocketAddr,
    chain: Toncenter,
}

impl World {
    pub(in crate::cashier) fn start() -> Self {
        let address = chrysalis_localnet::start(BEGINNING).unwrap();
        Self {
            address,
            chain: server::open(&url(address), None).unwrap(),
        }
    }

    pub(in crate::cashier) fn url(&self) -> String {
        url(self.address)
    }

    pub(in crate::cashier) fn give(&self, to: &StdAddr, nano: u64) {
        let asked = serde_json::json!({"address": to.to_string(), "nano": nano});
        let to = format!("http://{}/faucet", self.address);
        ureq::post(to).send(asked.to_string()).unwrap();
    }

    fn set_clock(&self, to: u32) {
        let asked = serde_json::json!({"to": to});
        let at = format!("http://{}/clock", self.address);
        ureq::post(at).send(asked.to_string()).unwrap();
    }

    /// Sends a message; the exit code of a contract that refuses it.
    pub(in crate::cashier) fn send(&self, message: &Cell) -> Result<(), Option<i32>> {
        self.chain.send(message).map_err(|error| match error {
            chrysalis_chain::ChainError::Refused { exit_code } => exit_code,
            other => panic!("{other}"),
        })
    }

    pub(in crate::cashier) fn balance(&self, of: &StdAddr) -> u64 {
        self.chain.account(of).unwrap().balance
    }

    pub(in crate::cashier) fn state(&self, purse: &[u8; 32]) -> State {
        let account = self.chain.account(&address(purse)).unwrap();
        State::read(&account.contract.unwrap().data).unwrap()
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/api/v2")
}

fn address(purse: &[u8; 32]) -> StdAddr {
    StdAddr::new(0, (*purse).into())
}

pub(in crate::cashier) fn payee() -> StdAddr {
    StdAddr::new(0, [0xAA; 32].into())
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().unwrap()
}

fn sign(pair: &Ed25519KeyPair, digest: &[u8]) -> [u8; 64] {
    pair.sign(digest).as_ref().try_into().unwrap()
}

/// Who pays.
pub(in crate::cashier) struct Client {
    owner: Ed25519KeyPair,
    spend: Ed25519KeyPair,
    keys: Keys,
}

impl Client {
    /// With a purse that has so many nano, and is not deployed yet.
    pub(in crate::cashier) fn new(world: &World, salt: u64, nano: u64) -> Self {
        let (owner, spend) = (pair(1), pair(2));
        let keys = Keys {
            owner: public(&owner),
            home: StdAddr::new(0, [0xBB; 32].into()),
            network: LOCAL_ID,
            salt,
        };
        world.give(&keys.address(), nano);
        Self { owner, spend, keys }
    }

    pub(in crate::cashier) fn purse(&self) -> [u8; 32] {
        self.keys.address().address.0
    }

    /// Locks so much in a new lane for the payee of these tests.
    pub(in crate::cashier) fn lock(&self, world: &World, nano: u64) -> LaneId {
        self.lock_for(world, &payee(), 0, nano)
    }

    pub(in crate::cashier) fn add(&self, world: &World, lane: LaneId, nano: u64) {
        self.lock_for(world, &payee(), lane.lane, nano);
    }

    pub(in crate::cashier) fn lock_for(
        &self,
        world: &World,
        payee: &StdAddr,
        lane: u32,
        nano: u64,
    ) -> LaneId {
        let lock = Lock {
            lane,
            payee: payee.clone(),
            amount: nano,
            close_delay: 3600,
            spend_key: public(&self.spend),
        };
        self.order(world, Action::Lock(lock));
        let newest = world.state(&self.purse()).lanes;
        LaneId {
            purse: self.purse(),
            lane: *newest.last_key_value().unwrap().0,
        }
    }

    pub(in crate::cashier) fn close(&self, world: &World, lane: LaneId) {
        self.order(world, Action::StartClose { lane: lane.lane });
    }

    fn order(&self, world: &World, action: Action) {
        let account = world.chain.account(&self.keys.address()).unwrap();
        let state = account.contract.map(|it| State::read(&it.data).unwrap());
        let order = Order {
            purse: self.purse(),
            seqno: state.as_ref().map_or(0, |state| state.seqno),
            valid_until: BEGINNING + 100_000,
            action,
        };
        let signature = sign(&self.owner, order.cell().repr_hash().as_slice());
        let init = state.is_none().then(|| self.keys.state_init());
        let body = order.signed(&signature);
        let message = purse::message(&self.keys.address(), init, &body);
        world.send(&message).unwrap();
    }

    /// A cap on a tab at this enclave.
    fn cap(&self, tab: TabId, enclave: &Enclave, cap: u64) -> Credential {
        let mut credential = Credential {
            tab,
            cap,
            signature: [0; 64],
        };
        let digest = credential.statement(&enclave.key()).digest();
        credential.signature = sign(&self.spend, &digest);
        credential
    }
}

/// Who meters.
pub(in crate::cashier) struct Enclave(Ed25519KeyPair);

impl Enclave {
    pub(in crate::cashier) fn new(seed: u8) -> Self {
        Self(pair(seed))
    }

    pub(in crate::cashier) fn key(&self) -> [u8; 32] {
        public(&self.0)
    }

    pub(in crate::cashier) fn sign(&self, digest: &[u8]) -> [u8; 64] {
        sign(&self.0, digest)
    }

    /// What is owed on a tab, under a cap.
    pub(in crate::cashier) fn owed(
        &self,
        client: &Client,
        lane: LaneId,
        branch: u16,
        cap: u64,
        amount: u64,
    ) -> Owed {
        let tab = TabId {
            purse: lane.purse,
            lane: lane.lane,
            branch,
        };
        let statement = Statement {
            tag: Tag::Receipt,
            tab,
            amount,
            last: [9; 32],
        };
        Owed {
            credential: client.cap(tab, self, cap).encode().to_vec(),
            statement: statement.encode().to_vec(),
            signature: self.sign(&statement.digest()).to_vec(),
            receipt_key: self.key().to_vec(),
        }
    }
}

/// For whom it works: what each lane here just meets.
pub(super) const CONDITIONS: Conditions = Conditions {
    floor: 20,
    lane_min: COIN,
    delay_min: 3600,
};

/// Who wants to be paid, as a run has it.
pub(in crate::cashier) struct Host {
    pub(in crate::cashier) till: Arc<Till>,
    pub(in crate::cashier) answers: Arc<Answers>,
    begun: i64,
}

impl Host {
    /// With a database in this folder, asking a server at this address; `pause` between two answers, or none.
    pub(in crate::cashier) fn new(folder: &Path, url: &str, pause: Option<Duration>) -> Self {
        let book = Book::open_or_create(&database(folder)).unwrap();
        Self::with(book, url, pause)
    }

    pub(in crate::cashier) fn with(mut book: Book, url: &str, pause: Option<Duration>) -> Self {
        let owner = Owner {
            payee: payee(),
            network: Some(LOCAL_ID),
        };
        book.set_owner(&owner).unwrap();
        let server = server::open(url, None).unwrap();
        let lookout = Lookout::new(Box::new(server), payee(), Some(LOCAL_ID));
        let till = Arc::new(Till::new(book, lookout, Arc::new(Takings::default())));
        Self {
            answers: Answers::new(Arc::clone(&till), CONDITIONS, pause),
            till,
            begun: clock::now().unwrap().0,
        }
    }

    pub(in crate::cashier) async fn lane(&self, lane: LaneId) -> FromHost {
        self.answers.lane(&lane.purse, lane.lane).await
    }

    /// How far the lane may go, or why it may not be used.
    pub(in crate::cashier) async fn ceiling(&self, lane: LaneId) -> Result<u64, String> {
        match self.lane(lane).await {
            FromHost::Lane { ceiling, .. } => Ok(ceiling),
            FromHost::Refused(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::cashier) async fn note(&self, owed: Vec<Owed>) -> Result<(), String> {
        match self.answers.owed(owed).await {
            FromHost::Noted => Ok(()),
            FromHost::Refused(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    /// A round so many seconds after the beginning.
    pub(in crate::cashier) async fn round(&self, after: i64) -> Round {
        self.make_round(after, false).await
    }

    pub(in crate::cashier) async fn make_round(&self, after: i64, asked: bool) -> Round {
        let (till, now) = (Arc::clone(&self.till), self.begun + after);
        tokio::task::spawn_blocking(move || till.round(now, asked))
            .await
            .unwrap()
    }

    /// What the database says was paid on the lane's tabs, and is owed on them.
    pub(in crate::cashier) fn tabs(&self, lane: LaneId) -> Vec<(u64, u64)> {
        let tabs = held(&self.till.book).tabs(Some(lane)).unwrap();
        tabs.iter()
            .map(|tab| (tab.entry.owed(), tab.paid))
            .collect()
    }
}

pub(in crate::cashier) fn database(folder: &Path) -> PathBuf {
    folder.join("cashier.db")
}

/// A chain, a liar before it, a funded client with a lane of a coin, an enclave, and a host that asks the liar.
pub(in crate::cashier) struct Scene {
    pub(in crate::cashier) world: World,
    pub(super) liar: Liar,
    pub(in crate::cashier) client: Client,
    pub(in crate::cashier) lane: LaneId,
    pub(in crate::cashier) enclave: Enclave,
    pub(in crate::cashier) host: Host,
    pub(in crate::cashier) folder: tempfile::TempDir,
}

impl Scene {
    pub(in crate::cashier) fn new() -> Self {
        Self::pausing(None)
    }

    pub(in crate::cashier) fn pausing(pause: Option<Duration>) -> Self {
        let world = World::start();
        let liar = Liar::before(&world.url());
        let client = Client::new(&world, 7, 3 * COIN);
        let lane = client.lock(&world, COIN);
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path(), &liar.url(), pause);
        Self {
            world,
            liar,
            client,
            lane,
            enclave: Enclave::new(3),
            host,
            folder,
        }
    }

    /// Another chain on which the same purse has the same lane, with so much in it.
    pub(in crate::cashier) fn twin(&self, nano: u64) -> World {
        loop {
            let world = World::start();
            world.set_clock(self.lane.lane);
            let client = Client::new(&world, 7, nano.saturating_mul(2));
            // Its clock may have gone on by a second meanwhile.
            if client.lock(&world, nano) == self.lane {
                return world;
            }
        }
    }

    /// The same host, started again.
    pub(in crate::cashier) fn restart(&mut self, pause: Option<Duration>) {
        self.host = Host::new(self.folder.path(), &self.liar.url(), pause);
    }

    /// The same host in a run with other conditions.
    pub(super) fn on(&self, conditions: Conditions) -> Host {
        Host {
            till: Arc::clone(&self.host.till),
            answers: Answers::new(Arc::clone(&self.host.till), conditions, None),
            begun: self.host.begun,
        }
    }

    /// What is owed on branch 0, under a cap of the whole lane.
    pub(in crate::cashier) fn owed(&self, amount: u64) -> Vec<Owed> {
        vec![self.enclave.owed(&self.client, self.lane, 0, COIN, amount)]
    }
}
