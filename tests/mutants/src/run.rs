//! Runs the tests with a guard off, until one of them fails.

use std::{
    fs::{self, File},
    num::NonZero,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    build::{self, Tests},
    guard::{self, Guard},
    pulse::Pulse,
    tree,
};

/// A guard may keep something from never ending: a test that runs this long has failed.
const LONGEST: Duration = Duration::from_mins(10);

/// What is to be run.
#[derive(Debug)]
pub struct Wish {
    /// The tree.
    pub root: PathBuf,
    /// Where the copy, what is compiled of it, and the results are kept.
    pub build: PathBuf,
    /// Names of guards, or beginnings of names; none means all.
    pub names: Vec<String>,
    /// Whether to run those again that have a result already.
    pub again: bool,
}

/// What became of a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// A test failed: this one.
    Missed(String),
    /// None did.
    Survived,
}

/// Runs what is wished. False if a guard survived that should not have, or one is missed that the list says survives.
pub fn run(wish: &Wish) -> Result<bool> {
    let all = guard::all(&wish.root)?;
    let chosen = choose(&all, &wish.names)?;
    eprintln!("{} of {} guards", chosen.len(), all.len());
    fs::create_dir_all(&wish.build)?;
    let copy = tree::copy(&wish.root, &wish.build, &all)?;
    let target = wish.build.join("target");
    let tests = build::build(&copy.folder, &target)?;
    let logs = wish.build.join("logs");
    fs::create_dir_all(&logs)?;
    let runner = Runner {
        tools: target.join("debug"),
        tests,
        logs,
    };
    let mut results = Results::open(wish.build.join("results.tsv"), copy.fingerprint, wish.again)?;
    if !results.has("") {
        eprintln!("no guard off: every test has to pass");
        if let Outcome::Missed(by) = runner.outcome("")? {
            bail!("with no guard off a test fails: {by}");
        }
        results.add("", &Outcome::Survived)?;
    }
    let chosen = Chosen {
        guards: chosen,
        next: AtomicUsize::new(0),
        results: Mutex::new(results),
    };
    // Most tests keep one processor busy, so each has a guard of its own.
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    let wrong = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| chosen.work(&runner)))
            .collect();
        let counts = workers.into_iter().map(|worker| {
            let count = worker.join();
            count.unwrap_or_else(|_| bail!("a worker panicked"))
        });
        counts.sum::<Result<usize>>()
    })?;
    println!(
        "{} guards, {wrong} not as they should be",
        chosen.guards.len()
    );
    Ok(wrong == 0)
}

/// What all workers share.
struct Chosen<'g> {
    guards: Vec<&'g Guard>,
    /// The next one's place.
    next: AtomicUsize,
    results: Mutex<Results>,
}

impl Chosen<'_> {
    /// Takes one guard after the other while there are any. How many were not as they should be.
    fn work(&self, runner: &Runner) -> Result<usize> {
        let mut wrong = 0_usize;
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(guard) = self.guards.get(place) else {
                return Ok(wrong);
            };
            let began = Instant::now();
            let before = self.results().of(&guard.name);
            let (outcome, how) = if let Some(outcome) = before {
                (outcome, "as before".to_owned())
            } else {
                let outcome = runner.outcome(&guard.name)?;
                self.results().add(&guard.name, &outcome)?;
                (outcome, format!("{} s", began.elapsed().as_secs()))
            };
            let (word, is_wrong) = judge(&outcome, guard.survives.as_deref());
            wrong += usize::from(is_wrong);
            let (number, all) = (place + 1, self.guards.len());
            println!("{number:>4}/{all} {}: {word} ({how})", guard.name);
        }
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn choose<'g>(all: &'g [Guard], names: &[String]) -> Result<Vec<&'g Guard>> {
    for name in names {
        let known = all
            .iter()
            .any(|guard| guard.name.starts_with(name.as_str()));
        ensure!(
            known,
            "there is no guard {name}; `chrysalis-mutants list` names all"
        );
    }
    let is_chosen = |guard: &&Guard| {
        names.is_empty()
            || names
                .iter()
                .any(|name| guard.name.starts_with(name.as_str()))
    };
    Ok(all.iter().filter(is_chosen).collect())
}

/// What to say of an outcome, and whether it is wrong.
fn judge(outcome: &Outcome, survives: Option<&str>) -> (String, bool) {
    match (outcome, survives) {
        (Outcome::Missed(by), None) => (format!("missed by {by}"), false),
        (Outcome::Survived, Some(why)) => (format!("survives, as listed: {why}"), false),
        (Outcome::Survived, None) => ("SURVIVES: no test fails without it".to_owned(), true),
        (Outcome::Missed(by), Some(_)) => {
            (format!("MISSED by {by}, though listed as a survivor"), true)
        }
    }
}

/// Which vectors are about a guard's step, as their names begin.
fn kind(name: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 9] = [
        ("snp-", "snp/"),
        ("policy-", "snp/"),
        ("tdx-", "tdx/"),
        ("gpu-", "nvidia/"),
        ("bundle-", "bundle/"),
        ("bind-", "bundle/"),
        ("release-", "release/"),
        ("log-", "release/"),
        ("hcl-", "snp/"),
    ];
    let kind = KINDS.iter().find(|(step, _)| name.starts_with(step));
    kind.map(|(_, vectors)| *vectors)
}

struct Runner {
    /// Where the program is that the vectors ask.
    tools: PathBuf,
    tests: Vec<Tests>,
    logs: PathBuf,
}

impl Runner {
    /// The vectors of the guard's own kind first, which is a matter of seconds; then everything.
    fn outcome(&self, name: &str) -> Result<Outcome> {
        let quick = kind(name).and_then(|kind| Some((self.tests.first()?, kind)));
        let all = self.tests.iter().map(|tests| (tests, ""));
        for (tests, vectors) in quick.into_iter().chain(all) {
            let what = format!("{name} {}", tests.name);
            let what = what.trim();
            let log = self.logs.join(format!("{}.log", what.replace(' ', ".")));
            let _pulse = Pulse::start(what);
            let passed = self.passes((tests, vectors), name, &log)?;
            if !passed {
                let failed = first_failure(&fs::read_to_string(&log).unwrap_or_default());
                return Ok(Outcome::Missed(format!("{}: {failed}", tests.name)));
            }
        }
        Ok(Outcome::Survived)
    }

    fn passes(&self, (tests, vectors): (&Tests, &str), name: &str, log: &Path) -> Result<bool> {
        let output = File::create(log)?;
        let mut child = Command::new(&tests.program)
            .args(tests.arguments)
            .current_dir(&tests.folder)
            .env("CHRYSALIS_TOOLS", &self.tools)
            .env("CHRYSALIS_GUARD_OFF", name)
            .env("CHRYSALIS_VECTORS", vectors)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| tests.program.display().to_string())?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.success());
            }
            if began.elapsed() > LONGEST {
                // With the programs that it asks, which may be what never ends.
                kill_process_group(Pid::from_child(&child), Signal::KILL)?;
                child.wait()?;
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The vector, or else the test, that failed first.
fn first_failure(log: &str) -> String {
    let vector = log.lines().find_map(|line| {
        let (name, rest) = line.split_once(": ")?;
        (rest.starts_with("wanted ") && name.contains('/')).then(|| name.to_owned())
    });
    let test = || {
        let of_a_test = |line: &str| {
            let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
            Some(name.to_owned())
        };
        log.lines().find_map(of_a_test)
    };
    let unnamed = || "it did not come to its end".to_owned();
    vector.or_else(test).unwrap_or_else(unnamed)
}

/// What came out so far, kept from run to run as long as the tree stays the same.
struct Results {
    file: PathBuf,
    known: Vec<(String, Outcome)>,
}

impl Results {
    fn open(file: PathBuf, fingerprint: u64, again: bool) -> Result<Self> {
        let head = format!("{fingerprint:016x}");
        let old = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = old.lines();
        let of_this_tree = lines.next() == Some(head.as_str()) && !again;
        let mut known = Vec::new();
        if of_this_tree {
            for line in lines {
                let (name, outcome) = line.split_once('\t').context("results.tsv")?;
                let outcome = match outcome {
                    "" => Outcome::Survived,
                    by => Outcome::Missed(by.to_owned()),
                };
                known.push((name.to_owned(), outcome));
            }
        } else {
            fs::write(&file, format!("{head}\n"))?;
        }
        Ok(Self { file, known })
    }

    fn has(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    fn of(&self, name: &str) -> Option<Outcome> {
        let found = self.known.iter().find(|(known, _)| known == name);
        found.map(|(_, outcome)| outcome.clone())
    }

    fn add(&mut self, name: &str, outcome: &Outcome) -> Result<()> {
        let by = match outcome {
            Outcome::Missed(by) => by.as_str(),
            Outcome::Survived => "",
        };
        let text = fs::read_to_string(&self.file)?;
        fs::write(&self.file, format!("{text}{name}\t{by}\n"))?;
        self.known.push((name.to_owned(), outcome.clone()));
        Ok(())
    }
}
