//! The proxy in front of a network: whoever is cheap and well is asked, whoever fails before the first piece loses no request, and no lie of a
//! directory, a host or an enclave gets further than its name.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_client::{
    Deadlines, Dial, Error, Lane, RelyingParty,
    network::{Budget, Directories, Lanes, Open, Order, Purse, Source, Web},
    proxy::{Access, Door, Network, NetworkProxy},
    system_time,
};
use chrysalis_network::SignedListing;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    issuer::Lie,
    listed::{Conduct, Key, MODEL, Publisher, WEIGHTS, descriptor, honest, listing},
    stage::{Enclave, Host, Proof, Reply, policy, short_deadlines},
};

const CHAT: &str = "{\"model\":\"smollm2\",\"stream\":false}";
const STREAM: &str = "{\"model\":\"smollm2\",\"stream\":true}";
/// So much dearer that chance never chooses it first.
const DEAR: u64 = 1_000_000;
/// How often directories are asked here.
const PERIOD: Duration = Duration::from_millis(200);

/// Three hosts, and a directory that lists them: the first asks next to nothing.
struct World {
    hosts: Vec<Host>,
    directory: Publisher,
}

impl World {
    async fn new() -> Self {
        Self::of(3).await
    }

    /// The same with so many hosts.
    async fn of(count: usize) -> Self {
        let mut hosts = Vec::new();
        for _ in 0..count {
            hosts.push(Host::serving(Enclave::honest()).await);
        }
        let world = Self {
            hosts,
            directory: Publisher::new().await,
        };
        let mut prices = vec![DEAR; count];
        prices[0] = 1;
        world.publish(&prices);
        world
    }

    /// Lists the hosts, each with its operator and what it asks.
    fn publish(&self, prices: &[u64]) {
        let hosts = self.hosts.iter().zip(prices).zip(1..);
        let listed = hosts.map(|((host, price), operator)| (honest(operator, host), *price));
        self.directory.publish(&listed.collect::<Vec<_>>());
    }

    fn id(&self, number: usize) -> String {
        let operator = u8::try_from(number + 1).unwrap();
        let listing = SignedListing::verify(&honest(operator, &self.hosts[number])).unwrap();
        listing.id().to_string()
    }

    async fn settings(&self) -> Network {
        settings(&[&self.directory]).await
    }

    /// How often each host was asked.
    fn asked(&self) -> Vec<usize> {
        self.hosts.iter().map(Host::asked).collect()
    }
}

async fn directories(publishers: &[&Publisher]) -> Directories {
    let web = Web::new(&Dial::default()).unwrap();
    let web: Arc<dyn Source> = Arc::new(web.patient_for(Duration::from_millis(700)));
    let clock = Arc::new(system_time);
    let network = descriptor(publishers);
    Directories::start_each(network, vec![WEIGHTS], web, None, clock, PERIOD).await
}

async fn settings(publishers: &[&Publisher]) -> Network {
    let deadlines = Deadlines {
        first_byte: Duration::from_secs(6),
        ..short_deadlines()
    };
    Network {
        directories: directories(publishers).await,
        models: vec![MODEL.into()],
        relying_party: RelyingParty::new(policy(true)).with_deadlines(deadlines),
        receipts: None,
        lanes: None,
        max_price: None,
        warm: 3,
        hedge: false,
        allow_private: true,
        reverify: Duration::from_hours(1),
    }
}

async fn serve(network: Network) -> SocketAddr {
    let proxy = NetworkProxy::start(network).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::open(listener, Access::default()).unwrap();
    tokio::spawn(async move { proxy.serve(door).await });
    address
}

async fn send(proxy: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let tcp = TcpStream::connect(proxy).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

/// An answer, all of it.
#[derive(Debug)]
struct Heard {
    status: u16,
    provider: String,
    attempts: String,
    spent: String,
    price: String,
    text: String,
    clean: bool,
}

async fn chat(proxy: SocketAddr, body: &str) -> Heard {
    let request = Request::post("/v1/chat/completions").header("host", proxy.to_string());
    let request = request.body(Full::from(body.to_owned())).unwrap();
    let answer = send(proxy, request).await;
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or_else(String::new, |it| it.to_str().unwrap().to_owned())
    };
    let mut heard = Heard {
        status: answer.status().as_u16(),
        provider: header("x-chrysalis-provider"),
        attempts: header("x-chrysalis-attempts"),
        spent: header("x-chrysalis-spent"),
        price: header("x-chrysalis-price"),
        text: String::new(),
        clean: true,
    };
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => heard.text += &String::from_utf8_lossy(&frame.into_data().unwrap()),
            Err(_) => heard.clean = false,
        }
    }
    heard
}

async fn health(proxy: SocketAddr) -> Value {
    let request = Request::get("/health").header("host", proxy.to_string());
    let answer = send(proxy, request.body(Full::default()).unwrap()).await;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_cheap_one_answers_and_the_answer_says_who_it_was() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    for body in [CHAT, STREAM] {
        let heard = chat(proxy, body).await;
        assert_eq!((heard.status, heard.clean), (200, true), "{heard:?}");
        assert_eq!(heard.provider, world.id(0));
        assert_eq!((heard.attempts.as_str(), heard.price.as_str()), ("1", "0"));
        assert!(heard.text.contains("Hel"), "{heard:?}");
    }
    assert_eq!(world.asked(), [2, 0, 0]);
    let health = health(proxy).await;
    assert_eq!(health["verdict"], "trusted-simulated");
    assert_eq!(health["providers_verified"], 3);
    let models = Request::get("/v1/models").header("host", proxy.to_string());
    let models = send(proxy, models.body(Full::default()).unwrap()).await;
    let models = models.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&models).contains("\"id\":\"smollm2\""));
    let unknown = chat(proxy, "{\"model\":\"another\"}").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text.contains("model_not_found"), "{unknown:?}");
}

#[tokio::test]
async fn a_provider_that_fails_before_its_first_token_loses_no_request() {
    for (name, body, fails) in [
        ("busy", CHAT, Reply::Refuses(429, "rate_limit_exceeded")),
        ("full", STREAM, Reply::Refuses(503, "queue_timeout")),
        ("engine lost", CHAT, Reply::Refuses(502, "engine_failed")),
        ("no such quote", CHAT, Reply::Refuses(409, "quote_unknown")),
        ("cap too low", CHAT, Reply::Refuses(402, "cap_too_low")),
        ("cut in a whole answer", CHAT, Reply::Cut),
        ("cut before the first piece", STREAM, Reply::Hollow),
        ("engine lost in a stream", STREAM, Reply::Lost),
        ("silent", STREAM, Reply::Silence),
    ] {
        let world = World::new().await;
        let proxy = serve(world.settings().await).await;
        world.hosts[0].reply(fails);
        let others = || world.hosts[1].connections() + world.hosts[2].connections();
        let before = others();
        let heard = chat(proxy, body).await;
        assert_eq!(
            others(),
            before,
            "{name}: the next one was verified already"
        );
        assert_eq!(
            (heard.status, heard.clean),
            (200, true),
            "{name}: {heard:?}"
        );
        assert_ne!(heard.provider, world.id(0), "{name}");
        // Who has another price than was thought is asked once more.
        let attempts = if name == "no such quote" { "3" } else { "2" };
        assert_eq!(heard.attempts, attempts, "{name}");
    }
}

#[tokio::test]
async fn a_machine_that_dies_or_whose_trust_ends_loses_no_request() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].die();
    let heard = chat(proxy, CHAT).await;
    assert_eq!((heard.status, heard.clean), (200, true), "{heard:?}");
    assert_ne!(heard.provider, world.id(0));

    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].cut(1);
    world.hosts[0].prove(Proof::Declined("trust_ended"));
    let heard = chat(proxy, STREAM).await;
    assert_eq!((heard.status, heard.clean), (200, true), "{heard:?}");
    assert_ne!(heard.provider, world.id(0));
}

#[tokio::test]
async fn after_the_first_piece_nothing_is_tried_again_and_the_stream_ends_by_name() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].reply(Reply::Cut);
    let heard = chat(proxy, STREAM).await;
    assert!(
        !heard.clean && heard.text.contains("incomplete_answer"),
        "{heard:?}"
    );
    assert!(heard.text.contains("\"Hel\"") && !heard.text.contains("[DONE]"));
    assert_eq!(world.asked(), [1, 0, 0]);
    // It rests, and the next request goes elsewhere at once.
    let heard = chat(proxy, CHAT).await;
    assert_eq!((heard.attempts.as_str(), world.asked()[0]), ("1", 1));
}

/// The job numbers that a host was asked with.
fn jobs(host: &Host) -> Vec<String> {
    let seen = host.seen();
    let lines = seen
        .lines()
        .filter_map(|line| line.strip_prefix("x-chrysalis-job: "));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_try_has_a_job_number_of_its_own_unless_the_program_named_one() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].reply(Reply::Refuses(503, "engine_unavailable"));
    chat(proxy, CHAT).await;
    let numbers: Vec<_> = world.hosts.iter().flat_map(jobs).collect();
    assert_eq!(numbers.len(), 2, "{numbers:?}");
    assert_ne!(numbers[0], numbers[1]);
}

#[tokio::test]
async fn all_tries_together_have_one_deadline() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    for host in &world.hosts {
        host.reply(Reply::Silence);
    }
    let began = Instant::now();
    let heard = chat(proxy, STREAM).await;
    assert_eq!(
        (heard.status, heard.attempts.as_str()),
        (503, "3"),
        "{heard:?}"
    );
    assert!(heard.text.contains("\"stalled\""), "{heard:?}");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(world.asked(), [1, 1, 1]);
}

#[tokio::test]
async fn three_tries_and_no_more() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    for host in &world.hosts {
        host.reply(Reply::Refuses(503, "engine_unavailable"));
    }
    let heard = chat(proxy, CHAT).await;
    assert_eq!(
        (heard.status, heard.attempts.as_str()),
        (503, "3"),
        "{heard:?}"
    );
    assert!(heard.text.contains("engine_unavailable"));
    assert_eq!(world.asked(), [1, 1, 1]);
}

#[tokio::test]
async fn hosts_that_drain_use_up_no_try() {
    let world = World::of(5).await;
    let settings = Network {
        warm: 5,
        ..world.settings().await
    };
    let proxy = serve(settings).await;
    for host in &world.hosts[..4] {
        host.reply(Reply::Refuses(503, "draining"));
    }
    for _ in 0..8 {
        let heard = chat(proxy, CHAT).await;
        assert_eq!(heard.status, 200, "{heard:?}");
        assert_eq!(heard.provider, world.id(4));
    }
}

#[tokio::test]
async fn what_is_the_requests_own_fault_is_not_tried_again() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].reply(Reply::Refuses(400, "invalid_value"));
    let heard = chat(proxy, CHAT).await;
    assert_eq!(
        (heard.status, heard.attempts.as_str()),
        (400, "1"),
        "{heard:?}"
    );
    assert_eq!(heard.provider, world.id(0));
}

#[tokio::test]
async fn a_hedge_asks_a_second_one_and_the_first_piece_wins() {
    let world = World::new().await;
    let patient = Deadlines {
        first_byte: Duration::from_mins(1),
        ..short_deadlines()
    };
    let settings = Network {
        hedge: true,
        relying_party: RelyingParty::new(policy(true)).with_deadlines(patient),
        ..world.settings().await
    };
    let proxy = serve(settings).await;
    // It is known to be quick.
    assert_eq!(chat(proxy, STREAM).await.provider, world.id(0));
    world.hosts[0].reply(Reply::Silence);
    let began = Instant::now();
    let heard = chat(proxy, STREAM).await;
    assert_eq!((heard.status, heard.clean), (200, true), "{heard:?}");
    assert_ne!(heard.provider, world.id(0));
    assert_eq!(heard.attempts, "2");
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1),
        "not before a second: {took:?}"
    );
    assert!(
        took < Duration::from_secs(15),
        "not only once it stalls: {took:?}"
    );
    // The slow one is cancelled: its connection ends.
    let before = world.hosts[0].ended();
    for _ in 0..100 {
        if before > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(world.hosts[0].ended() > 0);
}

#[tokio::test]
async fn who_shows_other_evidence_or_is_not_what_is_listed_is_out_and_counted() {
    for lie in ["evidence", "listing", "hardware"] {
        let world = World::new().await;
        if lie == "evidence" {
            world.hosts[0].prove(Proof::Of(Enclave::honest()));
        } else {
            // The offer of another enclave, at this address; or one that claims real hardware.
            let other = Host::serving(Enclave::honest()).await;
            let offer = match lie {
                "listing" => other.offer(),
                _ => world.hosts[0].offer_on("snp"),
            };
            let wrong = listing(1, &offer, world.hosts[0].address(), 1, 1800);
            let right = honest(2, &world.hosts[1]);
            world.directory.publish(&[(wrong, 1), (right, DEAR)]);
        }
        let proxy = serve(world.settings().await).await;
        let heard = chat(proxy, CHAT).await;
        assert_eq!(
            (heard.status, heard.attempts.as_str()),
            (200, "1"),
            "{lie}: {heard:?}"
        );
        assert_eq!(world.asked()[0], 0, "{lie}: no prompt leaves");
        assert_eq!(health(proxy).await["providers_refused"], 1, "{lie}");
        // For as long as it is listed, whatever it shows later.
        world.hosts[0].prove(Proof::Honest);
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..5 {
            assert_eq!(chat(proxy, CHAT).await.status, 200);
        }
        assert_eq!(world.asked()[0], 0, "{lie}");
    }
}

#[tokio::test]
async fn an_answer_without_its_receipt_is_an_error_and_its_provider_is_left() {
    let world = World::new().await;
    let proxy = serve(world.settings().await).await;
    world.hosts[0].receipt(Lie::AnotherAnswer);
    let heard = chat(proxy, CHAT).await;
    assert_eq!(heard.status, 502, "{heard:?}");
    assert!(heard.text.contains("receipt_content"));
    assert_eq!(world.asked(), [1, 0, 0], "it is not bought twice");
    world.hosts[0].receipt(Lie::None);
    assert_ne!(chat(proxy, CHAT).await.provider, world.id(0));
}

#[tokio::test]
async fn nobody_over_the_ceiling_is_asked() {
    let world = World::new().await;
    world.publish(&[100, 5, 100]);
    let settings = Network {
        max_price: Some(99),
        ..world.settings().await
    };
    let proxy = serve(settings).await;
    for _ in 0..10 {
        assert_eq!(chat(proxy, CHAT).await.status, 200);
    }
    assert_eq!(world.asked(), [0, 10, 0]);
    // One and a half times what the class costs, where no limit was named.
    world.directory.index(60);
    world.publish(&[91, 90, 1000]);
    let proxy = serve(world.settings().await).await;
    for _ in 0..5 {
        assert_eq!(chat(proxy, CHAT).await.status, 200);
    }
    assert_eq!(world.asked(), [0, 15, 0]);
    let settings = Network {
        max_price: Some(9),
        ..world.settings().await
    };
    let refused = NetworkProxy::start(settings).await.err().unwrap();
    assert_eq!(refused.code(), "price_over_ceiling", "{refused}");
    assert!(
        refused.to_string().contains("3 over the price limit"),
        "{refused}"
    );
}

#[tokio::test]
async fn one_directory_that_lies_or_stalls_is_named_and_the_other_goes_on() {
    let world = World::new().await;
    for (conduct, code) in [
        (Conduct::Down, "directory_unreachable"),
        (Conduct::Gigabytes, "directory_too_large"),
        (Conduct::Slow, "directory_stalled"),
        (Conduct::Old, "directory_stale"),
        (Conduct::Forged, "listing_signature"),
        (Conduct::AnotherNetwork, "directory_another"),
    ] {
        let liar = Publisher::new().await;
        liar.publish(&[(honest(1, &world.hosts[0]), 1)]);
        liar.conduct(conduct);
        let both = directories(&[&liar, &world.directory]).await;
        let began = Instant::now();
        let said = loop {
            let status = both.status().remove(0);
            if let Some(trouble) = status.trouble {
                break trouble;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "{conduct:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(said.code(), code, "{conduct:?}: {said}");
        assert!(both.status()[1].trouble.is_none());
        assert_eq!(both.class(&WEIGHTS).listed.len(), 3, "{conduct:?}");
    }
}

#[tokio::test]
async fn a_directory_that_makes_providers_up_hides_no_other() {
    let host = Host::serving(Enclave::honest()).await;
    let (liar, other) = (Publisher::new().await, Publisher::new().await);
    let mut made_up = Vec::new();
    let enclave = Host::serving(Enclave::honest()).await;
    for operator in 10..90 {
        let fake = listing(operator, &enclave.offer(), host.address(), 1, 1800);
        made_up.push((fake, 1));
    }
    liar.publish(&made_up);
    other.publish(&[(honest(1, &host), DEAR)]);
    let settings = Network {
        warm: 8,
        ..settings(&[&liar, &other]).await
    };
    let proxy = serve(settings).await;
    assert_eq!(chat(proxy, CHAT).await.status, 200);
    assert!(enclave.connections() == 0 && host.asked() == 1);
}

#[tokio::test]
async fn directories_are_united_and_the_newest_listing_counts() {
    let (one, other) = (Publisher::new().await, Publisher::new().await);
    let host = Host::serving(Enclave::honest()).await;
    let second = Host::serving(Enclave::honest()).await;
    let at = |seq| listing(1, &host.offer(), host.address(), seq, 1800);
    one.publish(&[(at(2), 7)]);
    other.publish(&[(at(1), 7), (honest(2, &second), 9)]);
    let both = directories(&[&one, &other]).await;
    let view = both.class(&WEIGHTS);
    let seqs: Vec<_> = view
        .listed
        .values()
        .map(|it| it.listing.listing().seq)
        .collect();
    assert_eq!(seqs.len(), 2);
    assert_eq!(seqs.iter().max(), Some(&2));
    // What changes comes as a delta, not as the whole.
    let before = one
        .asked()
        .iter()
        .filter(|path| path.contains("full"))
        .count();
    one.publish(&[(at(3), 8)]);
    let began = Instant::now();
    while !both
        .class(&WEIGHTS)
        .listed
        .values()
        .any(|it| it.listing.listing().seq == 3)
    {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = one.asked();
    assert!(
        asked.iter().any(|path| path.contains("delta-2")),
        "{asked:?}"
    );
    assert_eq!(
        asked.iter().filter(|path| path.contains("full")).count(),
        before
    );
    // One that leaves is still there for who still lists it.
    other.publish(&[]);
    while both.class(&WEIGHTS).listed.len() > 1 {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_directories_the_proxy_goes_on_until_listings_end() {
    let world = World::new().await;
    let room = tempfile::tempdir().unwrap();
    let start = async |clock: i64| {
        let web: Arc<dyn Source> = Arc::new(Web::new(&Dial::default()).unwrap());
        let clock = Arc::new(move || chrysalis_attestation::Time(system_time().0 + clock));
        let network = descriptor(&[&world.directory]);
        let folder = Some(room.path().to_owned());
        Directories::start_each(network, vec![WEIGHTS], web, folder, clock, PERIOD).await
    };
    assert_eq!(start(0).await.class(&WEIGHTS).listed.len(), 3);
    world.directory.conduct(Conduct::Down);
    let settings = Network {
        directories: start(0).await,
        ..world.settings().await
    };
    let proxy = serve(settings).await;
    assert_eq!(chat(proxy, CHAT).await.status, 200);
    let settings = Network {
        directories: start(1801).await,
        ..world.settings().await
    };
    let over = NetworkProxy::start(settings).await.err().unwrap();
    assert_eq!(over.code(), "listings_expired", "{over}");
}

#[tokio::test]
async fn listings_that_are_over_or_last_too_long_are_none() {
    let world = World::new().await;
    let host = &world.hosts[0];
    for (until, code) in [(-1, "listings_expired"), (3700, "no_provider")] {
        let wrong = listing(1, &host.offer(), host.address(), 1, until);
        world.directory.publish(&[(wrong, 1)]);
        let refused = NetworkProxy::start(world.settings().await)
            .await
            .err()
            .unwrap();
        assert_eq!(refused.code(), code, "{refused}");
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn private_addresses_are_left_out_unless_they_are_allowed() {
    let world = World::new().await;
    let settings = Network {
        allow_private: false,
        ..world.settings().await
    };
    let refused = NetworkProxy::start(settings).await.err().unwrap();
    assert_eq!(refused.code(), "no_provider", "{refused}");
    assert!(world.hosts.iter().all(|host| host.connections() == 0));
}

/// A purse that locks whatever it is told to.
#[derive(Default)]
struct FakePurse {
    orders: Mutex<Vec<Order>>,
}

impl Purse for FakePurse {
    fn lanes(&self) -> Result<Vec<Open>, String> {
        Ok(Vec::new())
    }

    fn lock(&self, order: &Order) -> Result<Open, String> {
        let mut orders = self.orders.lock().unwrap();
        orders.push(order.clone());
        let same = orders.iter().filter(|it| it.payee == order.payee);
        Ok(Open {
            lane: Lane {
                purse: [9; 32],
                number: order.lane.unwrap_or(u32::from(order.payee[0])),
                key: Box::new(Key::new(7)),
            },
            payee: order.payee,
            locked: same.map(|it| it.amount).sum(),
            paid: 0,
        })
    }
}

async fn paying(world: &World, max_price: Option<u64>, most: u64) -> (Network, Arc<FakePurse>) {
    let purse = Arc::new(FakePurse::default());
    let budget = Budget {
        lanes: 2,
        lane: 1000,
        most,
        job: 5000,
        branch: 0,
    };
    let lanes = Lanes::open(Arc::clone(&purse) as Arc<dyn Purse>, budget)
        .await
        .unwrap();
    let settings = Network {
        lanes: Some(lanes),
        max_price,
        ..world.settings().await
    };
    (settings, purse)
}

/// Five tokens cost five.
const PRICE: u64 = 1_000_000;

#[tokio::test]
async fn answers_are_paid_from_lanes_that_never_hold_more_than_the_budget() {
    let world = World::new().await;
    for host in &world.hosts {
        host.ask_for(PRICE);
    }
    world.publish(&[PRICE, PRICE, PRICE]);
    let (settings, purse) = paying(&world, Some(PRICE), 3500).await;
    let proxy = serve(settings).await;
    let mut sum = 0;
    for _ in 0..20 {
        let heard = chat(proxy, CHAT).await;
        assert_eq!(heard.status, 200, "{heard:?}");
        assert_eq!(
            (heard.price.as_str(), heard.spent.as_str()),
            ("1000000", "5")
        );
        sum += 5;
    }
    let heard = chat(proxy, STREAM).await;
    assert!(heard.clean, "{heard:?}");
    assert!(
        heard.text.contains(": x-chrysalis-spent 5\n\ndata: [DONE]"),
        "{heard:?}"
    );
    assert!(sum > 0 && heard.spent.is_empty());
    {
        let orders = purse.orders.lock().unwrap();
        assert_eq!(orders.len(), 2, "two lanes of 1000: {orders:?}");
        assert!(
            orders
                .iter()
                .all(|it| it.amount == 1000 && it.delay == 6 * 3600)
        );
    }
    let health = health(proxy).await;
    assert_eq!(
        (&health["lanes"], &health["budget_used"]),
        (&2.into(), &2000.into())
    );
}

#[tokio::test]
async fn no_money_is_locked_for_who_is_not_verified() {
    let world = World::new().await;
    for host in &world.hosts {
        host.ask_for(PRICE);
    }
    world.publish(&[PRICE, PRICE, PRICE]);
    world.hosts[0].prove(Proof::Of(Enclave::honest()));
    world.hosts[1].prove(Proof::Declined("attestation_busy"));
    let (settings, purse) = paying(&world, Some(PRICE), 9000).await;
    let proxy = serve(settings).await;
    assert_eq!(chat(proxy, CHAT).await.status, 200);
    let payees: Vec<_> = purse
        .orders
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.payee)
        .collect();
    assert_eq!(payees, [[3; 32]]);
}

#[tokio::test]
async fn a_quote_over_the_ceiling_is_not_paid_whatever_directories_say() {
    let world = World::new().await;
    world.hosts[0].ask_for(PRICE + 1);
    world.hosts[1].ask_for(PRICE);
    world.hosts[2].ask_for(PRICE);
    // The directory says that it costs next to nothing.
    world.publish(&[1, PRICE, PRICE]);
    let (settings, _) = paying(&world, Some(PRICE), 9000).await;
    let proxy = serve(settings).await;
    for _ in 0..5 {
        let heard = chat(proxy, CHAT).await;
        assert_eq!(heard.status, 200, "{heard:?}");
        assert_ne!(heard.provider, world.id(0));
    }
    assert_eq!(world.asked()[0], 0);
    // Without any limit nobody is paid.
    let (settings, purse) = paying(&world, None, 9000).await;
    let refused: Error = NetworkProxy::start(settings).await.err().unwrap();
    assert_eq!(refused.code(), "price_unknown", "{refused}");
    assert!(purse.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_budget_that_is_spent_is_said_by_name() {
    let world = World::new().await;
    world.hosts[0].ask_for(PRICE);
    world.publish(&[PRICE, PRICE, PRICE]);
    let (settings, purse) = paying(&world, Some(PRICE), 999).await;
    let refused = NetworkProxy::start(settings).await.err().unwrap();
    assert_eq!(refused.code(), "budget_spent", "{refused}");
    assert!(purse.orders.lock().unwrap().is_empty());
}
