//! Several servers of one chain, none of which is believed alone: what counts is what two of them say.

use std::{thread::sleep, time::Duration};

use tycho_types::{
    cell::Cell,
    models::{StdAddr, Transaction},
};

use crate::{Account, Chain, ChainError};

/// How often they are asked until two agree: they show a new block at different moments.
const ROUNDS: usize = 4;
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(2);
/// How many have to say the same.
const AGREE: usize = 2;

/// A chain that is asked at several servers.
pub struct Several {
    servers: Vec<Box<dyn Chain + Send + Sync>>,
    pause: Duration,
}

impl Several {
    /// With these servers: two at least, or nothing will ever count.
    pub fn new(servers: Vec<Box<dyn Chain + Send + Sync>>) -> Self {
        Self {
            servers,
            pause: PAUSE,
        }
    }

    /// What two of them say, by what `same` compares. The first error, if too few answer.
    fn agreed<T>(
        &self,
        ask: impl Fn(&dyn Chain) -> Result<T, ChainError>,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<T, ChainError> {
        let mut last = None;
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(self.pause);
            }
            let mut answers: Vec<T> = Vec::new();
            let mut failed = None;
            for server in &self.servers {
                match ask(&**server) {
                    Ok(answer) => answers.push(answer),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let found = answers
                .iter()
                .position(|one| answers.iter().filter(|other| same(one, other)).count() >= AGREE);
            if let Some(found) = found {
                return Ok(answers.swap_remove(found));
            }
            last = failed.filter(|_| answers.len() < AGREE);
        }
        Err(last.unwrap_or(ChainError::Disagree))
    }
}

impl Chain for Several {
    /// As two servers show it, up to the time at which they do.
    fn account(&self, address: &StdAddr) -> Result<Account, ChainError> {
        let same = |one: &Account, other: &Account| {
            (one.balance, &one.contract, one.last) == (other.balance, &other.contract, other.last)
        };
        self.agreed(|server| server.account(address), same)
    }

    /// To all of them: it is enough that one takes it.
    fn send(&self, message: &Cell) -> Result<(), ChainError> {
        let mut refused = None;
        let mut sent = false;
        for server in &self.servers {
            match server.send(message) {
                Ok(()) => sent = true,
                // What the contract says tells more than that a server is away.
                Err(error @ ChainError::Refused { .. }) => refused = Some(error),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if !sent => Err(error),
            _ => Ok(()),
        }
    }

    /// Those that two servers have. One that leaves some out keeps nothing from whoever asks three.
    fn transactions(
        &self,
        address: &StdAddr,
        after: u64,
        most: u16,
    ) -> Result<Vec<Transaction>, ChainError> {
        let mut lists = Vec::new();
        let mut failed = None;
        for server in &self.servers {
            match server.transactions(address, after, most) {
                Ok(list) => lists.push(list),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if lists.len() < AGREE {
            return Err(failed.unwrap_or(ChainError::Disagree));
        }
        let is_known = |transaction: &Transaction| {
            let has = |list: &&Vec<Transaction>| list.contains(transaction);
            lists.iter().filter(has).count() >= AGREE
        };
        let mut known: Vec<Transaction> = Vec::new();
        for transaction in lists.iter().flatten() {
            if is_known(transaction) && !known.contains(transaction) {
                known.push(transaction.clone());
            }
        }
        known.sort_by_key(|transaction| std::cmp::Reverse(transaction.lt));
        known.truncate(most.into());
        Ok(known)
    }

    fn global_id(&self) -> Result<i32, ChainError> {
        self.agreed(|server| server.global_id(), |one, other| one == other)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tycho_types::cell::HashBytes;

    use super::*;
    use chrysalis_localnet::Local;

    /// A server that answers what it is told to, and counts what it was sent.
    #[derive(Clone)]
    struct Server {
        balance: Result<u64, ChainError>,
        taken: Result<(), ChainError>,
        sent: Arc<Mutex<usize>>,
        transactions: Vec<Transaction>,
    }

    fn away() -> ChainError {
        ChainError::Unreachable {
            address: "chain.example".to_owned(),
            why: "nobody there".to_owned(),
        }
    }

    fn server(balance: u64) -> Server {
        Server {
            balance: Ok(balance),
            taken: Ok(()),
            sent: Arc::default(),
            transactions: Vec::new(),
        }
    }

    fn gone() -> Server {
        Server {
            balance: Err(away()),
            taken: Err(away()),
            ..server(0)
        }
    }

    impl Chain for Server {
        fn account(&self, _: &StdAddr) -> Result<Account, ChainError> {
            let balance = self.balance.clone()?;
            Ok(Account {
                balance,
                contract: None,
                last: (balance, HashBytes::ZERO),
                at: u32::try_from(Arc::as_ptr(&self.sent).addr() & 0xFFFF).unwrap(),
            })
        }

        fn send(&self, _: &Cell) -> Result<(), ChainError> {
            *self.sent.lock().unwrap() += 1;
            self.taken.clone()
        }

        fn transactions(
            &self,
            _: &StdAddr,
            _: u64,
            _: u16,
        ) -> Result<Vec<Transaction>, ChainError> {
            self.balance.clone()?;
            Ok(self.transactions.clone())
        }

        fn global_id(&self) -> Result<i32, ChainError> {
            Ok(i32::try_from(self.balance.clone()?).unwrap())
        }
    }

    fn several(servers: &[Server]) -> Several {
        let boxed = |server: &Server| Box::new(server.clone()) as Box<dyn Chain + Send + Sync>;
        Several {
            servers: servers.iter().map(boxed).collect(),
            pause: Duration::ZERO,
        }
    }

    fn balance(servers: &[Server]) -> Result<u64, ChainError> {
        let account = several(servers).account(&StdAddr::default());
        account.map(|account| account.balance)
    }

    #[test]
    fn one_that_lies_is_outvoted_and_of_two_neither_counts() {
        let (honest, lies) = (server(7), server(9));
        assert_eq!(balance(&[lies.clone(), honest.clone(), server(7)]), Ok(7));
        assert_eq!(
            balance(&[lies.clone(), honest.clone()]),
            Err(ChainError::Disagree)
        );
        assert_eq!(balance(&[honest.clone(), gone()]), Err(away()));
        assert_eq!(balance(&[honest.clone(), gone(), server(7)]), Ok(7));
        assert_eq!(balance(&[honest, lies, gone()]), Err(ChainError::Disagree));
        assert_eq!(balance(&[gone(), gone()]), Err(away()));
        assert_eq!(several(&[server(3), server(3)]).global_id(), Ok(3));
        assert_eq!(
            several(&[server(3), server(4)]).global_id(),
            Err(ChainError::Disagree)
        );
    }

    #[test]
    fn a_message_goes_to_all_and_it_is_enough_that_one_takes_it() {
        let refused = ChainError::Refused {
            exit_code: Some(409),
        };
        let strict = Server {
            taken: Err(refused.clone()),
            ..server(7)
        };
        let takes = server(7);
        assert_eq!(
            several(&[gone(), strict.clone(), takes.clone()]).send(&Cell::default()),
            Ok(())
        );
        assert_eq!(*takes.sent.lock().unwrap(), 1);
        assert_eq!(
            several(&[gone(), strict]).send(&Cell::default()),
            Err(refused)
        );
        assert_eq!(
            several(&[gone(), gone()]).send(&Cell::default()),
            Err(away())
        );
    }

    #[test]
    fn a_transaction_counts_that_two_have() {
        let mut chain = Local::new(1_800_000_000);
        let address = StdAddr::default();
        (0..4).for_each(|_| chain.give(&address, 1));
        let made = chain.transactions(&address).iter();
        let made: Vec<Transaction> = made.map(|it| it.load().unwrap()).collect();
        let with = |which: &[usize]| Server {
            transactions: which.iter().map(|place| made[*place].clone()).collect(),
            ..server(7)
        };
        let found = |servers: &[Server]| {
            let found = several(servers).transactions(&StdAddr::default(), 0, 2);
            let place = |found: &Transaction| made.iter().position(|it| it == found);
            found.map(|list| list.iter().filter_map(place).collect::<Vec<_>>())
        };
        // One invents the newest, another leaves one out.
        assert_eq!(
            found(&[with(&[3, 2, 1, 0]), with(&[2, 0]), with(&[2, 1, 0])]),
            Ok(vec![2, 1])
        );
        assert_eq!(found(&[with(&[2]), gone()]), Err(away()));
    }
}
