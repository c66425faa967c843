//! All directories of a network, each asked by itself: one that is slow, down or lying holds none of the others up.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{Checkpoint, Growth, Head, PublicKey},
};
use chrysalis_network::{ClassFile, Descriptor, Directory, Now};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{
    ClassView, Source, Trouble,
    follower::Follower,
    kept::{Class, Kept},
};
use crate::{Clock, channel::Task};

/// How often each is asked.
const PERIOD: Duration = Duration::from_secs(60);
/// How long the first round may take before whatever has come by then is used.
const FIRST: Duration = Duration::from_secs(35);
/// How long the others have once one has answered.
const GRACE: Duration = Duration::from_millis(1500);
/// The most bytes of a checkpoint, or of a proof that a log grew.
const MAX_PROOF: usize = 64 * 1024;

/// What the directories of a network say of some of its classes.
pub struct Directories {
    shared: Arc<Shared>,
    _tasks: Vec<Task>,
}

/// How a directory answered last.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its address.
    pub url: String,
    /// What is wrong with it; `None` if nothing is, or if it has not been asked yet.
    pub trouble: Option<Trouble>,
    /// Whether it has been asked.
    pub asked: bool,
}

struct Shared {
    descriptor: Descriptor,
    classes: Vec<[u8; 32]>,
    kept: Option<Kept>,
    clock: Clock,
    state: Mutex<State>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

struct State {
    directories: Vec<Said>,
    /// What was kept, for classes of which no directory has said anything yet.
    kept: BTreeMap<[u8; 32], Answer>,
    views: BTreeMap<[u8; 32], Arc<ClassView>>,
}

type Answer = (Arc<ClassFile>, Arc<Now>);

/// What one directory said.
struct Said {
    status: Status,
    classes: BTreeMap<[u8; 32], Answer>,
}

impl Directories {
    /// Asks all of them about these classes, now and each minute, and returns once one has answered, all have failed, or what was kept has to
    /// do. What they say is kept in this folder, if there is one.
    pub async fn start(
        descriptor: Descriptor,
        classes: Vec<[u8; 32]>,
        source: Arc<dyn Source>,
        kept: Option<PathBuf>,
        clock: Clock,
    ) -> Self {
        Self::start_each(descriptor, classes, source, kept, clock, PERIOD).await
    }

    /// The same, asking as often as this.
    pub async fn start_each(
        descriptor: Descriptor,
        classes: Vec<[u8; 32]>,
        source: Arc<dyn Source>,
        kept: Option<PathBuf>,
        clock: Clock,
        period: Duration,
    ) -> Self {
        let network = descriptor.id();
        let kept = kept.map(|folder| Kept::new(folder, network));
        let before = kept.as_ref().map(Kept::classes).unwrap_or_default();
        let before = before
            .into_iter()
            .filter(|it| it.file.network == network && classes.contains(&it.file.weights))
            .map(|Class { file, now }| (file.weights, (Arc::new(file), Arc::new(now))));
        let said = |directory: &Directory| Said {
            status: Status {
                url: directory.url.clone(),
                trouble: None,
                asked: false,
            },
            classes: BTreeMap::new(),
        };
        let state = State {
            directories: descriptor.directories.iter().map(said).collect(),
            kept: before.collect(),
            views: BTreeMap::new(),
        };
        let shared = Arc::new(Shared {
            descriptor,
            classes,
            kept,
            clock,
            state: Mutex::new(state),
            changed: watch::channel(0).0,
        });
        shared.unite();
        let asks = shared.descriptor.directories.iter().enumerate();
        let asks = asks.map(|(number, directory)| {
            let asking = Asking::new(&shared, directory, number, Arc::clone(&source));
            Task::from(tokio::spawn(asking.for_ever(period)))
        });
        let directories = Self {
            _tasks: asks.collect(),
            shared,
        };
        directories.first_round().await;
        directories
    }

    async fn first_round(&self) {
        let mut changed = self.shared.changed.subscribe();
        let mut until = Instant::now() + FIRST;
        loop {
            let all = {
                let state = self.shared.lock();
                if state
                    .directories
                    .iter()
                    .any(|it| it.status.asked && it.status.trouble.is_none())
                {
                    until = until.min(Instant::now() + GRACE);
                }
                state.directories.iter().all(|it| it.status.asked)
            };
            if all || timeout_at(until, changed.changed()).await.is_err() {
                return;
            }
        }
    }

    /// The network.
    pub fn descriptor(&self) -> &Descriptor {
        &self.shared.descriptor
    }

    /// The time, by its clock.
    pub(crate) fn now(&self) -> Time {
        (self.shared.clock)()
    }

    /// A class, as all of them together have it.
    pub fn class(&self, weights: &[u8; 32]) -> Arc<ClassView> {
        self.shared
            .lock()
            .views
            .get(weights)
            .cloned()
            .unwrap_or_default()
    }

    /// How each answered last.
    pub fn status(&self) -> Vec<Status> {
        let state = self.shared.lock();
        state
            .directories
            .iter()
            .map(|it| it.status.clone())
            .collect()
    }

    /// Changes with each word of theirs.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

impl Shared {
    /// The views anew, of all that was said.
    fn unite(&self) {
        let (said, before) = {
            let state = self.lock();
            let said = self.classes.iter().map(|weights| {
                let of = |it: &Said| it.classes.get(weights).cloned();
                let said: Vec<_> = state.directories.iter().filter_map(of).collect();
                let kept = state.kept.get(weights).filter(|_| said.is_empty());
                let said = said.into_iter().chain(kept.cloned());
                (*weights, said.unzip::<_, _, Vec<_>, Vec<_>>())
            });
            (said.collect::<Vec<_>>(), state.views.clone())
        };
        let nothing = ClassView::default();
        let views = said.iter().map(|(weights, (files, times))| {
            let before = before.get(weights).map_or(&nothing, AsRef::as_ref);
            (*weights, Arc::new(ClassView::of(files, times, before)))
        });
        let views: BTreeMap<_, _> = views.collect();
        self.lock().views = views;
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps what is known.
    fn keep(&self) {
        let Some(kept) = &self.kept else {
            return;
        };
        let views = self.lock().views.clone();
        let classes: Vec<_> = views
            .iter()
            .map(|(weights, view)| self.kept_class(*weights, view))
            .collect();
        if let Err(error) = kept.keep_classes(&classes) {
            tracing::warn!(event = "listings_not_kept", %error);
        }
    }

    fn kept_class(&self, weights: [u8; 32], view: &ClassView) -> Class {
        let network = self.descriptor.id();
        let listed = view.listed.iter();
        let entries = listed.clone().filter_map(|(id, it)| Some((*id, it.entry?)));
        Class {
            now: Now {
                network,
                weights,
                at: (self.clock)().0,
                epoch: 0,
                since: 0,
                index: view.index.unwrap_or(0),
                entries: entries.collect(),
            },
            file: ClassFile {
                network,
                weights,
                epoch: 0,
                listings: listed
                    .map(|(id, it)| (*id, it.listing.bytes().to_vec()))
                    .collect(),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that asks one directory.
struct Asking {
    shared: Arc<Shared>,
    number: usize,
    url: String,
    log: Hex<32>,
    /// The last head that was seen, perhaps by another run.
    head: Option<Head>,
    /// Whether it is on the disk.
    is_kept: bool,
    /// Its log forked or shrank: nothing it says counts any more.
    out: Option<Trouble>,
    followers: Vec<Follower>,
    source: Arc<dyn Source>,
}

impl Asking {
    fn new(
        shared: &Arc<Shared>,
        directory: &Directory,
        number: usize,
        source: Arc<dyn Source>,
    ) -> Self {
        let network = shared.descriptor.id();
        let follower = |weights: &[u8; 32]| Follower::new(&directory.url, network, *weights);
        Self {
            followers: shared.classes.iter().map(follower).collect(),
            shared: Arc::clone(shared),
            number,
            url: directory.url.trim_end_matches('/').to_owned(),
            log: directory.key,
            head: shared
                .kept
                .as_ref()
                .and_then(|kept| kept.head(&directory.key)),
            is_kept: false,
            out: None,
            source,
        }
    }

    async fn for_ever(mut self, period: Duration) {
        loop {
            let trouble = self.round().await.err();
            if let Some(trouble) = &trouble {
                tracing::warn!(event = "directory_failed", directory = self.url, code = trouble.code(), %trouble);
            }
            let is_well = trouble.is_none();
            self.put(trouble);
            self.shared.unite();
            if is_well {
                self.shared.keep();
            }
            sleep(period).await;
        }
    }

    async fn round(&mut self) -> Result<(), Trouble> {
        if let Some(trouble) = &self.out {
            return Err(trouble.clone());
        }
        if let Err(trouble) = self.follow_log().await {
            if matches!(trouble, Trouble::Log(_)) {
                self.out = Some(trouble.clone());
            }
            return Err(trouble);
        }
        let mut first = None;
        for follower in &mut self.followers {
            let clock = (self.shared.clock)();
            let followed = follower.follow(&*self.source, clock).await;
            first = first.or(followed.err());
        }
        first.map_or(Ok(()), Err)
    }

    /// Whether its log is still the one that it showed before: it must only grow.
    async fn follow_log(&mut self) -> Result<(), Trouble> {
        let url = format!("{}/checkpoint", self.url);
        let note = match self.source.get(&url, MAX_PROOF, None).await {
            Err(Trouble::Missing(_)) if self.head.is_none() => return Ok(()),
            note => note?.body()?,
        };
        let key = PublicKey::from_ed25519(self.log.0).map_err(Trouble::Log)?;
        let next = Checkpoint::verify(&note, &key).map_err(Trouble::Log)?;
        while let Some(head) = self.head.clone().filter(|head| head.size < next.size) {
            // From each head to the one after it, as they were signed.
            let url = format!("{}/consistency/{}", self.url, head.size);
            let growth = self.source.get(&url, MAX_PROOF, None).await?.body()?;
            let after = Growth::parse(&growth).map_err(Trouble::Log)?;
            let after = Checkpoint::verify(after.checkpoint.as_bytes(), &key);
            let after = after.map_err(Trouble::Log)?;
            head.grew_into(&after, Some(&growth))
                .map_err(Trouble::Log)?;
            if after.size == head.size {
                return Err(Trouble::Another("log"));
            }
            self.head = Some(after.head());
        }
        if let Some(head) = &self.head {
            head.grew_into(&next, None).map_err(Trouble::Log)?;
        }
        let next = next.head();
        if self.head.as_ref() != Some(&next) || !self.is_kept {
            self.is_kept = self.keep_head(&note);
        }
        self.head = Some(next);
        Ok(())
    }

    /// Whether the head that this note says is on the disk, if there is a place for it.
    fn keep_head(&self, note: &[u8]) -> bool {
        let kept = self.shared.kept.as_ref();
        let written = kept.map_or(Ok(()), |kept| kept.keep_head(&self.log, note));
        if let Err(error) = &written {
            tracing::warn!(event = "log_not_kept", directory = self.url, %error);
        }
        written.is_ok()
    }

    fn put(&self, trouble: Option<Trouble>) {
        let mut state = self.shared.lock();
        if let Some(said) = state.directories.get_mut(self.number) {
            if self.out.is_some() {
                said.classes.clear();
            } else {
                let classes = self.shared.classes.iter().zip(&self.followers);
                let classes = classes.filter_map(|(weights, follower)| {
                    let both = (follower.file()?, follower.now()?);
                    Some((*weights, (Arc::clone(both.0), Arc::clone(both.1))))
                });
                said.classes = classes.collect();
            }
            said.status.trouble = trouble;
            said.status.asked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrysalis_attestation::encoding::digest::sha256;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::{
        network::{Fetched, Getting},
        system_time,
    };

    const WEIGHTS: [u8; 32] = [4; 32];
    const SOON: Duration = Duration::from_millis(20);

    /// Files by their paths.
    #[derive(Default)]
    struct Files(Mutex<BTreeMap<String, Vec<u8>>>);

    impl Files {
        fn put(&self, path: &str, bytes: Vec<u8>) {
            let address = format!("http://127.0.0.1:1{path}");
            self.0.lock().unwrap().insert(address, bytes);
        }

        /// A class without providers, at this epoch.
        fn class(&self, epoch: u64) {
            let network = descriptor().id();
            let file = ClassFile {
                network,
                weights: WEIGHTS,
                epoch,
                listings: BTreeMap::new(),
            };
            let now = Now {
                network,
                weights: WEIGHTS,
                at: system_time().0,
                epoch,
                since: epoch,
                index: 7,
                entries: BTreeMap::new(),
            };
            let weights = Hex(WEIGHTS);
            self.put(&format!("/listings/{weights}/full-{epoch}"), file.encode());
            self.put(&format!("/now/{weights}"), now.encode());
        }

        /// The log's head.
        fn head(&self, size: u64, root: [u8; 32]) {
            self.put("/checkpoint", note(size, root).into_bytes());
        }
    }

    /// A head that the log signed.
    fn note(size: u64, root: [u8; 32]) -> String {
        let key = log();
        let head = Checkpoint {
            origin: "directory.example/log".into(),
            size,
            root: Hex(root),
        };
        let public = PublicKey::from_ed25519(public(&key)).unwrap();
        let signature = key.sign(head.to_be_signed().as_bytes());
        head.note(&public, signature.as_ref()).unwrap()
    }

    impl Source for Files {
        fn get<'a>(&'a self, url: &'a str, _: usize, _: Option<&'a str>) -> Getting<'a> {
            let found = self.0.lock().unwrap().get(url).cloned();
            let found = found.map(|body| Fetched::Found { body, etag: None });
            Box::pin(async move { found.ok_or(Trouble::Missing(url.to_owned())) })
        }
    }

    fn log() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
    }

    fn public(key: &Ed25519KeyPair) -> [u8; 32] {
        key.public_key().as_ref().try_into().unwrap()
    }

    fn descriptor() -> Descriptor {
        Descriptor {
            name: "network.example".into(),
            version: 1,
            expires: Time(i64::MAX),
            policy: Hex([0; 32]),
            chain: chrysalis_network::Chain {
                symbol: "GRAM".into(),
                global_id: -3,
                purse: Hex([0; 32]),
            },
            directories: vec![Directory {
                url: "http://127.0.0.1:1".into(),
                key: Hex(public(&log())),
            }],
            classes: Vec::new(),
        }
    }

    async fn start(files: &Arc<Files>) -> Directories {
        start_in(files, None).await
    }

    async fn start_in(files: &Arc<Files>, kept: Option<&Path>) -> Directories {
        let source = Arc::clone(files) as Arc<dyn Source>;
        let (clock, kept) = (Arc::new(system_time), kept.map(Path::to_owned));
        Directories::start_each(descriptor(), vec![WEIGHTS], source, kept, clock, SOON).await
    }

    /// The trouble that it comes to have.
    async fn trouble(directories: &Directories) -> &'static str {
        for _ in 0..500 {
            if let Some(trouble) = directories.status().remove(0).trouble {
                return trouble.code();
            }
            sleep(Duration::from_millis(10)).await;
        }
        "none"
    }

    #[tokio::test]
    async fn a_log_that_forks_puts_its_directory_out() {
        let files = Arc::new(Files::default());
        files.class(1);
        files.head(1, [1; 32]);
        let directories = start(&files).await;
        assert!(directories.status()[0].trouble.is_none());
        assert_eq!(directories.class(&WEIGHTS).index, Some(7));
        files.head(1, [2; 32]);
        assert_eq!(trouble(&directories).await, "log_forked");
        assert_eq!(directories.class(&WEIGHTS).index, None, "nothing counts");
        files.head(1, [1; 32]);
        sleep(SOON * 5).await;
        assert_eq!(trouble(&directories).await, "log_forked", "for good");
    }

    #[tokio::test]
    async fn a_log_that_forked_between_two_runs_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::default());
        files.class(1);
        files.head(2, [1; 32]);
        let well = start_in(&files, Some(folder.path())).await;
        assert!(well.status()[0].trouble.is_none());
        drop(well);
        for (size, root, code) in [
            (2, [2; 32], "log_forked"),
            (1, [1; 32], "log_shrunk"),
            (2, [1; 32], "none"),
        ] {
            files.head(size, root);
            let found = start_in(&files, Some(folder.path())).await;
            let found = found.status().remove(0).trouble;
            assert_eq!(found.map_or("none", |it| it.code()), code);
        }
        // One that now shows no log at all is asked where it went.
        files
            .0
            .lock()
            .unwrap()
            .remove("http://127.0.0.1:1/checkpoint");
        let found = start_in(&files, Some(folder.path())).await;
        assert_eq!(trouble(&found).await, "directory_file_missing");
        // What its key did not sign is no head.
        let log = Hex(public(&log()));
        let path = folder.path().join(format!("log-{log}.note"));
        std::fs::write(path, "directory.example/log\n9\n").unwrap();
        files.head(2, [2; 32]);
        let found = start_in(&files, Some(folder.path())).await;
        assert!(found.status()[0].trouble.is_none());
    }

    #[tokio::test]
    async fn a_log_that_shrinks_or_does_not_show_that_it_grew_is_refused() {
        for (size, code) in [(1, "log_shrunk"), (3, "directory_file_missing")] {
            let files = Arc::new(Files::default());
            files.class(1);
            files.head(2, [1; 32]);
            let directories = start(&files).await;
            files.head(size, [1; 32]);
            assert_eq!(trouble(&directories).await, code);
        }
    }

    #[tokio::test]
    async fn a_log_that_grows_is_followed_from_head_to_head() {
        let files = Arc::new(Files::default());
        files.class(1);
        let leaf = |text: &str| chrysalis_attestation::release::leaf_hash(text.as_bytes());
        let (one, two) = (leaf("one"), leaf("two"));
        let root = sha256(&[&[1], &one, &two]);
        files.head(1, one);
        let directories = start(&files).await;
        let growth = Growth {
            old: 1,
            path: vec![two],
            checkpoint: note(2, root),
        };
        files.put("/consistency/1", growth.to_text().into_bytes());
        files.head(2, root);
        sleep(SOON * 5).await;
        assert!(
            directories.status()[0].trouble.is_none(),
            "{:?}",
            directories.status()
        );
        // It does not begin with what the first head had.
        let files = Arc::new(Files::default());
        files.class(1);
        files.head(1, two);
        let directories = start(&files).await;
        files.put("/consistency/1", growth.to_text().into_bytes());
        files.head(2, root);
        assert_eq!(trouble(&directories).await, "log_forked");
    }

    #[tokio::test]
    async fn a_directory_that_goes_back_is_named_and_what_it_said_stays() {
        let files = Arc::new(Files::default());
        files.class(5);
        let directories = start(&files).await;
        files.class(3);
        assert_eq!(trouble(&directories).await, "directory_rolled_back");
        assert_eq!(directories.class(&WEIGHTS).index, Some(7));
    }
}
