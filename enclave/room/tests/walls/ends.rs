//! Whichever end closes, nothing is left.

use std::{
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use chrysalis_wire::room::Walls;

use crate::fixture::{engine, processes};

/// How long the rest of a room may live.
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_socket_closes_when_the_program_ends() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let mut room = engine.walled(&engine.plan(walls, &["end"]));
        room.end();
        assert!(room.process.wait().unwrap().success());
    }
}

#[test]
fn everything_dies_when_the_enclave_closes_its_end() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let plan = engine.plan(walls, &["wait"]);
        let mut room = engine.walled(&plan);
        let started = Instant::now();
        room.enclave.shutdown(Shutdown::Write).unwrap();
        assert!(room.process.wait().unwrap().success());
        assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
        assert!(processes(plan.user).is_empty());
    }
}

#[test]
fn everything_dies_when_the_room_is_killed() {
    let Some(engine) = engine() else { return };
    let plan = engine.plan(Walls::Python, &["floods", "processes"]);
    let mut room = engine.walled(&plan);
    room.process.kill().unwrap();
    room.process.wait().unwrap();
    dies_within_a_second(plan.user);
}

#[test]
fn an_enclave_that_says_more_ends_the_room() {
    let Some(engine) = engine() else { return };
    let plan = engine.plan(Walls::Native, &["wait"]);
    let mut room = engine.walled(&plan);
    chrysalis_wire::frame::write(&mut room.enclave, &"more").unwrap();
    assert!(room.process.wait().unwrap().success());
    assert!(processes(plan.user).is_empty());
}

fn dies_within_a_second(user: u32) {
    let started = Instant::now();
    while !processes(user).is_empty() {
        assert!(started.elapsed() < SECOND, "{:?}", processes(user));
        thread::sleep(Duration::from_millis(5));
    }
}
