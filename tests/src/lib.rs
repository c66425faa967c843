//! What the tests share: a provider's machine, a lying one, evidence that lies, of CPUs and of GPUs, and where the built things are.

#![forbid(unsafe_code)]

pub mod composite;
pub mod epochs;
pub mod forward;
pub mod lies;
pub mod machine;
pub mod memory;
pub mod paths;
pub mod proxy;
pub mod publisher;
pub mod relay;
pub mod scene;
pub mod schema;
pub mod sealed;
