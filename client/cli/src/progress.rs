//! Says that something is under way once it takes longer than two seconds: a turning mark on a terminal, else one line.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// The patience of a person.
const QUIET_FOR: Duration = Duration::from_secs(2);
const TURN: Duration = Duration::from_millis(120);
const MARKS: [char; 4] = ['|', '/', '-', '\\'];

/// Waits for `work`; says `what` on stderr if it takes long.
pub(crate) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if let Ok(done) = tokio::time::timeout(QUIET_FOR, &mut work).await {
        return done;
    }
    if !std::io::stderr().is_terminal() {
        eprintln!("{what}…");
        return work.await;
    }
    let began = Instant::now();
    for mark in MARKS.into_iter().cycle() {
        let seconds = (began.elapsed() + QUIET_FOR).as_secs();
        eprint!("\r{mark} {what}… {seconds} s");
        let _ = std::io::stderr().flush();
        if let Ok(done) = tokio::time::timeout(TURN, &mut work).await {
            eprint!("\r\x1b[K");
            return done;
        }
    }
    work.await
}
