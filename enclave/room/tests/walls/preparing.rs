//! The program beside an engine that prepares what it reads.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use chrysalis_wire::room::{MAX_PREPARING, PREPARE_KILLED, PREPARED, Plan, Prepare, Walls};

use crate::fixture::{Engine, Room, engine, processes};

fn plan(engine: &Engine, walls: Walls, seconds: u32) -> Plan {
    Plan {
        prepare: Some(Prepare {
            program: "/usr/bin/hostile".into(),
            seconds,
        }),
        ..engine.plan(walls, &["wait"])
    }
}

fn ask(room: &Room, question: &str) -> UnixStream {
    let mut connection = room.connect_to_prepare();
    connection.write_all(question.as_bytes()).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    connection
}

/// The program's output and its exit code.
fn answer(mut connection: UnixStream) -> (String, u8) {
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).unwrap();
    let code = bytes.pop().unwrap();
    let output = bytes.strip_suffix(&PREPARED);
    let output =
        output.unwrap_or_else(|| panic!("{code} after {:?}", String::from_utf8_lossy(&bytes)));
    (String::from_utf8(output.to_vec()).unwrap(), code)
}

#[test]
fn each_file_has_a_process_and_its_exit_code() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let room = engine.walled(&plan(&engine, walls, 30));
        assert_eq!(answer(ask(&room, "upper\nvoice")), ("VOICE".into(), 0));
        assert_eq!(answer(ask(&room, "exit 5\n")), (String::new(), 5));
        // More than what a pipe holds, both ways.
        let long = "a".repeat(1 << 20);
        let (words, code) = answer(ask(&room, &format!("upper\n{long}")));
        assert_eq!((words.len(), code), (1 << 20, 0));
    }
}

#[test]
fn no_door_opens_that_is_closed_to_a_compiled_engine() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let room = engine.walled(&plan(&engine, walls, 30));
        assert_eq!(answer(ask(&room, "doors\n")), (String::new(), 0));
    }
}

#[test]
fn it_is_killed_when_its_time_is_up_or_nobody_waits() {
    let Some(engine) = engine() else { return };
    let plan = plan(&engine, Walls::Native, 1);
    let room = engine.walled(&plan);
    let started = Instant::now();
    assert_eq!(
        answer(ask(&room, "wait\n")),
        (String::new(), PREPARE_KILLED)
    );
    assert!(started.elapsed() >= Duration::from_secs(1));

    let engine = crate::fixture::engine().unwrap();
    let plan = Plan {
        prepare: plan.prepare.map(|prepare| Prepare {
            seconds: 600,
            ..prepare
        }),
        ..engine.plan(Walls::Native, &["wait"])
    };
    let room = engine.walled(&plan);
    let before = processes(plan.user).len();
    let gone = ask(&room, "wait\n");
    while processes(plan.user).len() <= before {
        thread::sleep(Duration::from_millis(5));
    }
    drop(gone);
    let started = Instant::now();
    while processes(plan.user).len() > before {
        assert!(started.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn only_a_few_run_at_once_and_the_others_wait() {
    let Some(engine) = engine() else { return };
    let room = engine.walled(&plan(&engine, Walls::Native, 1));
    let waiting: Vec<_> = (0..MAX_PREPARING).map(|_| ask(&room, "wait\n")).collect();
    // Taken up only when those are killed.
    let started = Instant::now();
    assert_eq!(answer(ask(&room, "upper\nvoice")).0, "VOICE");
    assert!(started.elapsed() >= Duration::from_millis(500));
    for connection in waiting {
        assert_eq!(answer(connection).1, PREPARE_KILLED);
    }
}

#[test]
fn a_program_that_is_not_there_has_the_code_of_one_that_was_killed() {
    let Some(engine) = engine() else { return };
    let mut plan = plan(&engine, Walls::Native, 30);
    if let Some(prepare) = &mut plan.prepare {
        prepare.program = "/usr/bin/none".into();
    }
    let room = engine.walled(&plan);
    let code = answer(ask(&room, "")).1;
    assert_eq!(code, PREPARE_KILLED);
}

#[test]
fn everything_that_prepares_ends_with_the_room() {
    let Some(engine) = engine() else { return };
    let plan = plan(&engine, Walls::Native, 600);
    let mut room = engine.walled(&plan);
    let _waiting = ask(&room, "wait\n");
    room.enclave.shutdown(Shutdown::Write).unwrap();
    assert!(room.process.wait().unwrap().success());
    assert!(processes(plan.user).is_empty());
}
