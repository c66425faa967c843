//! A cluster of one process, for tests: an API server, a kubelet, and machines that are none. What it is checked by: `make test-operator`, in
//! which the real kubectl talks to it.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "each user takes a part of it, and tests may panic"
)]

pub(crate) mod api;
pub(crate) mod kubelet;
pub(crate) mod machine;
pub(crate) mod store;
