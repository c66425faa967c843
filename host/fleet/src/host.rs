//! What the host of a machine says (`/ready`, `/metrics`), and what it is asked for (`/drain`): docs/guide/fleet.md. Each answer is short,
//! and taken from a pod of the fleet's own, whose word decides nothing but how it is treated itself.

use std::time::Duration;

use bytes::Bytes;
use chrysalis_fleet::State;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{AUTHORIZATION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) state: State,
    pub(crate) numbers: Numbers,
}

/// Of `/metrics`; what is not there is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Numbers {
    /// `chrysalis_utilisation`, in thousandths.
    pub(crate) load: Option<u32>,
    /// Directories that list all that it serves.
    pub(crate) listing: Option<u64>,
    /// What could be claimed, in nano.
    pub(crate) due: Option<u64>,
}

/// What became of asking a host to drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Drained {
    /// It drains.
    Begun,
    /// It will not be told by this operator: the reason.
    Refused(String),
}

/// Asks how a host is; the error says that it does not answer.
pub(crate) async fn ask(address: &str) -> Result<Said, String> {
    let (status, text) = send(address, "GET", "/ready", None).await?;
    let draining = text.starts_with("draining");
    let (_, page) = send(address, "GET", "/metrics", None)
        .await
        .unwrap_or_default();
    let numbers = Numbers::read(&page);
    let load = numbers.load.unwrap_or_default();
    let state = match status {
        200 => State::Serving { load },
        _ if draining => State::Draining,
        _ => State::Booting,
    };
    Ok(Said { state, numbers })
}

/// Asks it to drain.
pub(crate) async fn drain(address: &str, token: &str) -> Result<Drained, String> {
    let (status, text) = send(address, "POST", "/drain", Some(token)).await?;
    let said = text.trim();
    Ok(match StatusCode::from_u16(status) {
        Ok(StatusCode::ACCEPTED) => Drained::Begun,
        _ => Drained::Refused(format!("status {status}, {said}")),
    })
}

impl Numbers {
    /// Of a page in Prometheus's text format, whatever else it has.
    pub(crate) fn read(page: &str) -> Self {
        let mut numbers = Self::default();
        for line in page.lines().filter(|line| line.starts_with("chrysalis_")) {
            let Some((name, value)) = line.split_once(' ') else {
                continue;
            };
            match name {
                "chrysalis_utilisation" => numbers.load = value.parse().ok().and_then(thousandths),
                "chrysalis_network_directories_listing" => numbers.listing = value.parse().ok(),
                "chrysalis_payment_due_nano" => numbers.due = value.parse().ok(),
                _ => {}
            }
        }
        numbers
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is bounded first"
)]
fn thousandths(load: f64) -> Option<u32> {
    (0.0..=1e6)
        .contains(&load)
        .then(|| (load * 1000.0).round() as u32)
}

/// One question on a connection of its own: the status, and the text.
async fn send(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> Result<(u16, String), String> {
    let asking = async {
        let stream = TcpStream::connect(address).await.map_err(plain)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(plain)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, address);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(plain)?;
        let answer = sender.send_request(request).await.map_err(plain)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        connection.abort();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

fn plain(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_hosts_publish() {
        let page = "# HELP chrysalis_utilisation x\nchrysalis_utilisation 0.75\nchrysalis_network_directories 2\n\
                    chrysalis_network_directories_listing 1\nchrysalis_payment_due_nano 7\n";
        let numbers = Numbers {
            load: Some(750),
            listing: Some(1),
            due: Some(7),
        };
        assert_eq!(Numbers::read(page), numbers);
        for strange in [
            "",
            "chrysalis_utilisation",
            "chrysalis_utilisation NaN",
            "chrysalis_utilisation -1",
            "chrysalis_utilisation 1e99",
        ] {
            assert_eq!(Numbers::read(strange), Numbers::default(), "{strange}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(page in "(chrysalis_(utilisation|payment_due_nano) .{0,20}\n|.{0,20}\n){0,8}") {
            Numbers::read(&page);
        }
    }
}
