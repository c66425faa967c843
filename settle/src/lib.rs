#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod allowance;
mod attested;
pub mod chain;
mod credential;
pub mod fields;
mod job;
mod kept;
pub mod money;
mod offer;
mod open;
pub mod price;
mod receipt;
mod refused;
mod rejection;
mod report;
mod statement;
mod tab;
mod tabs;
mod terms;

pub use attested::Attested;
pub use credential::{CREDENTIAL_LENGTH, Credential};
pub use job::{End, Job, JobNumber, MAX_JOB, VERSION};
pub use kept::{Content, EpochEvidence, Kept, MAX_KEPT};
pub use offer::{MAX_OFFER, Offer, PLATFORMS, SignedOffer};
pub use open::{Debt, Done, NUMBERS_KEPT, NoReceipt, OpenTab, RECEIPTS_KEPT, Running, Sign};
pub use receipt::{MAX_RECEIPT, Receipt};
pub use refused::{JobRepeated, NotAdmitted, TabsFull};
pub use rejection::Rejection;
pub use report::{MAX_REPORT, Report, SignedReport};
pub use statement::{STATEMENT_LENGTH, Statement, TabId, Tag};
pub use tab::{Expected, Standing, Tab};
pub use tabs::{MAX_BRANCHES, MAX_TABS, Tabs};
pub use terms::{MAX_BEFORE, MAX_QUOTES, MAX_TERMS, Terms};
