//! What is put together: initrd, firmware and disks, whose bytes depend on their contents alone; and the folders that hold
//! them, the image's and the model's.

pub mod card;
pub mod configuration;
mod contents;
pub mod cpio;
pub mod disk;
mod driver;
pub mod engine;
mod firmware;
pub mod folder;
pub mod image;
pub mod model;
mod packages;
pub mod squashfs;
pub mod tree;
pub mod variables;
pub mod verity;
pub mod weights;
