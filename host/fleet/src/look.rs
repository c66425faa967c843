//! What is seen of a fleet: its pods, and what their hosts say.

use chrysalis_fleet::{Machine, State};
use futures_util::{StreamExt, stream};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;

use crate::{
    host::{self, Numbers, Said},
    pods::{self, Life},
};

/// How many hosts are asked at once.
const AT_ONCE: usize = 32;

/// A machine.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) pod: Pod,
    pub(crate) life: Life,
    /// What its host says, if there is one to ask.
    said: Option<Result<Said, String>>,
    /// Whether this operator has told it to drain: one that answers no more has ended, and its kubelet is about to say so.
    pub(crate) is_told: bool,
}

/// Asks all hosts.
pub(crate) async fn look(pods: Vec<Pod>) -> Vec<Seen> {
    let asking = pods.into_iter().map(|pod| async move {
        let life = pods::life(&pod);
        let asked = matches!(life, Life::Runs | Life::Goes);
        let said = match pods::probes(&pod).filter(|_| asked) {
            Some(address) => Some(host::ask(&address).await),
            None => None,
        };
        Seen {
            pod,
            life,
            said,
            is_told: false,
        }
    });
    stream::iter(asking).buffered(AT_ONCE).collect().await
}

impl Seen {
    pub(crate) fn name(&self) -> String {
        self.pod.name_any()
    }

    /// For [`chrysalis_fleet::reconcile()`].
    pub(crate) fn machine(&self) -> Machine {
        let state = match (self.life, &self.said) {
            (Life::Ended | Life::Failed, _) => State::Ended,
            (Life::Goes, _) => State::Draining,
            (Life::Runs, Some(Ok(said))) => said.state,
            (Life::Runs, Some(Err(_))) if self.is_told => State::Draining,
            // Its kubelet asks it as well, by another way: who is cut off from the operator may serve clients all the same.
            (Life::Runs, Some(Err(_))) if pods::is_ready(&self.pod) => State::Serving { load: 0 },
            (Life::Waits | Life::Runs, _) => State::Booting,
        };
        Machine {
            name: self.name(),
            image: pods::image_of(&self.pod),
            state,
        }
    }

    pub(crate) fn numbers(&self) -> Option<&Numbers> {
        match &self.said {
            Some(Ok(said)) => Some(&said.numbers),
            _ => None,
        }
    }

    /// Whether it failed so soon that the next one would as well: it stays for its log, and nothing takes its place yet.
    pub(crate) fn failed_early(&self, now: Timestamp, backoff: i64) -> bool {
        self.life == Life::Failed && pods::age(&self.pod, now) < backoff
    }

    /// What is waited for, if it does not serve.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let name = self.name();
        let load = self.numbers().and_then(|it| it.load);
        let load = load
            .map(|load| format!(" (utilisation {})", rounded(load)))
            .unwrap_or_default();
        Some(match (self.life, self.machine().state) {
            (Life::Waits, _) => format!("{name} has not started{}", pods::why(&self.pod)),
            (Life::Failed, _) => format!("{name} failed{}", pods::why(&self.pod)),
            (Life::Ended, _) => format!("{name} has ended"),
            (Life::Goes, _) => format!("{name} was deleted, and its kubelet drains it{load}"),
            (Life::Runs, State::Serving { .. }) if self.numbers().is_some() => return None,
            (Life::Runs, State::Draining) => format!("{name} finishes what it does{load}"),
            (Life::Runs, _) => match &self.said {
                Some(Err(error)) => format!("{name} does not answer: {error}"),
                None => format!("{name} has no address yet"),
                Some(Ok(_)) => format!("{name} boots"),
            },
        })
    }
}

/// Thousandths, as people read them.
pub(crate) fn rounded(load: u32) -> String {
    format!("{}.{:02}", load / 1000, load % 1000 / 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_machine_that_is_cut_off_is_what_its_kubelet_says() {
        let seen = |ready: bool, is_told: bool| {
            let status = json!({"phase": "Running", "containerStatuses": [{"name": "host", "ready": ready, "image": "", "imageID": "", "restartCount": 0}]});
            let seen = Seen {
                pod: serde_json::from_value(json!({"metadata": {"name": "a"}, "status": status}))
                    .unwrap(),
                life: Life::Runs,
                said: Some(Err("no route".to_owned())),
                is_told,
            };
            assert!(seen.waits_for().is_some(), "{seen:?}");
            seen.machine().state
        };
        assert_eq!(seen(true, false), State::Serving { load: 0 });
        assert_eq!(seen(false, false), State::Booting);
        assert_eq!(seen(true, true), State::Draining);
    }
}
