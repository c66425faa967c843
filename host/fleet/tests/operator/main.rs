//! The operator itself, as a process, with the cluster of `support`: a real client over real HTTP, an API server and a kubelet of ours,
//! and **stand-ins for machines**, which answer as `chrysalis-host` does and compute nothing. `make test-operator` lets the real kubectl talk to
//! the same cluster, and `real.rs` has real hosts and enclaves in it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod drains;
mod real;
mod rolls;
mod scene;
mod support;
mod troubles;

/// What the kubelet starts in a pod: this program, with the words that run this alone.
#[tokio::test]
#[ignore = "a pod's container: the kubelet of these tests starts it"]
async fn machine() {
    if std::env::var_os("POD_IP").is_some() {
        support::machine::run().await;
    }
}

/// A cluster for kubectl, at `$CLUSTER`.
#[tokio::test]
#[ignore = "a cluster for kubectl: make test-operator starts it"]
async fn cluster() {
    let Ok(address) = std::env::var("CLUSTER") else {
        return;
    };
    let api = support::api::Api::start(address.parse().unwrap()).await;
    support::kubelet::run(api.shared()).await;
}
