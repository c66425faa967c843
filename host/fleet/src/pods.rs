//! A machine as Kubernetes has it: one pod. How one is made, and what one says about itself.

use chrysalis_fleet::Image;
use k8s_openapi::{
    api::core::v1::{Container, EnvVar, Pod, PodTemplateSpec},
    jiff::Timestamp,
};
use kube::{
    Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ObjectMeta},
};

use crate::{
    resource::{GROUP, Measurements, Platform},
    wish::{HOST, Wish, host_of, image, metrics_port},
};

/// What the host's options are called in the environment.
const OPTION: &str = "CHRYSALIS_RUN_";

/// Where a machine is in its life, as far as the cluster knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// No container runs yet.
    Waits,
    /// It can be asked.
    Runs,
    /// Somebody deleted it: the kubelet drains it.
    Goes,
    /// It ended as it should.
    Ended,
    /// It ended otherwise.
    Failed,
}

/// By which labels the pods of a fleet are found.
pub(crate) fn selector(fleet: &str) -> String {
    format!("{GROUP}/fleet={fleet}")
}

/// A new pod.
pub(crate) fn build(
    fleet: &DynamicObject,
    resource: &ApiResource,
    wish: &Wish,
    name: &str,
    token_digest: &str,
) -> Pod {
    let PodTemplateSpec { metadata, spec } = wish.template.clone();
    let ObjectMeta {
        labels,
        annotations,
        ..
    } = metadata.unwrap_or_default();
    let mut labels = labels.unwrap_or_default();
    labels.insert(format!("{GROUP}/fleet"), fleet.name_any());
    let mut annotations = annotations.unwrap_or_default();
    let measured = serde_json::to_string(&wish.spec.image).unwrap_or_default();
    annotations.insert(annotation("image"), measured);
    let platform = wish.spec.platform.name().to_owned();
    annotations.insert(annotation("platform"), platform);
    annotations.insert(annotation("revision"), wish.revision.clone());
    let mut spec = spec.unwrap_or_default();
    // What has drained must not begin again, and what has crashed should, even while no operator looks.
    spec.restart_policy = Some("OnFailure".to_owned());
    if let Some(host) = spec.containers.iter_mut().find(|it| it.name == HOST) {
        set_options(host, wish, token_digest);
    }
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: fleet.namespace(),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: fleet.controller_owner_ref(resource).map(|it| vec![it]),
        ..ObjectMeta::default()
    };
    Pod {
        metadata,
        spec: Some(spec),
        status: None,
    }
}

fn set_options(host: &mut Container, wish: &Wish, token_digest: &str) {
    let all = [
        ("PLATFORM", Some(wish.spec.platform.name().to_owned())),
        ("PAYEE", wish.spec.payee.clone()),
        ("FLOOR", wish.spec.floor.map(|it| it.to_string())),
        ("DRAIN_TOKEN_SHA256", Some(token_digest.to_owned())),
    ];
    let environment = host.env.get_or_insert_default();
    for (option, value) in all {
        let name = format!("{OPTION}{option}");
        environment.retain(|it| it.name != name);
        environment.extend(value.map(|value| EnvVar {
            name,
            value: Some(value),
            value_from: None,
        }));
    }
}

/// On what a pod was started, and what is measured of its image there.
pub(crate) fn measured(pod: &Pod) -> Option<(Platform, Measurements)> {
    let marks = pod.annotations();
    let platform = marks.get(&annotation("platform"))?.as_str();
    let platform = serde_json::from_value(platform.into()).ok()?;
    let measured = serde_json::from_str(marks.get(&annotation("image"))?).ok()?;
    Some((platform, measured))
}

/// What it runs. One whose marks somebody removed runs what nobody accepts.
pub(crate) fn image_of(pod: &Pod) -> Image {
    let revision = pod.annotations().get(&annotation("revision"));
    match (measured(pod), revision) {
        (Some((_, measured)), Some(revision)) => image(&measured, revision),
        _ => Image(Vec::new()),
    }
}

/// Whether the fleet owns it, and not only its labels say so.
pub(crate) fn is_owned(pod: &Pod, fleet: &DynamicObject) -> bool {
    let mut owners = pod.owner_references().iter();
    fleet.uid().is_some()
        && owners.any(|it| it.controller == Some(true) && Some(&it.uid) == fleet.uid().as_ref())
}

/// How far it is.
pub(crate) fn life(pod: &Pod) -> Life {
    let status = pod.status.as_ref();
    match status.and_then(|it| it.phase.as_deref()) {
        Some("Succeeded") => Life::Ended,
        Some("Failed") => Life::Failed,
        _ if pod.meta().deletion_timestamp.is_some() => Life::Goes,
        Some("Running") => Life::Runs,
        _ => Life::Waits,
    }
}

/// Where its host answers probes.
pub(crate) fn probes(pod: &Pod) -> Option<String> {
    let address = pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok()?;
    let port = metrics_port(host_of(&pod.spec.as_ref()?.containers)?)?;
    Some(std::net::SocketAddr::new(address, port).to_string())
}

/// Why a pod that waits or failed does, in the cluster's words.
pub(crate) fn why(pod: &Pod) -> String {
    let Some(status) = &pod.status else {
        return String::new();
    };
    let unschedulable = status.conditions.iter().flatten().find_map(|it| {
        let refused = it.type_ == "PodScheduled" && it.status == "False";
        refused.then(|| it.message.clone()).flatten()
    });
    let waiting = status.container_statuses.iter().flatten().find_map(|it| {
        let state = it.state.as_ref()?;
        let waits = state
            .waiting
            .as_ref()
            .and_then(|it| it.message.clone().or(it.reason.clone()));
        let ended = state.terminated.as_ref();
        waits.or_else(|| ended.map(|it| format!("exit code {}", it.exit_code)))
    });
    let said = status.message.clone().or(status.reason.clone());
    let why = unschedulable.or(said).or(waiting);
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

/// Whether its kubelet finds it ready for clients.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let all = pod
        .status
        .iter()
        .flat_map(|it| it.container_statuses.iter().flatten());
    all.into_iter().any(|it| it.name == HOST && it.ready)
}

/// Seconds since it was made.
pub(crate) fn age(pod: &Pod, now: Timestamp) -> i64 {
    let made = pod.meta().creation_timestamp.as_ref();
    made.map_or(i64::MAX, |made| {
        now.as_second().saturating_sub(made.0.as_second())
    })
}

fn annotation(name: &str) -> String {
    format!("{GROUP}/{name}")
}
