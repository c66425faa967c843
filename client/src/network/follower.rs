//! What one directory says of one class, kept up to date with as little as possible: what each asks now, and what changed in the listings.

use std::sync::Arc;

use chrysalis_attestation::{Time, encoding::digest::Hex};
use chrysalis_network::{ClassFile, Delta, MAX_CLASS_FILE, MAX_DELTA, MAX_NOW, Now, Rejection};
use tokio::task::spawn_blocking;

use super::{Fetched, Source, Trouble};

/// How far a directory's clock may be from this machine's, and how old its news may be, in seconds.
const MAX_AGE: i64 = 900;
/// More deltas than this are more than the whole.
const MAX_STEPS: u64 = 16;

/// One class at one directory.
pub(super) struct Follower {
    /// Without a slash at its end.
    url: String,
    network: [u8; 32],
    weights: [u8; 32],
    file: Option<Arc<ClassFile>>,
    now: Option<Arc<Now>>,
    etag: Option<String>,
}

impl Follower {
    pub(super) fn new(url: &str, network: [u8; 32], weights: [u8; 32]) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            network,
            weights,
            file: None,
            now: None,
            etag: None,
        }
    }

    /// All listings, as of the last time that it could be asked.
    pub(super) fn file(&self) -> Option<&Arc<ClassFile>> {
        self.file.as_ref()
    }

    /// What each asked then.
    pub(super) fn now(&self) -> Option<&Arc<Now>> {
        self.now.as_ref()
    }

    /// Asks it for what is new. What it said before stays, whatever is wrong.
    pub(super) async fn follow(&mut self, source: &dyn Source, clock: Time) -> Result<(), Trouble> {
        let url = format!("{}/now/{}", self.url, Hex(self.weights));
        let now = match source.get(&url, MAX_NOW, self.etag.as_deref()).await? {
            Fetched::Unchanged => self.now.clone().ok_or(Trouble::Another("time"))?,
            Fetched::Found { body, etag } => {
                let now = Arc::new(Now::decode(&body)?);
                self.check((&now.network, &now.weights))?;
                self.etag = etag;
                now
            }
        };
        let at = Time(now.at);
        if now.at.abs_diff(clock.0) > MAX_AGE.unsigned_abs() {
            self.etag = None;
            return Err(Trouble::Stale { at, now: clock });
        }
        let seen = self.file.as_ref().map(|file| file.epoch);
        if let Some(seen) = seen.filter(|seen| now.epoch < *seen) {
            self.etag = None;
            let found = now.epoch;
            return Err(Trouble::RolledBack { found, seen });
        }
        if seen != Some(now.epoch) {
            let followed = self.catch_up(source, &now).await;
            // Or the next time it would be taken for read.
            followed.inspect_err(|_| self.etag = None)?;
        }
        self.now = Some(now);
        Ok(())
    }

    /// By what changed, if that is short; otherwise by the whole.
    async fn catch_up(&mut self, source: &dyn Source, now: &Now) -> Result<(), Trouble> {
        if let Some(file) = self.file.clone()
            && file.epoch >= now.since
            && now.epoch.saturating_sub(file.epoch) <= MAX_STEPS
            && let Ok(file) = self.stepped(source, file, now.epoch).await
        {
            self.file = Some(file);
            return Ok(());
        }
        let url = self.path("full", now.epoch);
        let body = source.get(&url, MAX_CLASS_FILE, None).await?.body()?;
        let file = decoded(move || ClassFile::decode(&body)).await?;
        self.check((&file.network, &file.weights))?;
        if file.epoch != now.epoch {
            return Err(Trouble::Another("epoch"));
        }
        self.file = Some(Arc::new(file));
        Ok(())
    }

    async fn stepped(
        &self,
        source: &dyn Source,
        file: Arc<ClassFile>,
        to: u64,
    ) -> Result<Arc<ClassFile>, Trouble> {
        let mut file = ClassFile::clone(&file);
        while file.epoch < to {
            let next = file.epoch.saturating_add(1);
            let url = self.path("delta", next);
            let body = source.get(&url, MAX_DELTA, None).await?.body()?;
            let delta = decoded(move || Delta::decode(&body)).await?;
            if delta.epoch != next {
                return Err(Trouble::Another("epoch"));
            }
            file.apply(delta)?;
        }
        Ok(Arc::new(file))
    }

    fn path(&self, kind: &str, epoch: u64) -> String {
        format!("{}/listings/{}/{kind}-{epoch}", self.url, Hex(self.weights))
    }

    fn check(&self, (network, weights): (&[u8; 32], &[u8; 32])) -> Result<(), Trouble> {
        if *network != self.network {
            return Err(Trouble::Another("network"));
        }
        if *weights != self.weights {
            return Err(Trouble::Another("class"));
        }
        Ok(())
    }
}

/// A class has thousands of signatures, which take seconds: nothing else is to wait for that.
async fn decoded<T: Send + 'static>(
    decode: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Trouble> {
    let decoded = spawn_blocking(decode).await;
    Ok(decoded.map_err(|error| Trouble::Unreachable(error.to_string()))??)
}
