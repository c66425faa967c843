//! The same as sealed.rs in the VM, where the disk is really decrypted: by dm-crypt, under dm-verity. All of the guest's memory is searched for
//! the key and for the engine's secret, while the model is served and after its owner took both back.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use chrysalis_tests::{
    machine::{Machine, Plan, text},
    memory::Memory,
    sealed::{Scene, VALUE},
};

/// Emulated, it may take minutes until everything was asked again.
const PATIENCE: Duration = Duration::from_mins(15);

#[test]
fn a_sealed_disk_is_read_with_its_key_which_is_gone_once_it_is_taken_back() {
    let scene = Scene::new(60);
    let server = scene.serve();
    let machine = Machine::boot(&scene.plan(Plan::vm()));
    let memory = Memory::of_vm(machine.pid());
    let answered = scene.chat(&machine.url());
    assert!(answered.status.success(), "{}", text(&answered.stderr));
    // As the cipher's two keys, each where the kernel has it.
    let key = scene.key();
    let (cipher, tweak) = key.split_at(key.len() / 2);
    assert!(memory.count(cipher) > 0 && memory.count(tweak) > 0);
    let secret = VALUE.as_bytes();
    assert!(memory.count(secret) > 0, "the engine has its secret");

    scene.owner_withdraws();
    let began = Instant::now();
    while memory.count(cipher) + memory.count(tweak) + memory.count(secret) > 0 {
        let around = || {
            [cipher, secret]
                .map(|it| memory.around(it).join("\n"))
                .join("\n")
        };
        assert!(
            began.elapsed() < PATIENCE,
            "{}\n{}",
            server.said(),
            around()
        );
        sleep(Duration::from_secs(2));
    }
    let digits = hex::encode(&key);
    assert_eq!(memory.count(digits.as_bytes()), 0, "as digits");
    let said = server.said();
    assert!(said.contains("keys_withdrawn"), "{said}");
    let why = text(&scene.chat(&machine.url()).stderr);
    let named = ["model_withdrawn", "model_missing"];
    assert!(named.iter().any(|it| why.contains(it)), "{why}");
}
