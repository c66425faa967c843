//! Whether a plan can be followed, before anything is changed.

use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

use chrysalis_wire::{
    configuration::{MAX_SECRET, MAX_SECRETS, is_secret_name},
    room::{MIN_USER, Plan, Walls},
};

use crate::refusal::Refusal;

/// Places in the new root that are the room's to make.
pub(crate) const OURS: &[&str] = &["model", "run", "secrets", "tmp", "proc", "dev", "sys"];

/// Refuses a plan that names a place ambiguously, a user that is someone else's, or limits of nothing.
pub(crate) fn check(plan: &Plan) -> Result<(), Refusal> {
    folder("root", &plan.root)?;
    folder("run", &plan.run)?;
    if let Some(model) = &plan.model {
        absolute("model", model)?;
    }
    absolute("program", &plan.program)?;
    absolute("directory", &plan.directory)?;
    for device in &plan.devices {
        absolute("device", device)?;
        require(
            Path::new(device).starts_with("/dev/"),
            "a device is not below /dev",
            device,
        )?;
    }
    for (outside, inside) in &plan.libraries {
        absolute("library", outside)?;
        absolute("library", inside)?;
        let first = Path::new(inside).components().nth(1);
        let ours = first.is_none_or(|first| OURS.iter().any(|own| first.as_os_str() == *own));
        require(
            !ours || plan_may(plan, inside),
            "a library's place is the room's own",
            inside,
        )?;
    }
    if let Some(prepare) = &plan.prepare {
        absolute("preparing program", &prepare.program)?;
        require(prepare.seconds > 0, "preparing needs time", prepare.seconds)?;
    }
    for (name, _) in &plan.environment {
        let sound = !name.is_empty() && !name.contains('=');
        require(sound, "this is no name of a variable", name)?;
    }
    secrets(plan)?;
    let user = plan.user;
    let own = (MIN_USER..u32::MAX).contains(&user);
    require(
        own,
        &format!("an engine's user is at least {MIN_USER}"),
        user,
    )?;
    require(
        plan.memory_mib > 0,
        "an engine needs memory",
        plan.memory_mib,
    )?;
    require(
        plan.processes > 0,
        "an engine needs a process",
        plan.processes,
    )?;
    require(plan.port != Some(0), "a port is 1 to 65535", 0)
}

/// Before a byte of theirs is read.
fn secrets(plan: &Plan) -> Result<(), Refusal> {
    let count = plan.secrets.len();
    require(count <= MAX_SECRETS, "these are too many secrets", count)?;
    let mut seen = BTreeSet::new();
    for secret in &plan.secrets {
        let sound = is_secret_name(&secret.name) && seen.insert(&secret.name);
        require(sound, "this is no name of one secret", &secret.name)?;
        let bytes = secret.bytes;
        let fits = usize::try_from(bytes).is_ok_and(|bytes| (1..=MAX_SECRET).contains(&bytes));
        require(fits, "a secret is empty or too long", bytes)?;
    }
    Ok(())
}

/// An interpreter's libraries read what the kernel says about devices: a plan may add parts of `/sys`.
fn plan_may(plan: &Plan, inside: &str) -> bool {
    plan.walls == Walls::Python && inside.starts_with("/sys/")
}

/// Whether the engine needs a network, whose only address is its own 127.0.0.1.
pub(crate) fn has_loopback(plan: &Plan) -> bool {
    plan.port.is_some() || plan.walls == Walls::Python
}

fn folder(what: &str, path: &str) -> Result<(), Refusal> {
    absolute(what, path)?;
    require(
        Path::new(path).is_dir(),
        &format!("the plan's {what} is not a folder (hint: mount the disk first)"),
        path,
    )
}

fn absolute(what: &str, path: &str) -> Result<(), Refusal> {
    let mut parts = Path::new(path).components();
    let plain = parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)));
    let plain = plain && !path.contains('\0');
    require(
        plain,
        &format!("the plan's {what} is not a plain absolute path (hint: no `..`)"),
        path,
    )
}

fn require(holds: bool, otherwise: &str, what: impl std::fmt::Debug) -> Result<(), Refusal> {
    if holds {
        return Ok(());
    }
    Err(Refusal::NotStarted(format!("{otherwise}: {what:?}")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrysalis_wire::room::{Prepare, SecretFile};

    pub(crate) fn sound() -> Plan {
        Plan {
            root: "/usr".into(),
            model: None,
            run: "/tmp".into(),
            program: "/bin/engine".into(),
            arguments: vec![],
            environment: vec![],
            directory: "/".into(),
            walls: Walls::Native,
            port: None,
            user: 20_000,
            memory_mib: 64,
            processes: 8,
            devices: vec![],
            libraries: vec![],
            prepare: None,
            secrets: vec![],
            partial: true,
        }
    }

    /// The same with secrets of these names and lengths.
    pub(crate) fn with_secrets(secrets: &[(&str, u32)]) -> Plan {
        let secret = |(name, bytes): &(&str, u32)| SecretFile {
            name: (*name).to_owned(),
            bytes: *bytes,
        };
        Plan {
            secrets: secrets.iter().map(secret).collect(),
            ..sound()
        }
    }

    fn why(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = sound();
        change(&mut plan);
        match check(&plan) {
            Err(Refusal::NotStarted(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_sound_plan_passes() {
        assert_eq!(check(&sound()), Ok(()));
        let mut gpu = sound();
        gpu.walls = Walls::Python;
        gpu.devices = vec!["/dev/nvidia0".into()];
        gpu.libraries = vec![
            ("/driver/lib".into(), "/driver/lib".into()),
            ("/sys/bus/pci".into(), "/sys/bus/pci".into()),
        ];
        assert_eq!(check(&gpu), Ok(()));
    }

    #[test]
    fn each_fault_of_a_plan_is_named() {
        assert!(why(|plan| plan.root = "/nowhere".into()).contains("root is not a folder"));
        assert!(why(|plan| plan.run = "/nowhere".into()).contains("run is not a folder"));
        assert!(why(|plan| plan.root = "usr".into()).contains("root is not a plain"));
        assert!(why(|plan| plan.model = Some("a/b".into())).contains("model is not a plain"));
        assert!(why(|plan| plan.program = "engine".into()).contains("program is not a plain"));
        assert!(
            why(|plan| plan.directory = "/a/../..".into()).contains("directory is not a plain")
        );
        assert!(why(|plan| plan.devices = vec!["/etc/passwd".into()]).contains("below /dev"));
        let library = |inside: &str| vec![("/lib".to_owned(), inside.to_owned())];
        assert!(why(|plan| plan.libraries = library("/")).contains("the room's own"));
        assert!(why(|plan| plan.libraries = library("/proc/x")).contains("the room's own"));
        assert!(why(|plan| plan.libraries = library("/sys/x")).contains("the room's own"));
        assert!(why(|plan| plan.libraries = library("/a/../b")).contains("library is not a plain"));
        let odd = vec![("A=B".to_owned(), String::new())];
        assert!(why(|plan| plan.environment = odd).contains("no name of a variable"));
        assert!(why(|plan| plan.user = 0).contains("user is at least"));
        assert!(why(|plan| plan.user = u32::MAX).contains("user is at least"));
        assert!(why(|plan| plan.memory_mib = 0).contains("needs memory"));
        assert!(why(|plan| plan.processes = 0).contains("needs a process"));
        assert!(why(|plan| plan.port = Some(0)).contains("a port is"));
        let prepare = |program: &str, seconds| {
            let program = program.to_owned();
            Some(Prepare { program, seconds })
        };
        assert!(why(|plan| plan.prepare = prepare("x", 1)).contains("program is not a plain"));
        assert!(why(|plan| plan.prepare = prepare("/x", 0)).contains("preparing needs time"));
    }

    #[test]
    fn secrets_have_plain_names_and_bounded_lengths() {
        let most = u32::try_from(MAX_SECRET).unwrap();
        assert_eq!(
            check(&with_secrets(&[("licence", 1), ("b.c", most)])),
            Ok(())
        );
        let why = |secrets: &[(&str, u32)]| match check(&with_secrets(secrets)) {
            Err(Refusal::NotStarted(why)) => why,
            other => panic!("{other:?}"),
        };
        for name in ["", "..", "../x", "a/b", "A"] {
            assert!(
                why(&[(name, 1)]).contains("no name of one secret"),
                "{name}"
            );
        }
        assert!(why(&[("a", 1), ("a", 1)]).contains("no name of one secret"));
        assert!(why(&[("a", 0)]).contains("empty or too long"));
        assert!(why(&[("a", most + 1)]).contains("empty or too long"));
        assert!(why(&[("a", 1); MAX_SECRETS + 1]).contains("too many"));
    }
}
