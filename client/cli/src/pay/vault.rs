//! A purse's lanes, as the proxy has them locked while it runs.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow, bail};
use chrysalis_chain::{
    Toncenter, address,
    purse::{self, Action, Lock},
};
use chrysalis_client::network::{Open, Order, Purse};
use chrysalis_network::Chain;
use chrysalis_settle::Sign;

use super::{
    folder::Folder,
    options::Ordering,
    order::{Seen, carry_out, look},
    status::adopt,
};

/// A purse, its chain, and its owner's key.
pub(crate) struct Vault {
    folder: Folder,
    chain: Toncenter,
    owner: Box<dyn Sign + Send + Sync>,
}

impl Vault {
    /// Opens it, if it is one of this network's chain.
    pub(crate) fn open(ordering: &Ordering, network: &Chain) -> anyhow::Result<Arc<Self>> {
        let folder = ordering.asking.which.open()?;
        if folder.keys().network != network.global_id {
            bail!(
                "the purse is on chain {}, and the network is paid on chain {}\nhint: name another purse with --purse",
                folder.keys().network,
                network.global_id
            );
        }
        if purse::code().repr_hash().0 != network.purse.0 {
            bail!(
                "the network wants purses with other code than this program makes\nhint: use the release that its descriptor is for"
            );
        }
        Ok(Arc::new(Self {
            chain: folder.chain(ordering.asking.chain_key_file.as_deref())?,
            owner: Box::new(folder.owner(ordering.passphrase_file.as_deref())?),
            folder,
        }))
    }

    fn open_lanes(&self) -> anyhow::Result<Vec<Open>> {
        let seen = look(&self.chain, self.folder.keys())?;
        adopt(&self.folder, &seen)?;
        let lanes = seen.state.iter().flat_map(|state| state.lanes.keys());
        Ok(lanes
            .filter_map(|number| self.lane(&seen, *number))
            .collect())
    }

    /// A lane that is open, in workchain 0, and whose key is here.
    fn lane(&self, seen: &Seen, number: u32) -> Option<Open> {
        let lane = seen.state.as_ref()?.lanes.get(&number)?;
        let usable = lane.closes_at == 0 && lane.payee.workchain == 0;
        let key = self.folder.lane_key(number).ok()?;
        (usable && key == lane.spend_key).then_some(())?;
        Some(Open {
            lane: self.folder.lane(number).ok()?,
            payee: lane.payee.address.0,
            locked: lane.locked,
            paid: lane.paid,
        })
    }

    fn ordered(&self, order: &Order) -> anyhow::Result<Open> {
        let before = look(&self.chain, self.folder.keys())?;
        adopt(&self.folder, &before)?;
        let payee = format!("0:{}", hex::encode(order.payee));
        let payee = address::parse(&payee).context("the payee has no address")?;
        let known = order.lane.map(|number| {
            let lane = before
                .state
                .as_ref()
                .and_then(|state| state.lanes.get(&number));
            lane.cloned()
                .ok_or_else(|| anyhow!("there is no lane {number}"))
        });
        let (lock, path) = if let Some(lane) = known.transpose()? {
            let lock = Lock {
                lane: order.lane.unwrap_or_default(),
                payee: lane.payee,
                amount: order.amount,
                close_delay: lane.close_delay,
                spend_key: lane.spend_key,
            };
            (lock, None)
        } else {
            let (path, spend_key) = self.folder.new_lane()?;
            let lock = Lock {
                lane: 0,
                payee,
                amount: order.amount,
                close_delay: u32::try_from(order.delay).unwrap_or(u32::MAX),
                spend_key,
            };
            (lock, Some(path))
        };
        let spend_key = lock.spend_key;
        let after = carry_out(
            &self.chain,
            self.folder.keys(),
            &*self.owner,
            Action::Lock(lock),
        )?;
        let state = after.state.as_ref().context("there is no purse")?;
        let mut lanes = state.lanes.iter();
        let number = lanes.find(|(_, lane)| lane.spend_key == spend_key);
        let number = *number.context("there is no lane with its key")?.0;
        self.named(path.as_deref(), number)?;
        self.lane(&after, number).context("the lane cannot be used")
    }

    fn named(&self, path: Option<&Path>, number: u32) -> anyhow::Result<()> {
        path.map_or(Ok(()), |path| self.folder.number_lane(path, number))
    }
}

impl Purse for Vault {
    fn lanes(&self) -> Result<Vec<Open>, String> {
        self.open_lanes().map_err(|error| format!("{error:#}"))
    }

    fn lock(&self, order: &Order) -> Result<Open, String> {
        self.ordered(order).map_err(|error| format!("{error:#}"))
    }
}
