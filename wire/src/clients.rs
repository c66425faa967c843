//! How much of a listener one client may take, and what a client is: an address, which is all that a listener sees before it has heard
//! anything. An IPv6 /64 counts as one, since its owner has all of its addresses. The host's relay and the key server share this.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The most clients that are remembered while none of their connections is open, or as many as have one, if those are more.
const MAX_REMEMBERED: usize = 4096;

/// What one client may have.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Connections at once.
    pub connections: usize,
    /// New connections in a row.
    pub burst: u32,
    /// After that, the time between two.
    pub every: Duration,
}

/// Who has connections, and who had some a moment ago.
#[derive(Debug)]
pub struct Clients {
    share: Share,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    visits: HashMap<Client, Visits>,
    /// How many there are when it is next searched for those to forget.
    full: usize,
}

/// One client, as far as its address tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// All of it.
    V4([u8; 4]),
    /// The first 64 bits.
    V6(u128),
}

#[derive(Debug)]
struct Visits {
    open: usize,
    /// When the whole burst is available again.
    rested: Instant,
}

/// A connection that counts for its client until it is dropped.
#[derive(Debug)]
pub struct Visit {
    clients: Arc<Clients>,
    client: Client,
}

impl Client {
    /// Whose address this is.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.to_bits() >> 64),
        }
    }
}

impl Clients {
    /// Each may have this share.
    pub fn new(share: Share) -> Arc<Self> {
        Arc::new(Self {
            share,
            table: Mutex::new(Table {
                visits: HashMap::new(),
                full: MAX_REMEMBERED,
            }),
        })
    }

    /// Lets a client in at `now`, or not: it has too many connections, or had too many in a short time.
    pub fn admit(self: &Arc<Self>, client: Client, now: Instant) -> Option<Visit> {
        let mut table = self.table();
        table.forget(now);
        let visits = table.visits.entry(client).or_insert(Visits {
            open: 0,
            rested: now,
        });
        let tired = visits.rested.saturating_duration_since(now);
        let burst = self.share.every.saturating_mul(self.share.burst);
        let after = tired.saturating_add(self.share.every);
        if visits.open >= self.share.connections || after > burst {
            return None;
        }
        visits.open = visits.open.saturating_add(1);
        visits.rested = now.checked_add(after).unwrap_or(now);
        Some(Visit {
            clients: Arc::clone(self),
            client,
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Makes room: of clients without a connection, first those that are rested, then all. A client that can come from so many
    /// addresses gains nothing by it. Searches again only once the table has doubled, so that many clients cost each other nothing.
    fn forget(&mut self, now: Instant) {
        if self.visits.len() < self.full {
            return;
        }
        self.visits
            .retain(|_, visits| visits.open > 0 || visits.rested > now);
        if self.visits.len() >= self.full {
            self.visits.retain(|_, visits| visits.open > 0);
        }
        self.full = MAX_REMEMBERED.max(self.visits.len().saturating_mul(2));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(visits) = self.clients.table().visits.get_mut(&self.client) {
            visits.open = visits.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share {
        connections: 2,
        burst: 3,
        every: Duration::from_secs(10),
    };

    fn client(address: &str) -> Client {
        Client::of(address.parse().unwrap())
    }

    #[test]
    fn one_client_has_no_more_connections_than_its_share() {
        let clients = Clients::new(SHARE);
        let now = Instant::now();
        let [one, other] = [client("192.0.2.1"), client("192.0.2.2")];
        let first = clients.admit(one, now).unwrap();
        let _second = clients.admit(one, now).unwrap();
        assert!(clients.admit(one, now).is_none());
        assert!(clients.admit(other, now).is_some());
        drop(first);
        assert!(clients.admit(one, now).is_some());
    }

    #[test]
    fn one_client_opens_no_more_connections_in_a_row_than_its_share() {
        let clients = Clients::new(SHARE);
        let mut now = Instant::now();
        let one = client("192.0.2.1");
        for _ in 0..SHARE.burst {
            drop(clients.admit(one, now).unwrap());
        }
        assert!(clients.admit(one, now).is_none());
        now += SHARE.every;
        drop(clients.admit(one, now).unwrap());
        assert!(clients.admit(one, now).is_none());
        now += SHARE.every * SHARE.burst;
        for _ in 0..SHARE.burst {
            drop(clients.admit(one, now).unwrap());
        }
        assert!(clients.admit(one, now).is_none());
    }

    #[test]
    fn a_network_is_one_client_and_an_address_has_one_spelling() {
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::2"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }

    #[test]
    fn remembers_a_bounded_number_of_clients_and_all_that_are_there() {
        let clients = Clients::new(SHARE);
        let now = Instant::now();
        let there = client("192.0.2.1");
        let _visits = [there; 2].map(|one| clients.admit(one, now).unwrap());
        for number in 0..3 * MAX_REMEMBERED {
            let [.., c, d] = number.to_be_bytes();
            drop(clients.admit(Client::V4([10, 0, c, d]), now));
        }
        assert!(clients.table().visits.len() <= MAX_REMEMBERED);
        assert!(clients.admit(there, now).is_none());
    }

    #[test]
    fn many_that_are_there_leave_as_much_room_for_others() {
        let clients = Clients::new(SHARE);
        let now = Instant::now();
        let address = |number: usize| {
            let [.., b, c, d] = number.to_be_bytes();
            Client::V4([10, b, c, d])
        };
        let there: Vec<_> = (0..2 * MAX_REMEMBERED)
            .map(|number| clients.admit(address(number), now).unwrap())
            .collect();
        for number in 0..8 * MAX_REMEMBERED {
            drop(clients.admit(address(there.len() + number), now));
        }
        assert!(clients.table().visits.len() <= 2 * there.len());
    }
}
