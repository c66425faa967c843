//! Hosts that ask one cashier: over real sockets, with a real chain in the same process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrysalis_chain::{LOCAL_ID, server};
use chrysalis_wire::host::{FromHost, Owed, ToHost};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Remote, Secret, serve};
use crate::{
    cashier::{
        answers::{Answers, Conditions},
        book::{Book, Owner},
        lane::LaneId,
        lookout::Lookout,
        slice,
        tests::world::{COIN, Client, Enclave, FLOOR, World, database, payee},
        till::Till,
    },
    clock,
    metrics::takings::Takings,
    mutex::held,
};

/// So much that a tenth of it is more than the least slice.
const LANE: u64 = 10 * COIN;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A cashier that serves.
struct Desk {
    address: SocketAddr,
    till: Arc<Till>,
    serving: JoinHandle<()>,
}

impl Desk {
    async fn start(
        open: impl FnOnce() -> Book + Send + 'static,
        world: &World,
        shared: bool,
        at: &str,
    ) -> Self {
        let url = world.url();
        let opened = tokio::task::spawn_blocking(move || {
            let mut book = open();
            let owner = Owner {
                payee: payee(),
                network: Some(LOCAL_ID),
            };
            book.set_owner(&owner).unwrap();
            let server = server::open(&url, None).unwrap();
            let lookout = Lookout::new(Box::new(server), payee(), Some(LOCAL_ID));
            let till = Till::new(book, lookout, Arc::new(Takings::default()));
            if shared { till.shared() } else { till }
        });
        let till = Arc::new(opened.await.unwrap());
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Answers::of_fleet(Arc::clone(&till), Conditions::default(), None);
        let serving = tokio::spawn(serve(listener, Secret::of(SECRET), answers));
        Self {
            address,
            till,
            serving,
        }
    }

    fn host(&self) -> Remote {
        Remote::new(self.address.to_string(), Secret::of(SECRET)).unwrap()
    }

    /// A round of claims so many seconds from now; how many it sent.
    async fn round(&self, after: i64) -> usize {
        let (till, now) = (Arc::clone(&self.till), clock::now().unwrap().0 + after);
        let round = tokio::task::spawn_blocking(move || till.round(now, true));
        round.await.unwrap().sent.len()
    }

    async fn owed(&self, lane: LaneId) -> Vec<(u64, u64)> {
        let till = Arc::clone(&self.till);
        let tabs = tokio::task::spawn_blocking(move || held(&till.book).tabs(Some(lane)).unwrap());
        let tabs = tabs.await.unwrap();
        tabs.iter()
            .map(|tab| (tab.entry.owed(), tab.paid))
            .collect()
    }

    /// Its connections end where blocking is allowed.
    async fn end(self) {
        self.serving.abort();
        let _ = self.serving.await;
        // What is still being answered lets go of it first.
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::spawn_blocking(|| drop(self.till))
            .await
            .unwrap();
    }
}

async fn ceiling(host: &Remote, lane: LaneId) -> Result<u64, String> {
    let question = ToHost::Lane {
        purse: lane.purse.to_vec(),
        lane: lane.lane,
    };
    match host.answer(question).await {
        FromHost::Lane { ceiling, .. } => Ok(ceiling),
        FromHost::Refused(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

async fn note(host: &Remote, owed: Owed) -> FromHost {
    host.answer(ToHost::Owed(vec![owed])).await
}

fn refused(code: &str) -> FromHost {
    FromHost::Refused(code.to_owned())
}

/// Three enclaves, each with a host, on one lane of a coin: what each is handed, uses, and leaves.
async fn share(desk: &Desk, world: &World, client: &Client, lane: LaneId) {
    let (hosts, enclaves) = (
        [desk.host(), desk.host(), desk.host()],
        [Enclave::new(3), Enclave::new(4), Enclave::new(5)],
    );
    let mut handed = Vec::new();
    for host in &hosts {
        handed.push(ceiling(host, lane).await.unwrap());
    }
    assert_eq!(handed[0], LANE / 10);
    assert_eq!(handed[1], (LANE - handed[0]) / 10);
    let least = FLOOR * 4;
    assert!(
        handed.iter().all(|it| *it >= (LANE / 20).min(least)),
        "{handed:?}"
    );
    // The first uses all that it has, and is handed more.
    let owed = enclaves[0].owed(client, lane, 0, LANE, handed[0]);
    assert_eq!(note(&hosts[0], owed).await, FromHost::Noted);
    let more = ceiling(&hosts[0], lane).await.unwrap();
    assert!(more > handed[0] && more < LANE / 4, "{more}");
    // One that says farewell leaves to others what it did not use.
    let before = ceiling(&hosts[1], lane).await.unwrap();
    hosts[2].farewell().await;
    hosts[0].farewell().await;
    let after = ceiling(&hosts[1], lane).await.unwrap();
    assert!(after >= before, "{before} {after}");
    let owed = enclaves[1].owed(client, lane, 0, LANE, after);
    assert_eq!(note(&hosts[1], owed).await, FromHost::Noted);
    // Each tab is claimed once, and the chain pays what both are owed.
    assert_eq!(desk.round(0).await, 2);
    assert_eq!(desk.round(40).await, 0);
    let mut tabs = desk.owed(lane).await;
    tabs.sort_unstable();
    let mut expected = vec![(handed[0], handed[0]), (after, after)];
    expected.sort_unstable();
    assert_eq!(tabs, expected);
    let fees = 2 * 15_000_000;
    assert!(world.balance(&payee()) > handed[0] + after - fees);
}

#[tokio::test]
async fn the_enclaves_of_a_fleet_share_a_lane() {
    let world = World::start();
    let client = Client::new(&world, 7, 30 * COIN);
    let lane = client.lock(&world, LANE);
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    let open = move || Book::open_or_create(&path).unwrap();
    let desk = Desk::start(open, &world, false, "127.0.0.1:0").await;
    share(&desk, &world, &client, lane).await;
}

#[tokio::test]
async fn what_was_handed_out_is_known_after_a_restart() {
    let world = World::start();
    let client = Client::new(&world, 7, 30 * COIN);
    let lane = client.lock(&world, LANE);
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    let open = move || Book::open_or_create(&path).unwrap();
    let desk = Desk::start(open.clone(), &world, false, "127.0.0.1:0").await;
    let (one, address) = (desk.host(), desk.address.to_string());
    let first = ceiling(&one, lane).await.unwrap();
    let owed = Enclave::new(3).owed(&client, lane, 0, LANE, 77);
    desk.end().await;
    // While it is away nothing is handed out and nothing is noted.
    assert_eq!(
        ceiling(&one, lane).await,
        Err("chain_unreachable".to_owned())
    );
    assert_eq!(note(&one, owed.clone()).await, refused("not_noted"));
    let desk = Desk::start(open, &world, false, &address).await;
    assert_eq!(note(&one, owed).await, FromHost::Noted);
    assert_eq!(desk.owed(lane).await, [(77, 0)]);
    assert!(ceiling(&one, lane).await.unwrap() >= first);
    let second = ceiling(&desk.host(), lane).await.unwrap();
    assert!(first + second <= LANE / 5, "{first} {second}");
}

#[tokio::test]
async fn a_stranger_is_not_answered() {
    let world = World::start();
    let client = Client::new(&world, 7, 30 * COIN);
    let lane = client.lock(&world, LANE);
    let open = || Book::in_memory().unwrap();
    let desk = Desk::start(open, &world, false, "127.0.0.1:0").await;
    let other = Secret::of(b"another secret of thirty-two bytes or so");
    let stranger = Remote::new(desk.address.to_string(), other).unwrap();
    assert_eq!(
        ceiling(&stranger, lane).await,
        Err("chain_unreachable".to_owned())
    );
    // One whose guest asks something else is told.
    let asked = desk.host().answer(ToHost::Configuration).await;
    assert_eq!(asked, refused("this is no question about payment"));
    // Bytes that are no greeting harm nobody.
    let mut nonsense = tokio::net::TcpStream::connect(desk.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut nonsense, &[0xFF; 64])
        .await
        .unwrap();
    assert_eq!(ceiling(&desk.host(), lane).await, Ok(LANE / 10));
}

#[test]
fn a_secret_is_long_enough_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    for (text, what) in [("short\n", "are the fewest"), ("", "are the fewest")] {
        std::fs::write(&file, text).unwrap();
        let refused = Secret::read(&file).err().unwrap().to_string();
        assert!(
            refused.contains(what) && refused.contains("hint: "),
            "{refused}"
        );
    }
    assert!(Secret::read(folder.path()).is_err());
    std::fs::write(&file, [SECRET, b"\nmore"].concat()).unwrap();
    Secret::read(&file).unwrap();
    assert_eq!(slice::KEPT, 3600, "what a farewell that is not heard says");
}

#[cfg(feature = "postgres")]
mod postgres {
    use chrysalis_test_support::postgres::{Server, answered};

    use super::*;

    async fn desk(server: &Server, world: &World, at: &str) -> Desk {
        let words = server.words("postgres");
        let book = move || answered(|| Book::postgres(&words).ok());
        Desk::start(book, world, true, at).await
    }

    async fn server() -> Option<Server> {
        tokio::task::spawn_blocking(Server::start).await.unwrap()
    }

    #[tokio::test]
    async fn the_enclaves_of_a_fleet_share_a_lane_in_postgresql() {
        let Some(server) = server().await else { return };
        let world = World::start();
        let client = Client::new(&world, 7, 30 * COIN);
        let lane = client.lock(&world, LANE);
        let desk = desk(&server, &world, "127.0.0.1:0").await;
        share(&desk, &world, &client, lane).await;
        desk.end().await;
    }

    #[tokio::test]
    async fn two_cashiers_hand_out_one_lane_and_claim_each_tab_once() {
        let Some(server) = server().await else { return };
        let world = World::start();
        let client = Client::new(&world, 7, 30 * COIN);
        let lane = client.lock(&world, LANE);
        let desks = [
            desk(&server, &world, "127.0.0.1:0").await,
            desk(&server, &world, "127.0.0.1:0").await,
        ];
        // Ten enclaves ask both at once.
        let hosts: Vec<_> = (0..10).map(|number| desks[number % 2].host()).collect();
        let asked = hosts.iter().map(|host| ceiling(host, lane));
        let handed = futures(asked.collect()).await;
        let handed: Vec<u64> = handed.into_iter().map(Result::unwrap).collect();
        assert!(handed.iter().sum::<u64>() <= LANE, "{handed:?}");
        for (number, (host, most)) in hosts.iter().zip(&handed).enumerate() {
            let enclave = Enclave::new(u8::try_from(number).unwrap() + 10);
            let owed = enclave.owed(&client, lane, 0, LANE, *most);
            assert_eq!(note(host, owed).await, FromHost::Noted);
        }
        // Both look at the same moment.
        let (one, other) = tokio::join!(desks[0].round(0), desks[1].round(0));
        assert_eq!(one + other, 10, "{one} {other}");
        let tabs = desks[1].owed(lane).await;
        assert_eq!(desks[0].round(40).await + desks[1].round(80).await, 0);
        assert_eq!(tabs.len(), 10);
        let paid = desks[0].owed(lane).await;
        assert!(paid.iter().all(|(owed, paid)| owed == paid), "{paid:?}");
        for desk in desks {
            desk.end().await;
        }
    }

    #[tokio::test]
    async fn while_postgresql_is_gone_nothing_is_handed_out_and_nothing_is_lost() {
        let Some(mut server) = server().await else {
            return;
        };
        let world = World::start();
        let client = Client::new(&world, 7, 30 * COIN);
        let lane = client.lock(&world, LANE);
        let desk = desk(&server, &world, "127.0.0.1:0").await;
        let (host, enclave) = (desk.host(), Enclave::new(3));
        let handed = ceiling(&host, lane).await.unwrap();
        let first = enclave.owed(&client, lane, 0, LANE, 1000);
        assert_eq!(note(&host, first).await, FromHost::Noted);
        server.stop();
        let owed = enclave.owed(&client, lane, 0, LANE, handed);
        for _ in 0..3 {
            assert_eq!(
                ceiling(&host, lane).await,
                Err("chain_unreachable".to_owned())
            );
            assert_eq!(
                ceiling(&desk.host(), lane).await,
                Err("chain_unreachable".to_owned())
            );
            let answer = note(&host, owed.clone()).await;
            assert!(matches!(answer, FromHost::Refused(_)), "{answer:?}");
        }
        server.run();
        // The enclave says it again until it is noted.
        let noted = async {
            while note(&host, owed.clone()).await != FromHost::Noted {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), noted)
            .await
            .unwrap();
        assert_eq!(desk.owed(lane).await, [(handed, 0)]);
        // A lane that was refused is refused unasked for ten seconds.
        let usable = async {
            loop {
                match ceiling(&host, lane).await {
                    Ok(ceiling) => return ceiling,
                    Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
                }
            }
        };
        let more = tokio::time::timeout(Duration::from_mins(1), usable).await;
        assert!(more.unwrap() > handed);
        desk.end().await;
    }

    /// All of them at once, in their order.
    async fn futures<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
        let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
        let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (one, done) in all.iter_mut().zip(&mut done) {
                if done.is_none()
                    && let std::task::Poll::Ready(value) = one.as_mut().poll(context)
                {
                    *done = Some(value);
                }
            }
            if done.iter().all(Option::is_some) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        done.into_iter().flatten().collect()
    }
}
