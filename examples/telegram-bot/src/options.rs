//! What the owner says at the start.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Parser;
use reqwest::Url;

/// The environment variable with the token.
const TOKEN: &str = "TELEGRAM_BOT_TOKEN";

const EXAMPLE: &str = "\
Example:
  $ chrysalis proxy --network network.json --network-key network.pub &
  $ TELEGRAM_BOT_TOKEN=$(cat token) telegram-bot --allow 123456789 \\
      --model smollm2-135m-instruct --voice-model whisper-base --daily-requests 100

The token is read from --token-file or from TELEGRAM_BOT_TOKEN, never from an argument: others can read those.";

/// A Telegram bot that answers through chrysalis proxy: text, and voice messages
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLE)]
pub(crate) struct Options {
    /// File with the bot's token, one line
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Where chrysalis proxy listens
    #[arg(
        long,
        value_name = "URL",
        env = "OPENAI_BASE_URL",
        default_value = "http://127.0.0.1:8080/v1"
    )]
    pub(crate) proxy: Url,

    /// The model that answers
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,

    /// The model that writes recordings down; without one, voice messages are declined
    #[arg(long, value_name = "NAME")]
    pub(crate) voice_model: Option<String>,

    /// What the model is told before each conversation
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "You are a helpful assistant in a chat. Answer in plain text."
    )]
    pub(crate) system: String,

    /// The most tokens of an answer
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) max_tokens: u32,

    /// A user or a group that may ask, by number; can be given several times
    #[arg(
        long,
        value_name = "ID",
        allow_negative_numbers = true,
        required_unless_present = "allow_everyone"
    )]
    pub(crate) allow: Vec<i64>,

    /// Let everyone ask who finds the bot
    #[arg(long, conflicts_with = "allow")]
    pub(crate) allow_everyone: bool,

    /// The most messages that each user is answered in a day (UTC)
    #[arg(long, value_name = "N")]
    pub(crate) daily_requests: Option<u64>,

    /// The most nano that each user's answers cost in a day; the answer that goes over it is still given
    #[arg(long, value_name = "NANO")]
    pub(crate) daily_nano: Option<u64>,

    /// How many messages of a chat the model is shown again
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) remember: usize,

    /// After how many hours without a message a chat is forgotten
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) forget_after: u64,

    /// How many chats are answered at once; the others wait
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: u16,

    /// How many seconds running answers may take after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    grace: u64,

    /// A Bot API server of your own
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<Url>,
}

impl Options {
    /// The token. Errors name the place it was looked for in, never what was there.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let text = match &self.token_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?,
            None => std::env::var(TOKEN).map_err(|_| {
                anyhow::anyhow!("there is no token; set {TOKEN}, or name a file: --token-file FILE")
            })?,
        };
        let token = text.trim();
        let shaped = token.split_once(':').is_some_and(|(number, secret)| {
            !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && !secret.is_empty()
                && secret
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
        if !shaped {
            bail!(
                "this is not a bot's token; copy the whole line that BotFather gave: digits, a colon, letters"
            );
        }
        Ok(token.to_owned())
    }

    /// How long running answers may take after SIGTERM.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }

    /// After which time without a message a chat is forgotten.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.forget_after.saturating_mul(3600))
    }
}
