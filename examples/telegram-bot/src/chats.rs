//! A queue and a worker for each chat. Chats wait for themselves alone: the loop that reads updates never does.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use teloxide::types::{ChatId, Message};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{answer::Answering, history::History};

/// How many messages of a chat wait while one is answered.
const WAITING: usize = 4;
/// The most chats that are remembered at once.
const MAX_CHATS: usize = 10_000;

/// All chats that have said something of late.
#[derive(Debug)]
pub(crate) struct Chats {
    answering: Arc<Answering>,
    stop: CancellationToken,
    queues: HashMap<ChatId, Queue>,
    workers: TaskTracker,
}

#[derive(Debug)]
struct Queue {
    messages: mpsc::Sender<Message>,
    /// Whether the chat was told that it is too fast, since a message was last taken from its queue.
    told: Arc<AtomicBool>,
}

impl Chats {
    pub(crate) fn new(answering: Arc<Answering>, stop: CancellationToken) -> Self {
        Self {
            answering,
            stop,
            queues: HashMap::new(),
            workers: TaskTracker::new(),
        }
    }

    /// Puts a message into its chat's queue. If that is full, the message is left out, and the chat is told so once.
    pub(crate) fn take(&mut self, message: Message) {
        let chat = message.chat.id;
        let message = match self.queues.get(&chat) {
            None => message,
            Some(queue) => match queue.messages.try_send(message) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(message)) => {
                    if !queue.told.swap(true, Ordering::Relaxed) {
                        let answering = Arc::clone(&self.answering);
                        self.workers
                            .spawn(async move { answering.say_busy(&message).await });
                    }
                    return;
                }
                // Its worker has just gone to rest.
                Err(mpsc::error::TrySendError::Closed(message)) => message,
            },
        };
        self.queues.retain(|_, queue| !queue.messages.is_closed());
        if self.queues.len() >= MAX_CHATS {
            tracing::warn!(event = "too_many_chats");
            return;
        }
        let (sender, queue) = mpsc::channel(WAITING);
        let told = Arc::new(AtomicBool::new(false));
        // An empty queue has room for its first message.
        let _room = sender.try_send(message);
        self.workers.spawn(work(
            Arc::clone(&self.answering),
            queue,
            Arc::clone(&told),
            self.stop.clone(),
        ));
        self.queues.insert(
            chat,
            Queue {
                messages: sender,
                told,
            },
        );
    }

    /// Waits until what is running is done; what waits is told to come again.
    pub(crate) async fn finish(mut self) {
        self.queues.clear();
        self.workers.close();
        self.workers.wait().await;
    }
}

/// Answers one chat's messages in their order. Its history lives here, and ends when the chat has been silent for long.
async fn work(
    answering: Arc<Answering>,
    mut queue: mpsc::Receiver<Message>,
    told: Arc<AtomicBool>,
    stop: CancellationToken,
) {
    let mut history = History::new(answering.options.remember);
    let idle = answering.options.idle();
    loop {
        let message = tokio::select! {
            message = queue.recv() => message,
            () = tokio::time::sleep(idle) => {
                // What came in this moment is still answered.
                queue.close();
                queue.recv().await
            }
        };
        let Some(message) = message else { return };
        if !stop.is_cancelled() {
            told.store(false, Ordering::Relaxed);
        }
        answering.answer(&message, &mut history).await;
    }
}
