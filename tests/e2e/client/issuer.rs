//! The receipts of the stage's enclave: honest, or wrong in one thing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_client::system_time;
use chrysalis_settle::{Attested, Done, End, OpenTab, Receipt, Sign, TabId, Tabs, Terms, money};
use chrysalis_wire::content::of_whole;
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

/// A receipt key, and the tabs of all connections.
pub(crate) struct Receipts {
    key: Key,
    tabs: Tabs,
    before: Mutex<HashMap<[u8; 32], String>>,
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
        }
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.key.public()
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
        let tab = self.tab(exporter);
        let number = hex::decode(job).unwrap().try_into().unwrap();
        let done = Done {
            attested,
            units: [3, 0, 2, 0],
            quote: money::unpaid_quote(),
            amount: 0,
            request: sha256(&[of_whole(request)]),
            answer,
            end,
            began: system_time().0,
            ended: system_time().0,
        };
        tab.end(tab.begin(number).unwrap(), &done, key).unwrap()
    }

    /// The answer to `POST /v1/tab`.
    pub(crate) fn last(&self, exporter: &[u8]) -> Vec<u8> {
        let tab = self.tab(exporter.try_into().unwrap());
        let terms = Terms {
            last: tab.last(),
            before: Vec::new(),
            head: tab.standing().head,
            quotes: Vec::new(),
            ceiling: 0,
        };
        terms.encode()
    }
}
