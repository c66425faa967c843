//! What is compiled here: the kernel, the driver's modules, engines, the measured programs, and the verifier for browsers, with pinned
//! toolchains, in a chamber that shows them nothing of this machine.

pub mod binaries;
pub mod bytecode;
mod cargo;
pub mod chamber;
pub mod cmake;
mod crates;
pub mod kernel;
pub mod rust;
pub mod toolchain;
pub mod wasm;
pub mod workspace;
