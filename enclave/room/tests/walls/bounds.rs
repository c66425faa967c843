//! What an engine can take, and no more.

use std::{io::Read, time::Duration};

use chrysalis_wire::room::{Plan, Walls};

use crate::fixture::engine;

/// `memory_mib` of the plans here.
const MEMORY: usize = 128;
/// `processes` of the plans here, and the room's own.
const PROCESSES: usize = 16 + 3;

fn flood(walls: Walls) -> Vec<usize> {
    let Some(engine) = engine() else {
        return vec![];
    };
    let forks = if walls == Walls::Python {
        "processes"
    } else {
        ""
    };
    let room = engine.walled(&engine.plan(walls, &["floods", forks]));
    let words = room.words();
    words
        .lines()
        .map(|line| line.split_once(' ').unwrap().1.parse().unwrap())
        .collect()
}

#[test]
fn a_compiled_engine_fills_neither_memory_nor_the_process_table() {
    let [files, names, processes, threads] = flood(Walls::Native)[..] else {
        return;
    };
    assert!((1..=16).contains(&files), "{files} MiB");
    assert!((1..=4096).contains(&names), "{names} names");
    assert_eq!(processes, 0);
    assert!((1..=PROCESSES).contains(&threads), "{threads} threads");
}

#[test]
fn an_interpreters_fork_bomb_and_files_are_bounded() {
    let [files, names, processes, threads] = flood(Walls::Python)[..] else {
        return;
    };
    assert!((1..=MEMORY / 4).contains(&files), "{files} MiB");
    assert!((1..=8192).contains(&names), "{names} names");
    assert!(
        (1..=PROCESSES).contains(&processes),
        "{processes} processes"
    );
    assert!((1..=PROCESSES).contains(&threads), "{threads} threads");
}

/// By a cgroup, which ends the engine, or where there is none by a limit, which refuses it.
#[test]
fn memory_beyond_the_limit_is_not_to_be_had() {
    let Some(engine) = engine() else { return };
    let mut room = engine.walled(&Plan {
        memory_mib: 128,
        ..engine.plan(Walls::Native, &["memory"])
    });
    room.enclave
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    loop {
        if let Some(words) = room.words_if_any() {
            let taken: usize = words.parse().unwrap();
            return assert!((MEMORY / 2..=MEMORY).contains(&taken), "{taken} MiB");
        }
        if let Ok(0) = room.enclave.read(&mut [0]) {
            return;
        }
    }
}
