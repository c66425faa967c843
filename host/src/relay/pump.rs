//! Moves bytes one way, and notices when none move.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use chrysalis_wire::frame::MAX_VSOCK_WRITE;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{MissedTickBehavior, interval, timeout},
};

thread_local! {
    /// What every connection reads into. One that waits holds no memory, so ten thousand may.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_VSOCK_WRITE]);
}

/// What one read brought.
struct Passed {
    length: usize,
    /// What was not taken at once.
    rest: Vec<u8>,
}

/// Copies until the end of `from`, then ends `to`. Holds at most what one read brought, which must be taken within `patience`: a
/// slow writer slows the reader down, and the connection of one that is too slow ends.
pub(super) async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    patience: Duration,
    counters: [&AtomicU64; 2],
) -> io::Result<()> {
    while let Some(Passed { length, rest }) = poll_fn(|cx| pass(cx, &mut from, &mut to)).await? {
        if !rest.is_empty() {
            timeout(patience, to.write_all(&rest)).await??;
        }
        for counter in counters {
            counter.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
    to.shutdown().await
}

/// Reads once, and writes what is taken without waiting. None at the end.
fn pass(
    cx: &mut Context<'_>,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Poll<io::Result<Option<Passed>>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(from).poll_read(cx, &mut read))?;
        let bytes = read.filled();
        if bytes.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let taken = match Pin::new(to).poll_write(cx, bytes) {
            Poll::Ready(taken) => taken?,
            Poll::Pending => 0,
        };
        Poll::Ready(Ok(Some(Passed {
            length: bytes.len(),
            rest: bytes.get(taken..).unwrap_or_default().to_vec(),
        })))
    })
}

/// Returns once `moved` stayed the same for a whole `limit`.
pub(super) async fn stands_still(moved: &AtomicU64, limit: Duration) {
    let mut clock = interval(limit);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        clock.tick().await;
        let now = Some(moved.load(Ordering::Relaxed));
        if now == before {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const IDLE: Duration = Duration::from_mins(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_moves_stands_still() {
        let moved = AtomicU64::new(0);
        let moving = async {
            for _ in 0..5 {
                sleep(IDLE / 2).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
            std::future::pending::<()>().await;
        };
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = moving => {}
            () = stands_still(&moved, IDLE) => {}
        }
        assert_eq!(started.elapsed(), IDLE * 4);
    }
}
