//! The custom resource `ChrysalisFleet`: what a person writes, and what the operator answers. `chrysalis-fleet crd` prints its definition,
//! and every comment on a field here is what `kubectl explain` says about it.

#![allow(clippy::duplicated_attributes, reason = "columns may have one type")]

use chrysalis_attestation::encoding::digest::Hex;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Of the resource, and before what pods are marked with.
pub(crate) const GROUP: &str = "chrysalis.example";
/// The most machines of a fleet.
pub(crate) const MAX_REPLICAS: u32 = 10_000;

/// Machines that serve one model on one platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "chrysalis.example",
    version = "v1alpha1",
    kind = "ChrysalisFleet",
    namespaced,
    status = "FleetStatus",
    doc = "Machines that serve one model on one platform, and what their operator sees of them.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(json_path = ".spec.replicas", name = "Wanted", type_ = "integer"),
    printcolumn(json_path = ".status.serving", name = "Serving", type_ = "integer"),
    printcolumn(json_path = ".status.updated", name = "Updated", type_ = "integer"),
    printcolumn(json_path = ".status.listed", name = "Listed", type_ = "integer"),
    printcolumn(
        json_path = ".status.utilisation",
        name = "Utilisation",
        type_ = "string"
    ),
    printcolumn(
        json_path = ".status.conditions[0].message",
        name = "Message",
        type_ = "string"
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FleetSpec {
    /// The model, as the network's descriptor calls it.
    #[schemars(length(min = 1, max = 128))]
    pub(crate) model: String,
    /// What protects the machines' memory.
    pub(crate) platform: Platform,
    /// How many machines should serve.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = MAX_REPLICAS))]
    pub(crate) replicas: u32,
    /// What every machine should run, as `chrysalis measure` prints it. Nothing is started before the network's policy has it.
    pub(crate) image: Measurements,
    /// Who is paid, `0:…`. Without one, answers are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payee: Option<String>,
    /// The least price, in nano for 1,000,000 units of weight 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<u64>,
    /// How many of the replicas may be missing while machines are replaced.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = MAX_REPLICAS))]
    pub(crate) max_unavailable: u32,
    /// How many more than the replicas there may be meanwhile, those that drain included.
    #[serde(default)]
    #[schemars(range(min = 0, max = MAX_REPLICAS))]
    pub(crate) max_surge: u32,
    /// The pods, as a Deployment's `template` has it. It needs a container `host` with a port `metrics`. The operator sets the restart
    /// policy, and in that container the platform, payee, floor and who may drain it.
    #[schemars(schema_with = "any_object")]
    pub(crate) template: Value,
}

/// What the hardware measures of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Measurements {
    /// On snp and simulated: the launch digest, 96 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "register")]
    pub(crate) launch_digest: Option<Hex<48>>,
    /// On tdx: the firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "register")]
    pub(crate) mrtd: Option<Hex<48>>,
    /// On tdx: the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "register")]
    pub(crate) rtmr1: Option<Hex<48>>,
    /// On tdx: the command line and the initrd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "register")]
    pub(crate) rtmr2: Option<Hex<48>>,
}

impl std::fmt::Display for Measurements {
    /// Its first digits: enough for people to tell two images apart.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = [
            ("launchDigest", &self.launch_digest),
            ("mrtd", &self.mrtd),
            ("rtmr1", &self.rtmr1),
            ("rtmr2", &self.rtmr2),
        ];
        let there = named
            .iter()
            .filter_map(|(name, it)| Some((name, it.as_ref()?.to_string())));
        for (index, (name, digits)) in there.enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{name} {}…", digits.get(..12).unwrap_or(&digits))?;
        }
        Ok(())
    }
}

/// As `chrysalis-host run --platform` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Platform {
    Snp,
    Tdx,
    Simulated,
}

impl Platform {
    /// What the host's option takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Snp => "snp",
            Self::Tdx => "tdx",
            Self::Simulated => "simulated",
        }
    }
}

/// What the operator saw last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetStatus {
    /// Which change of `spec` this is about.
    #[serde(default)]
    pub(crate) observed_generation: i64,
    /// Machines that are there: those that boot, serve or drain.
    #[serde(default)]
    pub(crate) replicas: u32,
    /// By which labels their pods are found.
    #[serde(default)]
    pub(crate) selector: String,
    /// Machines that take work.
    #[serde(default)]
    pub(crate) serving: u32,
    /// Of these, the ones that run what `spec` wants.
    #[serde(default)]
    pub(crate) updated: u32,
    /// Machines that finish what they do.
    #[serde(default)]
    pub(crate) draining: u32,
    /// Machines that a directory lists; none if their hosts know no network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listed: Option<u32>,
    /// How much of the serving machines is used: 1.00 is all of it, and more is a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) utilisation: Option<String>,
    /// What clients owe and nobody has claimed, in nano; none if a cashier of several hosts keeps the book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unclaimed: Option<u64>,
    /// The newest descriptor that this fleet was compared with: an older one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<SeenNetwork>,
    /// One, `Ready`: whether all is as wanted, or what the operator waits for.
    #[serde(default)]
    pub(crate) conditions: Vec<Condition>,
}

/// A descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeenNetwork {
    pub(crate) name: String,
    pub(crate) version: u64,
    /// Of its payload.
    #[schemars(with = "String")]
    pub(crate) sha256: Hex<32>,
}

fn one() -> u32 {
    1
}

/// Whatever a pod's template may have: checked when it is read.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn register(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9a-f]{96}$"})
}
