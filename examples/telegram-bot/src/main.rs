//! A Telegram bot that answers through `chrysalis proxy`: text, and voice messages.
//!
//! Telegram is trusted with what stands in the chat, and the enclave behind the proxy with the same. Nobody else sees it: nothing of a chat
//! is written down or logged, and the bot's token is in no argument, log or error.

mod access;
mod answer;
mod asked;
mod budget;
mod chats;
mod history;
mod live;
mod model;
mod options;
mod split;
mod telegram;
mod trouble;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use futures_util::StreamExt;
use teloxide::{
    stop::StopToken,
    types::{AllowedUpdate, UpdateKind},
    update_listeners::{AsUpdateStream, Polling, UpdateListener},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{answer::Answering, chats::Chats, options::Options, telegram::Telegram};

/// How long Telegram holds a question for updates, if there are none.
const LONG_POLL: Duration = Duration::from_secs(50);
/// How long the last question, which confirms what was read, may take.
const LAST_POLL: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let telegram = Telegram::new(options.token()?, options.api_url.clone())?;
    let me = telegram.me().await?;
    tracing::info!(event = "started", username = me.username());

    let mut updates = Polling::builder(telegram.bot().clone())
        .timeout(LONG_POLL)
        .allowed_updates(vec![AllowedUpdate::Message])
        .build();
    let stop = CancellationToken::new();
    tokio::spawn(wait_for_signal(updates.stop_token(), stop.clone()));

    let grace = options.grace();
    let answering = Arc::new(Answering::new(options, telegram, me, stop.clone())?);
    let mut chats = Chats::new(answering, stop.clone());
    let mut stream = std::pin::pin!(updates.as_stream());
    loop {
        let update = tokio::select! {
            update = stream.next() => update,
            () = after(&stop, LAST_POLL) => None,
        };
        match update {
            Some(Ok(update)) => {
                if let UpdateKind::Message(message) = update.kind {
                    chats.take(message);
                }
            }
            // The stream waits by itself, longer each time, before it asks again.
            Some(Err(error)) => {
                tracing::warn!(event = "no_updates", why = telegram::name(&error));
            }
            None => break,
        }
    }

    tracing::info!(event = "stopping");
    if tokio::time::timeout(grace, chats.finish()).await.is_err() {
        tracing::warn!(event = "cut_off", after_s = grace.as_secs());
    }
    Ok(())
}

/// At the first SIGTERM or SIGINT no more updates are read; a second one ends the program at once.
async fn wait_for_signal(updates: StopToken, stop: CancellationToken) {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut term), Ok(mut interrupt)) = signals else {
        return;
    };
    tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    updates.stop();
    stop.cancel();
    tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
    std::process::exit(1);
}

async fn after(stop: &CancellationToken, time: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(time).await;
}
