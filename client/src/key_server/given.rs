//! What an enclave that has proven itself gets: all that it asks for, or nothing.

use chrysalis_attestation::{Trusted, evidence::claims::Claims};
use chrysalis_wire::keys::{ALPN_SECRETS, Answer, MAX_SECRETS, MAX_WANTED, WantedSecret, Wiped};

use super::folder::{KeyFolder, NoKey};
use super::secret::Addressee;

/// Why an enclave gets nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
        }
    }
}

/// What is asked for.
pub(super) struct Wanted {
    pub(super) roots: Vec<String>,
    pub(super) secrets: Vec<WantedSecret>,
}

/// What was given, and to whom.
pub(super) struct Given {
    pub(super) answer: Answer,
    pub(super) wanted: Wanted,
    pub(super) enclave: Trusted,
}

impl Wanted {
    /// Refuses what nobody may ask for, before anything is verified.
    pub(super) fn check(&self, protocol: Option<&[u8]>) -> Result<(), Refusal> {
        let (keys, secrets) = (self.roots.len(), self.secrets.len());
        if keys + secrets == 0 || keys > MAX_WANTED || secrets > MAX_SECRETS {
            let why = format!(
                "one may ask for up to {MAX_WANTED} keys and {MAX_SECRETS} secrets at once, and for one of either at least"
            );
            return Err(Refusal::new("keys_count", why));
        }
        if secrets > 0 && protocol != Some(ALPN_SECRETS) {
            let why = "this protocol has no secrets";
            return Err(Refusal::new("keys_protocol", why));
        }
        Ok(())
    }

    /// Looks all of it up for an enclave with these claims.
    pub(super) fn find(&self, claims: &Claims, folder: &KeyFolder) -> Result<Answer, Refusal> {
        let keys = self.roots.iter().map(|root| key(root, claims, folder));
        let keys = keys.collect::<Result<_, _>>()?;
        if self.secrets.is_empty() {
            return Ok(Answer::Keys(keys));
        }
        let secrets = self.secrets.iter().map(|it| secret(it, claims, folder));
        let secrets = secrets.collect::<Result<_, _>>()?;
        Ok(Answer::Given { keys, secrets })
    }
}

fn key(root: &str, claims: &Claims, folder: &KeyFolder) -> Result<Wiped, Refusal> {
    if !claims.models.iter().any(|it| hex::encode(it.disk) == root) {
        let why = format!("its configuration names no model on the disk {root}");
        return Err(Refusal::new("keys_not_its_model", why));
    }
    folder.get(root).map_err(Refusal::from)
}

/// The name alone decides nothing: the claims say which model and which engine would get it, and its owner has said who may.
fn secret(wanted: &WantedSecret, claims: &Claims, folder: &KeyFolder) -> Result<Wiped, Refusal> {
    let model = claims.models.iter().find(|it| it.name == wanted.model);
    let found = model.and_then(|model| Some((model, claims.engine_of(model)?)));
    let Some((model, engine)) = found else {
        let why = format!("its configuration names no model {}", wanted.model);
        return Err(Refusal::new("keys_not_its_model", why));
    };
    let whose = Addressee {
        model: hex::encode(model.disk),
        engine: hex::encode(engine.disk),
    };
    folder.secret(&wanted.name, &whose).map_err(Refusal::from)
}

impl From<NoKey> for Refusal {
    fn from(error: NoKey) -> Self {
        let code = match error {
            NoKey::NotForIt { .. } => "keys_not_for_it",
            NoKey::Unknown(_) | NoKey::Unusable { .. } => "keys_unknown",
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::evidence::claims::{EngineClaim, ModelClaim, PROFILE};
    use chrysalis_wire::keys::{ALPN, KEY};
    use std::{fs, os::unix::fs::PermissionsExt};

    const SEALED: [u8; 32] = [0xCD; 32];
    const ENGINE: [u8; 32] = [0xEF; 32];

    fn claims() -> Claims {
        let engine = |name: &str, disk| EngineClaim {
            name: name.into(),
            version: "1".into(),
            disk,
        };
        let model = |name: &str, engine: &str, disk| ModelClaim {
            name: name.into(),
            kind: "chat".into(),
            engine: engine.into(),
            disk,
            weights: [1; 32],
            tokenizer: None,
            template: None,
        };
        Claims {
            profile: PROFILE.into(),
            release: "1".into(),
            configuration: [0; 32],
            engines: vec![engine("owners", ENGINE), engine("others", [0; 32])],
            models: vec![
                model("sealed", "owners", SEALED),
                model("open", "owners", [2; 32]),
                // The owner's model, on an engine of somebody else's.
                model("taken", "others", SEALED),
            ],
            known_answer: false,
            receipt_key: [0; 32],
            hpke_key: [0; 32],
            epoch: 0,
            epoch_began: 0,
            epoch_seconds: 600,
        }
    }

    /// A folder with the disk's key, and a secret for the owner's engine with the sealed model.
    fn folder() -> (tempfile::TempDir, KeyFolder) {
        let place = tempfile::tempdir().unwrap();
        let key = place.path().join(format!("{}.key", hex::encode(SEALED)));
        fs::write(&key, "07".repeat(KEY)).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
        let folder = KeyFolder::new(place.path().to_owned());
        let whose = Addressee {
            model: hex::encode(SEALED),
            engine: hex::encode(ENGINE),
        };
        let value = Wiped::new(b"word".to_vec());
        folder
            .add_secret("licence", value, &[whose], false)
            .unwrap();
        (place, folder)
    }

    fn wanted(roots: &[&str], secrets: &[(&str, &str)]) -> Wanted {
        let secret = |(model, name): &(&str, &str)| WantedSecret {
            model: (*model).into(),
            name: (*name).into(),
        };
        Wanted {
            roots: roots.iter().map(ToString::to_string).collect(),
            secrets: secrets.iter().map(secret).collect(),
        }
    }

    fn found(roots: &[&str], secrets: &[(&str, &str)]) -> Result<Answer, &'static str> {
        let (_place, folder) = folder();
        let found = wanted(roots, secrets).find(&claims(), &folder);
        found.map_err(|refusal| refusal.code)
    }

    #[test]
    fn gives_what_is_the_enclaves() {
        let root = "cd".repeat(32);
        let keys = || vec![vec![7; KEY].into()];
        assert_eq!(found(&[&root], &[]), Ok(Answer::Keys(keys())));
        let secrets = vec![b"word".to_vec().into()];
        let both = found(&[&root], &[("sealed", "licence")]);
        let keys = keys();
        assert_eq!(both, Ok(Answer::Given { keys, secrets }));
    }

    #[test]
    fn a_disk_or_a_model_that_is_not_claimed_gets_nothing() {
        assert_eq!(found(&[&"77".repeat(32)], &[]), Err("keys_not_its_model"));
        let unclaimed = found(&[], &[("unheard-of", "licence")]);
        assert_eq!(unclaimed, Err("keys_not_its_model"));
    }

    #[test]
    fn a_secret_is_for_its_model_with_its_engine_alone() {
        assert_eq!(found(&[], &[("open", "licence")]), Err("keys_not_for_it"));
        assert_eq!(found(&[], &[("taken", "licence")]), Err("keys_not_for_it"));
    }

    #[test]
    fn all_is_given_or_nothing() {
        let root = "cd".repeat(32);
        let one_too_many = found(&[&root], &[("sealed", "licence"), ("sealed", "none")]);
        assert_eq!(one_too_many, Err("keys_unknown"));
        assert_eq!(found(&[&"02".repeat(32)], &[]), Err("keys_unknown"));
    }

    #[test]
    fn what_nobody_may_ask_for_is_refused() {
        let check = |keys: usize, secrets: usize, protocol: &[u8]| {
            let wanted = wanted(&vec!["ab"; keys], &vec![("m", "s"); secrets]);
            wanted.check(Some(protocol)).map_err(|refusal| refusal.code)
        };
        assert_eq!(check(MAX_WANTED, 0, ALPN), Ok(()));
        assert_eq!(check(MAX_WANTED, MAX_SECRETS, ALPN_SECRETS), Ok(()));
        assert_eq!(check(0, 0, ALPN_SECRETS), Err("keys_count"));
        assert_eq!(check(MAX_WANTED + 1, 0, ALPN), Err("keys_count"));
        assert_eq!(check(0, MAX_SECRETS + 1, ALPN_SECRETS), Err("keys_count"));
        assert_eq!(check(1, 1, ALPN), Err("keys_protocol"));
        assert!(wanted(&[], &[("m", "s")]).check(None).is_err());
    }
}
