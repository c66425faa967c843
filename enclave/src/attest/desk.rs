//! Where questions for evidence wait. While one report is being made, all that arrive wait together, and the next one answers
//! them all: there is no timer and no window. docs/spec/batch.md.

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::evidence::{Batch, binding::Session, path::MAX_LEAVES};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Attester;
use crate::failure::Failure;

/// How many requests for evidence there may be at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests that wait, apart from those that are being answered; one more is refused. A request that waits costs its connection
    /// and some two hundred bytes, and no time of the processor, so there is room for all that one report can answer.
    pub(crate) waiting: usize,
    /// The most requests that one report answers: at most [`MAX_LEAVES`].
    pub(crate) together: u32,
    /// How long one waits before it is refused: a request waits for the report that is being made, and then for its own.
    pub(crate) patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            waiting: 65_536,
            together: MAX_LEAVES,
            patience: Duration::from_secs(20),
        }
    }
}

/// No bundle.
#[derive(Debug)]
pub(crate) enum NoBundle {
    /// There are too many requests, or this one has waited for too long.
    Busy,
    /// The processor or the GPUs gave no evidence, to this request and all that waited with it.
    Failed(Arc<Failure>),
}

/// Where requests are left. When it is gone, nothing is attested any more.
pub(crate) struct Desk {
    questions: mpsc::Sender<Question>,
    patience: Duration,
}

/// A request that waits.
struct Question {
    session: Session,
    answer: oneshot::Sender<Result<Answer, Arc<Failure>>>,
}

/// Where a request's bundle is.
#[derive(Debug)]
pub(crate) struct Answer {
    batch: Arc<Batch>,
    index: u32,
}

impl Answer {
    /// The bundle; a short one if the rest has one of these digests.
    pub(crate) fn bundle(&self, have: &[[u8; 32]]) -> Result<Vec<u8>, NoBundle> {
        self.batch.bundle(self.index, have).ok_or(NoBundle::Busy)
    }
}

impl Desk {
    /// Has what is left here answered by `attester`, one batch after the other.
    pub(crate) fn open(attester: Arc<Attester>, bounds: Bounds) -> Self {
        let (desk, mut queue) = Self::new(bounds);
        tokio::spawn(async move {
            while let Some(round) = queue.next().await {
                let answer = attester.answer(&round.sessions()).await;
                if let Err(failure) = &answer {
                    tracing::error!(code = failure.code(), "no evidence: {failure}");
                }
                round.end(answer);
            }
        });
        desk
    }

    fn new(bounds: Bounds) -> (Self, Queue) {
        let (questions, waiting) = mpsc::channel(bounds.waiting.max(1));
        let desk = Self {
            questions,
            patience: bounds.patience,
        };
        let together = usize::try_from(bounds.together.min(MAX_LEAVES)).unwrap_or(1);
        (desk, Queue { waiting, together })
    }

    /// Waits for a report that is about `session`, among others.
    pub(crate) async fn ask(&self, session: Session) -> Result<Answer, NoBundle> {
        let (answer, answered) = oneshot::channel();
        let question = Question { session, answer };
        self.questions
            .try_send(question)
            .map_err(|_| NoBundle::Busy)?;
        match timeout(self.patience, answered).await {
            Ok(Ok(answer)) => answer.map_err(NoBundle::Failed),
            _ => Err(NoBundle::Busy),
        }
    }
}

/// The other side of a desk.
struct Queue {
    waiting: mpsc::Receiver<Question>,
    together: usize,
}

impl Queue {
    /// All that wait, as soon as there is one. `None` once the desk is gone.
    async fn next(&mut self) -> Option<Round> {
        loop {
            let mut questions = Vec::new();
            if self.waiting.recv_many(&mut questions, self.together).await == 0 {
                return None;
            }
            // Who hung up or lost patience is not a leaf.
            questions.retain(|question| !question.answer.is_closed());
            if !questions.is_empty() {
                return Some(Round(questions));
            }
        }
    }
}

/// Questions that one report answers: at least one.
struct Round(Vec<Question>);

impl Round {
    fn sessions(&self) -> Vec<&Session> {
        self.0.iter().map(|question| &question.session).collect()
    }

    fn end(self, outcome: Result<Batch, Failure>) {
        let outcome = outcome.map(Arc::new).map_err(Arc::new);
        for (index, question) in (0..).zip(self.0) {
            let answer = outcome.clone().map(|batch| Answer { batch, index });
            // Who hung up gets nothing.
            let _ = question.answer.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    fn session(number: u8) -> Session {
        Session::Asked {
            nonce: [number; 32],
            exporter: [0; 32],
        }
    }

    fn bounds() -> Bounds {
        Bounds {
            patience: Duration::from_secs(30),
            ..Bounds::default()
        }
    }

    fn failure() -> Failure {
        Failure::EvidenceTooLong(7)
    }

    /// Leaves questions with these numbers, and waits until they lie there.
    async fn ask(
        desk: &Arc<Desk>,
        numbers: std::ops::Range<u8>,
    ) -> JoinSet<Result<Answer, NoBundle>> {
        let mut asked = JoinSet::new();
        let before = desk.questions.capacity();
        let count = numbers.len();
        for number in numbers {
            let desk = desk.clone();
            asked.spawn(async move { desk.ask(session(number)).await });
        }
        while before - desk.questions.capacity() < count {
            tokio::task::yield_now().await;
        }
        asked
    }

    #[tokio::test]
    async fn all_that_arrive_during_one_report_share_the_next() {
        let (desk, mut queue) = Desk::new(bounds());
        let desk = Arc::new(desk);
        let _first = ask(&desk, 0..1).await;
        let first = queue.next().await.unwrap();
        assert_eq!(first.sessions(), [&session(0)]);
        // While this one is answered, others come.
        let _others = ask(&desk, 1..6).await;
        first.end(Err(failure()));
        assert_eq!(queue.next().await.unwrap().sessions().len(), 5);
    }

    #[tokio::test]
    async fn a_round_has_no_more_questions_than_one_report_may_answer() {
        let bounds = Bounds {
            together: 3,
            ..bounds()
        };
        let (desk, mut queue) = Desk::new(bounds);
        let _asked = ask(&Arc::new(desk), 0..5).await;
        assert_eq!(queue.next().await.unwrap().sessions().len(), 3);
        assert_eq!(queue.next().await.unwrap().sessions().len(), 2);
    }

    #[tokio::test]
    async fn one_more_than_fit_is_refused_at_once() {
        let bounds = Bounds {
            waiting: 2,
            ..bounds()
        };
        let (desk, _queue) = Desk::new(bounds);
        let desk = Arc::new(desk);
        let _asked = ask(&desk, 0..2).await;
        assert!(matches!(desk.ask(session(2)).await, Err(NoBundle::Busy)));
    }

    #[tokio::test]
    async fn who_hung_up_is_no_leaf() {
        let (desk, mut queue) = Desk::new(bounds());
        let desk = Arc::new(desk);
        let mut gone = ask(&desk, 0..3).await;
        gone.shutdown().await;
        let _asked = ask(&desk, 3..4).await;
        assert_eq!(queue.next().await.unwrap().sessions(), [&session(3)]);
    }

    #[tokio::test]
    async fn a_failure_reaches_all_that_waited_together() {
        let (desk, mut queue) = Desk::new(bounds());
        let desk = Arc::new(desk);
        let asked = ask(&desk, 0..3).await;
        queue.next().await.unwrap().end(Err(failure()));
        for answer in asked.join_all().await {
            let Err(NoBundle::Failed(found)) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(found.code(), failure().code());
        }
    }

    #[tokio::test]
    async fn nothing_is_attested_once_the_desk_is_gone() {
        let (desk, mut queue) = Desk::new(bounds());
        drop(desk);
        assert!(queue.next().await.is_none());
    }
}
