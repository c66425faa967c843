//! Why there is no engine: each reason, provoked.

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use chrysalis_wire::room::{FromRoom, MAX_WHY, Plan, Walls};

use crate::fixture::{Engine, engine, room, room_with_cgroups};

fn plan(engine: &Engine, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = engine.plan(Walls::Native, &["end"]);
    change(&mut plan);
    plan
}

#[test]
fn what_is_missing_or_wrong_in_a_plan_is_named() {
    let Some(engine) = engine() else { return };
    let why = |change: fn(&mut Plan)| engine.not_started(&plan(&engine, change));
    let missing = why(|plan| plan.program = "/usr/bin/nothing".into());
    assert!(
        missing.starts_with("/usr/bin/nothing does not start (hint: "),
        "{missing}"
    );
    // It is noticed only when all walls are up.
    let no_program = why(|plan| plan.program = "/engine.toml".into());
    assert!(
        no_program.starts_with("/engine.toml does not start (hint: "),
        "{no_program}"
    );
    let nowhere = why(|plan| plan.directory = "/nowhere".into());
    assert!(
        nowhere.starts_with("/nowhere is no working directory (hint: "),
        "{nowhere}"
    );
    let no_model = why(|plan| plan.model = Some("/nowhere/model".into()));
    assert!(
        no_model.starts_with("the model /nowhere/model cannot be mounted (hint: "),
        "{no_model}"
    );
    let no_device = why(|plan| plan.devices = vec!["/dev/nothing".into()]);
    assert!(
        no_device.starts_with("/dev/nothing cannot be mounted"),
        "{no_device}"
    );
    let no_place = why(|plan| plan.libraries = vec![("/usr/bin".into(), "/usr/new".into())]);
    assert!(
        no_place.starts_with("/usr/new cannot be mounted (hint: "),
        "{no_place}"
    );
    let root = why(|plan| plan.user = 0);
    assert!(root.starts_with("an engine's user is at least"), "{root}");
    let long = why(|plan| plan.program = format!("/{}", "long/".repeat(MAX_WHY)));
    assert_eq!(long.len(), MAX_WHY);
}

#[test]
fn a_model_that_only_root_may_read_is_named() {
    let Some(engine) = engine() else { return };
    fs::set_permissions(engine.path("model"), Permissions::from_mode(0o600)).unwrap();
    let why = engine.not_started(&plan(&engine, |_| {}));
    assert!(
        why.starts_with("the engine may not read its model (hint: "),
        "{why}"
    );
}

#[test]
fn a_message_that_is_no_plan_is_named() {
    let Some(engine) = engine() else { return };
    let mut room = engine.start_by(&mut room(), &plan(&engine, |plan| plan.root = "usr".into()));
    assert!(matches!(room.answer(), FromRoom::NotStarted { .. }));
    let (mut enclave, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut process = crate::fixture::room()
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    enclave.write_all(&[1, 0, 0, 0, 0]).unwrap();
    let answer = chrysalis_wire::frame::read(&mut enclave).unwrap();
    let FromRoom::NotStarted { why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.starts_with("the plan cannot be read: "), "{why}");
    assert_eq!(process.wait().unwrap().code(), Some(1));
}

fn unconfined(answer: FromRoom) -> String {
    match answer {
        FromRoom::Unconfined { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_landlock_nothing_starts_unless_that_was_asked_for() {
    let Some(engine) = engine() else { return };
    let mut whole = plan(&engine, |plan| plan.partial = false);
    let start = |plan: &Plan| {
        let (call, error) = (libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP);
        engine
            .start_without(call, error, &mut room_with_cgroups(), plan)
            .answer()
    };
    let why = unconfined(start(&whole));
    assert!(why.contains("does not enforce all of Landlock"), "{why}");
    whole.partial = true;
    assert_eq!(start(&whole), FromRoom::Walled);
}

#[test]
fn without_cgroups_nothing_starts_unless_that_was_asked_for() {
    let Some(engine) = engine() else { return };
    if fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
        .is_ok_and(|has| has.contains("memory"))
    {
        return chrysalis_test_support::skip("this machine has cgroups");
    }
    let mut whole = plan(&engine, |plan| plan.partial = false);
    let why = unconfined(engine.start(&whole).answer());
    assert!(
        why.starts_with("the engine's memory and processes cannot be bounded (hint: "),
        "{why}"
    );
    whole.partial = true;
    assert_eq!(engine.start(&whole).answer(), FromRoom::Walled);
}

/// Each wall that a kernel may lack, whatever the plan says.
#[test]
fn a_kernel_that_lacks_a_wall_starts_nothing() {
    let Some(engine) = engine() else { return };
    for (call, error, what) in [
        (libc::SYS_unshare, libc::EINVAL, "makes no namespaces"),
        (libc::SYS_open_tree, libc::ENOSYS, "cannot be"),
        (libc::SYS_pivot_root, libc::EPERM, "root cannot be entered"),
        (libc::SYS_seccomp, libc::ENOSYS, "stays open"),
        (libc::SYS_setresuid, libc::EPERM, "stay"),
    ] {
        let answer = engine
            .start_without(call, error, &mut room(), &plan(&engine, |_| {}))
            .answer();
        assert_ne!(answer, FromRoom::Walled, "{what}");
        assert!(format!("{answer:?}").contains(what), "{what}: {answer:?}");
    }
}
