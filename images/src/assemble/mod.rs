//! What is put together: initrd, firmware and disks, whose bytes depend on their contents alone; and the folders that hold
//! them, the image's and the model's.

mod contents;
pub mod cpio;
mod driver;
mod firmware;
pub mod folder;
pub mod image;
pub mod squashfs;
pub mod variables;
pub mod verity;
pub mod weights;
