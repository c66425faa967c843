//! Receipts: what this enclave answered to what, signed (docs/spec/receipt.md), and what is owed for it (docs/spec/pay.md). The endpoints
//! know nothing of them, but that they count, and ask before they begin ([`Meter`]).

mod bill;
mod issue;
mod meter;
mod ticket;
mod used;

pub(super) use self::{
    issue::{Issue, Issuer, Seat},
    meter::Meter,
    ticket::{Entry, Ticket, Units, Wanted},
};
