//! Work that is under way on the runtime, for callers that wait for it with a thread or with an event loop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::{failure::Failure, runtime};

/// How often a thread that waits looks for signals: Ctrl-C is heard within this.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What work comes to, as Python will see it.
pub(crate) type Outcome = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

type Ended = Result<Outcome, Failure>;

#[derive(Default)]
struct Slot {
    over: bool,
    ended: Option<Ended>,
    callback: Option<Py<PyAny>>,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    over: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // No holder of this lock can leave the slot half-changed.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has this says how the work ended; dropped without a word, it was called off.
struct Teller(Arc<Shared>);

impl Teller {
    fn tell(&self, ended: Ended) {
        let mut slot = self.0.lock();
        if slot.over {
            return;
        }
        slot.over = true;
        slot.ended = Some(ended);
        let callback = slot.callback.take();
        drop(slot);
        self.0.over.notify_all();
        if let Some(callback) = callback {
            call(callback);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err(Failure::Cancelled));
    }
}

/// Calls into Python from a thread that may wait for the interpreter's lock.
fn call(callback: Py<PyAny>) {
    let calling = move || {
        // `None`: the interpreter is ending, and nobody waits.
        Python::try_attach(|python| {
            if let Err(error) = callback.call0(python) {
                error.write_unraisable(python, None);
            }
        });
    };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(calling)),
        Err(_) => drop(std::thread::spawn(calling)),
    }
}

/// Work under way. Dropping it calls the work off.
#[pyclass(frozen, module = "chrysalis._native")]
pub(crate) struct Task {
    shared: Arc<Shared>,
    work: AbortHandle,
}

impl Task {
    /// Begins `work`.
    pub(crate) fn begin(
        work: impl Future<Output = Ended> + Send + 'static,
    ) -> Result<Self, Failure> {
        let shared = Arc::new(Shared::default());
        let teller = Teller(Arc::clone(&shared));
        let work = runtime::current()?.spawn(async move { teller.tell(work.await) });
        Ok(Self {
            shared,
            work: work.abort_handle(),
        })
    }
}

#[pymethods]
impl Task {
    /// Waits for the end, and gives what came of it. A signal calls the work off.
    fn wait(&self, python: Python<'_>) -> PyResult<Py<PyAny>> {
        loop {
            let is_over = python.detach(|| {
                let slot = self.shared.lock();
                let waited = self
                    .shared
                    .over
                    .wait_timeout_while(slot, LOOK_EVERY, |slot| !slot.over);
                waited.map_or(true, |(slot, _)| slot.over)
            });
            if is_over {
                return self.result(python);
            }
            if let Err(signal) = python.check_signals() {
                self.cancel();
                return Err(signal);
            }
        }
    }

    /// Has `callback` called when the work has ended, on any thread.
    fn on_done(&self, callback: Py<PyAny>) {
        let mut slot = self.shared.lock();
        if slot.over {
            drop(slot);
            call(callback);
        } else {
            slot.callback = Some(callback);
        }
    }

    /// What came of the work, once; before its end, and after that, that it was called off.
    fn result(&self, python: Python<'_>) -> PyResult<Py<PyAny>> {
        let ended = self.shared.lock().ended.take();
        match ended.unwrap_or(Err(Failure::Cancelled)) {
            Ok(outcome) => outcome(python),
            Err(failure) => Err(failure.raised(python)),
        }
    }

    /// Calls the work off.
    fn cancel(&self) {
        self.work.abort();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.work.abort();
    }
}
