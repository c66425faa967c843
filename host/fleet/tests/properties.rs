//! What holds of every fleet, and how a few of them are rolled.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_fleet::{Action, Image, Machine, NoProgress, Spec, State, reconcile};
use proptest::{
    collection::{btree_set, vec},
    prelude::*,
};

fn image(number: u8) -> Image {
    Image(vec![number])
}

fn spec(wanted: u8, accepted: &[u8], replicas: usize, away: usize, surplus: usize) -> Spec {
    let accepted = accepted.iter().map(|it| image(*it)).collect();
    Spec::new(image(wanted), accepted, replicas, away, surplus).expect("it makes progress")
}

fn machine(number: usize, image: Image, state: State) -> Machine {
    Machine {
        name: format!("m{number:03}"),
        image,
        state,
    }
}

fn serving(count: usize, of: u8) -> Vec<Machine> {
    let serving = State::Serving { load: 500 };
    (0..count)
        .map(|number| machine(number, image(of), serving))
        .collect()
}

fn serves(machine: &Machine) -> bool {
    matches!(machine.state, State::Serving { .. })
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Booting),
        (0..2000_u32).prop_map(|load| State::Serving { load }),
        Just(State::Draining),
        Just(State::Ended),
    ]
}

/// `is_accepted`: with an image that the policy has.
fn any_spec(is_accepted: bool) -> impl Strategy<Value = Spec> {
    let accepted = btree_set((0..4_u8).prop_map(image), 0..4);
    (0..4_u8, accepted, 0..8_usize, 0..4_usize, 0..4_usize).prop_filter_map(
        "one that makes progress",
        move |(wanted, mut accepted, replicas, away, surplus)| {
            if is_accepted {
                accepted.insert(image(wanted));
            }
            Spec::new(image(wanted), accepted, replicas, away, surplus).ok()
        },
    )
}

fn any_fleet() -> impl Strategy<Value = Vec<Machine>> {
    vec((0..4_u8, state()), 0..14).prop_map(|all| {
        let all = all.into_iter().enumerate();
        all.map(|(number, (of, state))| machine(number, image(of), state))
            .collect()
    })
}

/// A fleet that does what it is told, when a generator says so.
struct World {
    machines: BTreeMap<String, Machine>,
    next: usize,
    /// An image that never boots.
    broken: Option<Image>,
}

impl World {
    fn of(machines: Vec<Machine>) -> Self {
        Self {
            next: 500,
            machines: machines
                .into_iter()
                .map(|it| (it.name.clone(), it))
                .collect(),
            broken: None,
        }
    }

    fn seen(&self) -> Vec<Machine> {
        self.machines.values().cloned().collect()
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(image) => {
                    let new = machine(self.next, image, State::Booting);
                    self.next += 1;
                    self.machines.insert(new.name.clone(), new);
                }
                Action::Drain(name) => {
                    let machine = self.machines.get_mut(&name).expect("it is there");
                    machine.state = match machine.state {
                        State::Serving { .. } => State::Draining,
                        _ => State::Ended,
                    };
                }
                Action::Remove(name) => {
                    self.machines.remove(&name).expect("it is there");
                }
            }
        }
    }

    /// Those of the machines that `moves` names get on.
    fn turn(&mut self, moves: &[bool]) {
        for (machine, moves) in self.machines.values_mut().zip(moves.iter().cycle()) {
            machine.state = match machine.state {
                State::Booting if *moves && self.broken.as_ref() == Some(&machine.image) => {
                    State::Ended
                }
                State::Booting if *moves => State::Serving { load: 100 },
                State::Draining if *moves => State::Ended,
                state => state,
            };
        }
    }

    fn useful(&self, spec: &Spec) -> usize {
        let all = self.machines.values();
        all.filter(|it| serves(it) && spec.accepts(&it.image))
            .count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_refused_is_started(spec in any_spec(false), seen in any_fleet()) {
        for action in reconcile(&spec, &seen) {
            if let Action::Start(image) = action {
                prop_assert!(spec.accepts(&image));
            }
        }
    }

    #[test]
    fn each_machine_is_told_one_thing_that_it_can_do(spec in any_spec(false), seen in any_fleet()) {
        let by_name: BTreeMap<_, _> = seen.iter().map(|it| (it.name.clone(), it)).collect();
        let mut told = BTreeSet::new();
        for action in reconcile(&spec, &seen) {
            let (name, can) = match action {
                Action::Start(_) => continue,
                Action::Drain(name) => {
                    let can = serves(by_name[&name]) || by_name[&name].state == State::Booting;
                    (name, can)
                }
                Action::Remove(name) => {
                    let can = by_name[&name].state == State::Ended;
                    (name, can)
                }
            };
            prop_assert!(can && told.insert(name.clone()), "{name}");
        }
    }

    #[test]
    fn enough_go_on_serving_and_no_more_are_there_than_may_be(spec in any_spec(false), seen in any_fleet()) {
        let mut world = World::of(seen);
        let there = |world: &World| world.machines.values().filter(|it| it.state != State::Ended).count();
        let (before, were) = (world.useful(&spec), there(&world));
        let actions = reconcile(&spec, &world.seen());
        world.act(actions);
        prop_assert!(world.useful(&spec) >= before.min(spec.fewest()));
        prop_assert!(there(&world) <= were.max(spec.most()));
    }

    #[test]
    fn what_is_seen_becomes_what_is_wanted(spec in any_spec(true), seen in any_fleet(), moves in vec(vec(any::<bool>(), 1..6), 1..8)) {
        let mut world = World::of(seen);
        for step in 0..400 {
            let actions = reconcile(&spec, &world.seen());
            world.act(actions);
            world.turn(&moves[step % moves.len()]);
            // Nobody waits for ever.
            if step % 10 == 9 {
                world.turn(&[true]);
            }
        }
        let seen = world.seen();
        prop_assert!(seen.iter().all(|it| serves(it) && it.image == *spec.image()), "{seen:?}");
        prop_assert_eq!(seen.len(), spec.replicas());
        prop_assert!(reconcile(&spec, &seen).is_empty());
    }

    #[test]
    fn an_image_that_never_boots_costs_no_more_than_may_be_away(replicas in 1..12_usize, away in 0..4_usize, surplus in 0..4_usize) {
        prop_assume!(away + surplus > 0);
        let spec = spec(2, &[1, 2], replicas, away, surplus);
        let mut world = World::of(serving(replicas, 1));
        world.broken = Some(image(2));
        for _ in 0..100 {
            let actions = reconcile(&spec, &world.seen());
            world.act(actions);
            world.turn(&[true]);
            prop_assert!(world.useful(&spec) >= replicas.saturating_sub(away));
        }
    }
}

#[test]
fn a_fleet_is_rolled_one_after_the_other() {
    let spec = spec(2, &[1, 2], 10, 1, 0);
    let mut world = World::of(serving(10, 1));
    let mut drained = 0;
    for _ in 0..100 {
        let actions = reconcile(&spec, &world.seen());
        let now = actions
            .iter()
            .filter(|it| matches!(it, Action::Drain(_)))
            .count();
        assert!(now <= 1, "{actions:?}");
        drained += now;
        world.act(actions);
        world.turn(&[true]);
        assert!(world.useful(&spec) >= 9);
    }
    assert_eq!(drained, 10);
    assert!(world.seen().iter().all(|it| it.image == image(2)));
}

#[test]
fn an_image_that_is_not_in_the_policy_waits() {
    let spec = spec(2, &[1], 10, 1, 1);
    assert!(!spec.is_accepted());
    assert_eq!(reconcile(&spec, &serving(10, 1)), []);
}

#[test]
fn what_nobody_accepts_any_more_ends_at_once() {
    let spec = spec(2, &[2], 3, 1, 0);
    let actions = reconcile(&spec, &serving(3, 1));
    let drained = |number| Action::Drain(format!("m{number:03}"));
    assert_eq!(actions, [drained(0), drained(1), drained(2)]);
}

#[test]
fn of_too_many_the_one_with_the_least_to_do_ends() {
    let spec = spec(1, &[1], 2, 1, 0);
    let mut fleet = serving(3, 1);
    fleet[1].state = State::Serving { load: 3 };
    assert_eq!(reconcile(&spec, &fleet), [Action::Drain("m001".to_owned())]);
}

#[test]
fn a_fleet_that_can_replace_nothing_is_refused() {
    let accepted = BTreeSet::from([image(1)]);
    assert_eq!(Spec::new(image(1), accepted, 3, 0, 0), Err(NoProgress));
}
