//! A chain behind toncenter's HTTP interface (v2): toncenter itself, a server of one's own, or the local chain.

use std::{fmt, sync::Arc, thread, time::Duration};

use serde_json::{Value, json};
use tycho_types::{
    boc::Boc,
    cell::{Cell, HashBytes},
    models::{StdAddr, Transaction},
};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::chain::{Account, Chain, ChainError, Contract};

/// The most bytes of an answer.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pauses between attempts: toncenter without a key answers once a second.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(1100),
    Duration::from_millis(2500),
];
/// What a refused message's error says before the exit code.
const EXIT_CODE: &str = "exitcode=";

/// The other side.
pub struct Toncenter {
    agent: Agent,
    /// Up to `/api/v2`.
    address: String,
    key: Option<String>,
}

/// Without the key.
impl fmt::Debug for Toncenter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        out.debug_struct("Toncenter")
            .field("address", address)
            .finish_non_exhaustive()
    }
}

/// What became of an attempt.
enum Attempt {
    Answered(Value),
    /// The other side understood, and says no.
    Declined(String),
    /// It may work next time.
    Passing(String),
    Malformed(String),
}

impl Toncenter {
    /// At this address, such as `http://127.0.0.1:8081/api/v2`, with a key if there is one. Trusts the roots that the system trusts.
    pub fn new(address: &str, key: Option<String>) -> Self {
        let found = rustls_native_certs::load_native_certs();
        let roots: Vec<Certificate<'static>> = found
            .certs
            .iter()
            .map(|root| Certificate::from_der(root).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("chrysalis/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            address: address.trim_end_matches('/').to_owned(),
            key,
        }
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn ask(&self, method: &str, parameters: &Value) -> Result<Value, ChainError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let why = match self.attempt(method, parameters) {
                Attempt::Answered(result) => return Ok(result),
                Attempt::Malformed(what) => return Err(self.malformed(what)),
                Attempt::Declined(error) => return Err(Self::declined(&error)),
                Attempt::Passing(why) => why,
            };
            match pauses.next() {
                Some(pause) => thread::sleep(pause),
                None => {
                    return Err(ChainError::Unreachable {
                        address: self.address.clone(),
                        why,
                    });
                }
            }
        }
    }

    fn attempt(&self, method: &str, parameters: &Value) -> Attempt {
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let request = self.agent.post(format!("{}/jsonRPC", self.address));
        let request = match &self.key {
            Some(key) => request.header("X-API-Key", key),
            None => request,
        };
        let sent = request
            .content_type("application/json")
            .send(asked.to_string());
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(error) => return Attempt::Passing(error.to_string()),
        };
        let status = answer.status().as_u16();
        let body = match answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
        {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Attempt::Malformed(format!("its answer has more than {MAX_ANSWER} bytes"));
            }
            Err(error) => return Attempt::Passing(error.to_string()),
        };
        let Ok(mut said) = serde_json::from_slice::<Value>(&body) else {
            return match status {
                429 | 500.. => Attempt::Passing(format!("it answered {status}")),
                _ => Attempt::Malformed(format!("it answered {status}, and no JSON")),
            };
        };
        if said["ok"] == json!(true) {
            return Attempt::Answered(said["result"].take());
        }
        let error = said["error"].as_str().unwrap_or_default().to_owned();
        match status {
            500 if error.contains("cannot apply external message") => Attempt::Declined(error),
            429 | 500.. => Attempt::Passing(format!("it answered {status}: {error}")),
            _ => Attempt::Malformed(format!("it answered {status}: {error}")),
        }
    }

    fn malformed(&self, what: impl Into<String>) -> ChainError {
        ChainError::Malformed {
            address: self.address.clone(),
            what: what.into(),
        }
    }

    fn declined(error: &str) -> ChainError {
        let rest = error.split_once(EXIT_CODE).map(|(_, rest)| rest);
        let digits = rest.map(|rest| {
            rest.split(|it: char| it != '-' && !it.is_ascii_digit())
                .next()
                .unwrap_or_default()
        });
        ChainError::Refused {
            exit_code: digits.and_then(|digits| digits.parse().ok()),
        }
    }

    /// A cell in an answer; `None` where it is empty.
    fn cell(&self, answer: &Value, name: &str) -> Result<Option<Cell>, ChainError> {
        match answer[name].as_str() {
            Some("") => Ok(None),
            Some(text) => Boc::decode_base64(text)
                .map(Some)
                .map_err(|error| self.malformed(format!("{name} is no cell: {error}"))),
            None => Err(self.malformed(format!("{name} is missing"))),
        }
    }

    /// A number, which may be written as text.
    fn number(&self, answer: &Value, name: &str) -> Result<u64, ChainError> {
        let number = match &answer[name] {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        number.ok_or_else(|| self.malformed(format!("{name} is no number")))
    }

    fn hash(&self, answer: &Value, name: &str) -> Result<HashBytes, ChainError> {
        let text = answer[name].as_str().unwrap_or_default();
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(HashBytes)
            .ok_or_else(|| self.malformed(format!("{name} is no hash")))
    }
}

impl Chain for Toncenter {
    fn account(&self, address: &StdAddr) -> Result<Account, ChainError> {
        let answer = self.ask(
            "getAddressInformation",
            &json!({"address": address.to_string()}),
        )?;
        let contract = match answer["state"].as_str() {
            Some("active") => match (self.cell(&answer, "code")?, self.cell(&answer, "data")?) {
                (Some(code), Some(data)) => Some(Contract { code, data }),
                _ => return Err(self.malformed("an active account without code or data")),
            },
            Some("uninitialized" | "frozen") => None,
            _ => return Err(self.malformed("the account's state is none that is known")),
        };
        let last = &answer["last_transaction_id"];
        let at = self.number(&answer, "sync_utime")?;
        Ok(Account {
            balance: self.number(&answer, "balance")?,
            contract,
            last: (self.number(last, "lt")?, self.hash(last, "hash")?),
            at: u32::try_from(at).map_err(|_| self.malformed("sync_utime is past 2106"))?,
        })
    }

    fn send(&self, message: &Cell) -> Result<(), ChainError> {
        self.ask("sendBoc", &json!({"boc": Boc::encode_base64(message)}))
            .map(|_| ())
    }

    fn transactions(
        &self,
        address: &StdAddr,
        after: u64,
        most: u16,
    ) -> Result<Vec<Transaction>, ChainError> {
        let asked =
            json!({"address": address.to_string(), "limit": most, "to_lt": after.to_string()});
        let answer = self.ask("getTransactions", &asked)?;
        let told = answer
            .as_array()
            .ok_or_else(|| self.malformed("the transactions are no list"))?;
        told.iter()
            .map(|told| self.transaction(told, address, after))
            .collect()
    }

    fn global_id(&self) -> Result<i32, ChainError> {
        let answer = self.ask("getConfigParam", &json!({"config_id": 19}))?;
        let cell = self
            .cell(&answer["config"], "bytes")?
            .ok_or_else(|| self.malformed("parameter 19 is empty"))?;
        let id = cell.as_slice().and_then(|mut slice| slice.load_u32());
        let id = id.map_err(|_| self.malformed("parameter 19 is no number"))?;
        Ok(i32::from_be_bytes(id.to_be_bytes()))
    }
}

impl Toncenter {
    /// One that is about another account, or is older than was asked for, is a lie or a mistake.
    fn transaction(
        &self,
        told: &Value,
        address: &StdAddr,
        after: u64,
    ) -> Result<Transaction, ChainError> {
        let cell = self
            .cell(told, "data")?
            .ok_or_else(|| self.malformed("a transaction is empty"))?;
        let transaction: Transaction = cell
            .parse()
            .map_err(|error| self.malformed(format!("a transaction is none: {error}")))?;
        if transaction.account != address.address || transaction.lt <= after {
            return Err(self.malformed("a transaction is another than was asked for"));
        }
        Ok(transaction)
    }
}
