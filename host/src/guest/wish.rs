//! Something that the provider wants of the guest, which waits inside to be told.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

/// A wish, once and for all.
#[derive(Debug, Default)]
pub(super) struct Wish {
    wanted: watch::Sender<bool>,
    heard: watch::Sender<bool>,
    listening: AtomicUsize,
}

impl Wish {
    /// It is wanted from now on. Whether anything inside listens for that.
    pub(super) fn want(&self) -> bool {
        self.wanted.send_replace(true);
        self.listening.load(Ordering::Relaxed) > 0 || *self.heard.borrow()
    }

    /// Whether it is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        *self.wanted.borrow()
    }

    /// Returns when it is.
    pub(super) async fn wanted(&self) {
        until(&self.wanted).await;
    }

    /// The same, for the guest.
    pub(super) async fn heard(&self) {
        let _counted = Counted::new(&self.listening);
        self.wanted().await;
        self.heard.send_replace(true);
    }

    /// Whether the guest heard of it within this time.
    pub(super) async fn was_heard(&self, within: Duration) -> bool {
        timeout(within, until(&self.heard)).await.is_ok()
    }
}

async fn until(is: &watch::Sender<bool>) {
    // Fails only without a sender, which outlives this borrow.
    let _ = is.subscribe().wait_for(|is| *is).await;
}

/// Counts itself for as long as it lives.
#[derive(Debug)]
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn a_wish_is_heard_by_who_listens_and_by_who_comes_later() {
        let wish = Arc::new(Wish::default());
        assert!(!wish.want());
        assert!(!wish.was_heard(Duration::from_secs(1)).await);
        let late = tokio::spawn({
            let wish = Arc::clone(&wish);
            async move { wish.heard().await }
        });
        assert!(wish.was_heard(Duration::from_secs(1)).await);
        late.await.unwrap();
        assert!(wish.want() && wish.is_wanted());
    }

    #[tokio::test]
    async fn a_wish_knows_whether_anything_listens() {
        let wish = Arc::new(Wish::default());
        let listening = tokio::spawn({
            let wish = Arc::clone(&wish);
            async move { wish.heard().await }
        });
        while wish.listening.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(wish.want());
        listening.await.unwrap();
    }
}
