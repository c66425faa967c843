//! One number for what a model costs: at one provider, and in the whole class.

/// Nano for a million units at one provider, and how much it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The dearest of the units that the model is used by.
    pub price: u64,
    /// Milliseconds of slots in the epoch.
    pub capacity: u64,
}

impl Asked {
    /// What a model of this kind asks, of the price of each class of units: the dearer of prompt and completion for chat, so that no cheap
    /// half hides a dear one; the prompt's for embeddings and reranking; a millisecond's for speech.
    pub fn price_of(kind: &str, asked: &[u64; 4]) -> u64 {
        let [prompt, _, completion, audio] = *asked;
        match kind {
            "speech" => audio,
            "chat" => prompt.max(completion),
            _ => prompt,
        }
    }
}

/// The price of a class: the median over its capacity. Who adds little capacity moves it little, however many they are.
pub fn index(asked: &[Asked]) -> Option<u64> {
    let mut sorted: Vec<_> = asked.iter().filter(|it| it.capacity > 0).collect();
    sorted.sort_unstable_by_key(|it| it.price);
    let capacity = |it: &&Asked| u128::from(it.capacity);
    let all: u128 = sorted.iter().map(capacity).sum();
    let mut below = 0;
    let middle = sorted.iter().find(|it| {
        below += capacity(it);
        below * 2 >= all
    });
    middle.map(|it| it.price)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asked: &[(u64, u64)]) -> Option<u64> {
        let asked: Vec<_> = asked
            .iter()
            .map(|&(price, capacity)| Asked { price, capacity })
            .collect();
        index(&asked)
    }

    #[test]
    fn the_index_is_the_median_over_capacity() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(7, 0)]), None);
        assert_eq!(of(&[(7, 1)]), Some(7));
        assert_eq!(of(&[(30, 10), (10, 10), (20, 10)]), Some(20));
        // Many small ones that ask a thousand do not move one large one.
        let mut asked = vec![(10, 100)];
        asked.extend([(1000, 1); 99]);
        assert_eq!(of(&asked), Some(10));
        asked.extend([(1000, 1); 2]);
        assert_eq!(of(&asked), Some(1000));
        assert_eq!(of(&[(1, u64::MAX), (2, u64::MAX), (3, u64::MAX)]), Some(2));
    }

    #[test]
    fn no_cheap_half_hides_a_dear_one() {
        let asked = [10, 1, 30, 5];
        assert_eq!(Asked::price_of("chat", &asked), 30);
        assert_eq!(Asked::price_of("chat", &[40, 1, 30, 5]), 40);
        assert_eq!(Asked::price_of("embedding", &asked), 10);
        assert_eq!(Asked::price_of("speech", &asked), 5);
    }
}
