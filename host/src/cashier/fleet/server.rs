//! The cashier's side.

use std::sync::Arc;

use chrysalis_wire::{
    frame::{FrameError, read_async, write_async},
    host::{FromHost, ToHost},
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Challenge, EnclaveId, Greeting, PATIENCE, Question, Secret};
use crate::{
    accept,
    cashier::{answers::Answers, complaints::Complaints},
};

/// The most questions at once; one more waits.
const MAX_CONNECTIONS: usize = 256;

/// Answers the hosts that know the secret, for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, secret: Secret, answers: Arc<Answers>) {
    let desk = Arc::new(Desk {
        secret,
        answers,
        complaints: Complaints::default(),
    });
    let answer = |(stream, from): (TcpStream, std::net::SocketAddr)| {
        let desk = Arc::clone(&desk);
        async move {
            match desk.converse(stream).await {
                // That a host leaves is normal.
                Ok(true) | Err(FrameError::Closed | FrameError::Io(_)) => {}
                Ok(false) => desk.complaints.say(&format!(
                    "{} does not know the fleet's secret, and is not answered\nhint: give all hosts the same file",
                    from.ip()
                )),
                Err(error) => desk
                    .complaints
                    .say(&format!("{} asks what makes no sense: {error}", from.ip())),
            }
        }
    };
    accept::serve(MAX_CONNECTIONS, || listener.accept(), answer).await;
}

struct Desk {
    secret: Secret,
    answers: Arc<Answers>,
    complaints: Complaints,
}

impl Desk {
    /// One question. False: a stranger's.
    async fn converse(&self, mut stream: TcpStream) -> Result<bool, FrameError> {
        let mut challenge = Challenge { random: [0; 32] };
        if SystemRandom::new().fill(&mut challenge.random).is_err() {
            return Ok(true);
        }
        let greeting = async {
            write_async(&mut stream, &challenge).await?;
            read_async::<Greeting>(&mut stream).await
        };
        let greeting = in_time(greeting).await?;
        if !self.secret.is_known(&challenge, &greeting) {
            return Ok(false);
        }
        let question: Question = in_time(read_async(&mut stream)).await?;
        let answer = self.answer(greeting.enclave, question).await;
        in_time(write_async(&mut stream, &answer)).await?;
        Ok(true)
    }

    async fn answer(&self, enclave: EnclaveId, question: Question) -> FromHost {
        match question {
            Question::Asked(ToHost::Lane { purse, lane }) => {
                self.answers.lane_of(enclave, &purse, lane).await
            }
            Question::Asked(ToHost::Owed(owed)) => self.answers.owed_to(enclave, owed).await,
            Question::Asked(ToHost::Report(report)) => self.answers.report(report).await,
            Question::Asked(_) => FromHost::Refused("this is no question about payment".to_owned()),
            Question::Farewell => self.answers.release(enclave).await,
        }
    }
}

async fn in_time<T>(frame: impl Future<Output = Result<T, FrameError>>) -> Result<T, FrameError> {
    timeout(PATIENCE, frame)
        .await
        .unwrap_or_else(|_| Err(FrameError::Io(std::io::ErrorKind::TimedOut.into())))
}
