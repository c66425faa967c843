//! How much one client may ask, and all of them together.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most clients that are told apart; beyond, the quiet ones are forgotten.
const MAX_CLIENTS: usize = 65_536;

/// What a server stands.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; one more waits.
    pub connections: usize,
    /// Connections of one client at once.
    pub connections_per_client: usize,
    /// Bodies that are read or judged at once.
    pub bodies: usize,
    /// How long a body may take to arrive.
    pub body: Duration,
    /// Listings and reports of one client.
    pub per_client: Rate,
    /// Those of all.
    pub of_all: Rate,
    /// Whether `X-Forwarded-For` says who asks, because only a proxy of ours can connect.
    pub behind_proxy: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 256,
            bodies: 64,
            body: Duration::from_secs(20),
            per_client: Rate {
                burst: 600,
                per_minute: 1200,
            },
            of_all: Rate {
                burst: 5_000,
                per_minute: 30_000,
            },
            behind_proxy: false,
        }
    }
}

/// So many at once, and so many each minute.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Each minute.
    pub per_minute: u32,
}

struct Bucket {
    left: f64,
    since: Instant,
}

impl Bucket {
    fn full(rate: Rate) -> Self {
        Self {
            left: rate.burst.into(),
            since: Instant::now(),
        }
    }

    fn fill(&mut self, rate: Rate) {
        let now = Instant::now();
        let more = now.duration_since(self.since).as_secs_f64() * f64::from(rate.per_minute) / 60.0;
        self.left = (self.left + more).min(rate.burst.into());
        self.since = now;
    }
}

struct Client {
    bucket: Bucket,
    open: usize,
}

pub(super) struct Gate {
    clients: HashMap<IpAddr, Client>,
    all: Bucket,
    limits: Limits,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            clients: HashMap::new(),
            all: Bucket::full(limits.of_all),
            limits: *limits,
        }
    }

    /// Whether this client may send one more.
    pub(super) fn take(&mut self, client: IpAddr) -> bool {
        let limits = self.limits;
        self.all.fill(limits.of_all);
        if self.all.left < 1.0 {
            return false;
        }
        let Some(known) = self.client(client) else {
            return false;
        };
        known.bucket.fill(limits.per_client);
        if known.bucket.left < 1.0 {
            return false;
        }
        known.bucket.left -= 1.0;
        self.all.left -= 1.0;
        true
    }

    fn client(&mut self, client: IpAddr) -> Option<&mut Client> {
        let rate = self.limits.per_client;
        if self.clients.len() >= MAX_CLIENTS {
            self.clients.retain(|_, client| {
                client.bucket.fill(rate);
                client.open > 0 || client.bucket.left < rate.burst.into()
            });
            if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&group(client)) {
                return None;
            }
        }
        let client = self.clients.entry(group(client)).or_insert_with(|| Client {
            bucket: Bucket::full(rate),
            open: 0,
        });
        Some(client)
    }
}

/// Who has one address of IPv6 has 2^64 of them.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// An open connection of a client.
pub(super) struct Open<'a> {
    gate: &'a Mutex<Gate>,
    client: IpAddr,
}

impl<'a> Open<'a> {
    /// `None`: it has too many.
    pub(super) fn of(gate: &'a Mutex<Gate>, client: IpAddr, limits: &Limits) -> Option<Self> {
        let mut locked = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let known = locked.client(client)?;
        if known.open >= limits.connections_per_client && !limits.behind_proxy {
            return None;
        }
        known.open += 1;
        drop(locked);
        Some(Self { gate, client })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut locked = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locked.clients.get_mut(&group(self.client)) {
            known.open = known.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_sends_too_much_waits_and_no_other_does() {
        let limits = Limits {
            per_client: Rate {
                burst: 3,
                per_minute: 1,
            },
            ..Limits::default()
        };
        let mut gate = Gate::new(&limits);
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(gate.take(one) && gate.take(neighbour) && gate.take(one));
        assert!(!gate.take(one) && !gate.take(neighbour));
        assert!(gate.take(other));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(gate.take(mapped) && gate.take(other) && !gate.take(mapped));
    }

    #[test]
    fn all_together_have_a_limit() {
        let limits = Limits {
            of_all: Rate {
                burst: 2,
                per_minute: 1,
            },
            ..Limits::default()
        };
        let mut gate = Gate::new(&limits);
        let client = |last: u8| IpAddr::from([192, 0, 2, last]);
        assert!(gate.take(client(1)) && gate.take(client(2)));
        assert!(!gate.take(client(3)));
    }

    #[test]
    fn a_client_has_so_many_connections() {
        let limits = Limits {
            connections_per_client: 1,
            ..Limits::default()
        };
        let gate = Mutex::new(Gate::new(&limits));
        let client = IpAddr::from([192, 0, 2, 1]);
        let open = Open::of(&gate, client, &limits);
        assert!(open.is_some() && Open::of(&gate, client, &limits).is_none());
        drop(open);
        assert!(Open::of(&gate, client, &limits).is_some());
    }
}
