//! What a client has seen of a provider. Nobody else's word counts.

use std::collections::VecDeque;

/// So many outcomes are remembered.
const REMEMBERED: usize = 20;
/// Who failed is left alone for so long, in milliseconds.
const REST: u64 = 30_000;
/// A first token that takes so many times as long as the class's is slow.
const SLOW: u64 = 3;
/// What a perfect provider weighs.
const FULL: u64 = 1000;

/// How a request ended at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// Milliseconds until the first piece; `None` for an answer that came whole, whose first piece nobody saw.
        first_ms: Option<u64>,
    },
    /// It was not, for a reason of the provider's.
    Failed,
    /// The evidence, or a receipt, was refused. There is no way back.
    Refused,
}

/// What is known of a provider. Times are milliseconds of any clock that only goes forward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether it answered, the oldest first.
    answered: VecDeque<bool>,
    /// How long first pieces took, the oldest first.
    firsts: VecDeque<u64>,
    /// Half of them took no longer: read for each choice, so it is worked out once.
    usual: Option<u64>,
    failed_at: Option<u64>,
    refused: bool,
}

impl Health {
    /// Notes an outcome.
    pub fn note(&mut self, outcome: Outcome, now: u64) {
        match outcome {
            Outcome::Answered { first_ms } => {
                if let Some(first_ms) = first_ms {
                    push(&mut self.firsts, first_ms);
                    self.usual = self.first_ms(50);
                }
            }
            Outcome::Failed => self.failed_at = Some(now),
            Outcome::Refused => self.refused = true,
        }
        let answered = matches!(outcome, Outcome::Answered { .. });
        push(&mut self.answered, answered);
    }

    /// Whether it is out for good.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// Milliseconds within which so many hundredths of the first pieces came.
    pub fn first_ms(&self, hundredths: usize) -> Option<u64> {
        let mut sorted: Vec<_> = self.firsts.iter().copied().collect();
        sorted.sort_unstable();
        let place = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied()
    }

    /// What each of a class's providers weighs now: 0 to 1000, and 0 for those that are out. One that was never tried weighs as much as the
    /// median of the others. If nobody but resting ones is left, those count again: to ask them is better than to give up.
    pub fn weights(providers: &[&Self], now: u64) -> Vec<u64> {
        let usual = median(providers.iter().filter_map(|it| it.usual).collect());
        let tried = providers.iter().filter(|it| !it.answered.is_empty());
        let tried = tried.map(|it| it.weight(now, usual)).filter(|it| *it > 0);
        let median = median(tried.collect()).unwrap_or(FULL);
        let weigh = |it: &&Self| {
            if it.answered.is_empty() {
                median
            } else {
                it.weight(now, usual)
            }
        };
        let weights: Vec<_> = providers.iter().map(weigh).collect();
        if weights.iter().any(|weight| *weight > 0) {
            return weights;
        }
        providers.iter().map(|it| u64::from(!it.refused)).collect()
    }

    fn weight(&self, now: u64, usual: Option<u64>) -> u64 {
        let rests = self
            .failed_at
            .is_some_and(|at| now.saturating_sub(at) < REST);
        if self.refused || rests {
            return 0;
        }
        let answered = self.answered.iter().filter(|answered| **answered).count();
        let share = FULL * answered as u64 / self.answered.len().max(1) as u64;
        let slow = match (self.usual, usual) {
            (Some(first), Some(usual)) => first > usual.saturating_mul(SLOW),
            _ => false,
        };
        (if slow { share / 4 } else { share }).max(1)
    }
}

fn push<T>(list: &mut VecDeque<T>, new: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(new);
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(outcomes: &[Outcome]) -> Health {
        let mut health = Health::default();
        for outcome in outcomes {
            health.note(*outcome, 0);
        }
        health
    }

    fn answered(first_ms: u64) -> Outcome {
        Outcome::Answered {
            first_ms: Some(first_ms),
        }
    }

    #[test]
    fn who_failed_is_left_alone_for_half_a_minute_and_asked_less_afterwards() {
        let good = after(&[answered(10); 20]);
        let failed = after(&[answered(10), Outcome::Failed]);
        let weights = |now| Health::weights(&[&good, &failed], now);
        assert_eq!(weights(29_999), [1000, 0]);
        assert_eq!(weights(30_000), [1000, 500]);
        // Twenty good answers later it is forgotten.
        let mut again = failed.clone();
        (0..20).for_each(|_| again.note(answered(10), 1));
        assert_eq!(Health::weights(&[&again], 30_000), [1000]);
    }

    #[test]
    fn refused_evidence_is_for_good() {
        let refused = after(&[Outcome::Refused, answered(1)]);
        assert!(refused.is_refused());
        assert_eq!(Health::weights(&[&refused], u64::MAX), [0]);
    }

    #[test]
    fn slow_ones_weigh_a_quarter_and_new_ones_as_much_as_the_median() {
        let new = Health::default();
        assert_eq!(Health::weights(&[&new], 0), [1000]);
        let (fast, slow) = (after(&[answered(100)]), after(&[answered(301)]));
        let poor = after(&[answered(100), Outcome::Failed]);
        let all = [&fast, &fast, &slow, &poor, &new];
        assert_eq!(Health::weights(&all, 60_000), [1000, 1000, 250, 500, 500]);
    }

    #[test]
    fn when_all_rest_they_are_asked_but_not_the_refused() {
        let (failed, refused) = (after(&[Outcome::Failed]), after(&[Outcome::Refused]));
        assert_eq!(Health::weights(&[&failed, &refused], 0), [1, 0]);
    }

    #[test]
    fn an_answer_that_came_whole_says_nothing_about_first_pieces() {
        let whole = Outcome::Answered { first_ms: None };
        let (some, all) = (after(&[answered(7), whole]), after(&[whole]));
        assert_eq!((some.first_ms(95), all.first_ms(50)), (Some(7), None));
        assert_eq!(Health::weights(&[&some, &all], 0), [1000, 1000]);
    }

    #[test]
    fn percentiles_are_of_the_last_twenty() {
        let mut health = Health::default();
        assert_eq!(health.first_ms(50), None);
        (1..=40).for_each(|ms| health.note(answered(ms), 0));
        assert_eq!(
            (health.first_ms(50), health.first_ms(95)),
            (Some(30), Some(39))
        );
        assert_eq!(
            (health.first_ms(0), health.first_ms(100)),
            (Some(21), Some(40))
        );
    }
}
