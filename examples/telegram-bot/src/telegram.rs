//! Telegram's side: calls that wait as long as they are told to, and downloads with a bound.
//!
//! The token is a part of every URL, and an unreadable answer may quote a chat. So no error of these libraries is ever printed: [`name`]
//! says which one it was.

use std::time::Duration;

use anyhow::anyhow;
use futures_util::StreamExt;
use reqwest::{Client, Url};
use teloxide::{
    ApiError, Bot, RequestError,
    net::Download,
    payloads::{EditMessageTextSetters, SendMessageSetters},
    requests::Requester,
    types::{
        ChatAction, ChatId, FileId, LinkPreviewOptions, Me, MessageEntity, MessageId,
        ReplyParameters,
    },
};

/// The largest file that a bot may fetch, in bytes: the Bot API's limit.
pub(crate) const MAX_FILE: u32 = 20 * 1024 * 1024;

/// Above the long poll's, for every call.
const DEADLINE: Duration = Duration::from_secs(75);
/// How often a call is made before it is given up.
const TRIES: u32 = 5;
/// The longest wait that is obeyed.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// The Bot API, with this bot's token.
#[derive(Debug, Clone)]
pub(crate) struct Telegram {
    bot: Bot,
}

/// Why a recording did not come.
#[derive(Debug)]
pub(crate) enum NotFetched {
    /// It is over [`MAX_FILE`].
    TooLarge,
    /// Telegram did not give it; what happened, in a word.
    Failed(&'static str),
}

impl Telegram {
    pub(crate) fn new(token: String, api_url: Option<Url>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(DEADLINE)
            .build()
            .map_err(|_| anyhow!("no HTTP client"))?;
        let mut bot = Bot::with_client(token, client);
        if let Some(url) = api_url {
            bot = bot.set_api_url(url);
        }
        Ok(Self { bot })
    }

    pub(crate) fn bot(&self) -> &Bot {
        &self.bot
    }

    /// Who the bot is. Fails only if Telegram says that the token is not one; otherwise asks until there is an answer.
    pub(crate) async fn me(&self) -> anyhow::Result<Me> {
        let mut pause = Duration::from_secs(1);
        loop {
            match self.bot.get_me().await {
                Ok(me) => return Ok(me),
                Err(RequestError::Api(ApiError::InvalidToken)) => {
                    return Err(anyhow!(
                        "Telegram does not know this token; get one from BotFather"
                    ));
                }
                Err(error) => {
                    tracing::warn!(event = "no_answer_of_telegram", why = name(&error));
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(Duration::from_mins(1));
                }
            }
        }
    }

    /// Sends plain text, as a reply to a message. Links are not followed for previews.
    pub(crate) async fn send(
        &self,
        chat: ChatId,
        reply_to: MessageId,
        text: &str,
        entities: &[MessageEntity],
    ) -> Result<MessageId, RequestError> {
        let sent = self
            .bot
            .send_message(chat, text)
            .reply_parameters(ReplyParameters::new(reply_to).allow_sending_without_reply())
            .link_preview_options(no_preview())
            .entities(entities.to_vec())
            .await;
        sent.map(|message| message.id)
    }

    /// Puts another text in the place of a message's. The same text again is no error.
    pub(crate) async fn edit(
        &self,
        chat: ChatId,
        message: MessageId,
        text: &str,
    ) -> Result<(), RequestError> {
        let edited = self
            .bot
            .edit_message_text(chat, message, text)
            .link_preview_options(no_preview())
            .await;
        match edited {
            Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows "typing" every few seconds, until dropped: Telegram ends it after five.
    pub(crate) async fn type_on(&self, chat: ChatId) {
        loop {
            let _hint_alone = self.bot.send_chat_action(chat, ChatAction::Typing).await;
            tokio::time::sleep(Duration::from_millis(4500)).await;
        }
    }

    /// The bytes of a file, [`MAX_FILE`] at most, whatever Telegram said of its size.
    pub(crate) async fn fetch(&self, file: &FileId) -> Result<Vec<u8>, NotFetched> {
        let found = patient(|| self.bot.get_file(file.clone()).into_future()).await;
        let found = found.map_err(|error| match error {
            RequestError::Api(ApiError::Unknown(text)) if text.contains("file is too big") => {
                NotFetched::TooLarge
            }
            error => NotFetched::Failed(name(&error)),
        })?;
        let mut bytes = Vec::new();
        let mut pieces = self.bot.download_file_stream(&found.path);
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|_| NotFetched::Failed("broken_download"))?);
            if bytes.len() > MAX_FILE as usize {
                return Err(NotFetched::TooLarge);
            }
        }
        Ok(bytes)
    }
}

/// Makes a call until it succeeds: waits as long as Telegram says, and a little where Telegram was not reached at all. A call that may have
/// been carried out is not made again.
pub(crate) async fn patient<T, F>(mut call: impl FnMut() -> F) -> Result<T, RequestError>
where
    F: Future<Output = Result<T, RequestError>>,
{
    let mut tries = 1;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = match &error {
            RequestError::RetryAfter(seconds) => seconds.duration(),
            RequestError::Network(why) if why.is_connect() => Duration::from_secs(1),
            _ => return Err(error),
        };
        if tries == TRIES || wait > MAX_WAIT {
            return Err(error);
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(wait).await;
    }
}

/// An error in one word, which says nothing of a chat or of the token.
pub(crate) fn name(error: &RequestError) -> &'static str {
    match error {
        RequestError::Api(ApiError::TerminatedByOtherGetUpdates) => {
            "another_program_uses_this_token"
        }
        RequestError::Api(ApiError::InvalidToken) => "token_refused",
        RequestError::Api(_) => "refused",
        RequestError::MigrateToChatId(_) => "chat_moved",
        RequestError::RetryAfter(_) => "too_many_requests",
        RequestError::Network(why) if why.is_timeout() => "timeout",
        RequestError::Network(why) if why.is_connect() => "unreachable",
        RequestError::Network(_) => "network",
        RequestError::InvalidJson { .. } => "answer_not_read",
        RequestError::Io(_) => "io",
    }
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}
