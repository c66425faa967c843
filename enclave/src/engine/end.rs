//! The end of a process, and of a task.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{sync::Notify, task::JoinHandle};

/// A task that ends when this is dropped.
pub(super) struct Aborted(pub(super) JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether a process has ended, or must not go on.
#[derive(Default)]
pub(super) struct End {
    ended: AtomicBool,
    told: Notify,
}

impl End {
    /// It has.
    pub(super) fn came(&self) {
        self.ended.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Waits until it has.
    pub(super) async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.ended.load(Ordering::Acquire) {
            told.await;
        }
    }
}
