//! A custom resource, read into types: what the cluster's own checks let through is checked here, and every refusal says what to fix.

use std::collections::BTreeSet;

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_fleet::{Image, Spec};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::json;

use crate::resource::{FleetSpec, MAX_REPLICAS, Measurements, Platform};

/// The container that runs `chrysalis-host`, and the port at which it answers probes.
pub(crate) const HOST: &str = "host";
pub(crate) const METRICS: &str = "metrics";
/// The most letters of a fleet's name: that of a label's value.
const MAX_NAME: usize = 63;

/// What a person wants.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) spec: FleetSpec,
    pub(crate) template: PodTemplateSpec,
    /// A digest of all that a machine is made from: machines with another one are replaced.
    pub(crate) revision: String,
}

/// What is wrong with a resource, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) String);

impl Wish {
    /// Reads `spec`.
    pub(crate) fn of(fleet: &DynamicObject) -> Result<Self, Malformed> {
        let length = fleet.name_any().len();
        if length > MAX_NAME {
            let wrong = format!(
                "metadata.name has {length} letters: make another fleet with {MAX_NAME} at most, its pods' labels bear no more"
            );
            return Err(malformed(&wrong));
        }
        let spec = fleet.data.get("spec").cloned().unwrap_or(json!({}));
        let spec: FleetSpec = serde_json::from_value(spec).map_err(|error| {
            malformed(&format!(
                "spec cannot be read: {error}; see `kubectl explain chrysalisfleet.spec`"
            ))
        })?;
        check(&spec)?;
        let template = template_of(&spec)?;
        let made_from = json!([
            spec.platform,
            spec.image,
            spec.payee,
            spec.floor,
            spec.template
        ]);
        let digest = sha256(&[made_from.to_string().as_bytes()]);
        let revision = hex::encode(digest.get(..8).unwrap_or(&digest));
        Ok(Self {
            spec,
            template,
            revision,
        })
    }

    /// What its machines run.
    pub(crate) fn image(&self) -> Image {
        image(&self.spec.image, &self.revision)
    }

    /// For [`chrysalis_fleet::reconcile()`]; `accepted` are the images that relying parties accept.
    pub(crate) fn for_machines(&self, accepted: BTreeSet<Image>) -> Result<Spec, Malformed> {
        let FleetSpec {
            replicas,
            max_unavailable,
            max_surge,
            ..
        } = self.spec;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Spec::new(
            self.image(),
            accepted,
            count(replicas),
            count(max_unavailable),
            count(max_surge),
        )
        .map_err(|error| malformed(&error.to_string()))
    }
}

/// An image as machines are compared by: what is measured, and all else that a machine is made from.
pub(crate) fn image(measured: &Measurements, revision: &str) -> Image {
    Image(json!([measured, revision]).to_string().into_bytes())
}

/// The container that is the host's.
pub(crate) fn host_of(containers: &[Container]) -> Option<&Container> {
    containers.iter().find(|it| it.name == HOST)
}

/// Where it answers probes.
pub(crate) fn metrics_port(container: &Container) -> Option<u16> {
    let mut ports = container.ports.iter().flatten();
    let port = ports.find(|it| it.name.as_deref() == Some(METRICS))?;
    u16::try_from(port.container_port).ok()
}

/// What the schema cannot say, and what it says, for resources that are older than it.
fn check(spec: &FleetSpec) -> Result<(), Malformed> {
    let Measurements {
        launch_digest,
        mrtd,
        rtmr1,
        rtmr2,
    } = &spec.image;
    let is_td = spec.platform == Platform::Tdx;
    let td = [mrtd, rtmr1, rtmr2];
    let most = MAX_REPLICAS;
    let wrong = if spec.model.is_empty() {
        "spec.model is empty: name the model as the network's descriptor does".to_owned()
    } else if [spec.replicas, spec.max_unavailable, spec.max_surge]
        .iter()
        .any(|it| *it > most)
    {
        format!(
            "spec.replicas, maxUnavailable and maxSurge are {most} at most: make several fleets"
        )
    } else if spec.max_unavailable == 0 && spec.max_surge == 0 {
        "spec.maxUnavailable and spec.maxSurge are both 0, so no machine can be replaced: set one of them to 1".to_owned()
    } else if is_td && (td.iter().any(|it| it.is_none()) || launch_digest.is_some()) {
        "spec.image of a tdx fleet has mrtd, rtmr1 and rtmr2, and nothing else: take them from `chrysalis measure --platform tdx`".to_owned()
    } else if !is_td && (launch_digest.is_none() || td.iter().any(|it| it.is_some())) {
        "spec.image has launchDigest and nothing else on this platform: take it from `chrysalis measure`".to_owned()
    } else if spec.floor.is_some() && spec.payee.is_none() {
        "spec.floor needs spec.payee: name the account that is paid".to_owned()
    } else {
        return Ok(());
    };
    Err(malformed(&wrong))
}

fn template_of(spec: &FleetSpec) -> Result<PodTemplateSpec, Malformed> {
    let template: PodTemplateSpec =
        serde_json::from_value(spec.template.clone()).map_err(|error| {
            malformed(&format!(
                "spec.template is no pod's template: {error}; see `kubectl explain deployment.spec.template`"
            ))
        })?;
    let containers = template.spec.as_ref().map(|it| it.containers.as_slice());
    let host = host_of(containers.unwrap_or_default()).ok_or_else(|| {
        malformed("spec.template has no container `host`: name the one so that runs chrysalis-host")
    })?;
    metrics_port(host).ok_or_else(|| {
        malformed(
            "the container `host` has no port `metrics`: add {name: metrics, containerPort: 9443}, where --metrics listens",
        )
    })?;
    Ok(template)
}

fn malformed(what: &str) -> Malformed {
    Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use kube::api::ApiResource;
    use serde_json::Value;

    use super::*;
    use crate::resource::ChrysalisFleet;

    fn spec() -> Value {
        json!({
            "model": "m", "platform": "snp", "image": {"launchDigest": "ab".repeat(48)},
            "template": {"spec": {"containers": [{"name": "host", "ports": [{"name": "metrics", "containerPort": 9443}]}]}}
        })
    }

    fn read(spec: &Value) -> Result<Wish, Malformed> {
        let resource = ApiResource::erase::<ChrysalisFleet>(&());
        Wish::of(&DynamicObject::new("a", &resource).data(json!({"spec": spec})))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let wish = read(&spec()).unwrap();
        let FleetSpec {
            replicas,
            max_unavailable,
            max_surge,
            ..
        } = wish.spec;
        assert_eq!((replicas, max_unavailable, max_surge), (1, 1, 0));
    }

    #[test]
    fn the_number_of_machines_replaces_none_and_anything_else_all() {
        let revision = |field: &str, value: Value| {
            let mut changed = spec();
            changed[field] = value;
            read(&changed).unwrap().revision
        };
        let before = read(&spec()).unwrap().revision;
        assert_eq!(revision("replicas", json!(7)), before);
        assert_eq!(revision("maxSurge", json!(7)), before);
        assert_ne!(revision("payee", json!("0:5")), before);
        assert_ne!(revision("platform", json!("simulated")), before);
        assert_ne!(
            revision("image", json!({"launchDigest": "cd".repeat(48)})),
            before
        );
        let mut template = spec()["template"].clone();
        template["spec"]["nodeSelector"] = json!({"a": "b"});
        assert_ne!(revision("template", template), before);
    }

    #[test]
    fn every_refusal_says_what_to_fix() {
        let wrong = [
            ("/model", json!(""), "name the model"),
            ("/model", json!(null), "kubectl explain"),
            ("/platform", json!("sev"), "unknown variant `sev`"),
            ("/replica", json!(3), "unknown field `replica`"),
            ("/replicas", json!(10_001), "make several fleets"),
            ("/replicas", json!(-1), "kubectl explain"),
            ("/maxUnavailable", json!(0), "set one of them to 1"),
            ("/image", json!({}), "chrysalis measure"),
            (
                "/image",
                json!({"launchDigest": "AB".repeat(48)}),
                "lower-case hex",
            ),
            (
                "/image",
                json!({"launchDigest": "ab".repeat(48), "mrtd": "ab".repeat(48)}),
                "nothing else",
            ),
            ("/platform", json!("tdx"), "mrtd, rtmr1 and rtmr2"),
            ("/floor", json!(1), "spec.payee"),
            ("/template", json!({}), "no container `host`"),
            (
                "/template",
                json!({"spec": {"containers": 1}}),
                "no pod's template",
            ),
            (
                "/template",
                json!({"spec": {"containers": [{"name": "host"}]}}),
                "containerPort: 9443",
            ),
        ];
        for (field, value, word) in wrong {
            let mut changed = spec();
            changed[&field[1..]] = value;
            let refused = read(&changed).unwrap_err().to_string();
            assert!(refused.contains(word), "{field}: {refused}");
        }
    }
}
