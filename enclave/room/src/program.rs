//! The process that becomes the engine's program: the last walls, then the program itself.
//!
//! The kernel makes a program that its user can read dumpable again. It leaves no core file all the same, and no one could
//! look into it: no process of a room has the calls of a debugger.

use std::{
    convert::Infallible, fs::File, os::unix::process::CommandExt, path::Path, process::Command,
};

use anyhow::Context;
use chrysalis_sandbox::{Landlock, Left};
use chrysalis_wire::{
    frame,
    room::{FromRoom, MODEL, Plan, Walls},
};
use landlock::{
    AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, RulesetCreated, RulesetCreatedAttr,
};
use rustix::process::{chdir, setsid};

use crate::{
    calls,
    refusal::{Refusal, not_started, unconfined},
    root::HOME,
};

/// Returns only if it fails. The pipe closes when the program begins.
pub(crate) fn become_it(plan: &Plan, tell: &mut File) -> Result<Infallible, Refusal> {
    let mut command = prepare(plan)?;
    close_files(plan).map_err(unconfined("the engine's files stay open"))?;
    calls::of(plan)
        .and_then(calls::shut)
        .map_err(unconfined("the engine's calls stay open"))?;
    frame::write(tell, &FromRoom::Walled).map_err(not_started("the room is gone"))?;
    let error = command.exec();
    Err(cannot_start(plan)(error))
}

fn cannot_start<E: std::fmt::Display>(plan: &Plan) -> impl FnOnce(E) -> Refusal {
    not_started(format!(
        "{} does not start (hint: it and its loader must be on the engine's disk)",
        plan.program
    ))
}

fn prepare(plan: &Plan) -> Result<Command, Refusal> {
    setsid().map_err(not_started("the program gets no session"))?;
    chdir(plan.directory.as_str()).map_err(not_started(format!(
        "{} is no working directory (hint: it must be on the engine's disk)",
        plan.directory
    )))?;
    if !Path::new(&plan.program).is_file() {
        return Err(cannot_start(plan)("it is not there"));
    }
    if plan.model.is_some() {
        File::open(MODEL).map_err(not_started(
            "the engine may not read its model (hint: let everybody read the file)",
        ))?;
    }
    let mut command = Command::new(&plan.program);
    command.args(&plan.arguments).env_clear();
    if plan.walls == Walls::Python {
        command.env("HOME", HOME);
    }
    let environment = plan.environment.iter();
    command.envs(environment.map(|(name, value)| (name, value)));
    Ok(command)
}

/// Landlock under the mounts: what they would let through by a mistake of ours or of the kernel's.
pub(crate) fn close_files(plan: &Plan) -> anyhow::Result<()> {
    let landlock = if plan.partial {
        Landlock::Partial
    } else {
        Landlock::Whole
    };
    let opened = |rules: RulesetCreated| {
        places(plan.walls)
            .into_iter()
            .try_fold(rules, |rules, (path, access)| {
                let place = PathFd::new(path).with_context(|| path.to_owned())?;
                Ok(rules.add_rule(PathBeneath::new(place, access))?)
            })
    };
    match (plan.walls, plan.port) {
        (Walls::Native, None) => landlock.restrict(opened)?,
        (Walls::Native, Some(port)) => landlock.restrict(|rules| {
            let listen = NetPort::new(port, AccessNet::BindTcp);
            Ok(opened(rules)?.add_rule(listen)?)
        })?,
        // Its processes find each other on ports that they choose.
        (Walls::Python, _) => landlock.restrict_but(&[Left::Tcp], opened)?,
    };
    Ok(())
}

fn places(walls: Walls) -> Vec<(&'static str, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::WriteFile | AccessFs::Truncate;
    let make = AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::MakeFifo
        | AccessFs::MakeSym;
    let remove = AccessFs::RemoveFile | AccessFs::RemoveDir;
    let temporary = read | write | make | remove | AccessFs::Refer;
    // A socket, and no file: this folder is seen outside.
    let socket = AccessFs::MakeSock | AccessFs::RemoveFile;
    let root = read | AccessFs::Execute;
    let mut places = vec![("/", root), ("/run", socket), ("/tmp", temporary)];
    if walls == Walls::Python {
        // /proc, for the names of threads; /dev, for devices, of which there are only those of the plan.
        places.push(("/tmp", AccessFs::Execute.into()));
        places.push(("/dev/shm", temporary));
        places.push(("/proc", read | write));
    }
    if Path::new("/dev").is_dir() {
        places.push(("/dev", read | write | AccessFs::IoctlDev));
    }
    places
}
