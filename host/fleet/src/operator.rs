//! The glue: reads what is wanted and what is there, asks [`chrysalis_fleet::reconcile()`] what to do, does it, and writes down what it waits
//! for. It remembers nothing that counts: whoever takes its place goes on where it was.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use chrysalis_fleet::{Action, Image, reconcile};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams, Preconditions},
};
use tokio::time::{error::Elapsed, timeout};

use crate::{
    host::{self, Drained},
    look::{Seen, look},
    pods::{self, Life},
    policy::{Accepted, PolicyOptions},
    resource::{ChrysalisFleet, FleetStatus},
    secret::{Secret, random_end},
    status::{self, Reason},
    wish::{Malformed, Wish},
};

/// The longest that the API server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a status is written anew after somebody else changed the resource.
const CONFLICTS: usize = 8;

/// Why nothing more can be done just now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the API server refuses or does not answer: {0}")]
    Api(#[from] Box<kube::Error>),
    #[error("the API server takes longer than {} s", PATIENCE.as_secs())]
    Slow(#[from] Elapsed),
    #[error("the resource changes faster than its status can be written")]
    Conflicts,
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// Takes care of the fleets of one namespace.
pub(crate) struct Operator {
    pub(crate) fleets: Api<DynamicObject>,
    pub(crate) pods: Api<Pod>,
    pub(crate) resource: ApiResource,
    pub(crate) namespace: String,
    pub(crate) policy: PolicyOptions,
    pub(crate) secret: Secret,
    /// How long a place stays empty after a pod failed that was younger than this: seconds.
    pub(crate) backoff: i64,
    /// Pods that were told to drain. A hint: their hosts say so as well, until they have ended.
    told: Mutex<BTreeSet<String>>,
}

/// What is to be done for a fleet.
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
    pub(crate) reason: Reason,
    pub(crate) waits: Vec<String>,
    wish: Option<Wish>,
    seen: Vec<Seen>,
    status: FleetStatus,
}

impl Operator {
    pub(crate) fn new(
        client: Client,
        namespace: String,
        policy: PolicyOptions,
        secret: Secret,
        backoff: i64,
    ) -> Self {
        let resource = ApiResource::erase::<ChrysalisFleet>(&());
        Self {
            fleets: Api::namespaced_with(client.clone(), &namespace, &resource),
            pods: Api::namespaced(client, &namespace),
            resource,
            namespace,
            policy,
            secret,
            backoff,
            told: Mutex::default(),
        }
    }

    /// Looks after one fleet, once.
    pub(crate) async fn tend(&self, name: &str) -> Result<(), Trouble> {
        let fleet = timeout(PATIENCE, self.fleets.get_opt(name)).await??;
        // Of a fleet that is deleted, Kubernetes deletes the pods, and their kubelets drain them.
        let Some(fleet) = fleet.filter(|it| it.metadata.deletion_timestamp.is_none()) else {
            return Ok(());
        };
        let mut plan = self.plan(&fleet).await?;
        for action in std::mem::take(&mut plan.actions) {
            if let Some(waits) = self.act(&fleet, &plan, action).await? {
                plan.waits.push(waits);
            }
        }
        self.report(fleet, plan).await
    }

    /// What to do next.
    pub(crate) async fn plan(&self, fleet: &DynamicObject) -> Result<Plan, Trouble> {
        let before = status::of(fleet);
        let wish = match Wish::of(fleet) {
            Ok(wish) => wish,
            Err(Malformed(what)) => return Ok(Plan::stuck(Reason::Malformed, what, before)),
        };
        let of_fleet = ListParams::default().labels(&pods::selector(&fleet.name_any()));
        let pods = timeout(PATIENCE, self.pods.list(&of_fleet)).await??;
        let mut pods = pods.items;
        pods.retain(|pod| pods::is_owned(pod, fleet));
        let mut seen = look(pods).await;
        if let Ok(told) = self.told.lock() {
            for it in &mut seen {
                it.is_told = told.contains(&it.name());
            }
        }
        let status = status::count(&before, fleet, &seen, &wish.image());
        let accepted = match self.policy.read(before.network.as_ref()) {
            Ok(accepted) => accepted,
            Err(error) => {
                return Ok(Plan::stuck(
                    Reason::PolicyUnreadable,
                    format!("{error:#}"),
                    status,
                ));
            }
        };
        Ok(self.weigh(wish, seen, &accepted, status))
    }

    fn weigh(
        &self,
        wish: Wish,
        seen: Vec<Seen>,
        accepted: &Accepted,
        mut status: FleetStatus,
    ) -> Plan {
        status.network = accepted.seen().cloned();
        if let Some(what) = accepted.refuses_model(&wish.spec.model) {
            return Plan::stuck(Reason::Malformed, what, status);
        }
        let spec = match wish.for_machines(accepted_images(&wish, &seen, accepted)) {
            Ok(spec) => spec,
            Err(Malformed(what)) => return Plan::stuck(Reason::Malformed, what, status),
        };
        let machines: Vec<_> = seen.iter().map(Seen::machine).collect();
        let mut actions = reconcile(&spec, &machines);
        let mut waits: Vec<_> = seen.iter().filter_map(Seen::waits_for).collect();
        let now = Timestamp::now();
        let early: Vec<_> = seen
            .iter()
            .filter(|it| it.failed_early(now, self.backoff))
            .map(Seen::name)
            .collect();
        if !early.is_empty() {
            waits.push(format!(
                "nothing is started in place of {} for {} s",
                early.join(", "),
                self.backoff
            ));
            actions.retain(|it| match it {
                Action::Start(_) => false,
                Action::Remove(name) => !early.contains(name),
                Action::Drain(_) => true,
            });
        }
        let reason = if spec.is_accepted() {
            let is_done = actions.is_empty() && waits.is_empty();
            if is_done {
                Reason::AsWanted
            } else {
                Reason::Progressing
            }
        } else {
            let (image, policy) = (&wish.spec.image, accepted.name());
            let what = format!(
                "{image} is not in {policy}: publish it there first, the fleet stays as it is until then"
            );
            waits.insert(0, what);
            Reason::NotInPolicy
        };
        Plan {
            actions,
            reason,
            waits,
            wish: Some(wish),
            seen,
            status,
        }
    }

    /// Does one thing, and says what is in its way.
    async fn act(
        &self,
        fleet: &DynamicObject,
        plan: &Plan,
        action: Action,
    ) -> Result<Option<String>, Trouble> {
        let of_name = |name: &str| plan.seen.iter().find(|it| it.name() == name);
        let done = match &action {
            Action::Start(_) => match &plan.wish {
                Some(wish) => self.start(fleet, wish).await,
                None => Ok(None),
            },
            Action::Remove(name) => match of_name(name) {
                Some(seen) => self.delete(fleet, seen, "it has ended").await,
                None => Ok(None),
            },
            Action::Drain(name) => match of_name(name) {
                Some(seen) => self.drain(fleet, seen).await,
                None => Ok(None),
            },
        };
        match done {
            // The cluster's answer is about this one action: the others go on.
            Err(Trouble::Api(error)) if matches!(*error, kube::Error::Api(_)) => {
                Ok(Some(refusal(&action, &error)))
            }
            other => other,
        }
    }

    async fn start(&self, fleet: &DynamicObject, wish: &Wish) -> Result<Option<String>, Trouble> {
        let end = match random_end() {
            Ok(end) => end,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let name = format!("{}-{end}", fleet.name_any());
        let digest = self.secret.digest(&self.namespace, &name);
        let pod = pods::build(fleet, &self.resource, wish, &name, &digest);
        timeout(PATIENCE, self.pods.create(&PostParams::default(), &pod)).await??;
        say(fleet, &format!("starts {name}, revision {}", wish.revision));
        Ok(Some(format!("{name} has not started")))
    }

    async fn drain(&self, fleet: &DynamicObject, seen: &Seen) -> Result<Option<String>, Trouble> {
        let name = seen.name();
        if seen.life == Life::Waits {
            return self
                .delete(
                    fleet,
                    seen,
                    "it has not started, and is not wanted any more",
                )
                .await;
        }
        let Some(address) = pods::probes(&seen.pod) else {
            return Ok(Some(format!("{name} should drain, and has no address")));
        };
        let drained = host::drain(&address, &self.secret.token(&self.namespace, &name)).await;
        let why = match drained {
            Ok(Drained::Begun) => {
                say(fleet, &format!("drains {name}"));
                if let Ok(mut told) = self.told.lock() {
                    told.insert(name.clone());
                }
                return Ok(Some(format!("{name} finishes what it does")));
            }
            Ok(Drained::Refused(said)) => {
                format!("its host does not take this operator's word ({said})")
            }
            // It may serve clients: nobody else is drained in its place, either.
            Err(error) if pods::is_ready(&seen.pod) => {
                return Ok(Some(format!(
                    "{name} should drain, and is cut off from the operator: {error}; see who may reach its port `metrics`"
                )));
            }
            Err(error) => format!("its host does not answer ({error})"),
        };
        self.delete(fleet, seen, &format!("{why}, so its kubelet drains it"))
            .await
    }

    /// Deletes this pod, and no other of its name. One that runs is drained by its kubelet, which has the grace of its template.
    async fn delete(
        &self,
        fleet: &DynamicObject,
        seen: &Seen,
        why: &str,
    ) -> Result<Option<String>, Trouble> {
        let name = seen.name();
        let how = DeleteParams {
            preconditions: Some(Preconditions {
                uid: seen.pod.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match timeout(PATIENCE, self.pods.delete(&name, &how)).await? {
            Ok(_) => say(fleet, &format!("deletes {name}: {why}")),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// Writes the status, unless it says all of it already.
    async fn report(&self, mut fleet: DynamicObject, plan: Plan) -> Result<(), Trouble> {
        let Plan {
            reason,
            waits,
            mut status,
            ..
        } = plan;
        let before = status::of(&fleet);
        status.observed_generation = fleet.metadata.generation.unwrap_or_default();
        status::conclude(
            &mut status,
            fleet.metadata.generation,
            reason,
            &waits,
            Timestamp::now(),
        );
        if status::message(&status) != status::message(&before) || before.conditions.is_empty() {
            let message = status::message(&status);
            say(
                &fleet,
                if message.is_empty() {
                    "all is as wanted"
                } else {
                    message
                },
            );
        }
        let name = fleet.name_any();
        for _ in 0..CONFLICTS {
            if status::of(&fleet) == status {
                return Ok(());
            }
            fleet.data["status"] = serde_json::to_value(&status).unwrap_or_default();
            let how = PostParams::default();
            let written = self.fleets.replace_status(&name, &how, &fleet);
            match timeout(PATIENCE, written).await? {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(refused)) if refused.code == 404 => return Ok(()),
                Err(kube::Error::Api(refused)) if refused.code == 409 => {}
                Err(error) => return Err(error.into()),
            }
            // Somebody changed it: what they want is looked at next, and this is about what it was.
            match timeout(PATIENCE, self.fleets.get_opt(&name)).await?? {
                Some(now) => fleet = now,
                None => return Ok(()),
            }
        }
        Err(Trouble::Conflicts)
    }
}

impl Plan {
    /// Nothing can be done.
    fn stuck(reason: Reason, what: String, status: FleetStatus) -> Self {
        Self {
            actions: Vec::new(),
            reason,
            waits: vec![what],
            wish: None,
            seen: Vec::new(),
            status,
        }
    }
}

/// Which of the images that are wanted or there are accepted.
fn accepted_images(wish: &Wish, seen: &[Seen], accepted: &Accepted) -> BTreeSet<Image> {
    let wanted = accepted
        .accepts(wish.spec.platform, &wish.spec.image)
        .then(|| wish.image());
    let there = seen.iter().filter(|it| {
        pods::measured(&it.pod).is_some_and(|(platform, image)| accepted.accepts(platform, &image))
    });
    there
        .map(|it| pods::image_of(&it.pod))
        .chain(wanted)
        .collect()
}

fn refusal(action: &Action, error: &kube::Error) -> String {
    let what = match action {
        Action::Start(_) => "start a machine".to_owned(),
        Action::Drain(name) | Action::Remove(name) => format!("delete {name}"),
    };
    let why = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    format!("the cluster does not {what}: {why}")
}

/// One line of the log.
pub(crate) fn say(fleet: &DynamicObject, what: &str) {
    eprintln!("fleet {}: {what}", fleet.name_any());
}
