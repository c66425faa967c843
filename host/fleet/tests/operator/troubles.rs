//! An API server that is away, forgets, or says that somebody was faster; resources that make no sense.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    scene::{OLD, Scene, name},
    support::store::Key,
};

#[tokio::test]
async fn an_api_server_that_was_away_finds_everything_going_on() {
    let mut scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    let before: Vec<_> = scene.pods().iter().map(name).collect();
    scene.jobs(&before[0], 1).await;
    scene.api.stop().await;
    // What changes meanwhile is in the store, and the operator learns of it afterwards.
    scene.edit(|spec| spec["replicas"] = json!(3));
    scene
        .until("complaint", |it| it.log().contains("it is tried again"))
        .await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.pods().len(), 2);
    scene.api.resume().await;
    scene.until_as_wanted(3).await;
    let now: Vec<_> = scene.pods().iter().map(name).collect();
    assert!(before.iter().all(|it| now.contains(it)), "{}", scene.log());
    assert_eq!(scene.journal().len(), 3, "{:?}", scene.journal());
}

#[tokio::test]
async fn a_watch_that_has_expired_is_begun_anew() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 1));
    scene.until_as_wanted(1).await;
    for replicas in 2..5 {
        scene.api.forget();
        scene.edit(|spec| spec["replicas"] = json!(replicas));
        scene.until_as_wanted(replicas).await;
    }
    assert_eq!(scene.journal().len(), 4, "{:?}", scene.journal());
}

#[tokio::test]
async fn who_was_slower_reads_again() {
    let scene = Scene::open(&[OLD]).await;
    scene.api.shared().with(|store| store.conflicts = 3);
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    // As many as it bears, and then more: it comes again.
    scene.api.shared().with(|store| store.conflicts = 12);
    scene.edit(|spec| spec["replicas"] = json!(3));
    scene.until_as_wanted(3).await;
    assert_eq!(scene.api.shared().with(|store| store.conflicts), 0);
    assert!(
        scene
            .log()
            .contains("faster than its status can be written"),
        "{}",
        scene.log()
    );
    assert_eq!(scene.journal().len(), 3, "{:?}", scene.journal());
}

#[tokio::test]
async fn a_resource_that_makes_no_sense_says_what_to_fix_and_moves_nothing() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    let good = scene.fleet(OLD, 2)["spec"].clone();
    let wrong: [(&str, Value, &str); 6] = [
        (
            "replicas",
            json!("two"),
            "see `kubectl explain chrysalisfleet.spec`",
        ),
        ("image", json!({}), "take it from `chrysalis measure`"),
        ("platform", json!("sev"), "unknown variant `sev`"),
        ("maxUnavailable", json!(0), "set one of them to 1"),
        (
            "model",
            json!("other"),
            "set spec.model to one of its names, such as smollm2",
        ),
        (
            "template",
            json!({"spec": {"containers": []}}),
            "spec.template has no container `host`",
        ),
    ];
    for (field, value, word) in wrong {
        scene.edit(|spec| {
            *spec = good.clone();
            spec[field] = value;
        });
        scene.until(word, |it| it.message().contains(word)).await;
        assert_eq!(scene.status()["conditions"][0]["reason"], "Malformed");
    }
    // One that makes no sense keeps no other from being looked after.
    let mut other = scene.fleet(OLD, 1);
    other["metadata"]["name"] = json!("other");
    scene.create(other);
    let key: Key = ("chrysalisfleets", "default".to_owned(), "other".to_owned());
    scene
        .until("the other", |it| {
            it.api
                .shared()
                .with(|store| store.get(&key).unwrap()["status"]["serving"] == 1)
        })
        .await;
    scene.edit(|spec| *spec = good);
    scene
        .until("sense", |it| {
            it.status()["conditions"][0]["status"] == "True"
        })
        .await;
    assert_eq!(scene.journal().len(), 3, "{:?}", scene.journal());
}

#[tokio::test]
async fn a_pod_that_only_looks_like_the_fleets_is_left_alone() {
    let scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 1));
    scene.until_as_wanted(1).await;
    let stranger = json!({
        "metadata": {"name": "stranger", "labels": {"chrysalis.example/fleet": "small"}},
        "spec": {"nodeSelector": {"a": "b"}, "containers": []}
    });
    scene.api.shared().with(|store| {
        store
            .create(&crate::support::store::KINDS[1], "default", stranger)
            .unwrap()
    });
    scene.edit(|spec| spec["replicas"] = json!(0));
    scene
        .until("the fleet's end", |it| {
            it.pods().len() == 1 && it.status()["replicas"] == 0
        })
        .await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(name(&scene.pods()[0]), "stranger");
}

#[tokio::test]
async fn a_pod_without_a_node_is_waited_for_and_goes_when_it_is_not_wanted() {
    let scene = Scene::open(&[OLD]).await;
    let mut fleet = scene.fleet(OLD, 1);
    fleet["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "node"});
    scene.create(fleet);
    scene
        .until("word of it", |it| {
            it.message().contains("has not started") && it.status()["replicas"] == 1
        })
        .await;
    scene.edit(|spec| spec["replicas"] = json!(0));
    scene.until_as_wanted(0).await;
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_does_nothing() {
    let mut scene = Scene::open(&[OLD]).await;
    scene.create(scene.fleet(OLD, 2));
    scene.until_as_wanted(2).await;
    scene.end_operator(Signal::TERM).await;
    scene.edit(|spec| spec["replicas"] = json!(3));
    let plan = scene.command("plan").output().await.unwrap();
    assert!(plan.status.success(), "{plan:?}");
    assert_eq!(
        String::from_utf8(plan.stdout).unwrap(),
        "fleet small:\n  start a machine\n"
    );
    scene.edit(|spec| spec["replicas"] = json!(1));
    let plan = scene.command("plan").output().await.unwrap();
    let said = String::from_utf8(plan.stdout).unwrap();
    assert!(said.starts_with("fleet small:\n  drain small-"), "{said}");
    scene.edit(|spec| spec["replicas"] = json!(2));
    let plan = scene.command("plan").output().await.unwrap();
    assert_eq!(
        String::from_utf8(plan.stdout).unwrap(),
        "fleet small:\n  nothing to do\n"
    );
    assert_eq!(scene.journal().len(), 2, "{:?}", scene.journal());
    scene.api.stop().await;
    let plan = scene.command("plan").output().await.unwrap();
    assert_eq!(plan.status.code(), Some(2));
}

#[tokio::test]
async fn an_operator_without_what_it_needs_says_so() {
    let scene = Scene::open(&[OLD]).await;
    std::fs::write(scene.path("drain.secret"), "short").unwrap();
    let refused = scene.command("run").output().await.unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("openssl rand -hex 32"), "{said}");
}
