//! The publisher's, the auditor's and the relying party's verbs about releases, by the built programs.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

mod docs;
mod guide;
mod network;
mod page;
mod room;
mod verbs;
