//! A quote from Intel's quoting service on the host: one question, one answer, and the service closes the connection.
//!
//! The messages are those of Intel's `QuoteGeneration/quote_wrapper/qgs_msg_lib` (`inc/qgs_msg_lib.h`, `qgs_msg_lib.cpp`;
//! github.com/intel/confidential-computing.tee.dcap at 806c50e), version 1.1, after the length that its `qgs/qgs_server.cpp`
//! reads. QEMU's `target/i386/kvm/tdx-quote-generator.c` asks with the same bytes. Numbers are little-endian, except that
//! length. The service is the host's: its answer is bounded in size and time, and its content is not trusted.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::device::TDREPORT_SIZE;

/// The longest quote that a verifier reads.
pub(super) const MAX_QUOTE: usize = chrysalis_attestation::tdx::quote::MAX_QUOTE_SIZE;
/// How long the service may take in all: it may have to ask Intel's first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of `qgs_msg_header_t`: two u16 of version; then a u32 each of type, size of the message with this header, and error.
const HEADER: usize = 16;
/// A u32 each of two sizes follow the header: of the report and of a list of identities in the question
/// (`qgs_msg_get_quote_req_t`), of the chosen identity and of the quote in the answer (`qgs_msg_get_quote_resp_t`). The items
/// themselves follow in the same order.
const SIZES: usize = 8;
/// The sizes of the question and of its report, as written in it.
const QUESTION_SIZE: u32 = 16 + 8 + REPORT_SIZE;
const REPORT_SIZE: u32 = 1024;
const _: () = assert!(QUESTION_SIZE as usize == HEADER + SIZES + TDREPORT_SIZE);
/// The longest answer: a quote and the 16 bytes of the identity that the service chose.
const MAX_MESSAGE: usize = HEADER + SIZES + 16 + MAX_QUOTE;
const MAJOR: u16 = 1;
/// What Intel's library and QEMU send. A service of version 1.0 answers it too.
const MINOR: u16 = 1;
/// `GET_QUOTE_REQ`
const QUESTION: u32 = 0;
/// `GET_QUOTE_RESP`
const ANSWER: u32 = 1;

/// No quote.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuoteError {
    /// The service is not there, or the connection broke.
    #[error("the connection to the quoting service: {0}")]
    Connection(#[from] io::Error),
    /// It took too long.
    #[error("the quoting service did not answer for {} s", PATIENCE.as_secs())]
    Stalled,
    /// It says why not, with one of Intel's error numbers.
    #[error("the quoting service failed with error {0:#x}: {meaning}", meaning = meaning(*.0))]
    Service(u32),
    /// What it sent is not an answer.
    #[error("the quoting service broke its protocol: {0}")]
    Misspoke(&'static str),
    /// Empty, or longer than a verifier reads.
    #[error("the quote has {0} bytes")]
    Length(usize),
}

/// What a number from `qgs_msg_error_t` means.
fn meaning(error: u32) -> &'static str {
    match error {
        0x1_2001 => "no quote could be made",
        0x1_2002 => "it is out of memory",
        0x1_2003 => "it rejected a parameter",
        0x1_2004 => "it does not speak this version",
        0x1_2005 => "it does not know this question",
        0x1_2006 => "it rejected a size",
        0x1_2007 => "it rejected an error code",
        _ => "Intel's qgs_msg_lib.h has no such number",
    }
}

/// Connects, and has a quote made from `report`.
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
    // The lower half is the major version. Intel's library accepts every minor version, and so do we.
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
            // The enclave may have hung up before the end.
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
    async fn takes_the_quote_of_a_service_of_the_minor_version_before() {
        let (quote, _) = ask_one_that_sends(framed(&answer(1, 1, 0, [0, 5], b"quote"))).await;
        assert_eq!(quote.unwrap(), b"quote");
    }

    #[tokio::test]
    async fn takes_the_longest_quote_byte_by_byte() {
        let size = u32::try_from(MAX_QUOTE).unwrap();
        let rest = [&[9; 16][..], &vec![7; MAX_QUOTE]].concat();
        let sent = framed(&answer(0x0001_0001, 1, 0, [16, size], &rest));
        assert_eq!(sent.len(), 4 + MAX_MESSAGE);
        // Holds one byte at a time, so that every read is short.
        let (near, mut far) = tokio::io::duplex(1);
        let service = tokio::spawn(async move {
            let mut asked = vec![0; 4 + HEADER + SIZES + TDREPORT_SIZE];
            far.read_exact(&mut asked).await.unwrap();
            far.write_all(&sent).await.unwrap();
        });
        let quote = ask(ready(Ok(near)), &[3; TDREPORT_SIZE]).await.unwrap();
        service.await.unwrap();
        assert_eq!(quote, vec![7; MAX_QUOTE]);
    }

    #[tokio::test]
    async fn passes_on_the_error_of_the_service() {
        for error in [0x1_2001, 0x1_2007, 1, u32::MAX] {
            let message = answer(0x0001_0001, 1, error, [0, 0], b"");
            // As long as Intel's `qgs_msg_gen_error_resp` makes it.
            assert_eq!(message.len(), 24);
            let (refused, _) = ask_one_that_sends(framed(&message)).await;
            assert!(
                matches!(refused, Err(QuoteError::Service(found)) if found == error),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn says_what_the_error_of_the_service_means() {
        assert_eq!(
            QuoteError::Service(0x1_2004).to_string(),
            "the quoting service failed with error 0x12004: it does not speak this version"
        );
        assert_eq!(
            QuoteError::Service(0x1_2008).to_string(),
            "the quoting service failed with error 0x12008: Intel's qgs_msg_lib.h has no such number"
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
            (
                answer(1, 1, 0, [1, u32::MAX], b"quote"),
                "its answer's parts do not fit its size",
            ),
            (vec![1, 0, 1], "its answer ends too early"),
            (
                answer(1, 1, 0, [0, 0], b"")[..HEADER].to_vec(),
                "its answer's two sizes differ",
            ),
            (Vec::new(), "its answer ends too early"),
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
        let one_more = u32::try_from(MAX_MESSAGE + 1).unwrap();
        for length in [one_more, u32::MAX] {
            let (refused, _) = ask_one_that_sends(length.to_be_bytes().to_vec()).await;
            assert!(
                matches!(refused, Err(QuoteError::Misspoke("its answer is too long"))),
                "{refused:?}"
            );
        }
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
