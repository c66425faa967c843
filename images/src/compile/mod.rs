//! What is compiled here: the kernel, the driver's modules, engines and the measured programs, with a pinned toolchain, in a chamber
//! that shows them nothing of this machine.

pub mod binaries;
pub mod bytecode;
mod cargo;
pub mod chamber;
pub mod cmake;
pub mod kernel;
pub mod rust;
pub mod toolchain;
pub mod workspace;
