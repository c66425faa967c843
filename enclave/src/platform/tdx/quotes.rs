//! A quote by Intel's quoting service on the host (the messages of its `qgs_msg_lib`): one question, one answer.
//!
//! Numbers are little-endian, but for the length before each message. The service is the host's: its answer is bounded in
//! size and time, and its content is not believed.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::TDREPORT_SIZE;

/// The longest quote that a verifier reads.
pub(super) const MAX_QUOTE: usize = chrysalis_attestation::tdx::quote::MAX_QUOTE_SIZE;
/// How long the service may take in all: it may have to talk to Intel's first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of `qgs_msg_header_t`: two u16 of version, then type, size and error.
const HEADER: usize = 16;
/// Two sizes follow the header, in question and answer alike.
const SIZES: usize = 8;
/// The question's size and its report's, as they stand in it.
const QUESTION_SIZE: u32 = 16 + 8 + REPORT_SIZE;
const REPORT_SIZE: u32 = 1024;
const _: () = assert!(QUESTION_SIZE as usize == HEADER + SIZES + TDREPORT_SIZE);
/// The longest answer: a quote and the 16 bytes of the identity that the service chose.
const MAX_MESSAGE: usize = HEADER + SIZES + 16 + MAX_QUOTE;
const MAJOR: u16 = 1;
const MINOR: u16 = 1;
/// `GET_QUOTE_REQ`
const QUESTION: u32 = 0;
/// `GET_QUOTE_RESP`
const ANSWER: u32 = 1;

/// No quote.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuoteError {
    /// The service is not there, or broke off.
    #[error("the connection to the quoting service: {0}")]
    Connection(#[from] io::Error),
    /// It took too long.
    #[error("the quoting service did not answer for {} s", PATIENCE.as_secs())]
    Stalled,
    /// It says why not, with a number of Intel's.
    #[error("the quoting service failed with error {0:#x}")]
    Service(u32),
    /// What it sent is not an answer.
    #[error("the quoting service misspoke: {0}")]
    Misspoke(&'static str),
    /// Empty, or longer than a verifier reads.
    #[error("the quote has {0} bytes")]
    Length(usize),
}

/// Connects, and has a quote made of `report`.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    connecting: impl Future<Output = io::Result<S>>,
    report: &[u8; TDREPORT_SIZE],
) -> Result<Vec<u8>, QuoteError> {
    let conversation = async {
        let mut stream = connecting.await?;
        stream.write_all(&question(report)).await?;
        stream.flush().await?;
        let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(QuoteError::Misspoke("its answer is too long"));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        read_answer(&answer)
    };
    match timeout(PATIENCE, conversation).await {
        Ok(answer) => answer,
        Err(_) => Err(QuoteError::Stalled),
    }
}

/// The whole question: no list of identities, so the service takes its own.
fn question(report: &[u8; TDREPORT_SIZE]) -> Vec<u8> {
    let mut message = QUESTION_SIZE.to_be_bytes().to_vec();
    message.extend(MAJOR.to_le_bytes());
    message.extend(MINOR.to_le_bytes());
    for number in [QUESTION, QUESTION_SIZE, 0, REPORT_SIZE, 0] {
        message.extend(number.to_le_bytes());
    }
    message.extend(report);
    message
}

fn read_answer(message: &[u8]) -> Result<Vec<u8>, QuoteError> {
    let (version, rest) = number(message)?;
    let (kind, rest) = number(rest)?;
    let (length, rest) = number(rest)?;
    let (error, rest) = number(rest)?;
    // The lower half is the major version; minor ones only add kinds of messages.
    if version & 0xFFFF != u32::from(MAJOR) {
        return Err(QuoteError::Misspoke("it speaks another version"));
    }
    if kind != ANSWER {
        return Err(QuoteError::Misspoke("it answers another question"));
    }
    if usize::try_from(length).ok() != Some(message.len()) {
        return Err(QuoteError::Misspoke("its answer's two sizes differ"));
    }
    if error != 0 {
        return Err(QuoteError::Service(error));
    }
    let (identity, rest) = number(rest)?;
    let (quote_length, rest) = number(rest)?;
    let quote = usize::try_from(identity)
        .ok()
        .and_then(|identity| rest.get(identity..))
        .filter(|quote| usize::try_from(quote_length).ok() == Some(quote.len()))
        .ok_or(QuoteError::Misspoke(
            "its answer's parts do not fit its size",
        ))?;
    match quote.len() {
        1..=MAX_QUOTE => Ok(quote.to_vec()),
        length => Err(QuoteError::Length(length)),
    }
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), QuoteError> {
    let (number, rest) = bytes
        .split_first_chunk()
        .ok_or(QuoteError::Misspoke("its answer ends too early"))?;
    Ok((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use tokio::net::UnixStream;

    /// An answer, each number as given, without the length before it.
    fn answer(version: u32, kind: u32, error: u32, sizes: [u32; 2], rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + SIZES + rest.len()).unwrap();
        let mut message = Vec::new();
        for number in [version, kind, length, error, sizes[0], sizes[1]] {
            message.extend(number.to_le_bytes());
        }
        message.extend(rest);
        message
    }

    /// A service that reads a question of the right length and sends `bytes`.
    async fn ask_one_that_sends(bytes: Vec<u8>) -> (Result<Vec<u8>, QuoteError>, Vec<u8>) {
        let (near, mut far) = UnixStream::pair().unwrap();
        let service = tokio::spawn(async move {
            let mut asked = vec![0; 4 + HEADER + SIZES + TDREPORT_SIZE];
            far.read_exact(&mut asked).await.unwrap();
            // Who asked may have heard enough before the end.
            let _ = far.write_all(&bytes).await;
            asked
        });
        let result = ask(ready(Ok(near)), &[3; TDREPORT_SIZE]).await;
        (result, service.await.unwrap())
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&length.to_be_bytes(), message].concat()
    }

    #[tokio::test]
    async fn asks_as_the_service_expects_and_takes_the_quote() {
        let sent = framed(&answer(0x0001_0001, 1, 0, [2, 5], b"idquote"));
        let (quote, asked) = ask_one_that_sends(sent).await;
        assert_eq!(quote.unwrap(), b"quote");
        let head = "00000418 01000100 00000000 18040000 00000000 00040000 00000000";
        assert_eq!(hex::encode(&asked[..28]), head.replace(' ', ""));
        assert_eq!(asked[28..], [3; TDREPORT_SIZE]);
    }

    #[tokio::test]
    async fn passes_on_the_error_of_the_service() {
        let (refused, _) = ask_one_that_sends(framed(&answer(1, 1, 0x1_2001, [0, 0], b""))).await;
        assert!(
            matches!(refused, Err(QuoteError::Service(0x1_2001))),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn refuses_what_is_not_an_answer() {
        let mut another_size = answer(1, 1, 0, [0, 5], b"quote");
        another_size[8] += 1;
        for (message, why) in [
            (
                answer(2, 1, 0, [0, 5], b"quote"),
                "it speaks another version",
            ),
            (
                answer(1, 3, 0, [0, 5], b"quote"),
                "it answers another question",
            ),
            (another_size, "its answer's two sizes differ"),
            (
                answer(1, 1, 0, [0, 6], b"quote"),
                "its answer's parts do not fit its size",
            ),
            (
                answer(1, 1, 0, [0, 4], b"quote"),
                "its answer's parts do not fit its size",
            ),
            (
                answer(1, 1, 0, [u32::MAX, 5], b"quote"),
                "its answer's parts do not fit its size",
            ),
            (vec![1, 0, 1], "its answer ends too early"),
        ] {
            let (refused, _) = ask_one_that_sends(framed(&message)).await;
            assert!(
                matches!(refused, Err(QuoteError::Misspoke(found)) if found == why),
                "{why}: {refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn refuses_a_quote_that_is_empty_or_too_long() {
        let (empty, _) = ask_one_that_sends(framed(&answer(1, 1, 0, [2, 0], b"id"))).await;
        assert!(matches!(empty, Err(QuoteError::Length(0))), "{empty:?}");
        let size = u32::try_from(MAX_QUOTE + 1).unwrap();
        let long = answer(1, 1, 0, [0, size], &vec![1; MAX_QUOTE + 1]);
        let (long, _) = ask_one_that_sends(framed(&long)).await;
        assert!(
            matches!(long, Err(QuoteError::Length(found)) if found == MAX_QUOTE + 1),
            "{long:?}"
        );
    }

    #[tokio::test]
    async fn reserves_no_memory_for_a_length_that_no_answer_has() {
        let (refused, _) = ask_one_that_sends(vec![0xFF; 4]).await;
        assert!(
            matches!(refused, Err(QuoteError::Misspoke("its answer is too long"))),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn names_a_service_that_breaks_off() {
        let mut cut = framed(&answer(1, 1, 0, [0, 5], b"quote"));
        cut.pop();
        let (refused, _) = ask_one_that_sends(cut).await;
        assert!(
            matches!(refused, Err(QuoteError::Connection(_))),
            "{refused:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn names_a_service_that_stalls() {
        let (near, _far) = tokio::io::duplex(1 << 16);
        let stalled = ask(ready(Ok(near)), &[3; TDREPORT_SIZE]).await;
        assert!(matches!(stalled, Err(QuoteError::Stalled)), "{stalled:?}");
    }

    #[tokio::test]
    async fn names_a_service_that_is_not_there() {
        let nobody = ready(Err::<UnixStream, _>(
            io::ErrorKind::ConnectionRefused.into(),
        ));
        let refused = ask(nobody, &[3; TDREPORT_SIZE]).await;
        assert!(
            matches!(refused, Err(QuoteError::Connection(_))),
            "{refused:?}"
        );
    }
}
