//! Has a program in an engine's room turn audio into what the engine reads. The program is believed as little as the engine: how much
//! it writes and how long it takes is bounded here, and what it wrote is for the caller to check.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use chrysalis_wire::room::PREPARED;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::served::Served;

/// How long an answer may take: twice what the room lets the program run, as another file may be ahead.
const PATIENCE: Duration = Duration::from_mins(5);
/// The program's words for its end, in its exit code.
const DONE: u8 = 0;
const UNKNOWN: u8 = 3;
const TOO_LONG: u8 = 4;
const BROKEN: u8 = 5;
const NO_AUDIO: u8 = 6;

/// Why there are no samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecoded {
    /// The program found no audio that it can read.
    NotAudio,
    /// It wrote more than it may.
    TooLong,
    /// It took longer than it may, or ended otherwise.
    Failed,
    /// The engine has none.
    NoDecoder,
}

impl Served {
    /// Has audio prepared, to at most `most` bytes.
    pub(crate) async fn prepare(&self, audio: Bytes, most: usize) -> Result<Bytes, Undecoded> {
        if self.engine().start.prepare.is_none() {
            return Err(Undecoded::NoDecoder);
        }
        let process = self.process().await.map_err(|_| Undecoded::Failed)?;
        let (socket, end) = (process.prepare_socket(), process.end());
        tokio::select! {
            outcome = timeout(PATIENCE, exchange(&socket, &audio, most)) => {
                outcome.unwrap_or(Err(Undecoded::Failed))
            }
            () = end.wait() => Err(Undecoded::Failed),
        }
    }
}

/// Sends a file and reads what becomes of it. Closing the connection early ends the program.
async fn exchange(socket: &Path, audio: &[u8], most: usize) -> Result<Bytes, Undecoded> {
    let failed = |_| Undecoded::Failed;
    let (mut from, mut to) = UnixStream::connect(socket)
        .await
        .map_err(failed)?
        .into_split();
    let send = async {
        // A program that has seen enough need not read the rest.
        let _ = to.write_all(audio).await;
        let _ = to.shutdown().await;
        Ok(())
    };
    let receive = async {
        let end = PREPARED.len().saturating_add(1);
        let limit = most.saturating_add(end);
        let mut answer = Vec::new();
        loop {
            if answer.len() > limit {
                return Err(Undecoded::TooLong);
            }
            if from.read_buf(&mut answer).await.map_err(failed)? == 0 {
                return read(answer, most);
            }
        }
    };
    // The first refusal ends both: a file that is too long is not sent to its end.
    let ((), prepared) = tokio::try_join!(send, receive)?;
    Ok(prepared)
}

/// The output in a whole answer.
fn read(mut answer: Vec<u8>, most: usize) -> Result<Bytes, Undecoded> {
    let code = answer.pop().ok_or(Undecoded::Failed)?;
    if !answer.ends_with(&PREPARED) {
        return Err(Undecoded::Failed);
    }
    answer.truncate(answer.len().saturating_sub(PREPARED.len()));
    match code {
        DONE if answer.len() > most => Err(Undecoded::TooLong),
        DONE => Ok(answer.into()),
        TOO_LONG => Err(Undecoded::TooLong),
        UNKNOWN | BROKEN | NO_AUDIO => Err(Undecoded::NotAudio),
        _ => Err(Undecoded::Failed),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// A program that reads everything and writes this.
    async fn answered(answer: Vec<u8>, most: usize) -> Result<Bytes, Undecoded> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("prepare.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut file = Vec::new();
            connection.read_to_end(&mut file).await.unwrap();
            assert_eq!(file, b"a file");
            let _ = connection.write_all(&answer).await;
        });
        exchange(&socket, b"a file", most).await
    }

    fn ended(output: &[u8], code: u8) -> Vec<u8> {
        [output, &PREPARED, &[code]].concat()
    }

    #[tokio::test]
    async fn an_answer_is_whole_or_refused() {
        let bytes = Bytes::from_static(b"samples");
        assert_eq!(answered(ended(b"samples", DONE), 7).await, Ok(bytes));
        assert_eq!(answered(ended(b"", DONE), 7).await, Ok(Bytes::new()));
        for (answer, why) in [
            (ended(b"samples", DONE), Undecoded::TooLong),
            (vec![7; 1 << 20], Undecoded::TooLong),
            (ended(b"sa", TOO_LONG), Undecoded::TooLong),
            (ended(b"", UNKNOWN), Undecoded::NotAudio),
            (ended(b"sa", BROKEN), Undecoded::NotAudio),
            (ended(b"", NO_AUDIO), Undecoded::NotAudio),
            (ended(b"", 255), Undecoded::Failed),
            (b"sample".to_vec(), Undecoded::Failed),
            (Vec::new(), Undecoded::Failed),
        ] {
            assert_eq!(answered(answer.clone(), 6).await, Err(why), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_failure() {
        let gone = exchange(Path::new("/nowhere/prepare.sock"), b"", 1).await;
        assert_eq!(gone, Err(Undecoded::Failed));
    }
}
