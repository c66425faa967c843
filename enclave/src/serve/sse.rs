//! Server-sent events, and a comment now and then while there are none, so that no client gives up on a silent connection.

use std::time::Duration;

use futures_util::stream;
use hyper::{Response, body::Frame};
use serde_json::Value;
use tokio::time::timeout;

use super::answer::{self, Body, Pieces};

/// How long a stream is silent before a comment shows that it is alive.
const SILENCE: Duration = Duration::from_secs(10);
/// A comment, which clients skip.
const COMMENT: &str = ": still here\n\n";
/// The end of a complete stream of OpenAI's.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// Where the events of a stream come from.
pub(super) trait Source: Send + 'static {
    /// The next text of the stream: whole events, each with its empty line. None: the stream ends. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<String>> + Send;
}

/// Streams what a source has. The head goes out at once.
pub(super) fn respond(source: impl Source) -> Response<Body> {
    let pieces = stream::unfold((source, false), |(mut source, begun)| async move {
        let patience = if begun { SILENCE } else { Duration::ZERO };
        let text = match timeout(patience, source.next()).await {
            Ok(text) => text?,
            Err(_) => COMMENT.to_owned(),
        };
        Some((Ok(Frame::data(text.into())), (source, true)))
    });
    let pieces: Pieces = Box::pin(pieces);
    answer::events(pieces)
}

/// An event that has only data.
pub(super) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    struct Late(Vec<(u64, &'static str)>);

    impl Source for Late {
        async fn next(&mut self) -> Option<String> {
            let (seconds, text) = *self.0.first()?;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            self.0.remove(0);
            Some(text.to_owned())
        }
    }

    /// The pause of the clock moves on by itself when there is nothing else to do.
    #[tokio::test(start_paused = true)]
    async fn a_comment_comes_at_once_and_after_each_silence() {
        let source = Late(vec![(9, "data: 1\n\n"), (0, "data: 2\n\n")]);
        let response = respond(source);
        let kind = &response.headers()["content-type"];
        assert_eq!(kind, "text/event-stream; charset=utf-8");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b": still here\n\ndata: 1\n\ndata: 2\n\n");
    }
}
