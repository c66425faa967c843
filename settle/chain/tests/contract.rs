//! The contract that this crate deploys.

use chrysalis_chain::purse;

#[test]
fn the_contract_is_the_one_that_is_specified() {
    let specified = include_str!("../../contracts/purse.hash").trim();
    assert_eq!(purse::code().repr_hash().to_string(), specified);
}
