//! Runs a target on mutated seeds, in this process and under a stable compiler.
//!
//! It has no coverage to guide it, so it finds what is shallow; `make fuzz` prefers libFuzzer where a nightly compiler is.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use crate::{
    Target,
    mutate::{Mutator, words},
};

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// So many inputs.
    Inputs(u64),
    /// So long.
    Time(Duration),
}

/// What to run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// On which target.
    pub target: &'a Target,
    /// What to mutate. Each is tried as it is, too.
    pub seeds: &'a [Vec<u8>],
    /// When to stop.
    pub limit: Limit,
    /// Decides the mutations.
    pub random: u64,
    /// Where each input is written before it is tried, so that it outlives a process that dies of it.
    pub current: Option<&'a File>,
}

/// How it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs tried.
    pub inputs: u64,
    /// The most memory that one of them took.
    pub heap: usize,
    /// The longest that one of them took.
    pub slowest: Duration,
}

/// An input for which something does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The input.
    pub input: Vec<u8>,
    /// What the target said of it.
    pub why: String,
}

impl Plan<'_> {
    /// Runs to the limit or to the first finding. `progress` hears the count every five seconds.
    pub fn run(&self, progress: &mut dyn FnMut(&Tally)) -> Result<Tally, Finding> {
        let words = self.target.dictionary.map(words).unwrap_or_default();
        let mut mutator = Mutator::new(self.seeds, words, self.target.longest, self.random);
        let mut tally = Tally::default();
        let began = Instant::now();
        let mut told = Duration::ZERO;
        let is_over = |tally: &Tally| match self.limit {
            Limit::Inputs(inputs) => tally.inputs >= inputs,
            Limit::Time(time) => began.elapsed() >= time,
        };
        for seed in self.seeds {
            self.attempt(seed, &mut tally)?;
        }
        while !is_over(&tally) {
            self.attempt(&mutator.next_input(), &mut tally)?;
            if began.elapsed() >= told + Duration::from_secs(5) {
                told = began.elapsed();
                progress(&tally);
            }
        }
        Ok(tally)
    }

    fn attempt(&self, input: &[u8], tally: &mut Tally) -> Result<(), Finding> {
        if let Some(file) = self.current {
            let length = u64::try_from(input.len()).expect("a length has at most 64 bits");
            let written = file.set_len(length).and(file.write_all_at(input, 0));
            written.expect("the folder for findings takes an input");
        }
        let began = Instant::now();
        let tried = catch_unwind(AssertUnwindSafe(|| self.target.run(input)));
        tally.inputs += 1;
        tally.slowest = tally.slowest.max(began.elapsed());
        match tried {
            Ok(heap) => tally.heap = tally.heap.max(heap),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().copied();
                let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                return Err(Finding {
                    input: input.to_vec(),
                    why: said.unwrap_or("it panicked").to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_panic_and_keeps_its_input() {
        let target = Target {
            name: "fussy",
            longest: 16,
            dictionary: None,
            run: |bytes| assert!(bytes.first() != Some(&0xFF), "it begins with 0xFF"),
        };
        let plan = |seeds, inputs| Plan {
            target: &target,
            seeds,
            limit: Limit::Inputs(inputs),
            random: 1,
            current: None,
        };
        let seeds = [vec![0x7F; 8]];
        let finding = plan(&seeds, 10_000).run(&mut |_| ()).unwrap_err();
        assert_eq!(finding.input.first(), Some(&0xFF));
        assert_eq!(finding.why, "it begins with 0xFF");
        let tally = plan(&seeds, 1).run(&mut |_| ()).unwrap();
        assert_eq!(tally.inputs, 1, "the seed itself");
    }
}
