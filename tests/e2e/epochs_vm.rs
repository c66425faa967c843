//! The same as epochs.rs in the VM: all of the guest's memory, which QEMU shares with whoever has its file open, as it is when the
//! guest has powered itself off. The same look before finds the keys.

use std::{env, time::Duration};

use chrysalis_tests::{
    epochs::{Scene, TROUBLES, assert_named},
    machine::Plan,
    memory::Memory,
};

/// Emulated, an engine may need minutes for its known answer.
const EPOCH: Duration = Duration::from_mins(30);

/// With `CHRYSALIS_TROUBLES=all` each trouble that a GPU may have; otherwise the first, for each takes minutes.
#[test]
fn a_gpu_that_goes_bad_leaves_no_key_and_no_prompt_in_the_whole_guest() {
    let all = env::var("CHRYSALIS_TROUBLES").is_ok_and(|which| which == "all");
    let count = if all { TROUBLES.len() } else { 1 };
    for (trouble, reason, _) in &TROUBLES[..count] {
        ends(trouble, reason);
    }
}

fn ends(trouble: &str, reason: &str) {
    let scene = Scene::begin(Plan::vm(), EPOCH);
    // Open, it outlives QEMU.
    let memory = Memory::of_vm(scene.machine.pid());
    let (_proxy, streams) = scene.stream();
    let keys = scene.keys(&memory);
    scene.turn_bad(trouble);
    scene.ask();
    assert_named(streams, reason);
    let (_, log) = scene.machine.ended();
    assert!(log.contains("trust_ended"), "{log}");
    keys.assert_gone(&memory);
    println!("{trouble}: {reason}, and no key and no prompt is left");
}
