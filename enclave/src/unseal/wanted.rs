//! What is asked for in one conversation, and what came of it.

use chrysalis_wire::{
    configuration::{Configuration, Disk, Model},
    keys::{ALPN, ALPN_SECRETS, Answer, KEY, MAX_SECRET, WantedSecret, Wiped},
};

use super::error::KeysError;

/// The longest code and the longest text of a refusal that are repeated.
const MAX_CODE: usize = 64;
const MAX_WHY: usize = 512;

/// Keys of disks, and secrets of engines.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) disks: Vec<&'a Disk>,
    pub(super) secrets: Vec<WantedSecret>,
}

/// Each in the order in which it was wanted.
pub(super) struct Given {
    pub(super) keys: Vec<Wiped>,
    pub(super) secrets: Vec<Wiped>,
}

impl<'a> Wanted<'a> {
    /// All that a configuration names.
    pub(super) fn all(configuration: &'a Configuration) -> Self {
        Self {
            disks: configuration.sealed_disks(),
            secrets: configuration.models.iter().flat_map(secrets).collect(),
        }
    }

    /// What one of its models needs.
    pub(super) fn of(model: &'a Model) -> Self {
        Self {
            disks: model.sealed.then_some(&model.disk).into_iter().collect(),
            secrets: secrets(model).collect(),
        }
    }

    /// Whether that is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.disks.is_empty() && self.secrets.is_empty()
    }

    /// The application protocol that knows all of it.
    pub(super) fn protocol(&self) -> &'static [u8] {
        if self.secrets.is_empty() {
            ALPN
        } else {
            ALPN_SECRETS
        }
    }

    /// What the server gave, or why it did not.
    pub(super) fn given(&self, answer: Answer) -> Result<Given, KeysError> {
        let given = match answer {
            Answer::Keys(keys) if self.secrets.is_empty() => Given {
                keys,
                secrets: Vec::new(),
            },
            Answer::Given { keys, secrets } if !self.secrets.is_empty() => Given { keys, secrets },
            Answer::Refused { code, why } => {
                return Err(KeysError::Refused {
                    code: printable(&code, MAX_CODE),
                    why: printable(&why, MAX_WHY),
                });
            }
            Answer::Keys(_) | Answer::Given { .. } => return Err(other()),
        };
        let keys =
            given.keys.len() == self.disks.len() && given.keys.iter().all(|key| key.len() == KEY);
        let mut secrets = given.secrets.iter();
        let secrets = given.secrets.len() == self.secrets.len()
            && secrets.all(|secret| (1..=MAX_SECRET).contains(&secret.len()));
        if keys && secrets {
            Ok(given)
        } else {
            Err(other())
        }
    }
}

fn other() -> KeysError {
    KeysError::Misspoke("sent other keys or secrets than were asked for")
}

fn secrets(model: &Model) -> impl Iterator<Item = WantedSecret> {
    model.secrets.iter().map(|name| WantedSecret {
        model: model.name.clone(),
        name: name.clone(),
    })
}

/// The beginning of a text, without what is not to be printed.
fn printable(text: &str, most: usize) -> String {
    let printable = text.chars().filter(|it| !it.is_control());
    printable.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(lengths: &[usize]) -> Vec<Wiped> {
        lengths.iter().map(|it| vec![1; *it].into()).collect()
    }

    /// So many of either.
    fn wanted(disk: &Disk, disks: usize, secrets: usize) -> Wanted<'_> {
        let secret = WantedSecret {
            model: "m".to_owned(),
            name: "licence".to_owned(),
        };
        Wanted {
            disks: vec![disk; disks],
            secrets: vec![secret; secrets],
        }
    }

    fn disk() -> Disk {
        Disk {
            root: "ab".repeat(32),
            blocks: 1,
        }
    }

    #[test]
    fn takes_as_many_keys_as_were_asked_for_of_the_right_length() {
        let disk = disk();
        let given = |count, lengths: &[usize]| {
            let answer = Answer::Keys(bytes(lengths));
            wanted(&disk, count, 0).given(answer)
        };
        assert_eq!(given(2, &[KEY, KEY]).unwrap().keys.len(), 2);
        for (count, found) in [(1, &[][..]), (2, &[KEY]), (1, &[KEY, KEY]), (1, &[KEY - 1])] {
            assert_eq!(given(count, found).err().unwrap().code(), "keys_misspoke");
        }
    }

    #[test]
    fn takes_as_many_secrets_as_were_asked_for_within_their_bounds() {
        let disk = disk();
        let given = |keys: &[usize], secrets: &[usize]| {
            let (keys, secrets) = (bytes(keys), bytes(secrets));
            wanted(&disk, 1, 2).given(Answer::Given { keys, secrets })
        };
        assert_eq!(given(&[KEY], &[1, MAX_SECRET]).unwrap().secrets.len(), 2);
        for (keys, secrets) in [
            (&[KEY][..], &[1][..]),
            (&[KEY], &[1, 1, 1]),
            (&[KEY], &[1, 0]),
            (&[KEY], &[1, MAX_SECRET + 1]),
            (&[], &[1, 1]),
            (&[KEY - 1], &[1, 1]),
        ] {
            let refused = given(keys, secrets).err().unwrap();
            assert_eq!(refused.code(), "keys_misspoke", "{keys:?} {secrets:?}");
        }
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let disk = disk();
        let without = wanted(&disk, 1, 1).given(Answer::Keys(bytes(&[KEY])));
        assert_eq!(without.err().unwrap().code(), "keys_misspoke");
        let (keys, secrets) = (bytes(&[KEY]), Vec::new());
        let with = wanted(&disk, 1, 0).given(Answer::Given { keys, secrets });
        assert_eq!(with.err().unwrap().code(), "keys_misspoke");
    }

    #[test]
    fn a_refusal_is_repeated_up_to_a_length_and_without_control_characters() {
        let refused = Answer::Refused {
            code: "c".repeat(1000),
            why: format!("no\x1b[2J\n{}", "y".repeat(1000)),
        };
        let refused = wanted(&disk(), 1, 0).given(refused).err().unwrap();
        let KeysError::Refused { code, why } = refused else {
            panic!("not refused")
        };
        assert_eq!((code.len(), why.len()), (MAX_CODE, MAX_WHY));
        assert!(why.starts_with("no[2Jy"), "{why}");
    }
}
