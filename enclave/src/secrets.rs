//! Secrets of a model's engine: licence keys, tokens, prompts, which the configuration names and their owner's key server gives
//! (docs/spec/keys.md). This is the one place where the enclave keeps them, for as long as the owner agrees: an engine's process is
//! replaced more often than there are epochs, and each gets them anew. Whatever passed them on is zeros by then.

use std::sync::Arc;

use chrysalis_wire::keys::Wiped;
use tokio::sync::watch;

/// A secret, by the name of its file. No `Debug`: it is not shown.
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) value: Wiped,
}

/// What a process of the engine is given.
#[derive(Default)]
pub(crate) struct Given {
    /// How often a value has changed: a process that was given another number has old ones.
    pub(crate) number: u64,
    pub(crate) secrets: Vec<Secret>,
}

/// Those of one model, now.
#[derive(Default)]
pub(crate) struct Secrets(watch::Sender<Arc<Given>>);

impl Secrets {
    /// As many values as names, in their order.
    pub(crate) fn new(names: &[String], values: impl Iterator<Item = Wiped>) -> Self {
        let secrets = names.iter().zip(values).map(|(name, value)| Secret {
            name: name.clone(),
            value,
        });
        let given = Given {
            number: 0,
            secrets: secrets.collect(),
        };
        Self(watch::Sender::new(Arc::new(given)))
    }

    /// What a process that starts now is given.
    pub(crate) fn now(&self) -> Arc<Given> {
        self.0.borrow().clone()
    }

    /// Takes these values in place of what there was, in the same order. Whether one has changed.
    pub(crate) fn renew(&self, values: Vec<Wiped>) -> bool {
        let now = self.now();
        let same = now.secrets.len() == values.len();
        let mut pairs = now.secrets.iter().zip(&values);
        if same && pairs.all(|(secret, value)| secret.value == *value) {
            return false;
        }
        let names = now.secrets.iter().map(|secret| secret.name.clone());
        let secrets = names
            .zip(values)
            .map(|(name, value)| Secret { name, value });
        self.0.send_replace(Arc::new(Given {
            number: now.number.saturating_add(1),
            secrets: secrets.collect(),
        }));
        true
    }

    /// Forgets them: no process starts any more.
    pub(crate) fn wipe(&self) {
        let number = self.now().number;
        let secrets = Vec::new();
        self.0.send_replace(Arc::new(Given { number, secrets }));
    }

    /// Waits until a process that was given this number has old ones.
    pub(crate) async fn changed(&self, number: u64) {
        let mut given = self.0.subscribe();
        // The sender is this, so it does not end first.
        let _ = given.wait_for(|given| given.number != number).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let names = ["a", "b"].map(String::from);
        Secrets::new(&names, wiped(values).into_iter())
    }

    fn wiped(values: &[&str]) -> Vec<Wiped> {
        let bytes = |value: &&str| Wiped::new(value.as_bytes().to_vec());
        values.iter().map(bytes).collect()
    }

    fn shown(secrets: &Secrets) -> Vec<(String, String)> {
        let given = secrets.now();
        let shown = given.secrets.iter().map(|secret| {
            let value = String::from_utf8(secret.value.to_vec()).unwrap();
            (secret.name.clone(), value)
        });
        shown.collect()
    }

    #[tokio::test]
    async fn a_changed_value_is_a_new_number_and_an_equal_one_is_not() {
        let secrets = secrets(&["1", "2"]);
        assert!(!secrets.renew(wiped(&["1", "2"])));
        assert_eq!(secrets.now().number, 0);
        assert!(secrets.renew(wiped(&["1", "3"])));
        secrets.changed(0).await;
        assert_eq!(secrets.now().number, 1);
        let [a, b] = [("a", "1"), ("b", "3")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(shown(&secrets), [a, b]);
    }

    #[test]
    fn what_is_wiped_is_given_to_nobody() {
        let secrets = secrets(&["1", "2"]);
        secrets.wipe();
        assert!(secrets.now().secrets.is_empty());
        assert_eq!(secrets.now().number, 0);
    }
}
