//! The threads that connections live on. A process that was forked has none of its parent's, and starts its own.

use std::{
    process,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::{Builder, Runtime};

/// Connections wait; only verification computes.
const THREADS: usize = 2;

static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// That of this process.
pub(crate) fn current() -> std::io::Result<Arc<Runtime>> {
    let mut current = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = process::id();
    match &*current {
        Some((of, runtime)) if *of == process => return Ok(Arc::clone(runtime)),
        _ => {}
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("chrysalis")
        .enable_all()
        .build()?;
    let runtime = Arc::new(runtime);
    if let Some(parents) = current.replace((process, Arc::clone(&runtime))) {
        // Its threads are the parent's: waiting for them would never end.
        std::mem::forget(parents);
    }
    Ok(runtime)
}
