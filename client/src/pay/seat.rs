//! A connection's place at its paid tab.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_settle::{Credential, Kept, Rejection, Tab, Terms, money::Quote};
use chrysalis_wire::api::{CAP, JOB, PRESENCE, QUOTE};
use hyper::{HeaderMap, Request, header::HeaderValue};

use super::{Limit, Payer, ask, model};
use crate::Error;

/// Quotes are good for two minutes; a request may take its time to arrive.
const FRESH: Duration = Duration::from_secs(60);

/// What a connection pays on.
pub(crate) struct Seat {
    payer: Arc<Payer>,
    receipt_key: [u8; 32],
    branch: u16,
    /// Shows on this connection who has the lane's key.
    presence: String,
    /// `None` until the enclave has said where a tab stands that this process did not see before.
    tab: Option<Tab>,
    quotes: Vec<Quote>,
    /// When the enclave said so.
    learned: Instant,
    /// What its model may cost, where the price was not agreed with a person.
    limit: Option<Arc<Limit>>,
    job: Job,
}

/// A job whose receipt may never come over its connection.
pub(crate) struct Outstanding {
    /// As it stood before the job.
    pub(crate) tab: Tab,
    /// What the job was asked by, if somebody pays.
    pub(crate) quote: Option<Quote>,
    /// What names the tab in `POST /v1/tab`.
    pub(crate) proof: Proof,
}

/// What names a tab.
pub(crate) enum Proof {
    /// The exporter of the connection that has it, of an unpaid tab.
    Exporter([u8; 32]),
    /// A cap, of a paid one.
    Cap {
        payer: Arc<Payer>,
        receipt_key: [u8; 32],
        cap: Credential,
    },
}

impl Outstanding {
    /// Asks where the tab stands, over the connection with this exporter.
    pub(crate) fn request(&self, exporter: &[u8; 32]) -> Result<Request<Bytes>, Error> {
        match &self.proof {
            Proof::Exporter(own) => ask::request(own, None),
            Proof::Cap {
                payer,
                receipt_key,
                cap,
            } => {
                let presence = payer.presence(cap.tab.branch, receipt_key, exporter);
                ask::request(&cap.encode(), Some(&presence))
            }
        }
    }

    /// The receipt of so many nano was accepted: the branch can be used again.
    pub(crate) fn settled(self, amount: u64) {
        if let Proof::Cap {
            payer,
            receipt_key,
            cap,
        } = self.proof
        {
            let branch = cap.tab.branch;
            payer.owe(amount);
            payer.branches(|branches| branches.give_back(&receipt_key, branch, self.tab));
        }
    }
}

/// The connection's last job.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    /// There is none, or its receipt was accepted, or it was refused.
    Settled,
    /// Its receipt is still to come.
    Running(Quote),
}

impl Seat {
    /// The next free branch at the enclave with this receipt key, for the connection with this exporter.
    pub(crate) fn take(
        payer: &Arc<Payer>,
        limit: Option<&Arc<Limit>>,
        receipt_key: [u8; 32],
        exporter: [u8; 32],
    ) -> Result<Self, Error> {
        let taken = payer.branches(|branches| branches.take(&receipt_key));
        let (branch, tab) = taken.ok_or_else(|| {
            Error::Local("all 65,536 branches of the lane are in use; lock another lane".into())
        })?;
        Ok(Self {
            payer: Arc::clone(payer),
            presence: payer.presence(branch, &receipt_key, &exporter),
            receipt_key,
            branch,
            tab,
            quotes: Vec::new(),
            learned: Instant::now(),
            limit: limit.cloned(),
            job: Job::Settled,
        })
    }

    /// A cap for one job more than is owed.
    pub(crate) fn cap(&self) -> Credential {
        let owed = self.tab.as_ref().map_or(0, |tab| tab.standing().cumulative);
        let cap = owed.saturating_add(self.payer.most);
        self.payer.cap(self.branch, &self.receipt_key, cap)
    }

    /// Asks where the tab stands.
    pub(crate) fn request(&self) -> Result<Request<Bytes>, Error> {
        ask::request(&self.cap().encode(), Some(&self.presence))
    }

    /// Takes what the enclave says of the tab. Where this process knows the tab, it knows better: nothing else asks on it.
    pub(crate) fn learn(&mut self, terms: Terms) -> Result<(), Error> {
        self.quotes = terms.quotes;
        self.learned = Instant::now();
        if let Some(limit) = &self.limit {
            limit.note(&self.quotes)?;
        }
        if self.tab.is_none() {
            let id = self.payer.id(self.branch);
            self.tab = Some(match &terms.last {
                None => Tab::new(id, self.receipt_key),
                Some(last) => Tab::found(id, self.receipt_key, last, terms.head)?,
            });
            let owed = self.tab.as_ref().map_or(0, |tab| tab.standing().cumulative);
            self.payer.owe(owed);
        }
        Ok(())
    }

    /// Puts the cap and the quote beside a request that names a job. Others cost nothing. `false`: there is no quote for its model, or not
    /// one of late, and the enclave is to be asked. Without any the enclave says which there is.
    pub(crate) fn pay<B: AsRef<[u8]>>(&mut self, request: &mut Request<B>) -> Result<bool, Error> {
        if !request.headers().contains_key(JOB) {
            return Ok(true);
        }
        let quote = match &self.quotes[..] {
            _ if self.learned.elapsed() > FRESH => None,
            [only] => Some(only),
            quotes => {
                let model = model::of(request);
                quotes
                    .iter()
                    .find(|quote| Some(&quote.model) == model.as_ref())
            }
        };
        let Some(quote) = quote.cloned() else {
            return Ok(false);
        };
        if let Some(limit) = &self.limit {
            limit.check(&quote)?;
        }
        let cap = data_encoding::BASE64URL_NOPAD.encode(&self.cap().encode());
        let headers = request.headers_mut();
        put(headers, PRESENCE, &self.presence)?;
        put(headers, CAP, &cap)?;
        put(headers, QUOTE, &hex::encode(quote.digest()))?;
        self.job = Job::Running(quote);
        Ok(true)
    }

    /// What the last job is priced by, until its receipt has come.
    pub(crate) fn quote(&self) -> Option<&Quote> {
        match &self.job {
            Job::Running(quote) => Some(quote),
            Job::Settled => None,
        }
    }

    /// The last job was refused: nothing is owed for it, and it has no receipt. It may have been for its quote, which the next asks for anew.
    pub(crate) fn refused(&mut self) {
        self.job = Job::Settled;
        self.quotes.clear();
    }

    /// The last job, in case that its receipt does not come.
    pub(crate) fn outstanding(&self) -> Outstanding {
        let new = || Tab::new(self.payer.id(self.branch), self.receipt_key);
        let quote = match &self.job {
            Job::Running(quote) => Some(quote.clone()),
            Job::Settled => None,
        };
        Outstanding {
            tab: self.tab.clone().unwrap_or_else(new),
            quote,
            proof: Proof::Cap {
                payer: Arc::clone(&self.payer),
                receipt_key: self.receipt_key,
                cap: self.cap(),
            },
        }
    }

    /// Has the tab accept the last job's receipt.
    pub(crate) fn accept(
        &mut self,
        with: impl FnOnce(&mut Tab, Option<&Quote>) -> Result<Kept, Rejection>,
    ) -> Result<Kept, Rejection> {
        let tab = self.tab.as_mut().ok_or(Rejection::Missing)?;
        let quote = match &self.job {
            Job::Running(quote) => Some(quote),
            Job::Settled => None,
        };
        let kept = with(tab, quote)?;
        self.payer.owe(kept.job().amount);
        self.job = Job::Settled;
        Ok(kept)
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Error> {
    let value = HeaderValue::try_from(value).map_err(|error| Error::Local(error.to_string()))?;
    headers.insert(name, value);
    Ok(())
}

/// Gives the branch back, unless a receipt is still to come on it: then this process does not use it again.
impl Drop for Seat {
    fn drop(&mut self) {
        if let (Job::Settled, Some(tab)) = (&self.job, self.tab.take()) {
            let (key, branch) = (self.receipt_key, self.branch);
            self.payer
                .branches(|branches| branches.give_back(&key, branch, tab));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pay::Lane;
    use chrysalis_settle::{Attested, Done, End, Expected, JobNumber, Receipt, Sign, Tabs, money};
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const MOST: u64 = 1000;
    const ANSWER: [u8; 32] = [8; 32];
    const EXPORTER: [u8; 32] = [6; 32];

    struct Key(Ed25519KeyPair);

    impl Key {
        fn new(byte: u8) -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap())
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

    fn payer() -> Arc<Payer> {
        let lane = Lane {
            purse: [7; 32],
            number: 9,
            key: Box::new(Key::new(2)),
        };
        Payer::new(lane, MOST, 0)
    }

    fn quote(model: &str) -> Quote {
        Quote {
            model: model.to_owned(),
            weights: [4; 32],
            price: [1_000_000, 0, 2_000_000, 0],
            floor: 1,
            epoch: 7,
            until: 9,
        }
    }

    fn terms(models: &[&str]) -> Terms {
        Terms {
            last: None,
            before: Vec::new(),
            head: [0; 32],
            quotes: models.iter().map(|model| quote(model)).collect(),
            ceiling: 9 * MOST,
        }
    }

    fn asking(model: &str) -> Request<Vec<u8>> {
        let body = format!(r#"{{"model": "{model}"}}"#).into_bytes();
        Request::post("/v1/chat/completions")
            .header(JOB, "00")
            .body(body)
            .unwrap()
    }

    fn attested(enclave: &Key) -> Attested {
        Attested {
            receipt_key: enclave.public(),
            claims: [1; 32],
            epoch: 2,
            evidence: [3; 32],
        }
    }

    /// The enclave answers a job: three prompt tokens, two of an answer.
    fn answered(tabs: &Tabs, job: JobNumber, quote: &Quote, enclave: &Key) -> Receipt {
        let units = [3, 0, 2, 0];
        let done = Done {
            attested: &attested(enclave),
            units,
            quote: quote.digest(),
            amount: money::amount(&units, &quote.price).unwrap(),
            request: [5; 32],
            answer: ANSWER,
            end: End::Stop,
            began: 0,
            ended: 1,
        };
        let cap = payer().cap(0, &enclave.public(), u64::MAX);
        let admitted = tabs.admit(&cap, job, MOST, u64::MAX, 0);
        let (tab, running) = admitted.unwrap();
        tab.end(running, &done, enclave).unwrap()
    }

    fn accept(
        seat: &mut Seat,
        receipt: &Receipt,
        job: JobNumber,
        enclave: &Key,
    ) -> Result<Kept, Rejection> {
        let attested = attested(enclave);
        seat.accept(|tab, quote| {
            let expected = Expected {
                job,
                request: [5; 32],
                answer: Some(ANSWER),
                attested: &attested,
                quote,
            };
            tab.accept(receipt, &expected)
        })
    }

    #[test]
    fn a_cap_is_what_is_owed_and_one_job_more_for_this_enclave_alone() {
        let (payer, enclave) = (payer(), Key::new(3));
        let mut seat = Seat::take(&payer, None, enclave.public(), EXPORTER).unwrap();
        let spend = Key::new(2).public();
        assert_eq!(seat.cap().cap, MOST);
        assert_eq!(seat.cap().verify(&spend, &enclave.public()), Ok(()));
        assert!(seat.cap().verify(&spend, &Key::new(4).public()).is_err());
        seat.learn(terms(&["m"])).unwrap();
        let tabs = Tabs::new(enclave.public(), 9);
        for number in 1..=3_u8 {
            let mut request = asking("m");
            assert!(seat.pay(&mut request).unwrap());
            let digest = hex::encode(quote("m").digest());
            assert_eq!(request.headers()[QUOTE], digest);
            let cap = request.headers()[CAP].as_bytes();
            let cap = data_encoding::BASE64URL_NOPAD.decode(cap).unwrap();
            let cap = Credential::decode(&cap).unwrap();
            let presence = request.headers()[PRESENCE].as_bytes();
            let presence = data_encoding::BASE64URL_NOPAD.decode(presence).unwrap();
            let presence = presence.try_into().unwrap();
            let shown = cap.verify_presence(&spend, &enclave.public(), &EXPORTER, &presence);
            assert_eq!(shown, Ok(()));
            // Three tokens by one nano, two by two.
            assert_eq!(cap.cap, MOST + 7 * u64::from(number - 1));
            let receipt = answered(&tabs, [number; 16], &quote("m"), &enclave);
            let kept = accept(&mut seat, &receipt, [number; 16], &enclave).unwrap();
            assert_eq!(kept.job().cumulative, 7 * u64::from(number));
        }
        drop(seat);
        // The next connection goes on where this one was, and the enclave's word changes nothing.
        let mut again = Seat::take(&payer, None, enclave.public(), EXPORTER).unwrap();
        again.learn(terms(&["m"])).unwrap();
        assert_eq!((again.branch, again.cap().cap), (0, MOST + 21));
    }

    #[test]
    fn a_receipt_by_another_quote_or_without_one_is_refused() {
        let (payer, enclave) = (payer(), Key::new(3));
        let mut seat = Seat::take(&payer, None, enclave.public(), EXPORTER).unwrap();
        seat.learn(terms(&["m"])).unwrap();
        let tabs = Tabs::new(enclave.public(), 9);
        assert!(seat.pay(&mut asking("m")).unwrap());
        let dearer = Quote {
            price: [2_000_000; 4],
            ..quote("m")
        };
        let receipt = answered(&tabs, [1; 16], &dearer, &enclave);
        let refused = accept(&mut seat, &receipt, [1; 16], &enclave);
        assert_eq!(refused, Err(Rejection::Quote));
        drop(seat);
        // What its job costs is open: this branch is not used again.
        let next = Seat::take(&payer, None, enclave.public(), EXPORTER).unwrap();
        assert_eq!(next.branch, 1);
    }

    #[test]
    fn each_model_has_its_quote_and_old_ones_are_asked_for_anew() {
        let (payer, enclave) = (payer(), Key::new(3));
        let mut seat = Seat::take(&payer, None, enclave.public(), EXPORTER).unwrap();
        assert!(!seat.pay(&mut asking("m")).unwrap(), "nothing was learned");
        seat.learn(terms(&["m", "n"])).unwrap();
        let mut request = asking("n");
        assert!(seat.pay(&mut request).unwrap());
        assert_eq!(request.headers()[QUOTE], hex::encode(quote("n").digest()));
        assert!(!seat.pay(&mut asking("o")).unwrap());
        seat.refused();
        assert!(!seat.pay(&mut asking("n")).unwrap(), "it was refused");
        seat.learn(terms(&["m"])).unwrap();
        seat.learned = Instant::now().checked_sub(FRESH * 2).unwrap();
        assert!(!seat.pay(&mut asking("m")).unwrap(), "it is old");
        // What names no job costs nothing.
        let mut other = Request::get("/v1/models").body(Vec::new()).unwrap();
        assert!(seat.pay(&mut other).unwrap());
        assert!(other.headers().is_empty());
    }

    #[test]
    fn a_tab_of_an_earlier_process_goes_on_from_its_last_receipt() {
        let (first, enclave) = (payer(), Key::new(3));
        let tabs = Tabs::new(enclave.public(), 9);
        let receipt = answered(&tabs, [1; 16], &quote("m"), &enclave);
        let before = chrysalis_settle::chain::first_head(&enclave.public(), &first.id(0));
        let head = chrysalis_settle::chain::next_head(&before, &receipt.job);
        let terms = |head: [u8; 32]| Terms {
            last: Some(receipt.clone()),
            head,
            ..terms(&["m"])
        };
        let mut seat = Seat::take(&payer(), None, enclave.public(), EXPORTER).unwrap();
        let refused = seat.learn(terms([0; 32])).unwrap_err();
        assert_eq!(refused.code(), "receipt_signature");
        seat.learn(terms(head)).unwrap();
        assert_eq!(seat.cap().cap, MOST + 7);
        assert!(seat.pay(&mut asking("m")).unwrap());
        let next = answered(&tabs, [2; 16], &quote("m"), &enclave);
        assert!(accept(&mut seat, &next, [2; 16], &enclave).is_ok());
    }

    #[test]
    fn nothing_is_asked_at_a_price_over_the_limit_and_what_is_owed_is_counted() {
        let (payer, enclave) = (payer(), Key::new(3));
        let limit = Arc::new(Limit::new("m", "chat"));
        let seat = Seat::take(&payer, Some(&limit), enclave.public(), EXPORTER);
        let mut seat = seat.unwrap();
        assert_eq!(limit.asked(), None);
        seat.learn(terms(&["n", "m"])).unwrap();
        assert_eq!(limit.asked(), Some(2_000_000), "the dearer half");
        limit.set(Some(1_999_999));
        let mut request = asking("m");
        let refused = seat.pay(&mut request).unwrap_err();
        assert_eq!(refused.code(), "price_over_ceiling");
        assert!(!request.headers().contains_key(CAP));
        limit.set(Some(2_000_000));
        assert!(seat.pay(&mut request).unwrap());
        let tabs = Tabs::new(enclave.public(), 9);
        let receipt = answered(&tabs, [1; 16], &quote("m"), &enclave);
        accept(&mut seat, &receipt, [1; 16], &enclave).unwrap();
        assert_eq!(payer.owed(), 7);
    }
}
