//! Machines that go finish what they do first.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{
    scene::{OLD, Scene, name},
    support::store::Key,
};

fn pod(name: &str) -> Key {
    ("pods", "default".to_owned(), name.to_owned())
}

#[tokio::test]
async fn a_fleet_grows_and_says_what_it_is() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 3));
    scene.until_as_wanted(3).await;
    let first = scene.pods().iter().map(name).collect::<Vec<_>>();
    scene.jobs(&first[0], 2).await;
    scene
        .until("utilisation", |it| it.status()["utilisation"] == "0.16")
        .await;
    let status = scene.status();
    assert_eq!(
        (&status["listed"], &status["unclaimed"]),
        (&json!(3), &json!(15))
    );
    assert_eq!(status["selector"], "chrysalis.example/fleet=small");
    assert_eq!(status["network"]["version"], 5);
    scene.edit(|spec| spec["replicas"] = json!(5));
    scene.until_as_wanted(5).await;
    // Those that were there are there.
    let now: Vec<_> = scene.pods().iter().map(name).collect();
    assert!(first.iter().all(|it| now.contains(it)));
    assert!(scene.log().contains("starts small-"), "{}", scene.log());
    let made = &scene.pods()[0];
    assert_eq!(made["spec"]["restartPolicy"], "OnFailure");
    assert_eq!(made["metadata"]["labels"]["app"], "a");
    assert_eq!(
        made["metadata"]["ownerReferences"][0]["kind"],
        "ChrysalisFleet"
    );
}

#[tokio::test]
async fn of_too_many_the_idle_one_goes_and_a_busy_one_finishes_first() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 3));
    scene.until_as_wanted(3).await;
    let pods: Vec<_> = scene.pods().iter().map(name).collect();
    for (pod, jobs) in pods.iter().zip([3, 1, 2]) {
        scene.jobs(pod, jobs).await;
    }
    scene
        .until("utilisation", |it| it.status()["utilisation"] == "0.50")
        .await;
    scene.edit(|spec| spec["replicas"] = json!(2));
    let drains = format!("{} drains by /drain with 1 jobs", pods[1]);
    scene.until("drain", |it| it.is_in_journal(&drains)).await;
    scene
        .until("word of it", |it| {
            it.message()
                .contains(&format!("{} finishes what it does", pods[1]))
        })
        .await;
    // Several looks of the operator later it is still there.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.pods().len(), 3);
    assert!(scene.api.shared().with(|store| store.deletions.is_empty()));
    scene.jobs(&pods[1], 0).await;
    scene.until_as_wanted(2).await;
    scene.every_deletion_was_of_what_had_ended();
    let drained = scene
        .journal()
        .iter()
        .filter(|it| it.contains(" drains "))
        .count();
    assert_eq!(drained, 1, "{:?}", scene.journal());
}

#[tokio::test]
async fn a_fleet_of_none_drains_all() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    scene.edit(|spec| spec["replicas"] = json!(0));
    scene.until_as_wanted(0).await;
    scene.every_deletion_was_of_what_had_ended();
}

#[tokio::test]
async fn a_pod_that_somebody_deletes_in_mid_job_is_drained_and_then_replaced() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    let busy = name(&scene.pods()[0]);
    scene.jobs(&busy, 1).await;
    scene
        .api
        .shared()
        .with(|store| store.delete(&pod(&busy), &json!({})).unwrap());
    scene
        .until("word of it", |it| {
            it.message()
                .contains(&format!("{busy} was deleted, and its kubelet drains it"))
        })
        .await;
    // It has its processor until it ends: nothing is started in its place.
    sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.pods().len(), 2);
    scene.jobs(&busy, 0).await;
    scene
        .until("its end", |it| {
            it.is_in_journal(&format!("{busy} finished"))
        })
        .await;
    scene.until_as_wanted(2).await;
}

#[tokio::test]
async fn a_host_that_does_not_know_the_token_is_drained_by_its_kubelet() {
    let mut scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    let pods: Vec<_> = scene.pods().iter().map(name).collect();
    for pod in &pods {
        scene.jobs(pod, 1).await;
    }
    scene.end_operator(rustix::process::Signal::TERM).await;
    std::fs::write(scene.path("drain.secret"), "6".repeat(64)).unwrap();
    scene.start_operator();
    scene.edit(|spec| spec["replicas"] = json!(1));
    scene
        .until("deletion", |it| {
            it.log()
                .contains("its host does not take this operator's word (status 403")
        })
        .await;
    scene
        .until("drain", |it| {
            it.journal()
                .iter()
                .any(|it| it.ends_with("drains by SIGTERM with 1 jobs"))
        })
        .await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.pods().len(), 2);
    for pod in &pods {
        scene.jobs(pod, 0).await;
    }
    scene.until_as_wanted(1).await;
}

#[tokio::test]
async fn a_machine_that_is_lost_or_killed_is_replaced() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 3));
    scene.until_as_wanted(3).await;
    let pods: Vec<_> = scene.pods().iter().map(name).collect();
    // A node that is gone, with what ran there.
    scene
        .api
        .shared()
        .with(|store| store.remove(&pod(&pods[0])));
    scene
        .until("another", |it| {
            it.is_as_wanted(3) && !it.pods().iter().any(|it| name(it) == pods[0])
        })
        .await;
    // A pod that its kubelet put out.
    let lost = name(&scene.pods()[0]);
    sleep(Duration::from_secs(3)).await;
    scene.api.shared().with(|store| {
        let status = json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}});
        store.replace_status(&pod(&lost), &status).unwrap();
    });
    scene
        .until("another", |it| {
            it.is_as_wanted(3) && !it.pods().iter().any(|it| name(it) == lost)
        })
        .await;
}
