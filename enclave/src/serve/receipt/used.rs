//! What one job has used.

use chrysalis_settle::End;

/// What was used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::serve) struct Used {
    /// SHA-256 of the request's body, once it was read.
    pub(super) request: Option<[u8; 32]>,
    /// Bytes of it, without what fills it.
    pub(super) length: u64,
    /// Prompt tokens, cached ones among them, completion tokens, milliseconds of audio.
    counted: [u64; 4],
    /// How the answer ended: nothing more is waited for.
    pub(in crate::serve) end: Option<End>,
    /// Whether it failed in a way that its client can bring about.
    pub(super) provoked: bool,
}

impl Used {
    /// Tokens so far.
    pub(super) fn tokens(&mut self, prompt: u64, cached: u64, completion: u64) {
        let [.., audio] = self.counted;
        self.counted = [prompt, cached, completion, audio];
    }

    /// Milliseconds of audio so far.
    pub(super) fn audio(&mut self, milliseconds: u64) {
        let [prompt, cached, completion, _] = self.counted;
        self.counted = [prompt, cached, completion, milliseconds];
    }

    /// Prompt tokens that were read, prompt tokens that were cached, completion tokens, milliseconds of audio: each unit once.
    pub(super) fn units(&self) -> [u64; 4] {
        self.units_within([u64::MAX; 4])
    }

    /// The same, but no more than this: of prompt tokens, read and cached ones together; the second number is not looked at.
    pub(super) fn units_within(&self, most: [u64; 4]) -> [u64; 4] {
        let [prompt, cached, completion, audio] = self.counted;
        let [most_prompt, _, most_completion, most_audio] = most;
        let prompt = prompt.min(most_prompt);
        let cached = cached.min(prompt);
        [
            prompt.saturating_sub(cached),
            cached,
            completion.min(most_completion),
            audio.min(most_audio),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_counts_once_and_within_its_bound() {
        let mut used = Used::default();
        used.audio(1500);
        used.tokens(30, 12, 5);
        used.audio(1600);
        assert_eq!(used.units(), [18, 12, 5, 1600]);
        assert_eq!(used.units_within([20, 0, 3, 10]), [8, 12, 3, 10]);
        assert_eq!(used.units_within([10, 0, 0, 0]), [0, 10, 0, 0]);
        // An engine that says that more was cached than there was.
        used.tokens(3, 9, 1);
        assert_eq!(used.units(), [0, 3, 1, 1600]);
    }
}
