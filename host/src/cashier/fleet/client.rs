//! The host's side.

use std::{io, time::Duration};

use chrysalis_wire::{
    frame::{read_async, write_async},
    host::{FromHost, NoLane, ToHost},
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{net::TcpStream, time::timeout};

use super::{Challenge, EnclaveId, PATIENCE, Question, Secret};
use crate::cashier::complaints::Complaints;

/// How long a question may take: the enclave gives up after 30 seconds.
const ANSWERED: Duration = Duration::from_secs(27);

/// A fleet's cashier, as one host asks it about one guest.
pub(crate) struct Remote {
    /// `HOST:PORT`.
    address: String,
    secret: Secret,
    enclave: EnclaveId,
    complaints: Complaints,
}

impl Remote {
    /// For a guest that begins now.
    pub(crate) fn new(address: String, secret: Secret) -> anyhow::Result<Self> {
        let mut enclave = EnclaveId::default();
        let random = SystemRandom::new().fill(&mut enclave);
        random.map_err(|_| anyhow::anyhow!("the system provides no random numbers"))?;
        Ok(Self {
            address,
            secret,
            enclave,
            complaints: Complaints::default(),
        })
    }

    /// Passes a question on. Without an answer no lane may be used, and nothing is noted: the enclave asks again.
    pub(crate) async fn answer(&self, question: ToHost) -> FromHost {
        let is_lane = matches!(question, ToHost::Lane { .. });
        match self.ask(Question::Asked(question)).await {
            Ok(answer) => answer,
            Err(error) => {
                self.complaints.say(&format!(
                    "the fleet's cashier at {} cannot be asked: {error}\nhint: see whether it runs there, and whether both have the same secret; \
                     no lane is used and nothing is lost until then",
                    self.address
                ));
                if is_lane {
                    return NoLane::Unreachable.into();
                }
                FromHost::Refused("not_noted".to_owned())
            }
        }
    }

    /// Says that the guest is gone, so that others may have what it was handed.
    pub(crate) async fn farewell(&self) {
        if let Err(error) = self.ask(Question::Farewell).await {
            self.complaints.say(&format!(
                "the fleet's cashier at {} was not told that this is over: {error}\nhint: what this enclave was handed comes back within an hour",
                self.address
            ));
        }
    }

    async fn ask(&self, question: Question) -> io::Result<FromHost> {
        let asking = async {
            let mut stream = timeout(PATIENCE, TcpStream::connect(&self.address)).await??;
            let challenge: Challenge = read_async(&mut stream).await.map_err(io::Error::other)?;
            let greeting = self.secret.greeting(&challenge, self.enclave);
            write_async(&mut stream, &greeting)
                .await
                .map_err(io::Error::other)?;
            write_async(&mut stream, &question)
                .await
                .map_err(io::Error::other)?;
            read_async(&mut stream).await.map_err(io::Error::other)
        };
        timeout(ANSWERED, asking).await?
    }
}
