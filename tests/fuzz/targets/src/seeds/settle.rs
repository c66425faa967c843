//! Seeds of receipts, from the vectors that two implementations agree on, and of a credential.

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_chain::{
    Address, LOCAL_ID,
    purse::{Action, Keys, Lock, Order, message},
};
use chrysalis_localnet::Local;
use chrysalis_settle::{
    Attested, Credential, Done, End, Expected, Receipt, Report, Sign, Tab, TabId, Tabs, Terms,
    money::{self, Quote},
    price::{Load, Price},
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tycho_types::{boc::Boc, models::AccountState};

use super::{Seed, seed};

/// A key that anyone can make.
struct Key(Ed25519KeyPair);

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

pub(super) fn seeds() -> Vec<Seed> {
    let key = Key(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("a key"));
    let receipt_key: [u8; 32] = key.0.public_key().as_ref().try_into().expect("32 bytes");
    let attested = Attested {
        receipt_key,
        claims: [2; 32],
        epoch: 4,
        evidence: [3; 32],
    };
    let id = TabId::unpaid(&[7; 32]);
    let open = Tabs::new(receipt_key, 1).open(id).expect("a tab");
    let running = open.begin([1; 16]).expect("a job");
    let done = Done {
        attested: &attested,
        units: [31, 5, 12, 0],
        quote: money::unpaid_quote(),
        amount: 0,
        request: sha256(&[b"{}"]),
        answer: sha256(&[b"{}"]),
        end: End::Stop,
        began: 1_796_126_400,
        ended: 1_796_126_401,
    };
    let receipt: Receipt = open.end(running, &done, &key).expect("a receipt");
    let expected = Expected {
        job: [1; 16],
        request: done.request,
        answer: Some(done.answer),
        attested: &attested,
        quote: None,
    };
    let kept = Tab::new(id, receipt_key)
        .accept(&receipt, &expected)
        .expect("accepted");
    let quote = Quote {
        model: "smollm2".to_owned(),
        weights: [4; 32],
        price: [20_000_000, 2_000_000, 60_000_000, 0],
        floor: 20_000_000,
        epoch: 7,
        until: 1_796_126_400,
    };
    let credential = Credential {
        tab: id,
        cap: 1000,
        signature: [5; 64],
    };
    let price = Price::new(20_000_000);
    let report = Report {
        receipt_key,
        weights: [4; 32],
        epoch: 0,
        price,
        rates: [money::PER; 4],
        asked: [price.floor; 4],
        load: Load {
            used: 900_000,
            capacity: 960_000,
        },
        jobs: 9,
        failed: 1,
        revenue: 1_000,
        tabs: 3,
        first_token_ms: 180,
        tokens_per_second: 2_311,
        ended: 1_796_126_400,
    };
    let terms = Terms {
        last: Some(receipt.clone()),
        before: vec![receipt.clone()],
        head: [9; 32],
        quotes: vec![quote.clone()],
        ceiling: 5,
    };
    let unpaid = Terms {
        before: Vec::new(),
        quotes: Vec::new(),
        ceiling: 0,
        ..terms.clone()
    };
    let mut seeds = purses(&key, receipt_key);
    seeds.extend([
        seed("terms", "paid", terms.encode()),
        seed("terms", "unpaid", unpaid.encode()),
        seed("job", "honest", receipt.job.clone()),
        seed("job", "quote", quote.encode()),
        seed("receipt", "honest", receipt.encode()),
        seed("kept_receipt", "honest", kept.encode()),
        seed("credential", "honest", credential.encode().to_vec()),
        seed(
            "credential",
            "statement",
            kept.statement().encode().to_vec(),
        ),
        seed(
            "report",
            "honest",
            report.sign(&key).expect("a signature").encode(),
        ),
    ]);
    seeds
}

/// What a purse with a lane holds, and the message that locked it.
fn purses(owner: &Key, key: [u8; 32]) -> Vec<Seed> {
    let somebody = Address::new(0, [5; 32].into());
    let keys = Keys {
        owner: key,
        home: somebody.clone(),
        network: LOCAL_ID,
        salt: 0,
    };
    let address = keys.address();
    let order = Order {
        purse: address.address.0,
        seqno: 0,
        valid_until: 1_800_000_060,
        action: Action::Lock(Lock {
            lane: 0,
            payee: somebody,
            amount: 500_000_000,
            close_delay: 21_600,
            spend_key: key,
        }),
    };
    let digest = order.cell().repr_hash().0;
    let body = order.signed(&owner.sign(&digest).expect("a signature"));
    let order = message(&address, Some(keys.state_init()), &body);
    let mut chain = Local::new(1_800_000_000);
    chain.give(&address, 3_000_000_000);
    chain.send(order.clone()).expect("it is taken");
    let state = chain.account(&address).expect("an account").state;
    let AccountState::Active(state) = state else {
        unreachable!("the order deploys it");
    };
    let data = state.data.expect("a purse's data");
    vec![
        seed("purse", "locked", Boc::encode(data)),
        seed("purse", "order", Boc::encode(order)),
    ]
}
