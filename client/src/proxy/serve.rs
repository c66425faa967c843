//! Local programs' connections, each with its own task.

use std::{sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::{
    door::Door,
    forward::{self, Upstream},
};

/// The most connections from local programs at once; the next one waits.
const MAX_CONNECTIONS: usize = 256;
/// The most bytes and headers that are read of a request's head: more than pass, so that a program can read the refusal.
const MAX_HEAD_READ: usize = 256 * 1024;
const MAX_HEADERS_READ: usize = 512;
/// How long a local program may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// Serves what comes through the door.
pub(super) async fn accept(upstream: Upstream, door: Door) {
    let listener = door.listener;
    let rules = Arc::new(door.rules);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((local, _)) = listener.accept().await else {
            // Most likely out of descriptors: some come back when connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(own_end) = local.local_addr() else {
            continue;
        };
        let (upstream, rules) = (upstream.clone(), Arc::clone(&rules));
        tokio::spawn(async move {
            let answer =
                service_fn(|request| forward::answer(upstream.clone(), &rules, own_end, request));
            // If a local program hangs up, that ends its own connection and nothing else.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .max_buf_size(MAX_HEAD_READ)
                .max_headers(MAX_HEADERS_READ)
                .serve_connection(TokioIo::new(local), answer)
                .await;
            drop(place);
        });
    }
}
