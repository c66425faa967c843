//! Carries connections from the engine's socket to its port, for engines that speak TCP alone. It reads nothing of what it
//! carries. Two threads for each connection, and a bound on connections: more wait in the kernel's queue.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, Builder},
    time::Duration,
};

use chrysalis_sandbox::{Landlock, Left};
use chrysalis_wire::room::Plan;
use landlock::{AccessNet, NetPort, RulesetCreatedAttr};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use crate::{
    calls,
    refusal::{Refusal, unconfined},
    rights,
};

/// The most connections at a time.
pub(crate) const MAX_CONNECTIONS: u8 = 64;
/// Bytes that one direction of a connection holds.
const PIECE: usize = 32 << 10;
/// A thread needs no more: its piece is on the heap.
const STACK: usize = 128 << 10;
/// The pause after a connection that could not be taken, which would fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Confines this process: the engine's user, no file, no TCP but to the engine's port.
pub(crate) fn confine(plan: &Plan) -> Result<(), Refusal> {
    let landlock = if plan.partial {
        Landlock::Partial
    } else {
        Landlock::Whole
    };
    let shut = || {
        rights::give_up(plan.user)?;
        // Of signals, its calls leave only the one that ends PID 1.
        landlock.restrict_but(&[Left::Signals], |rules| {
            let reach = |port| NetPort::new(port, AccessNet::ConnectTcp);
            Ok(match plan.port {
                Some(port) => rules.add_rule(reach(port))?,
                None => rules,
            })
        })?;
        calls::shut(calls::carrier()?)
    };
    shut().map_err(unconfined("the room itself stays open"))
}

/// Carries from now on, on threads of their own.
pub(crate) fn start(listener: UnixListener, port: u16) -> io::Result<()> {
    let (free, places) = sync_channel(MAX_CONNECTIONS.into());
    for _ in 0..MAX_CONNECTIONS {
        let _ = free.try_send(());
    }
    let take = move || take_all(&listener, port, &free, &places);
    Builder::new().stack_size(STACK).spawn(take).map(drop)
}

fn take_all(listener: &UnixListener, port: u16, free: &SyncSender<()>, places: &Receiver<()>) {
    while let Ok(()) = places.recv() {
        let taken = listener.accept().and_then(|(client, _)| {
            let free = free.clone();
            let carry = move || {
                // If the engine does not listen, the client sees its connection close.
                let _ = carry(&client, port);
                let _ = free.try_send(());
            };
            Builder::new().stack_size(STACK).spawn(carry)
        });
        if taken.is_err() {
            let _ = free.try_send(());
            thread::sleep(PAUSE);
        }
    }
}

fn carry(client: &UnixStream, port: u16) -> io::Result<()> {
    let engine = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    engine.set_nodelay(true)?;
    let (answer_from, answer_to) = (engine.try_clone()?, client.try_clone()?);
    let answer = move || {
        copy(&answer_from, &answer_to);
        let _ = answer_to.shutdown(Shutdown::Write);
    };
    let answering = Builder::new().stack_size(STACK).spawn(answer)?;
    copy(client, &engine);
    let _ = engine.shutdown(Shutdown::Write);
    // A client that has only ended its question still waits for the answer; one that is gone does not.
    until_gone(client);
    let _ = engine.shutdown(Shutdown::Both);
    let _ = answering.join();
    Ok(())
}

/// Until either side ends.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut piece = vec![0; PIECE];
    loop {
        let length = match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let Some(read) = piece.get(..length) else {
            return;
        };
        if to.write_all(read).is_err() {
            return;
        }
    }
}

/// Until both directions of a connection have ended.
fn until_gone(client: &UnixStream) {
    let mut end = [PollFd::from_borrowed_fd(client.as_fd(), PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut end, None) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A port on which `answer` plays the engine for one connection, and a client that is carried to it.
    fn carried(answer: fn(TcpStream)) -> (tempfile::TempDir, UnixStream) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("e.sock");
        let engine = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = engine.local_addr().unwrap().port();
        thread::spawn(move || answer(engine.accept().unwrap().0));
        start(UnixListener::bind(&socket).unwrap(), port).unwrap();
        (folder, UnixStream::connect(socket).unwrap())
    }

    #[test]
    fn a_question_that_has_ended_is_answered() {
        let (_folder, mut client) = carried(|mut engine| {
            let mut question = String::new();
            engine.read_to_string(&mut question).unwrap();
            engine
                .write_all(question.to_uppercase().as_bytes())
                .unwrap();
        });
        client.write_all(b"half-closed").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HALF-CLOSED");
    }

    #[test]
    fn an_engine_that_ends_first_ends_the_answer() {
        let (_folder, mut client) = carried(|mut engine| engine.write_all(b"bye").unwrap());
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "bye");
    }

    #[test]
    fn a_client_that_goes_away_frees_the_engine() {
        let (told, hears) = sync_channel(1);
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("e.sock");
        let engine = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = engine.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut connection, _) = engine.accept().unwrap();
            // It never answers, and waits for the end of the question.
            let _ = connection.read_to_end(&mut Vec::new());
            told.send(()).unwrap();
        });
        start(UnixListener::bind(&socket).unwrap(), port).unwrap();
        drop(UnixStream::connect(socket).unwrap());
        assert!(hears.recv_timeout(Duration::from_secs(5)).is_ok());
    }
}
