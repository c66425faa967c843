//! Another image: one machine after the other, and none before the policy has it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    scene::{NEW, OLD, Scene, name, runs},
    support::api::phase,
};

/// No more than one machine is away, whatever is seen whenever.
fn one_at_a_time(scene: &Scene, replicas: usize) {
    let pods = scene.pods();
    assert!(pods.len() <= replicas, "{}", scene.log());
    let serve = |line: &&String| line.ends_with(" serves");
    let gone = |name: &str| {
        scene
            .journal()
            .iter()
            .any(|it| it.starts_with(name) && it.contains(" drains "))
    };
    let journal = scene.journal();
    let serving = journal
        .iter()
        .filter(serve)
        .filter(|it| !gone(it.trim_end_matches(" serves")))
        .count();
    assert!(serving + 1 >= replicas, "{journal:?}\n{}", scene.log());
}

/// Waits until so many machines run the new image; none of the old was cut off.
async fn until_rolled(scene: &Scene, replicas: usize) {
    scene
        .until("fleet of the new image", |it| {
            one_at_a_time(it, replicas);
            it.is_as_wanted(replicas) && it.pods().iter().all(|it| runs(it, NEW))
        })
        .await;
    scene.every_deletion_was_of_what_had_ended();
}

#[tokio::test]
async fn a_roll_replaces_one_machine_after_the_other() {
    let scene = Scene::open(&[OLD, NEW]).await;
    scene.create(scene.fleet(OLD, 3));
    scene.until_as_wanted(3).await;
    scene.roll(NEW);
    until_rolled(&scene, 3).await;
    assert_eq!(scene.status()["conditions"][0]["reason"], "AsWanted");
}

#[tokio::test]
async fn nothing_is_rolled_before_the_policy_has_the_image() {
    let mut scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    scene.roll(NEW);
    scene
        .until("refusal", |it| {
            it.status()["conditions"][0]["reason"] == "NotInPolicy"
        })
        .await;
    let said = scene.message();
    assert!(
        said.contains("is not in the policy of network.example, version 5: publish it there first"),
        "{said}"
    );
    sleep(Duration::from_secs(3)).await;
    assert!(
        scene
            .pods()
            .iter()
            .all(|it| runs(it, OLD) && phase(it) == "Running")
    );
    assert_eq!(scene.journal().len(), 2, "{:?}", scene.journal());
    // A descriptor that somebody else signed, or one that is older, changes nothing.
    scene.publish_as(&[OLD, NEW], 9, 2);
    scene
        .until("refusal", |it| {
            it.message().contains("of the named keys signed")
        })
        .await;
    scene.publish_as(&[OLD, NEW], 4, 1);
    scene
        .until("refusal", |it| {
            it.message()
                .contains("this is version 4 of the network's descriptor; version 5 was seen")
        })
        .await;
    assert_eq!(scene.journal().len(), 2, "{:?}", scene.journal());
    scene.publish(&[OLD, NEW]);
    until_rolled(&scene, 2).await;
    // Back to the first version of the descriptor is no way back.
    scene.publish_as(&[OLD], 5, 1);
    scene
        .until("refusal", |it| {
            it.status()["conditions"][0]["reason"] == "PolicyUnreadable"
        })
        .await;
    sleep(Duration::from_secs(2)).await;
    assert!(
        scene
            .pods()
            .iter()
            .all(|it| runs(it, NEW) && phase(it) == "Running")
    );
}

#[tokio::test]
async fn a_policy_that_is_not_the_descriptors_starts_nothing() {
    let scene = Scene::open(&[OLD]).await;
    let policy = std::fs::read_to_string(scene.path("policy.toml")).unwrap();
    std::fs::write(
        scene.path("policy.toml"),
        policy + "\n# and one more line\n",
    )
    .unwrap();
    scene.create(scene.fleet(OLD, 1));
    scene
        .until("refusal", |it| {
            it.message()
                .contains("is not the policy that the descriptor of network.example names")
        })
        .await;
    std::fs::remove_file(scene.path("policy.toml")).unwrap();
    scene
        .until("refusal", |it| it.message().contains("cannot read"))
        .await;
    assert!(scene.pods().is_empty());
}

#[tokio::test]
async fn an_operator_that_was_killed_goes_on_where_it_was() {
    let mut scene = Scene::open(&[OLD, NEW]).await;
    scene.create(scene.fleet(OLD, 3));
    scene.until_as_wanted(3).await;
    let busy = name(&scene.pods()[0]);
    for pod in scene.pods() {
        scene
            .jobs(&name(&pod), if name(&pod) == busy { 1 } else { 3 })
            .await;
    }
    scene
        .until("utilisation", |it| it.status()["utilisation"] == "0.58")
        .await;
    scene.roll(NEW);
    scene
        .until("drain", |it| {
            it.is_in_journal(&format!("{busy} drains by /drain with 1 jobs"))
        })
        .await;
    scene.end_operator(Signal::KILL).await;
    scene.start_operator();
    // The machine that drains is not forgotten: no second one goes meanwhile.
    sleep(Duration::from_secs(3)).await;
    let drained = scene
        .journal()
        .iter()
        .filter(|it| it.contains(" drains "))
        .count();
    assert_eq!(
        (drained, scene.pods().len()),
        (1, 3),
        "{:?}",
        scene.journal()
    );
    for pod in scene.pods() {
        scene.jobs(&name(&pod), 0).await;
    }
    until_rolled(&scene, 3).await;
    assert!(scene.end_operator(Signal::TERM).await.success());
    assert!(
        scene
            .log()
            .contains("stopped: every machine goes on as it is"),
        "{}",
        scene.log()
    );
    assert_eq!(scene.pods().len(), 3);
}

#[tokio::test]
async fn an_image_that_never_boots_costs_one_machine() {
    let scene = Scene::open(&[OLD, NEW]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    scene.edit(|spec| {
        spec["image"] = json!({"launchDigest": NEW.repeat(48)});
        let environment = spec["template"]["spec"]["containers"][0]["env"]
            .as_array_mut()
            .unwrap();
        environment.push(json!({"name": "STAND_IN_BROKEN", "value": "1"}));
    });
    scene
        .until("broken machine", |it| {
            it.pods().iter().any(|it| runs(it, NEW))
        })
        .await;
    scene
        .until("word of it", |it| it.message().contains("does not answer"))
        .await;
    sleep(Duration::from_secs(3)).await;
    let serve = scene.pods().iter().filter(|it| runs(it, OLD)).count();
    assert_eq!((serve, scene.pods().len()), (1, 2));
    // The way back.
    scene.edit(|spec| {
        spec["image"] = json!({"launchDigest": OLD.repeat(48)});
        spec["template"]["spec"]["containers"][0]["env"]
            .as_array_mut()
            .unwrap()
            .pop();
    });
    scene.until_as_wanted(2).await;
    assert!(scene.pods().iter().all(|it| runs(it, OLD)));
}
