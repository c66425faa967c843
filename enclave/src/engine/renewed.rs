//! The known answer, asked for again of a process that serves: in its turn, so that no client waits for more than one call.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    call::{Fault, Tenant},
    process::Process,
    queue::Place,
    served::{Served, State},
};
use crate::failure::Failure;

/// Whose calls these are: no client's, as a client's name is a digest.
const OURS: Tenant = Tenant([0; 32]);
/// How often it is asked. A process may end for reasons of its own, or for a client's; its successor is asked then. And numbers
/// drift a little where several calls are computed together.
const TIMES: u32 = 3;
/// How long a process may take to come that is being replaced, whatever befell its predecessor.
const COMING: Duration = Duration::from_mins(3);

impl Served {
    /// Has the process that serves now give its known answer, or its successor if it ends meanwhile. A model without one passes
    /// once there is a process. However busy the engine is, its turn comes: nobody has fewer calls than we do.
    pub(crate) async fn require_known_answer(self: &Arc<Self>) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for _ in 0..TIMES {
            outcome = self.known_answer().await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn known_answer(&self) -> Result<(), Failure> {
        let failed = |fault: Fault| {
            self.launcher
                .failed(&format!("asked for its known answer, {fault}"))
        };
        let _turn = match self.queue.enter_anyway(OURS) {
            Place::Turn(turn) => turn,
            Place::Waiting(turn) => turn.await.map_err(|_| failed(Fault::Waited))?,
        };
        let process = self.up().await.map_err(failed)?;
        let answered = self.launcher.require_known_answer(&process).await;
        if let Err(failure) = &answered {
            tracing::error!(
                code = failure.code(),
                model = self.model().name,
                "no known answer"
            );
        }
        if matches!(answered, Err(Failure::Engine { .. })) {
            // It broke its protocol, or is about to end: its successor is asked.
            process.end().came();
        }
        answered
    }

    /// The process, once there is one. One that failed to start is started again, so this waits for that, too.
    async fn up(&self) -> Result<Arc<Process>, Fault> {
        let mut state = self.state.subscribe();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        match timeout(COMING, up).await {
            Ok(Ok(state)) => match &*state {
                State::Up(process) => Ok(process.clone()),
                State::Coming | State::Down => Err(Fault::NoEngine),
            },
            Ok(Err(_)) | Err(_) => Err(Fault::NoEngine),
        }
    }
}
