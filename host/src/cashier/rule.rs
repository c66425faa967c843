//! What is worth a claim.

use tycho_types::models::StdAddr;

/// A claim costs at most one part in so many of what it brings, unless time presses.
const WORTH: u64 = 50;
/// What is claimed once a week all the same, in nano.
const WEEKLY: u64 = 50_000_000;
/// A week, in seconds.
const WEEK: i64 = 7 * 24 * 3600;
/// A day, in seconds.
const DAY: i64 = 24 * 3600;

/// Where the payee's account is, and so what a claim costs and must bring (docs/spec/settle.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fees {
    /// The least that a claim must bring at the main network's prices. Where they are higher, the contract refuses, which costs nothing.
    pub(crate) floor: u64,
    /// What a claim costs, where no claim has told.
    pub(crate) cost: u64,
}

impl Fees {
    /// For claims to this payee.
    pub(crate) fn of(payee: &StdAddr) -> Self {
        if payee.is_masterchain() {
            Self {
                floor: 46_435_200,
                cost: 15_566_000,
            }
        } else {
            Self {
                floor: 27_235_200,
                cost: 5_966_000,
            }
        }
    }
}

/// Whether claims wait until they are worth their fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// As long as nothing is lost by it.
    None,
    /// The provider wants what can be had.
    Asked,
    /// The lane closes, or its money goes.
    Pressing,
}

/// What is due on a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Nano that a claim would bring, fees included.
    pub(crate) nano: u64,
    /// Seconds since the tab was last paid, or first seen.
    pub(crate) waited: i64,
    /// What was due when the contract last refused a claim, and seconds since then.
    pub(crate) refused: (u64, i64),
}

impl Due {
    /// Whether to claim it now, if the last claim cost so much.
    pub(crate) fn is_worth_it(&self, fees: Fees, cost: u64, haste: Haste) -> bool {
        if self.nano < fees.floor || self.is_refused(haste) {
            return false;
        }
        haste != Haste::None
            || self.nano >= cost.saturating_mul(WORTH)
            || (self.nano >= WEEKLY && self.waited >= WEEK)
    }

    /// What the contract refused is tried again once twice as much is due, or after some time.
    fn is_refused(&self, haste: Haste) -> bool {
        let (due, since) = self.refused;
        let pause = match haste {
            Haste::None => DAY,
            Haste::Asked => 0,
            Haste::Pressing => 300,
        };
        due > 0 && self.nano < due.saturating_mul(2) && since < pause
    }
}

/// When a claim that was sent so often is sent again, in seconds.
pub(crate) fn pause(times: u32, haste: Haste) -> i64 {
    let pause = match times {
        0 | 1 => 30,
        2 => 60,
        3 => 120,
        4 => 300,
        5 => 900,
        _ => 3600,
    };
    if haste == Haste::None {
        pause
    } else {
        pause.min(300)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(nano: u64, waited: i64, haste: Haste) -> bool {
        let due = Due {
            nano,
            waited,
            refused: (0, 0),
        };
        due.is_worth_it(Fees::of(&StdAddr::default()), 6_000_000, haste)
    }

    #[test]
    fn a_claim_waits_until_it_is_worth_fifty_times_its_cost() {
        assert!(worth(300_000_000, 0, Haste::None));
        assert!(!worth(299_999_999, WEEK - 1, Haste::None));
        assert!(worth(50_000_000, WEEK, Haste::None));
        assert!(!worth(49_999_999, 100 * WEEK, Haste::None));
        for haste in [Haste::Asked, Haste::Pressing] {
            assert!(worth(27_235_200, 0, haste));
            assert!(!worth(27_235_199, 100 * WEEK, haste));
        }
    }

    #[test]
    fn what_was_refused_is_tried_again_later_or_with_more() {
        let fees = Fees::of(&StdAddr::default());
        let worth = |nano, refused, haste| {
            let due = Due {
                nano,
                waited: 0,
                refused,
            };
            due.is_worth_it(fees, 6_000_000, haste)
        };
        assert!(!worth(400_000_000, (350_000_000, DAY - 1), Haste::None));
        assert!(worth(700_000_000, (350_000_000, 0), Haste::None));
        assert!(worth(400_000_000, (350_000_000, DAY), Haste::None));
        assert!(!worth(100_000_000, (100_000_000, 299), Haste::Pressing));
        assert!(worth(100_000_000, (100_000_000, 300), Haste::Pressing));
        assert!(worth(100_000_000, (100_000_000, 0), Haste::Asked));
    }

    #[test]
    fn a_claim_is_sent_again_ever_more_rarely() {
        let pauses: Vec<i64> = (1..8).map(|times| pause(times, Haste::None)).collect();
        assert_eq!(pauses, [30, 60, 120, 300, 900, 3600, 3600]);
        assert_eq!(pause(9, Haste::Pressing), 300);
    }

    #[test]
    fn a_payee_in_the_masterchain_pays_more() {
        assert!(Fees::of(&StdAddr::new_masterchain([1; 32].into())).floor > 46_000_000);
    }
}
