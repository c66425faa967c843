//! `chrysalis-host drain`: has a run on this machine finish what it does, and waits until it is gone. A supervisor's hook before it stops
//! a host, where there is no shell.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::talk::say;

/// The run goes on.
const GOES_ON: u8 = 1;
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks, and between two lines about it.
const LOOK: Duration = Duration::from_millis(250);
const SAID: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct DrainOptions {
    /// The run's --metrics
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:9443")]
    address: SocketAddr,
    /// The longest to wait for its end
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    wait: u64,
}

/// Asks, and waits.
pub(crate) async fn drain(options: &DrainOptions) -> anyhow::Result<ExitCode> {
    let DrainOptions { address, wait } = options;
    let asked = ask(*address, "POST /drain").await.map_err(|error| {
        anyhow!(
            "no run answers at {address}: {error}\nhint: name the address that it was given with --metrics"
        )
    })?;
    if !asked.starts_with("HTTP/1.1 202 ") {
        let said = asked.split_once("\r\n\r\n").map_or("", |(_, text)| text);
        bail!(
            "{address} does not drain: {}\nhint: run this on the machine of the run, which must be of this release",
            said.trim()
        );
    }
    let begun = Instant::now();
    let mut said = Instant::now();
    // A run that has ended listens no more.
    while TcpStream::connect(address).await.is_ok() {
        if begun.elapsed() >= Duration::from_secs(*wait) {
            say(format_args!("it goes on after {wait} s"));
            return Ok(ExitCode::from(GOES_ON));
        }
        if said.elapsed() >= SAID {
            said = Instant::now();
            say(format_args!(
                "waiting for {} s: it finishes what is under way",
                begun.elapsed().as_secs()
            ));
        }
        sleep(LOOK).await;
    }
    say("drained: the run has ended");
    Ok(ExitCode::SUCCESS)
}

async fn ask(address: SocketAddr, line: &str) -> std::io::Result<String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn at(address: SocketAddr, wait: u64) -> DrainOptions {
        DrainOptions { address, wait }
    }

    /// Answers one question so, and then listens no more, or for ever.
    async fn run(answer: &'static str, ends: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).await.unwrap();
            assert!(asked[..length].starts_with(b"POST /drain HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream);
            if !ends {
                loop {
                    drop(listener.accept().await);
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn waits_for_the_end_of_the_run() {
        let ended = run("HTTP/1.1 202 Accepted\r\n\r\n", true).await;
        assert_eq!(drain(&at(ended, 30)).await.unwrap(), ExitCode::SUCCESS);
        let goes_on = run("HTTP/1.1 202 Accepted\r\n\r\n", false).await;
        assert_eq!(
            drain(&at(goes_on, 0)).await.unwrap(),
            ExitCode::from(GOES_ON)
        );
    }

    #[tokio::test]
    async fn says_what_is_there_instead() {
        let other = run("HTTP/1.1 403 Forbidden\r\n\r\nnot from there\n", false).await;
        let refused = drain(&at(other, 0)).await.unwrap_err().to_string();
        assert!(
            refused.contains("not from there") && refused.contains("hint: "),
            "{refused}"
        );
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let refused = drain(&at(address, 0)).await.unwrap_err().to_string();
        assert!(refused.contains("--metrics"), "{refused}");
    }
}
