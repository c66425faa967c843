//! A network in place of one enclave: each request goes to a provider that is verified, cheap and well, and to another if that one fails
//! before its first piece (docs/spec/network.md).

mod answer;
mod attempt;
mod known;
mod meaning;
mod pool;
mod provider;
mod proxy;
mod roster;
mod settings;
mod told;
mod warm;
mod why;

pub(super) use self::{answer::answer, pool::Pool};
pub use self::{
    proxy::NetworkProxy,
    settings::{Network, Summary, Verified},
};
