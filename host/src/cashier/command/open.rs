//! A till for a command.

use std::sync::Arc;

use anyhow::Context;
use chrysalis_chain::server;

use crate::{
    cashier::{
        book::{Book, Owner},
        lookout::Lookout,
        options::ChainOptions,
        owner,
        till::Till,
    },
    metrics::takings::Takings,
};

/// Whose database it is; a run has written it down.
pub(super) fn owner(book: &Book) -> anyhow::Result<Owner> {
    owner::of(book)?.context(
        "the cashier's database is still empty\nhint: `chrysalis-host run` with --payee and --chain fills it",
    )
}

/// With this database, and the chain that it is of.
pub(super) fn till(book: Book, owner: Owner, chain: &ChainOptions) -> anyhow::Result<Till> {
    let server = server::open_all(&chain.chain, &chain.chain_key_file)?;
    let found = server
        .global_id()
        .map_err(|error| anyhow::anyhow!("{error}\nhint: {}", error.hint()))?;
    owner::same_chain(owner.network, found)?;
    let lookout = Lookout::new(server, owner.payee, Some(found));
    Ok(Till::new(book, lookout, Arc::new(Takings::default())))
}
