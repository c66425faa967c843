//! What the vectors are made of: fixed keys, one honest tab, and one thing wrong at a time.

use chrysalis_settle::{
    Attested, Done, End, EpochEvidence, Expected, Job, JobNumber, Kept, OpenTab, Receipt,
    Rejection, Sign, Standing, Statement, Tab, TabId, Tabs, Tag, chain,
    money::{self, Quote},
};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A key of these tests, by its seed. Anyone can sign with it.
pub(crate) struct Key(pub(crate) Ed25519KeyPair);

impl Key {
    pub(crate) fn seeded(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn signed(&self, digest: &[u8; 32]) -> [u8; 64] {
        self.0.sign(digest).as_ref().try_into().unwrap()
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        Some(self.signed(digest))
    }
}

/// The enclave's receipt key.
pub(crate) fn enclave() -> Key {
    Key::seeded(3)
}

pub(crate) const EXPORTER: [u8; 32] = [0xE4; 32];
pub(crate) const REQUEST: [u8; 32] = [0x51; 32];
pub(crate) const ANSWER: [u8; 32] = [0x52; 32];

pub(crate) fn attested() -> Attested {
    Attested {
        receipt_key: enclave().public(),
        claims: [0xC1; 32],
        epoch: 2,
        evidence: [0xEB; 32],
    }
}

pub(crate) fn unpaid() -> TabId {
    TabId::unpaid(&EXPORTER)
}

pub(crate) fn paid() -> TabId {
    TabId {
        purse: [0xF0; 32],
        lane: 0x6B0E_B6C0,
        branch: 5,
    }
}

pub(crate) fn quote() -> Quote {
    Quote {
        model: "smollm2-135m-instruct".to_owned(),
        weights: [0x33; 32],
        price: [20_000_000, 2_000_000, 60_000_000, 1_000],
        floor: 20_000_000,
        epoch: 7,
        until: 1_796_130_000,
    }
}

pub(crate) fn number(seq: u64) -> JobNumber {
    let mut number = [0xA0; 16];
    number[8..].copy_from_slice(&seq.to_be_bytes());
    number
}

/// What is in force when a receipt comes.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) tab: TabId,
    pub(crate) standing: Standing,
    pub(crate) job: JobNumber,
    pub(crate) request: [u8; 32],
    pub(crate) answer: Option<[u8; 32]>,
    pub(crate) attested: Attested,
    pub(crate) quote: Option<Quote>,
}

impl Scene {
    fn first(tab: TabId, quote: Option<Quote>) -> Self {
        let head = chain::first_head(&enclave().public(), &tab);
        Self {
            tab,
            standing: Standing {
                seq: 0,
                cumulative: 0,
                head,
            },
            job: number(1),
            request: REQUEST,
            answer: Some(ANSWER),
            attested: attested(),
            quote,
        }
    }

    /// What the client's tab makes of a receipt.
    pub(crate) fn accept(&self, bytes: &[u8]) -> Result<Kept, Rejection> {
        let (receipt, _) = Receipt::decode(bytes)?;
        let mut tab = Tab::resumed(self.tab, self.attested.receipt_key, self.standing);
        let accepted = tab.accept(
            &receipt,
            &Expected {
                job: self.job,
                request: self.request,
                answer: self.answer,
                attested: &self.attested,
                quote: self.quote.as_ref(),
            },
        );
        // A tab that refuses stays as it is.
        assert_eq!(accepted.is_err(), tab.standing() == self.standing);
        accepted
    }

    /// The job that an honest enclave makes next.
    fn honest(&self) -> Job {
        let units = [31, 5, 12, 1500];
        let amount = match &self.quote {
            None => 0,
            Some(quote) => money::amount(&units, &quote.price).unwrap(),
        };
        Job {
            seq: self.standing.seq + 1,
            job: self.job,
            claims: self.attested.claims,
            evidence: self.attested.evidence,
            epoch: self.attested.epoch,
            quote: self
                .quote
                .as_ref()
                .map_or_else(money::unpaid_quote, Quote::digest),
            units,
            amount,
            cumulative: self.standing.cumulative + amount,
            request: chain::request_commitment(&self.job, &self.request),
            response: chain::response_commitment(&self.job, &ANSWER),
            end: End::Stop,
            began: 1_796_126_400,
            ended: 1_796_126_401,
        }
    }

    /// A job as an enclave would sign it, whatever is in it.
    pub(crate) fn signed(&self, job: &Job, key: &Key) -> Receipt {
        let job_bytes = job.encode();
        let statement = Statement {
            tag: Tag::Receipt,
            tab: self.tab,
            amount: job.cumulative,
            last: chain::next_head(&self.standing.head, &job_bytes),
        };
        Receipt {
            signature: key.signed(&statement.digest()),
            job: job_bytes,
        }
    }

    fn honestly_signed(&self) -> Receipt {
        self.signed(&self.honest(), &enclave())
    }
}

/// A receipt, what it comes to, and the code that must come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) scene: Scene,
    pub(crate) receipt: Vec<u8>,
    pub(crate) code: Option<&'static str>,
}

fn altered(
    name: &'static str,
    code: &'static str,
    scene: &Scene,
    alter: impl FnOnce(&mut Job),
) -> Case {
    let mut job = scene.honest();
    alter(&mut job);
    Case {
        name,
        receipt: scene.signed(&job, &enclave()).encode(),
        scene: scene.clone(),
        code: Some(code),
    }
}

/// Every case of a client's tab.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn receipts() -> Vec<Case> {
    let free = Scene::first(unpaid(), None);
    let dear = Scene::first(paid(), Some(quote()));
    let later = after(&dear);
    let case = |name, scene: &Scene, receipt: Vec<u8>, code| Case {
        name,
        scene: scene.clone(),
        receipt,
        code,
    };
    let honest = free.honestly_signed();
    let mut cancelled = free.clone();
    cancelled.answer = None;
    let mut given_up = cancelled.honest();
    given_up.end = End::Cancelled;
    let mut other_tab = free.clone();
    other_tab.tab = TabId::unpaid(&[0xE5; 32]);
    other_tab.standing.head = chain::first_head(&enclave().public(), &other_tab.tab);
    let mut replayed = after(&free);
    replayed.job = free.job;
    let long = Receipt {
        job: vec![0; 900],
        signature: [0; 64],
    };
    let mut more = honest.encode();
    more.push(0);
    vec![
        case("unpaid", &free, honest.encode(), None),
        case("paid", &dear, dear.honestly_signed().encode(), None),
        case("the-second", &later, later.honestly_signed().encode(), None),
        case(
            "cancelled",
            &cancelled,
            cancelled.signed(&given_up, &enclave()).encode(),
            None,
        ),
        case("trailing", &free, more, Some("receipt_malformed")),
        case("too-long", &free, long.encode(), Some("receipt_malformed")),
        case(
            "no-job",
            &free,
            Receipt {
                job: vec![0xA0],
                ..honest.clone()
            }
            .encode(),
            Some("job_malformed"),
        ),
        case(
            "replayed",
            &replayed,
            honest.encode(),
            Some("receipt_chain"),
        ),
        altered("skipped", "receipt_chain", &free, |job| job.seq = 2),
        case(
            "another-key",
            &free,
            free.signed(&free.honest(), &Key::seeded(4)).encode(),
            Some("receipt_signature"),
        ),
        case(
            "another-connection",
            &free,
            other_tab.honestly_signed().encode(),
            Some("receipt_signature"),
        ),
        altered("another-quote", "receipt_quote", &dear, |job| {
            job.quote[0] ^= 1;
        }),
        altered("a-price-where-nobody-pays", "receipt_quote", &free, |job| {
            job.quote = quote().digest();
        }),
        altered("one-nano-more", "receipt_sum", &dear, |job| {
            job.amount += 1;
            job.cumulative += 1;
        }),
        altered("one-token-more", "receipt_sum", &dear, |job| {
            job.units[2] += 1;
        }),
        altered("another-sum", "receipt_sum", &later, |job| {
            job.cumulative += 1;
        }),
        altered("owed-where-nobody-pays", "receipt_sum", &free, |job| {
            job.amount = 1;
            job.cumulative = 1;
        }),
        altered("another-job", "receipt_content", &free, |job| {
            job.job[0] ^= 1;
        }),
        altered("another-request", "receipt_content", &free, |job| {
            job.request[0] ^= 1;
        }),
        altered("another-answer", "receipt_content", &free, |job| {
            job.response[0] ^= 1;
        }),
        altered("not-cancelled", "receipt_content", &cancelled, |_| ()),
        altered("other-claims", "receipt_evidence", &free, |job| {
            job.claims[0] ^= 1;
        }),
        altered("another-epoch", "receipt_evidence", &free, |job| {
            job.epoch += 1;
        }),
        altered("another-bundle", "receipt_evidence", &free, |job| {
            job.evidence[0] ^= 1;
        }),
    ]
}

/// The scene once its first receipt was accepted.
fn after(scene: &Scene) -> Scene {
    let kept = scene.accept(&scene.honestly_signed().encode()).unwrap();
    Scene {
        standing: Standing {
            seq: 1,
            cumulative: kept.job().cumulative,
            head: kept.statement().last,
        },
        job: number(2),
        ..scene.clone()
    }
}

/// A tab at the enclave, with its tabs.
pub(crate) fn open(id: TabId) -> (Tabs, std::sync::Arc<OpenTab>) {
    let tabs = Tabs::new(enclave().public(), 4);
    let tab = tabs.open(id).unwrap();
    (tabs, tab)
}

/// A free answer.
pub(crate) fn done(attested: &Attested) -> Done<'_> {
    Done {
        attested,
        units: [31, 5, 12, 0],
        quote: money::unpaid_quote(),
        amount: 0,
        request: REQUEST,
        answer: ANSWER,
        end: End::Stop,
        began: 1_796_126_400,
        ended: 1_796_126_401,
    }
}

/// The honest receipt as it is kept, in its own file with the evidence or beside it.
pub(crate) fn kept(evidence: bool) -> Kept {
    let scene = after(&Scene::first(unpaid(), None));
    let mut kept = scene.accept(&scene.honestly_signed().encode()).unwrap();
    kept.evidence = evidence.then(|| EpochEvidence {
        spki: vec![0x30; 91],
        bundle: vec![0xA4; 40],
    });
    kept
}

/// A kept receipt that another key, tab or job would give.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn kept_wrong() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let whole = kept(false).encode();
    let free = Scene::first(unpaid(), None);
    let signed = |scene: &Scene, job: &Job| {
        let receipt = scene.signed(job, &enclave());
        let statement = Statement {
            tag: Tag::Receipt,
            tab: scene.tab,
            amount: job.cumulative,
            last: chain::next_head(&scene.standing.head, &receipt.job),
        };
        file(&receipt, &statement, &scene.standing.head)
    };
    let alter = |scene: &Scene, alter: &dyn Fn(&mut Job)| {
        let mut job = scene.honest();
        alter(&mut job);
        signed(scene, &job)
    };
    let mut cap = free.clone();
    cap.standing.head = [9; 32];
    let second = after(&free);
    let honest = second.honestly_signed();
    let cap_statement = Statement {
        tag: Tag::Cap,
        tab: unpaid(),
        amount: 0,
        last: [7; 32],
    };
    let of_cap = Receipt {
        signature: enclave().signed(&cap_statement.digest()),
        job: honest.job.clone(),
    };
    let mut trailing = whole.clone();
    trailing.push(0);
    let elsewhere = Statement {
        tag: Tag::Receipt,
        tab: unpaid(),
        amount: 5,
        last: chain::next_head(&second.standing.head, &honest.job),
    };
    let of_elsewhere = Receipt {
        signature: enclave().signed(&elsewhere.digest()),
        job: honest.job.clone(),
    };
    vec![
        ("trailing", trailing, "receipt_file_malformed"),
        (
            "a-cap",
            file(&of_cap, &cap_statement, &second.standing.head),
            "receipt_signature",
        ),
        (
            "another-head-before",
            {
                let statement = *kept(false).statement();
                file(&honest, &statement, &[1; 32])
            },
            "receipt_chain",
        ),
        (
            "a-first-job-in-the-middle",
            signed(&cap, &cap.honest()),
            "receipt_chain",
        ),
        (
            "another-sum-signed",
            file(&of_elsewhere, &elsewhere, &second.standing.head),
            "receipt_sum",
        ),
        (
            "more-than-the-sum",
            alter(&free, &|job| {
                job.amount = 2;
                job.cumulative = 1;
            }),
            "receipt_sum",
        ),
        (
            "owed-where-nobody-pays",
            alter(&free, &|job| {
                job.amount = 1;
                job.cumulative = 1;
            }),
            "receipt_sum",
        ),
        (
            "a-price-where-nobody-pays",
            alter(&free, &|job| job.quote = quote().digest()),
            "receipt_quote",
        ),
        (
            "other-claims",
            alter(&free, &|job| job.claims[0] ^= 1),
            "receipt_evidence",
        ),
        (
            "another-epoch",
            alter(&free, &|job| job.epoch += 1),
            "receipt_evidence",
        ),
        (
            "another-bundle",
            alter(&free, &|job| job.evidence[0] ^= 1),
            "receipt_evidence",
        ),
        (
            "another-request",
            alter(&free, &|job| job.request[0] ^= 1),
            "receipt_content",
        ),
        (
            "another-answer",
            alter(&free, &|job| job.response[0] ^= 1),
            "receipt_content",
        ),
    ]
}

/// The file of a kept receipt, by its parts.
fn file(receipt: &Receipt, statement: &Statement, before: &[u8; 32]) -> Vec<u8> {
    use chrysalis_attestation::encoding::cbor::{self, Value};
    cbor::encode(&cbor::map([
        ("job", Value::Bytes(receipt.job.clone())),
        ("statement", Value::Bytes(statement.encode().to_vec())),
        ("signature", Value::Bytes(receipt.signature.to_vec())),
        ("before", Value::Bytes(before.to_vec())),
    ]))
}
