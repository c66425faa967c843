//! Everything that can go wrong, again and again: in the end all that can be collected has been.

use std::fs;

use chrysalis_wire::host::Owed;

use super::{
    liar::Lie,
    world::{COIN, FLOOR, Scene, database, payee},
};
use crate::mutex::held;

/// Tabs, and the most that each owes.
const TABS: u16 = 3;
const MOST: u64 = 300_000_000;

/// Numbers in no order, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test]
async fn whatever_goes_wrong_nothing_is_lost() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    let mut chance = Chance(1);
    let mut owed = [0; TABS as usize];
    let mut now = 0;
    let old = tempfile::tempdir().unwrap();
    held(&scene.host.till.book)
        .copy_to(&old.path().join("old.db"))
        .unwrap();
    for _ in 0..60 {
        match chance.below(12) {
            0..4 => {
                let tab = &mut owed[usize::try_from(chance.below(TABS.into())).unwrap()];
                *tab = MOST.min(*tab + chance.below(90_000_000));
                scene.host.note(all(&scene, &owed)).await.unwrap();
            }
            4 => scene.liar.lies(match chance.below(5) {
                0 => Lie::LosesSends,
                1 => Lie::DoublesSends,
                2 => Lie::LosesAnswers,
                3 => Lie::Refuses(402),
                _ => Lie::Stale,
            }),
            5 => scene.liar.lies(Lie::None),
            6 => scene.restart(None),
            7 => {
                scene.folder = tempfile::tempdir().unwrap();
                let place = database(scene.folder.path());
                fs::copy(old.path().join("old.db"), place).unwrap();
                scene.restart(None);
            }
            _ => {
                now += 20 + i64::try_from(chance.below(400)).unwrap();
                scene.host.make_round(now, chance.below(2) == 0).await;
            }
        }
    }
    scene.liar.lies(Lie::None);
    scene.restart(None);
    scene.client.close(&scene.world, scene.lane);
    scene.host.note(all(&scene, &owed)).await.unwrap();
    for round in 1..6 {
        scene.host.round(now + round * 400).await;
    }
    let lane = scene.world.state(&scene.lane.purse).lanes[&scene.lane.lane].clone();
    for (branch, owed) in (0..TABS).zip(owed) {
        let key = (scene.enclave.key(), branch);
        let paid = lane.tabs.get(&key).copied().unwrap_or_default();
        assert!(paid <= owed && owed - paid < FLOOR, "{paid} of {owed}");
    }
    assert!(lane.paid > MOST, "{}", lane.paid);
    // Every claim was worth more than its fee.
    assert!(scene.world.balance(&payee()) > lane.paid / 4 * 3);
}

/// As the enclave sends it again.
fn all(scene: &Scene, owed: &[u64]) -> Vec<Owed> {
    let tab = |(branch, owed): (u16, &u64)| {
        scene
            .enclave
            .owed(&scene.client, scene.lane, branch, COIN, *owed)
    };
    (0..).zip(owed).map(tab).collect()
}
