//! Who gets a request: two different providers by lot, the cheap and healthy ones more often. Integers alone, and the lots are an argument.

/// A provider that could take the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Nano for a million units.
    pub price: u64,
    /// From [`crate::Health::weights`]: 0 to 1000; 0 is never chosen.
    pub health: u64,
}

/// Where they are among the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Tried first.
    pub first: usize,
    /// Tried if the first fails before its first piece. `None`: there is no other.
    pub second: Option<usize>,
}

/// How finely prices are compared.
const FINE: u128 = 10_000;

/// Draws two, each with a weight of `(1 / price)² × health`: half the price, four times as often.
pub fn choose(candidates: &[Candidate], lots: [u64; 2]) -> Option<Choice> {
    let healthy = candidates.iter().filter(|it| it.health > 0);
    let least = healthy.map(|it| it.price.max(1)).min()?;
    let weights: Vec<u128> = candidates.iter().map(|it| weight(it, least)).collect();
    let [one, two] = lots;
    let first = draw(&weights, None, one)?;
    Some(Choice {
        first,
        second: draw(&weights, Some(first), two),
    })
}

/// At most 10^11, so that a class of any size and a lot of 64 bits stay under 128 bits.
fn weight(candidate: &Candidate, least: u64) -> u128 {
    if candidate.health == 0 {
        return 0;
    }
    let ratio = u128::from(least) * FINE / u128::from(candidate.price.max(1));
    // Even the dearest keeps a chance of its own: its price is under the client's ceiling.
    (ratio * ratio).max(1) * u128::from(candidate.health.min(1000))
}

fn draw(weights: &[u128], without: Option<usize>, lot: u64) -> Option<usize> {
    let weight = |(place, weight): (usize, &u128)| {
        if Some(place) == without {
            (place, 0)
        } else {
            (place, *weight)
        }
    };
    let weights = || weights.iter().enumerate().map(weight);
    let all: u128 = weights().map(|(_, weight)| weight).sum();
    let mut at = (u128::from(lot) * all) >> 64;
    for (place, weight) in weights() {
        if at < weight {
            return Some(place);
        }
        at -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(price: u64, health: u64) -> Candidate {
        Candidate { price, health }
    }

    /// How often each is first, of so many lots spread evenly.
    fn shares(candidates: &[Candidate], lots: u64) -> Vec<u64> {
        let mut firsts = vec![0; candidates.len()];
        for lot in 0..lots {
            let step = u64::MAX / lots;
            let choice = choose(candidates, [lot * step + step / 2, 0]).unwrap();
            firsts[choice.first] += 1;
        }
        firsts
    }

    #[test]
    fn half_the_price_four_times_as_often() {
        let shares = shares(
            &[candidate(10, 1000), candidate(20, 1000), candidate(10, 250)],
            9000,
        );
        assert_eq!(shares, [6000, 1500, 1500]);
    }

    #[test]
    fn the_second_is_another_and_nobody_is_chosen_who_is_out() {
        assert_eq!(choose(&[], [0, 0]), None);
        assert_eq!(choose(&[candidate(1, 0)], [0, 0]), None);
        let alone = choose(&[candidate(1, 0), candidate(5, 9)], [7, 7]);
        let only = Choice {
            first: 1,
            second: None,
        };
        assert_eq!(alone, Some(only));
    }

    #[test]
    fn a_price_of_nothing_and_one_without_end_are_prices() {
        let both = [candidate(0, 1000), candidate(u64::MAX, 1000)];
        let first = choose(&both, [0, 0]).unwrap();
        assert_eq!((first.first, first.second), (0, Some(1)));
        assert_eq!(choose(&both, [u64::MAX, 0]).unwrap().first, 1);
    }

    proptest! {
        #[test]
        fn two_different_ones_that_can(
            candidates in proptest::collection::vec((0_u64.., 0_u64..=1000), 0..50),
            lots in any::<[u64; 2]>(),
        ) {
            let candidates: Vec<_> = candidates.into_iter().map(|(price, health)| candidate(price, health)).collect();
            let can = candidates.iter().filter(|it| it.health > 0).count();
            match choose(&candidates, lots) {
                None => prop_assert_eq!(can, 0),
                Some(Choice { first, second }) => {
                    prop_assert!(candidates[first].health > 0);
                    prop_assert_eq!(second.is_some(), can > 1);
                    if let Some(second) = second {
                        prop_assert!(second != first && candidates[second].health > 0);
                    }
                }
            }
        }
    }
}
