//! What to do next.

use std::collections::BTreeSet;

use crate::{
    seen::{Machine, State},
    spec::{Image, Spec},
};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a machine with this image.
    Start(Image),
    /// Have this machine finish what it does, as `chrysalis-host drain` does. One that boots ends at once.
    Drain(String),
    /// Forget this machine: it has ended.
    Remove(String),
}

/// What to do next, so that what is seen becomes what is wanted. To be asked again whenever something has changed; what was done in between
/// must be seen by then, or it is done twice.
pub fn reconcile(spec: &Spec, seen: &[Machine]) -> Vec<Action> {
    let ended = seen.iter().filter(|it| it.state == State::Ended);
    let mut actions: Vec<Action> = ended.map(|it| Action::Remove(it.name.clone())).collect();
    let drained = to_drain(spec, seen);
    let starts = to_start(spec, seen, &drained);
    actions.extend(drained.iter().map(|it| Action::Drain(it.name.clone())));
    actions.extend((0..starts).map(|_| Action::Start(spec.image().clone())));
    actions
}

/// Whose time is over: first what nobody accepts, then what is old, then what is too many.
fn to_drain<'m>(spec: &Spec, seen: &'m [Machine]) -> Vec<&'m Machine> {
    let alive = seen.iter().filter(|it| is_new_or_serving(it));
    // No client accepts these, so nothing is lost.
    let (mut useful, mut drained): (Vec<_>, Vec<_>) = alive.partition(|it| spec.accepts(&it.image));
    if !spec.is_accepted() {
        // Nothing takes the place of what is there.
        return drained;
    }
    // The least wanted first: the old ones, of those the ones that serve nobody yet, then those with the least to do.
    useful.sort_by_key(|it| (it.image == *spec.image(), rank(it.state), &it.name));
    let mut serving = useful.iter().filter(|it| is_serving(it)).count();
    // An old one that has to go on does not make a new one too many: the new one is there to take its place.
    let mut left = useful.iter().filter(|it| it.image == *spec.image()).count();
    for machine in useful {
        let is_old = machine.image != *spec.image();
        if !is_old && left <= spec.replicas() {
            break;
        }
        // Enough must go on serving. What is too many goes once the others serve.
        let fewest = if is_old {
            spec.fewest()
        } else {
            spec.replicas()
        };
        if is_serving(machine) {
            if serving <= fewest {
                continue;
            }
            serving -= 1;
        }
        if !is_old {
            left -= 1;
        }
        drained.push(machine);
    }
    drained
}

/// How many to start: as many as are missing, and as there is room for.
fn to_start(spec: &Spec, seen: &[Machine], drained: &[&Machine]) -> usize {
    if !spec.is_accepted() {
        return 0;
    }
    let drained: BTreeSet<_> = drained.iter().map(|it| it.name.as_str()).collect();
    let stays = |it: &&Machine| !drained.contains(it.name.as_str());
    let new = seen.iter().filter(|it| it.image == *spec.image());
    let new = new.filter(|it| is_new_or_serving(it)).filter(stays).count();
    // What drains has its processor and its GPU until it ends.
    let there = seen.iter().filter(|it| it.state != State::Ended).count();
    let missing = spec.replicas().saturating_sub(new);
    missing.min(spec.most().saturating_sub(there))
}

fn is_serving(machine: &Machine) -> bool {
    matches!(machine.state, State::Serving { .. })
}

fn is_new_or_serving(machine: &Machine) -> bool {
    matches!(machine.state, State::Booting | State::Serving { .. })
}

fn rank(state: State) -> u64 {
    match state {
        State::Serving { load } => u64::from(load) + 1,
        _ => 0,
    }
}
