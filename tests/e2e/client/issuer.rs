//! The receipts of the stage's enclave: honest, or wrong in one thing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_client::system_time;
use chrysalis_settle::{
    Attested, Credential, Done, End, Offer, OpenTab, Receipt, Running, Sign, SignedOffer, TabId,
    Tabs, Terms,
    money::{self, Quote},
};
use chrysalis_wire::content::of_whole;
use hyper::header::HeaderValue;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// What is wrong with receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// There are none.
    Missing,
    /// They are no base64.
    Garbage,
    /// Another key signed them.
    AnotherKey,
    /// They are about another answer.
    AnotherAnswer,
    /// They name another bundle.
    AnotherEvidence,
    /// They are those of the job before.
    Replayed,
}

/// A job that runs on a paid tab.
type Admitted = (Arc<OpenTab>, Running);

/// A receipt key, and the tabs of all connections.
pub(crate) struct Receipts {
    key: Key,
    tabs: Tabs,
    before: Mutex<HashMap<[u8; 32], String>>,
    /// What answers cost, if they do.
    price: Mutex<Option<u64>>,
    /// Paid jobs that run, by the connection's exporter.
    paid: Mutex<HashMap<[u8; 32], Admitted>>,
}

struct Key(Ed25519KeyPair);

impl Key {
    fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

impl Receipts {
    pub(crate) fn new() -> Self {
        let key = Key::new();
        Self {
            tabs: Tabs::new(key.public(), 64),
            key,
            before: Mutex::default(),
            price: Mutex::default(),
            paid: Mutex::default(),
        }
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.key.public()
    }

    pub(crate) fn sign_offer(&self, offer: &Offer) -> SignedOffer {
        offer.sign(&self.key).unwrap()
    }

    /// Answers cost so many nano for a million tokens.
    pub(crate) fn ask_for(&self, price: u64) {
        *self.price.lock().unwrap() = Some(price);
    }

    fn quote(&self) -> Option<Quote> {
        let price = (*self.price.lock().unwrap())?;
        Some(Quote {
            model: "smollm2".into(),
            weights: [4; 32],
            price: [price, 0, price, 0],
            floor: 1,
            epoch: 1,
            until: system_time().0 + 600,
        })
    }

    /// Lets a job in that pays, if jobs have to. The error's code if not.
    pub(crate) fn admit(
        &self,
        exporter: &[u8; 32],
        job: Option<&HeaderValue>,
        cap: Option<Credential>,
    ) -> Result<(), &'static str> {
        let Some(quote) = self.quote() else {
            return Ok(());
        };
        let (Some(job), Some(cap)) = (job, cap) else {
            return Err("payment_required");
        };
        let number = hex::decode(job.as_bytes()).unwrap().try_into().unwrap();
        let bound = money::amount(&[500, 0, 500, 0], &quote.price).unwrap();
        let admitted = self.tabs.admit(&cap, number, bound, u64::MAX, 0);
        let admitted = admitted.map_err(|_| "cap_too_low")?;
        self.paid.lock().unwrap().insert(*exporter, admitted);
        Ok(())
    }

    fn tab(&self, exporter: &[u8; 32]) -> Arc<OpenTab> {
        self.tabs.open(TabId::unpaid(exporter)).unwrap()
    }

    /// The text of a receipt, if there is to be one.
    pub(crate) fn make(
        &self,
        exporter: &[u8; 32],
        job: &[u8],
        request: &[u8],
        answer: &[u8],
        attested: &Attested,
        lie: Lie,
    ) -> Option<String> {
        let mut attested = *attested;
        let mut answer = sha256(&[answer]);
        match lie {
            Lie::None | Lie::AnotherKey => {}
            Lie::Missing => return None,
            Lie::Garbage => return Some("!".to_owned()),
            Lie::AnotherAnswer => answer[0] ^= 1,
            Lie::AnotherEvidence => attested.evidence[0] ^= 1,
            Lie::Replayed => return self.before.lock().unwrap().get(exporter).cloned(),
        }
        let ended = (answer, End::Stop);
        let key = if lie == Lie::AnotherKey {
            &Key::new()
        } else {
            &self.key
        };
        let text = self
            .end(exporter, job, request, ended, &attested, key)
            .to_text();
        self.before.lock().unwrap().insert(*exporter, text.clone());
        Some(text)
    }

    /// A job whose client will go away.
    pub(crate) fn cancel(
        &self,
        exporter: &[u8; 32],
        job: &[u8],
        request: &[u8],
        attested: &Attested,
    ) {
        let ended = ([0; 32], End::Cancelled);
        self.end(exporter, job, request, ended, attested, &self.key);
    }

    fn end(
        &self,
        exporter: &[u8; 32],
        job: &[u8],
        request: &[u8],
        (answer, end): ([u8; 32], End),
        attested: &Attested,
        key: &Key,
    ) -> Receipt {
        let number = hex::decode(job).unwrap().try_into().unwrap();
        let paid = self.paid.lock().unwrap().remove(exporter);
        let (tab, running) = paid.unwrap_or_else(|| {
            let tab = self.tab(exporter);
            let running = tab.begin(number).unwrap();
            (tab, running)
        });
        let quote = self.quote();
        let units = [3, 0, 2, 0];
        let amount = quote
            .as_ref()
            .map(|it| money::amount(&units, &it.price).unwrap());
        let done = Done {
            attested,
            units,
            quote: quote.map_or_else(money::unpaid_quote, |it| it.digest()),
            amount: amount.unwrap_or(0),
            request: sha256(&[of_whole(request)]),
            answer,
            end,
            began: system_time().0,
            ended: system_time().0,
        };
        tab.end(running, &done, key).unwrap()
    }

    /// The answer to `POST /v1/tab`.
    pub(crate) fn last(&self, named: &[u8]) -> Vec<u8> {
        let tab = match Credential::decode(named) {
            Ok(cap) => self.tabs.find(&cap.tab),
            Err(_) => Some(self.tab(named.try_into().unwrap())),
        };
        let terms = Terms {
            last: tab.as_ref().and_then(|tab| tab.last()),
            before: Vec::new(),
            head: tab.map_or([0; 32], |tab| tab.standing().head),
            quotes: self.quote().into_iter().collect(),
            ceiling: 0,
        };
        terms.encode()
    }
}
