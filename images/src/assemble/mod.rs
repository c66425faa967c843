//! What is put together: initrd, firmware and disks, whose bytes depend on their contents alone; and the folders that hold
//! them. Beside each disk stands a card, and configurations are made from cards.

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
mod python;
pub mod seal;
pub mod squashfs;
pub mod tree;
pub mod variables;
pub mod verity;
