//! What is in the VM: a recipe and a lock in; kernel, initrd, command line and firmware out, the same bytes everywhere.
//!
//! Trusts the lock beside the recipe and nothing else: every input is held against its SHA-256 before a byte of it is
//! read. Never reads the time, the user, the locale or the directory it runs in. [`image`] tells the story of a build,
//! [`weights`] that of a model's disk, [`refresh`] that of the lock, [`publish`] that of what is signed about an image.

#![forbid(unsafe_code)]

pub mod apt;
pub mod binaries;
pub mod chamber;
pub mod cpio;
pub mod digest;
pub mod driver;
pub mod error;
pub mod fetch;
pub mod folder;
pub mod image;
pub mod index;
pub mod kernel;
pub mod lock;
pub mod manifest;
pub mod package;
pub mod parallel;
pub mod progress;
pub mod publish;
pub mod recipe;
pub mod refresh;
pub mod rust;
pub mod squashfs;
pub mod toolchain;
pub mod variables;
pub mod verity;
pub mod weights;
pub mod workspace;

pub use error::Error;
