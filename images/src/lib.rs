//! What is in the VM: a recipe and a lock in; kernel, initrd, command line and firmware out, the same bytes everywhere.
//!
//! Trusts nothing but the lock next to the recipe: every input is checked against its SHA-256 before a byte of it is
//! read. Never reads the time, the user, the locale or the directory it runs in. Three rooms, each built on the one before:
//! [`inputs`], what is written and pinned; [`compile`], what is made from source; [`assemble`], what is put together,
//! where [`assemble::image`] tells the story of a build. [`publish`] is about what is signed, and stands by itself.

#![forbid(unsafe_code)]

pub mod assemble;
pub mod compile;
pub mod digest;
pub mod error;
mod files;
pub mod inputs;
pub mod manifest;
pub mod models;
mod parallel;
mod progress;
pub mod publish;
mod tool;

pub use error::Error;
