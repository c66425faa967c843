//! How long something takes: CPU time of this process, warm, the median of many.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// At least that many, and then for at least that long.
const SAMPLES: usize = 101;
const LEAST: Duration = Duration::from_millis(1500);
const WARM_UP: usize = 10;

/// Milliseconds of CPU time that `work` takes. It must succeed: a refusal comes early and would flatter.
pub(crate) fn milliseconds(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    for _ in 0..WARM_UP {
        work()?;
    }
    let mut samples = Vec::new();
    let started = Instant::now();
    while samples.len() < SAMPLES || started.elapsed() < LEAST {
        let before = cpu_time();
        work()?;
        samples.push(cpu_time().saturating_sub(before));
    }
    samples.sort_unstable();
    let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
    Ok(median.as_secs_f64() * 1000.0)
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
