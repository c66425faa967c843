//! `pay status`.

use chrysalis_chain::{
    LOCAL_ID, address,
    purse::{Lane, State},
};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    amount::gram,
    folder::Folder,
    options::Asking,
    order::{Seen, look},
};
use crate::{outcome::Outcome, printable::print, progress::during};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis pay status\n  chrysalis pay status --json")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// For programs: amounts in nano, times in Unix seconds
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) async fn run(arguments: StatusArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.asking.which.open()?;
    let chain = folder.chain(arguments.asking.chain_key_file.as_deref())?;
    let keys = folder.keys().clone();
    let looked = spawn_blocking(move || look(&chain, &keys));
    let seen = during("asking the chain", looked).await??;
    adopt(&folder, &seen)?;
    if arguments.json {
        print(&format!("{:#}\n", told(&folder, &seen)))?;
    } else {
        print(&text(&folder, &seen))?;
    }
    Ok(Outcome::Yes)
}

/// Gives the key of a lane its number, where locking the lane was not seen to its end.
pub(super) fn adopt(folder: &Folder, seen: &Seen) -> anyhow::Result<()> {
    let Some((path, key)) = folder.unnumbered()? else {
        return Ok(());
    };
    let mut lanes = seen.state.iter().flat_map(|state| &state.lanes);
    match lanes.find(|(_, lane)| lane.spend_key == key) {
        Some((number, _)) => folder.number_lane(&path, *number),
        None => Ok(()),
    }
}

fn text(folder: &Folder, seen: &Seen) -> String {
    let purse = address::friendly(&folder.keys().address());
    let local = match folder.keys().network {
        LOCAL_ID => "chain   LOCAL, nothing on it is worth anything\n",
        _ => "",
    };
    let balance = gram(seen.balance);
    let (money, rows) = match &seen.state {
        None => (format!("{balance}; no lane was ever locked"), String::new()),
        Some(state) => {
            let lanes = state.lanes.iter();
            let rows = lanes.map(|(number, lane)| row(folder, seen, *number, lane));
            let locked = gram(state.owed);
            (
                format!("{balance}, of which {locked} are locked"),
                rows.collect(),
            )
        }
    };
    format!(
        "purse   {purse}\n{local}money   {money}\n{}{rows}",
        rent_of(seen)
    )
}

/// What the chain takes, and a warning where that is more than there is for a year: an account that cannot pay its rent is frozen.
fn rent_of(seen: &Seen) -> String {
    if seen.rent == 0 {
        return String::new();
    }
    let warning = if seen.unlocked() < seen.rent {
        "; warning: what is not locked does not last a year\nhint: send money to the purse; one that cannot pay its rent is frozen"
    } else {
        ""
    };
    format!("rent    {} a year{warning}\n", gram(seen.rent))
}

fn row(folder: &Folder, seen: &Seen, number: u32, lane: &Lane) -> String {
    let stands = match lane.closes_at {
        0 => "open".to_owned(),
        at if at <= seen.at => format!("closed; free it with `chrysalis pay free {number}`"),
        at => format!("closes in {} s", at - seen.at),
    };
    let key = match folder.lane_key(number) {
        Ok(key) if key == lane.spend_key => "",
        _ => ", its key is not here",
    };
    format!(
        "lane    {number}  {} of {} paid to {}, {stands}{key}\n",
        gram(lane.paid),
        gram(lane.locked),
        address::friendly(&lane.payee)
    )
}

fn told(folder: &Folder, seen: &Seen) -> Value {
    let lane = |(number, lane): (&u32, &Lane)| {
        json!({
            "lane": number,
            "payee": address::friendly(&lane.payee),
            "locked": lane.locked,
            "paid": lane.paid,
            "close_delay": lane.close_delay,
            "closes_at": lane.closes_at,
            "tabs": lane.tabs.len(),
            "key_here": folder.lane_key(*number).is_ok_and(|key| key == lane.spend_key),
        })
    };
    let lanes = |state: &State| state.lanes.iter().map(lane).collect::<Vec<_>>();
    json!({
        "purse": address::friendly(&folder.keys().address()),
        "local": folder.keys().network == LOCAL_ID,
        "balance": seen.balance,
        "owed": seen.state.as_ref().map_or(0, |state| state.owed),
        "rent_a_year": seen.rent,
        "rent_lasts": seen.unlocked() >= seen.rent,
        "lanes": seen.state.as_ref().map(lanes).unwrap_or_default(),
        "at": seen.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_pay_a_years_rent_is_warned() {
        let told = |rent, balance| {
            let mut seen = Seen::default();
            (seen.rent, seen.balance) = (rent, balance);
            rent_of(&seen)
        };
        assert_eq!(told(0, 0), "");
        assert_eq!(told(9_500_000, 9_500_000), "rent    0.0095 GRAM a year\n");
        let warned = told(9_500_000, 9_499_999);
        assert!(
            warned.contains("does not last a year\nhint: send money"),
            "{warned}"
        );
    }
}
