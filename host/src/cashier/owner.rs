//! Whose database it is: one payee's, on one chain.

use anyhow::{anyhow, bail};
use chrysalis_chain::Chain;
use tycho_types::models::StdAddr;

use super::book::{Book, Owner, explained};
use crate::talk::say;

/// Takes the database for this payee and this chain, or says why it is another's. Gives the chain's global id, as far as it is known.
pub(super) fn claim(
    book: &mut Book,
    payee: &StdAddr,
    chain: &dyn Chain,
) -> anyhow::Result<Option<i32>> {
    let before = of(book)?;
    if let Some(before) = &before
        && before.payee != *payee
    {
        bail!(
            "the cashier's database is for the payee {}, not {payee}\nhint: keep another payee's in another file, with --cashier; \
             `chrysalis-host cashier watch` goes on claiming from this one",
            before.payee
        );
    }
    let known = before.and_then(|before| before.network);
    let network = match chain.global_id() {
        Ok(found) => {
            same_chain(known, found)?;
            Some(found)
        }
        Err(error) => {
            say(format_args!(
                "no lane can be used yet: {error}\nhint: {}",
                error.hint()
            ));
            known
        }
    };
    let owner = Owner {
        payee: payee.clone(),
        network,
    };
    book.set_owner(&owner)
        .map_err(|error| anyhow!(explained(&error)))?;
    Ok(network)
}

/// Whose it is, where it was used before.
pub(super) fn of(book: &Book) -> anyhow::Result<Option<Owner>> {
    book.owner()
        .map_err(|error| anyhow!("the cashier's database: {}", explained(&error)))
}

/// Refuses a chain that is not the database's.
pub(super) fn same_chain(known: Option<i32>, found: i32) -> anyhow::Result<()> {
    match known {
        Some(known) if known != found => bail!(
            "the chain's global id is {found}, and the cashier's database is of the chain {known}\n\
             hint: name a server of that chain with --chain, or another database with --cashier"
        ),
        _ => Ok(()),
    }
}
