//! Paying, through the whole enclave: a client with a cap, and a host that knows its lane.

mod admission;
mod drain;
mod ending;
mod endpoints;
mod lanes;
mod speed;
mod told;

use chrysalis_attestation::{encoding::digest::sha256, evidence::binding::host_data};
use chrysalis_settle::{
    Attested, Credential, Expected, Job, Receipt, Tab, TabId, Terms,
    money::{self, Quote},
};
use chrysalis_wire::content::of_whole;
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    client::{Answer, CHAT, Connection, content, receipt_of},
    host::{Bank, FakeHost, attested, configuration},
};
use crate::{
    engine::fake::{self, Said},
    failure::Failure,
    serve::Bounds,
};

/// The lane that the host knows.
const LANE: u32 = 8;
/// Nano for a million units of weight 1; so one unit of it costs one nano.
const FLOOR: u64 = 1_000_000;
/// What a prompt token, a cached one, a completion token and a millisecond cost in floors.
const WEIGHTS: [u64; 4] = [1_000_000, 100_000, 2_000_000, 1_000_000];

pub(super) type Story = JoinHandle<Result<(), Failure>>;

fn spend_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap()
}

/// A lane with this ceiling, as the host answers.
fn lane(ceiling: u64) -> (Vec<u8>, u64) {
    (spend_key().public_key().as_ref().to_vec(), ceiling)
}

/// A model of each kind, and prices for them.
fn priced(payment: &str) -> Vec<u8> {
    let text = String::from_utf8(configuration()).unwrap();
    let text = text.replace("parallel = 1", "parallel = 8");
    let start = text.find("[[model]]").unwrap();
    let end = text.find("[serving]").unwrap();
    let chat = &text[start..end];
    let mut more = String::new();
    for kind in ["embedding", "rerank", "speech"] {
        let model = chat
            .replace("name = \"tiny\"", &format!("name = \"{kind}\""))
            .replace("kind = \"chat\"", &format!("kind = \"{kind}\""));
        let known = model.find("known_answer").unwrap();
        more.push_str(&model[..known]);
    }
    let serving = &text[end..];
    format!(
        "{}{more}{serving}payment = \"{payment}\"\n[price]\nweights = {WEIGHTS:?}\n",
        &text[..end]
    )
    .into_bytes()
}

/// Plays engines of every kind.
#[expect(clippy::needless_pass_by_value, reason = "as a `Play` takes it")]
fn play(path: &str, body: Value) -> Vec<Said> {
    let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
    match path {
        "/v1/embeddings" => vec![Said::Whole(
            json!({"data": [{"index": 0, "embedding": [1.0]}], "usage": usage}),
        )],
        "/v1/rerank" => vec![Said::Whole(
            json!({"results": [{"index": 0, "relevance_score": 1.0}], "usage": usage}),
        )],
        "/v1/audio/transcriptions" => {
            let segments = json!([{"start": 0, "end": 1, "text": "hello"}]);
            vec![Said::Whole(
                json!({"language": "english", "segments": segments}),
            )]
        }
        _ => lie(fake::echo(path, body.clone()), &body),
    }
}

/// An engine that is asked to lie says that it read and made a great many tokens.
fn lie(said: Vec<Said>, body: &Value) -> Vec<Said> {
    if !body.to_string().contains("untruth") {
        return said;
    }
    let tokens = 4_000_000_000_u64;
    let usage = json!({"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": tokens,
        "prompt_tokens_details": {"cached_tokens": 5}});
    let lies = said.into_iter().map(|said| match said {
        Said::Json(mut event) if event.get("usage").is_some() => {
            event["usage"] = usage.clone();
            Said::Json(event)
        }
        said => said,
    });
    lies.collect()
}

/// An enclave that serves for money, and a host that knows one lane.
pub(super) async fn enclave(payment: &str) -> (FakeHost, Story) {
    enclave_within(payment, |_| {}, Bounds::default()).await
}

async fn enclave_within(
    payment: &str,
    change: impl FnOnce(&mut Bank),
    bounds: Bounds,
) -> (FakeHost, Story) {
    serving(priced(payment), change, bounds).await
}

async fn serving(
    configuration: Vec<u8>,
    change: impl FnOnce(&mut Bank),
    bounds: Bounds,
) -> (FakeHost, Story) {
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    {
        let mut bank = host.bank.lock().unwrap();
        bank.floor = Some(FLOOR);
        bank.lanes.insert(LANE, Ok(lane(u64::MAX)));
        change(&mut bank);
    }
    let attested = attested(host.words(), play).await.unwrap();
    let story = tokio::spawn(attested.serve_within(bounds));
    host.serves(&story).await;
    (host, story)
}

/// A client process: its connection, its tab, and what it may spend.
struct Payer {
    connection: Connection,
    attested: Attested,
    tab: Tab,
    id: TabId,
    cap: u64,
    quotes: Vec<Quote>,
    jobs: u8,
}

impl Payer {
    /// One that has opened its tab.
    async fn new(host: &FakeHost) -> Self {
        Self::with(host, 0, 1_000_000_000).await
    }

    async fn with(host: &FakeHost, branch: u16, cap: u64) -> Self {
        let connection = Connection::new(host).await;
        let attested = connection.attested();
        let id = TabId {
            purse: [7; 32],
            lane: LANE,
            branch,
        };
        let mut payer = Self {
            tab: Tab::new(id, attested.receipt_key),
            connection,
            attested,
            id,
            cap,
            quotes: Vec::new(),
            jobs: 0,
        };
        payer.quotes = payer.state().await.quotes;
        payer
    }

    /// The same client over one more connection.
    async fn again(&self, host: &FakeHost) -> Self {
        let mut payer = Self::with(host, self.id.branch, self.cap).await;
        payer.jobs = self.jobs + 100;
        payer.tab = self.tab.clone();
        payer
    }

    fn credential(&self) -> Credential {
        let mut credential = Credential {
            tab: self.id,
            cap: self.cap,
            signature: [0; 64],
        };
        let digest = credential.statement(&self.attested.receipt_key).digest();
        credential.signature = spend_key().sign(&digest).as_ref().try_into().unwrap();
        credential
    }

    /// The header that shows on its connection that it has the lane's key.
    fn presence(&self) -> String {
        presence(&self.credential(), &self.connection, &self.attested)
    }

    /// What there is to know of the tab.
    async fn state(&mut self) -> Terms {
        let answer = self.open().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Terms::decode(&answer.body).unwrap().0
    }

    async fn open(&mut self) -> Answer {
        let (presence, credential) = (self.presence(), self.credential().encode());
        self.connection
            .post("POST /v1/tab", &presence, &credential)
            .await
    }

    fn quote(&self, model: &str) -> &Quote {
        let mut quotes = self.quotes.iter();
        quotes.find(|quote| quote.model == model).unwrap()
    }

    /// The headers of a job on this model.
    fn headers(&self, job: [u8; 16], model: &str) -> String {
        headers(job, self.quote(model).digest(), &self.credential()) + &self.presence()
    }

    fn next(&mut self) -> [u8; 16] {
        self.jobs += 1;
        [self.jobs; 16]
    }

    /// Asks the model that the body names, with a job of its own.
    async fn ask(&mut self, start: &str, body: &Value) -> (Answer, [u8; 16]) {
        let job = self.next();
        let headers = self.headers(job, body["model"].as_str().unwrap());
        let body = body.to_string();
        let answer = self.connection.post(start, &headers, body.as_bytes());
        (answer.await, job)
    }

    /// The code of a refusal.
    async fn refused(&mut self, start: &str, body: &Value) -> (u16, Value) {
        let (answer, _) = self.ask(start, body).await;
        (answer.status, answer.json()["error"].clone())
    }

    /// Asks, and accepts the receipt.
    async fn paid(&mut self, start: &str, body: &Value) -> Job {
        let (answer, job) = self.ask(start, body).await;
        assert_eq!(answer.status, 200, "{start} {}", answer.text());
        let model = body["model"].as_str().unwrap();
        self.accept(&answer, job, body.to_string().as_bytes(), model)
    }

    fn accept(&mut self, answer: &Answer, job: [u8; 16], request: &[u8], model: &str) -> Job {
        let (receipt, before, _) = receipt_of(answer).unwrap();
        let answer = sha256(&[&content(before.as_bytes())]);
        self.take(&receipt, job, request, Some(answer), model)
    }

    /// What the tab makes of a receipt: amounts and sums are computed again.
    fn take(
        &mut self,
        receipt: &Receipt,
        job: [u8; 16],
        request: &[u8],
        answer: Option<[u8; 32]>,
        model: &str,
    ) -> Job {
        let quote = self.quote(model).clone();
        let expected = Expected {
            job,
            request: sha256(&[of_whole(request)]),
            answer,
            attested: &self.attested,
            quote: Some(&quote),
        };
        self.tab.accept(receipt, &expected).unwrap().job().clone()
    }
}

fn headers(job: [u8; 16], quote: [u8; 32], credential: &Credential) -> String {
    format!(
        "x-chrysalis-job: {}\r\nx-chrysalis-quote: {}\r\nx-chrysalis-cap: {}\r\n",
        hex::encode(job),
        hex::encode(quote),
        BASE64URL_NOPAD.encode(&credential.encode())
    )
}

fn presence(credential: &Credential, connection: &Connection, attested: &Attested) -> String {
    let digest = credential
        .tab
        .presence(&attested.receipt_key, &connection.exporter());
    let signature = BASE64URL_NOPAD.encode(spend_key().sign(&digest).as_ref());
    format!("x-chrysalis-presence: {signature}\r\n")
}

fn chat(text: &str) -> Value {
    super::chat(text)
}

fn streamed(text: &str) -> Value {
    let mut body = super::chat(text);
    body["stream"] = json!(true);
    body
}

/// The most that a chat can cost.
fn bound(body: &Value, quote: &Quote) -> u64 {
    let length = u64::try_from(body.to_string().len()).unwrap();
    money::bound(length, 16, 0, &quote.price).unwrap()
}

/// Begins a stream and reads its first piece.
async fn begin(payer: &mut Payer, text: &str, piece: &[u8]) -> ([u8; 16], Value) {
    let (job, body) = (payer.next(), streamed(text));
    let headers = payer.headers(job, "tiny");
    let connection = &mut payer.connection;
    connection
        .send(CHAT, &headers, body.to_string().as_bytes())
        .await;
    connection.until(piece).await;
    (job, body)
}
