//! What the API server keeps: five kinds of objects, and what became of them.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// A kind of object.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_namespaced: bool,
    pub(crate) has_scale: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    name: &'static str,
    is_namespaced: bool,
) -> Kind {
    Kind {
        group,
        version,
        plural,
        name,
        is_namespaced,
        has_scale: false,
    }
}

pub(crate) const KINDS: [Kind; 5] = [
    kind("", "v1", "namespaces", "Namespace", false),
    kind("", "v1", "pods", "Pod", true),
    kind("", "v1", "configmaps", "ConfigMap", true),
    kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
    ),
    Kind {
        has_scale: true,
        ..kind(
            "chrysalis.example",
            "v1alpha1",
            "chrysalisfleets",
            "ChrysalisFleet",
            true,
        )
    },
];

pub(crate) const FLEETS: &Kind = &KINDS[4];

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Plural, namespace or nothing, name.
pub(crate) type Key = (&'static str, String, String);

/// Something that became of an object.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) what: &'static str,
    pub(crate) key: Key,
    pub(crate) object: Value,
}

/// A refusal: status code, reason, message.
pub(crate) type Refusal = (u16, &'static str, String);

/// A pod that somebody asked to delete, as it was then.
#[derive(Debug, Clone)]
pub(crate) struct Deletion {
    pub(crate) name: String,
    pub(crate) phase: String,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) version: u64,
    pub(crate) objects: BTreeMap<Key, Value>,
    pub(crate) events: Vec<Event>,
    /// Watches from before this are told 410.
    pub(crate) forgotten: u64,
    /// So many status writes are answered 409 though nobody changed anything.
    pub(crate) conflicts: usize,
    pub(crate) deletions: Vec<Deletion>,
    /// Pods that were ever made.
    pub(crate) made: u64,
}

impl Store {
    pub(crate) fn create(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        mut object: Value,
    ) -> Result<Value, Refusal> {
        let name = text(&object, "/metadata/name");
        if name.is_empty() {
            return Err((422, "Invalid", "metadata.name is required".to_owned()));
        }
        let key = (kind.plural, namespace.to_owned(), name.clone());
        if self.objects.contains_key(&key) {
            return Err((
                409,
                "AlreadyExists",
                format!("{} {name:?} already exists", kind.plural),
            ));
        }
        self.made += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.made));
        metadata["creationTimestamp"] = json!(Timestamp::now().to_string());
        metadata["generation"] = json!(1);
        if kind.is_namespaced {
            metadata["namespace"] = json!(namespace);
        }
        object["status"] = match kind.plural {
            "pods" => json!({"phase": "Pending"}),
            "customresourcedefinitions" => {
                json!({"conditions": [{"type": "Established", "status": "True"}]})
            }
            _ => Value::Null,
        };
        if object["status"].is_null() {
            object.as_object_mut().unwrap().remove("status");
        }
        object["kind"] = json!(kind.name);
        object["apiVersion"] = json!(kind.api_version());
        Ok(self.put("ADDED", key, object))
    }

    pub(crate) fn get(&self, key: &Key) -> Result<&Value, Refusal> {
        self.objects
            .get(key)
            .ok_or_else(|| (404, "NotFound", format!("{} {:?} not found", key.0, key.2)))
    }

    /// Changes what is not the status.
    pub(crate) fn replace(&mut self, key: &Key, mut new: Value) -> Result<Value, Refusal> {
        let old = self.newest(key, &new)?;
        let generation = old["metadata"]["generation"].as_u64().unwrap_or(1);
        let is_changed = new["spec"] != old["spec"];
        for kept in ["uid", "creationTimestamp", "deletionTimestamp"] {
            if let Some(value) = old["metadata"].get(kept) {
                new["metadata"][kept] = value.clone();
            }
        }
        new["metadata"]["generation"] = json!(generation + u64::from(is_changed));
        match old.get("status") {
            Some(status) => new["status"] = status.clone(),
            None => drop(new.as_object_mut().unwrap().remove("status")),
        }
        Ok(self.put("MODIFIED", key.clone(), new))
    }

    /// Changes the status alone.
    pub(crate) fn replace_status(&mut self, key: &Key, new: &Value) -> Result<Value, Refusal> {
        let mut object = self.newest(key, new)?;
        if self.conflicts > 0 {
            self.conflicts -= 1;
            return Err(conflict(key));
        }
        object["status"] = new["status"].clone();
        Ok(self.put("MODIFIED", key.clone(), object))
    }

    /// What is there, unless the change is of an older one.
    fn newest(&self, key: &Key, new: &Value) -> Result<Value, Refusal> {
        let old = self.get(key)?;
        let of = text(new, "/metadata/resourceVersion");
        if !of.is_empty() && of != text(old, "/metadata/resourceVersion") {
            return Err(conflict(key));
        }
        Ok(old.clone())
    }

    /// Deletes; a pod that may run goes when its kubelet says so.
    pub(crate) fn delete(&mut self, key: &Key, how: &Value) -> Result<Value, Refusal> {
        let mut object = self.get(key)?.clone();
        let wanted = text(how, "/preconditions/uid");
        if !wanted.is_empty() && wanted != text(&object, "/metadata/uid") {
            return Err(conflict(key));
        }
        let grace = how["gracePeriodSeconds"].as_u64();
        let grace = grace
            .or(object["spec"]["terminationGracePeriodSeconds"].as_u64())
            .unwrap_or(30);
        if key.0 == "pods" {
            let phase = text(&object, "/status/phase");
            self.deletions.push(Deletion {
                name: key.2.clone(),
                phase: phase.clone(),
            });
            if phase == "Running" && grace > 0 {
                if object["metadata"]["deletionTimestamp"].is_null() {
                    object["metadata"]["deletionTimestamp"] = json!(Timestamp::now().to_string());
                    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
                    object = self.put("MODIFIED", key.clone(), object);
                }
                return Ok(object);
            }
        }
        self.remove(key);
        Ok(
            json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "details": {"name": key.2, "uid": object["metadata"]["uid"]}}),
        )
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(mut object) = self.objects.remove(key) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.tell("DELETED", key.clone(), object);
        }
    }

    fn put(&mut self, what: &'static str, key: Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key.clone(), object.clone());
        self.tell(what, key, object.clone());
        object
    }

    fn tell(&mut self, what: &'static str, key: Key, object: Value) {
        self.events.push(Event {
            version: self.version,
            what,
            key,
            object,
        });
    }
}

fn conflict(key: &Key) -> Refusal {
    (
        409,
        "Conflict",
        format!("{} {:?} has been modified; read it again", key.0, key.2),
    )
}

pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
