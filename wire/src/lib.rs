//! All that the two sides of a boundary share: the host and the enclave ([`host`], over vsock), the enclave and its
//! workers, for engines ([`room`]) and for GPUs ([`gpu`]), each over a socket pair, and the configuration that the host
//! brings and the hardware measures ([`configuration`]), with the stages of a boot ([`boot`]); and, with the feature `keys`, the
//! enclave and whoever has a sealed model's key. So are the numbers that the enclave's API and its clients agree on ([`api`]), what of
//! an answer is no filling ([`content`]), the form that audio comes and goes in ([`multipart`]), how the two who listen for HTTP on a port
//! of their own machine know whom a request is meant for ([`local`]), and how much of a listener one address may take ([`clients`]).
//!
//! Trusts nothing: every message is a length-prefixed CBOR frame ([`frame`]) whose length is bounded before a byte is
//! allocated, and a frame that does not decode to exactly one message is an error.

#![forbid(unsafe_code)]

pub mod api;
pub mod boot;
pub mod clients;
pub mod configuration;
pub mod content;
pub mod frame;
pub mod gpu;
pub mod host;
#[cfg(feature = "keys")]
pub mod keys;
pub mod local;
pub mod multipart;
pub mod room;
