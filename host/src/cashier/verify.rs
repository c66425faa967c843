//! What a guest says is owed: read, and checked against the keys that must have signed it. Anything may be in it.

use chrysalis_settle::{Credential, Rejection, Statement, Tag};
use chrysalis_wire::host::Owed;

use super::{book::tabs::Entry, lane::LaneId};

/// Reads what is owed on a tab, and checks the receipt. The cap is not checked yet.
pub(crate) fn receipt(owed: &Owed) -> Result<Entry, Rejection> {
    let credential = Credential::decode(&owed.credential)?;
    let statement = Statement::decode(&owed.statement)?;
    let malformed = |what| Rejection::StatementMalformed { what };
    if statement.tag != Tag::Receipt {
        return Err(malformed("a cap where a receipt belongs"));
    }
    if statement.tab != credential.tab {
        return Err(malformed("cap and receipt are of two tabs"));
    }
    let lane = LaneId::read(&statement.tab.purse, statement.tab.lane);
    let lane = lane.ok_or(malformed("no contract has lane 0"))?;
    let key = owed.receipt_key.as_slice().try_into();
    let signature = owed.signature.as_slice().try_into();
    let (Ok(key), Ok(signature)) = (key, signature) else {
        return Err(Rejection::Signature);
    };
    if !statement.is_signed(&key, &signature) {
        return Err(Rejection::Signature);
    }
    Ok(Entry {
        lane,
        key: (key, statement.tab.branch),
        credential,
        statement,
        signature,
    })
}

/// Checks the cap.
pub(crate) fn cap(entry: &Entry, spend_key: &[u8; 32]) -> Result<(), Rejection> {
    entry.credential.verify(spend_key, &entry.key.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_are_refused() {
        for length in 0..200 {
            for filled in 0..4 {
                let field = |number| vec![number; if number == filled { length } else { 83 }];
                let owed = Owed {
                    credential: field(0),
                    statement: field(1),
                    signature: field(2),
                    receipt_key: field(3),
                };
                receipt(&owed).unwrap_err();
            }
        }
    }
}
