//! A text that grows in the chat: the newest message is edited, no more often than its pace allows, and another one is begun where
//! Telegram's limit is reached.

use std::time::Duration;

use teloxide::{
    RequestError,
    types::{ChatId, MessageId},
};
use tokio::time::Instant;

use crate::{
    split::{LIMIT, head, units},
    telegram::{Telegram, patient},
};

/// Between two calls in a private chat: Telegram allows about one a second.
const PRIVATE: Duration = Duration::from_millis(1100);
/// Between two calls in a group: 20 a minute, of all its members together.
const GROUP: Duration = Duration::from_millis(3100);
/// Before the first call: a short answer is then one message, and the notification of a long one says something.
const FIRST: Duration = Duration::from_millis(700);
/// What stands at the end of a text that is not finished.
const UNFINISHED: &str = " …";

/// A text on its way.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    telegram: &'a Telegram,
    chat: ChatId,
    reply_to: MessageId,
    text: String,
    /// Bytes of `text` that stand in finished messages.
    done: usize,
    /// The message that grows, and what it shows.
    current: Option<(MessageId, String)>,
    /// When the next call may be made.
    next: Instant,
}

impl<'a> Live<'a> {
    pub(crate) fn new(telegram: &'a Telegram, chat: ChatId, reply_to: MessageId) -> Self {
        Self {
            telegram,
            chat,
            reply_to,
            text: String::new(),
            done: 0,
            current: None,
            next: Instant::now() + FIRST,
        }
    }

    pub(crate) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// All of the text so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// When [`Self::show`] may be called; `None` while there is nothing new to show.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (shown, _) = self.part();
        let new = match &self.current {
            Some((_, current)) => *current != shown,
            None => !shown.is_empty(),
        };
        new.then_some(self.next)
    }

    /// Shows what is there, in one call. Told to wait, it puts the next call off and succeeds.
    pub(crate) async fn show(&mut self) -> Result<(), RequestError> {
        let (shown, ends) = self.part();
        match self.put(shown).await {
            Ok(()) => {
                self.pause(Duration::ZERO);
                if let Some(bytes) = ends {
                    self.end_message(bytes);
                }
                Ok(())
            }
            Err(RequestError::RetryAfter(seconds)) => {
                self.pause(seconds.duration());
                Ok(())
            }
            // The end is shown with more patience.
            Err(RequestError::Network(_)) => {
                self.pause(Duration::from_secs(1));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Shows the rest, however often it takes, and what was said in all.
    pub(crate) async fn finish(mut self) -> Result<String, RequestError> {
        while self.done < self.text.len() {
            let part = head(&self.text[self.done..], LIMIT);
            let (bytes, shown) = (part.len(), part.trim().to_owned());
            if !shown.is_empty() && self.current.as_ref().is_none_or(|(_, old)| *old != shown) {
                tokio::time::sleep_until(self.next).await;
                let this = &self;
                let id = patient(|| this.call(&shown)).await?;
                self.current = Some((id, shown));
                self.pause(Duration::ZERO);
            }
            self.end_message(bytes);
        }
        Ok(self.text)
    }

    /// What the current message is to show, and, if that ends it, how many bytes of the text end there.
    fn part(&self) -> (String, Option<usize>) {
        let rest = &self.text[self.done..];
        let room = LIMIT.saturating_sub(units(UNFINISHED));
        let part = head(rest, room);
        if part.len() < rest.len() {
            return (part.trim().to_owned(), Some(part.len()));
        }
        let shown = part.trim();
        if shown.is_empty() {
            return (String::new(), None);
        }
        (format!("{shown}{UNFINISHED}"), None)
    }

    async fn put(&mut self, shown: String) -> Result<(), RequestError> {
        if shown.is_empty() {
            return Ok(());
        }
        let id = self.call(&shown).await?;
        self.current = Some((id, shown));
        Ok(())
    }

    async fn call(&self, shown: &str) -> Result<MessageId, RequestError> {
        match &self.current {
            Some((id, _)) => self
                .telegram
                .edit(self.chat, *id, shown)
                .await
                .map(|()| *id),
            None => {
                self.telegram
                    .send(self.chat, self.reply_to, shown, &[])
                    .await
            }
        }
    }

    fn end_message(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes);
        self.current = None;
    }

    /// At least the chat's pace, from now on.
    fn pause(&mut self, least: Duration) {
        let pace = if self.chat.is_user() { PRIVATE } else { GROUP };
        self.next = Instant::now() + pace.max(least);
    }
}
