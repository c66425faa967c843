//! Who is answered when: one question at a time, in order of arrival, with no more waiting than the configuration
//! allows. A client that goes away gives up its place.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    Event, Question,
    worker::{PIECES, Recipe, Worker},
};

/// Passes questions to the engine, and starts a new engine when one fails.
pub(crate) struct Scheduler {
    /// Places to wait in.
    places: Arc<Semaphore>,
    engine: Arc<Engine>,
}

struct Engine {
    recipe: Recipe,
    /// The mutex is fair: first come, first served. Empty while there is no usable worker.
    worker: Arc<Mutex<Option<Worker>>>,
    ready: AtomicBool,
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Scheduler {
    pub(super) fn new(recipe: Recipe, worker: Worker) -> Self {
        let queue = recipe.measured.configuration.serving.queue;
        Self {
            places: Arc::new(Semaphore::new(queue as usize)),
            engine: Arc::new(Engine {
                recipe,
                worker: Arc::new(Mutex::new(Some(worker))),
                ready: AtomicBool::new(true),
            }),
        }
    }

    /// Asks. The answer comes piece by piece; dropping its receiver ends the question at any point.
    pub(crate) fn ask(&self, question: Question) -> Result<mpsc::Receiver<Event>, Busy> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Busy)?;
        let (events, answer) = mpsc::channel(PIECES);
        tokio::spawn(self.engine.clone().answer(place, question, events));
        Ok(answer)
    }

    /// Whether there is an engine to ask.
    pub(crate) fn ready(&self) -> bool {
        self.engine.ready.load(Ordering::Relaxed)
    }
}

impl Engine {
    async fn answer(
        self: Arc<Self>,
        place: OwnedSemaphorePermit,
        question: Question,
        events: mpsc::Sender<Event>,
    ) {
        let mut slot = tokio::select! {
            slot = self.worker.clone().lock_owned() => slot,
            () = events.closed() => return,
        };
        drop(place);
        if slot.is_none() {
            self.start_again(&mut slot).await;
        }
        let Some(worker) = slot.as_mut() else {
            let _ = events.try_send(Event::NoEngine);
            return;
        };
        if let Err(lost) = worker.generate(question, events).await {
            tracing::error!(why = %lost, "engine lost");
            self.start_again(&mut slot).await;
        }
    }

    /// A new worker must load and give the known answer like the first.
    async fn start_again(&self, slot: &mut OwnedMutexGuard<Option<Worker>>) {
        self.ready.store(false, Ordering::Relaxed);
        **slot = None;
        match self.recipe.launch().await {
            Ok(worker) => {
                **slot = Some(worker);
                self.ready.store(true, Ordering::Relaxed);
                tracing::info!("engine restarted");
            }
            Err(failure) => {
                tracing::error!(code = failure.code(), "engine not restarted: {failure}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cut, fake};
    use chrysalis_wire::engine::FinishReason;
    use std::time::Duration;

    async fn text(answer: &mut mpsc::Receiver<Event>) -> (String, bool) {
        let mut whole = String::new();
        while let Some(event) = answer.recv().await {
            match event {
                Event::Piece { text, .. } => whole.push_str(&text),
                Event::Finished { reason, .. } => return (whole, reason == FinishReason::Stop),
                Event::Refused(_) | Event::NoEngine | Event::Cut(_) => return (whole, false),
            }
        }
        (whole, false)
    }

    #[tokio::test]
    async fn questions_are_answered_in_turn() {
        let scheduler = fake::scheduler(fake::echo).await;
        let mut first = scheduler.ask(fake::question("a b")).unwrap();
        let mut second = scheduler.ask(fake::question("c d")).unwrap();
        assert_eq!(text(&mut second).await, ("c d ".into(), true));
        assert_eq!(text(&mut first).await, ("a b ".into(), true));
    }

    #[tokio::test]
    async fn one_more_than_the_queue_holds_is_turned_away() {
        let scheduler = fake::scheduler(fake::echo).await;
        let mut running = scheduler.ask(fake::question("forever")).unwrap();
        running.recv().await.unwrap();
        let waiting = scheduler.ask(fake::question("a")).unwrap();
        let _waiting_too = scheduler.ask(fake::question("b")).unwrap();
        assert_eq!(scheduler.ask(fake::question("c")).unwrap_err(), Busy);
        // A client that goes away makes room, without having been served.
        drop(waiting);
        tokio::task::yield_now().await;
        scheduler.ask(fake::question("d")).unwrap();
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_holds_nobody_up() {
        let scheduler = fake::scheduler(fake::echo).await;
        let mut flood = fake::question("flood");
        flood.sampling.max_tokens = 100_000;
        let mut slow = scheduler.ask(flood).unwrap();
        let mut next = scheduler.ask(fake::question("next")).unwrap();
        // One piece a second from the flood, for as long as the other is not answered.
        let reading = async {
            while slow.recv().await.is_some() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let answered = tokio::select! {
            answered = text(&mut next) => answered,
            () = reading => panic!("the slow one ended first"),
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("the engine waits for a reader"),
        };
        assert_eq!(answered, ("next ".into(), true));
        // What was kept can still be read, and then why there is no more.
        let mut last = None;
        while let Some(event) = slow.recv().await {
            last = Some(event);
        }
        assert_eq!(last, Some(Event::Cut(Cut::NotRead)));
    }

    /// Answers at first; once it has failed, it can no longer load.
    fn breaks_for_good(socket: std::os::unix::net::UnixStream) {
        static STARTED: AtomicBool = AtomicBool::new(false);
        if STARTED.swap(true, Ordering::Relaxed) {
            fake::refuses_weights(socket);
        } else {
            fake::echo(socket);
        }
    }

    #[tokio::test]
    async fn where_no_engine_starts_it_says_so() {
        let scheduler = fake::scheduler(breaks_for_good).await;
        let mut broken = scheduler.ask(fake::question("crash")).unwrap();
        assert_eq!(broken.recv().await, None);
        let mut next = scheduler.ask(fake::question("again")).unwrap();
        assert_eq!(next.recv().await, Some(Event::NoEngine));
        assert!(!scheduler.ready());
    }

    #[tokio::test]
    async fn an_engine_that_broke_is_started_again() {
        let scheduler = fake::scheduler(fake::echo).await;
        let mut broken = scheduler.ask(fake::question("one crash")).unwrap();
        assert_eq!(text(&mut broken).await, ("one ".into(), false));
        let mut next = scheduler.ask(fake::question("again")).unwrap();
        assert_eq!(text(&mut next).await, ("again ".into(), true));
        assert!(scheduler.ready());
    }
}
