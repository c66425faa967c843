//! Moves bytes one way, and notices when none move.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chrysalis_wire::frame::MAX_VSOCK_WRITE;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{MissedTickBehavior, interval, timeout},
};

/// Copies until the end of `from`, then ends `to`. Holds one buffer, which must be taken within `patience`: a slow writer slows
/// the reader down, and the connection of one that is too slow ends.
pub(super) async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    patience: Duration,
    counters: [&AtomicU64; 2],
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_VSOCK_WRITE];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        timeout(patience, to.write_all(&buffer[..length])).await??;
        for counter in counters {
            counter.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
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
