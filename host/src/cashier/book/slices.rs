//! What the enclaves of a fleet were handed of a lane, and which of them signs with which key.

use std::collections::BTreeMap;

use super::{Book, Result, sql::Row};
use crate::cashier::{
    ceiling,
    lane::LaneId,
    slice::{self, EnclaveId, Slice},
};

impl Book {
    /// How far the enclave may go on the lane, which is kept for it until then. Others that ask meanwhile wait.
    pub(crate) fn slice(
        &mut self,
        id: LaneId,
        enclave: EnclaveId,
        money: &ceiling::Lane,
        now: i64,
    ) -> Result<u64> {
        self.db.change(|change| {
            let lane = [(&id.purse).into(), id.lane.into()];
            let sql = "SELECT lane FROM lanes WHERE purse = $1 AND lane = $2";
            change.rows(&format!("{sql}{}", change.for_update()), &lane)?;
            let keys = change.rows("SELECT receipt_key, enclave FROM enclaves", &[])?;
            let keys = keys.iter().map(|row| Ok((row.get("receipt_key")?, row.get("enclave")?)));
            let keys: BTreeMap<[u8; 32], EnclaveId> = keys.collect::<Result<_>>()?;
            let sql = "SELECT enclave, ceiling, until FROM slices WHERE purse = $1 AND lane = $2";
            let slices = change.rows(sql, &lane)?;
            let slices: Vec<Slice> = slices.iter().map(read).collect::<Result<_>>()?;
            let ceiling = slice::ceiling(money, &keys, &slices, enclave, now);
            change.run(
                "INSERT INTO slices (purse, lane, enclave, ceiling, until) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (purse, lane, enclave) DO UPDATE SET ceiling = excluded.ceiling, until = excluded.until",
                &[
                    (&id.purse).into(),
                    id.lane.into(),
                    (&enclave).into(),
                    ceiling.into(),
                    now.saturating_add(slice::KEPT).into(),
                ],
            )?;
            Ok(ceiling)
        })
    }

    /// These keys are the enclave's. Whose a key was first, it stays.
    pub(crate) fn signs(&mut self, enclave: EnclaveId, keys: &[[u8; 32]]) -> Result<()> {
        self.db.change(|change| {
            for key in keys {
                let sql = "INSERT INTO enclaves (receipt_key, enclave) VALUES ($1, $2) ON CONFLICT (receipt_key) DO NOTHING";
                change.run(sql, &[key.into(), (&enclave).into()])?;
            }
            Ok(())
        })
    }

    /// The enclave is gone, and needs no more than it owes.
    pub(crate) fn release(&mut self, enclave: EnclaveId) -> Result<()> {
        self.db.run(
            "DELETE FROM slices WHERE enclave = $1",
            &[(&enclave).into()],
        )?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Slice> {
    Ok(Slice {
        enclave: row.get("enclave")?,
        ceiling: row.get("ceiling")?,
        until: row.get("until")?,
    })
}
