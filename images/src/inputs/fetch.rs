//! Pinned inputs from a cache, filled from wherever this machine gets its packages: Debian's through apt's own downloader
//! or curl, Python's through pip; what no mirror has any more, from the distribution's snapshot archive. None of them is
//! trusted: a file enters the cache under its digest, and only after its bytes were counted and hashed. A broken transfer
//! leaves nothing behind.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    Error,
    digest::Sha256,
    files::{name_of, temporary_in},
    inputs::{
        apt::{Archives, NO_ARCHIVE, Sources},
        download,
        index::Index,
        lock::{Input, Kind},
        package::Deb,
        python::Python,
        search::{Search, Talk, check, keep},
        snapshot::Snapshots,
    },
    parallel, progress,
};

/// The package that depends on apt's library, and how the library's name and file begin.
const APT: &str = "apt";
const LIBRARY: &str = "libapt-pkg";
const LIBRARY_FILE: &str = "usr/lib/x86_64-linux-gnu/libapt-pkg.so.*";

/// Downloads at once: most files are small, and each costs a round trip to the archive.
const DOWNLOADS: usize = 6;

/// Fetches inputs into a cache.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// Where this project caches; inputs lie in a folder of their own in it.
    pub cache: PathBuf,
    /// Bases of archives to try before the machine's own: addresses, or folders.
    pub mirrors: Vec<String>,
    /// The machine's own.
    pub archives: Archives,
}

/// `$CHRYSALIS_CACHE`, or `chrysalis` where the user's caches are.
pub fn default_cache() -> Option<PathBuf> {
    let named = |variable| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("CHRYSALIS_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("chrysalis")))
        .or_else(|| named("HOME").map(|folder| folder.join(".cache/chrysalis")))
}

impl Fetcher {
    /// The input's file, from the cache or from a mirror; its bytes are the pinned ones.
    pub fn fetch(&self, input: &Input) -> Result<PathBuf, Error> {
        self.obtain(input, Talk::Each)
    }

    /// Many inputs into the cache, a few at a time.
    pub fn fetch_all(&self, what: &str, inputs: &[Input]) -> Result<(), Error> {
        let total = inputs.iter().map(|input| input.size).sum();
        let have = AtomicU64::new(0);
        let status = || progress::of(have.load(Ordering::Relaxed), total);
        progress::showing(&format!("fetching {what}"), status, || {
            parallel::each(inputs, DOWNLOADS, |input| {
                self.obtain(input, Talk::All)?;
                have.fetch_add(input.size, Ordering::Relaxed);
                Ok(())
            })
        })
    }

    /// A Debian package, unpacked in memory.
    pub fn deb(&self, input: &Input) -> Result<Deb, Error> {
        let path = self.fetch(input)?;
        let what = format!("unpacking {} {}", input.package, input.version);
        progress::during(&what, || Deb::read(&input.name, &path))
    }

    fn obtain(&self, input: &Input, talk: Talk) -> Result<PathBuf, Error> {
        let folder = self.inputs()?;
        let cached = folder.join(input.sha256.to_string());
        if cached.exists() {
            match check(&cached, input, "the cache") {
                Ok(()) => return Ok(cached),
                Err(problem) => eprintln!("  fetching {} again: {problem}", input.package),
            }
        }
        match input.kind {
            Kind::Deb => self.fetch_deb(input, talk, &folder, &cached)?,
            Kind::Rust => {
                return Err(Error::WrongKind {
                    input: input.name.clone(),
                    wanted: "deb or a wheel",
                    locked: input.kind.name(),
                });
            }
            Kind::Wheel | Kind::Sdist => {
                let temporary = temporary_in(&folder)?;
                let Input {
                    package,
                    version,
                    path,
                    ..
                } = input;
                let file = download::named(package, version, path, temporary.path())?;
                check(&file, input, "pip's index")?;
                keep(&file, &cached)?;
            }
        }
        Ok(cached)
    }

    /// Takes a Python package's newest version, or the named one, into the cache, and pins it.
    pub fn pin_python(&self, input: &Input, version: Option<&str>) -> Result<Input, Error> {
        let folder = self.inputs()?;
        let temporary = temporary_in(&folder)?;
        let fetch = match input.kind {
            Kind::Sdist => download::sdist,
            Kind::Wheel | Kind::Deb | Kind::Rust => download::wheel,
        };
        let file = fetch(&input.package, version, temporary.path())?;
        let (size, sha256) = Sha256::of_file(&file).map_err(Error::io("read", &file))?;
        let name = name_of(&file);
        // name-version-tags.whl (PEP 427), name-version.tar.gz (PEP 625): neither name nor version has a dash.
        let version = name.split('-').nth(1).unwrap_or_default();
        let version = version.trim_end_matches(".tar.gz").to_owned();
        keep(&file, &folder.join(sha256.to_string()))?;
        Ok(Input {
            version,
            path: name,
            size,
            sha256,
            ..input.clone()
        })
    }

    /// What pip resolves for an interpreter, taken into the cache and pinned.
    pub(super) fn pin_wheels(&self, python: &Python) -> Result<Vec<Input>, Error> {
        let folder = self.inputs()?;
        let temporary = temporary_in(&folder)?;
        for (wanted, dependencies) in [(&python.requirements, true), (&python.alone, false)] {
            if !wanted.is_empty() {
                download::resolve(&python.version, wanted, dependencies, temporary.path())?;
            }
        }
        let listed = fs::read_dir(temporary.path());
        let listed = listed.map_err(Error::io("read", temporary.path()))?;
        let mut pins = Vec::new();
        let files = listed.filter_map(Result::ok).map(|entry| entry.path());
        for file in files.filter(|file| file.is_file()) {
            let (size, sha256) = Sha256::of_file(&file).map_err(Error::io("read", &file))?;
            let path = name_of(&file);
            let mut words = path.split('-');
            let mut word = || words.next().unwrap_or_default().to_owned();
            // As indexes write it (PEP 503).
            let name = word().to_ascii_lowercase().replace(['_', '.'], "-");
            let version = word();
            if python.without.contains(&name) {
                continue;
            }
            keep(&file, &folder.join(sha256.to_string()))?;
            pins.push(Input {
                package: name.clone(),
                kind: Kind::Wheel,
                follows: None,
                suite: None,
                snapshot: None,
                name,
                version,
                path,
                size,
                sha256,
            });
        }
        Ok(pins)
    }

    fn inputs(&self) -> Result<PathBuf, Error> {
        let folder = self.cache.join("inputs");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(folder)
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            mirrors: &self.mirrors,
            archives: &self.archives,
        }
    }

    /// What a suite and its security updates have today.
    pub fn index(&self, suite: &str, component: &str) -> Result<Index, Error> {
        Index::fetch(
            suite,
            component,
            self.sources(),
            &self.cache.join("indexes"),
        )
    }

    /// Where a package may be. The security archive drops it for a newer one; by then a point release has usually brought it
    /// into the main archive, byte for byte.
    fn addresses(&self, input: &Input) -> Vec<String> {
        let suite = input.suite.as_deref().unwrap_or_default();
        let at = |suite: &str, path: &str| -> Vec<String> {
            let bases = self.sources().bases(suite).into_iter();
            let address = |base: String| format!("{}/{path}", base.trim_end_matches('/'));
            bases.map(address).collect()
        };
        let mut addresses = at(suite, &input.path);
        if let Some(rest) = input.path.strip_prefix("pool/updates/") {
            let suite = suite.trim_end_matches("-security");
            addresses.extend(at(suite, &format!("pool/{rest}")));
        }
        addresses
    }

    /// Where the snapshot archive has a package; or what is in the way.
    fn snapshots(&self, input: &Input) -> Vec<Result<String, String>> {
        let suite = input.suite.as_deref().unwrap_or_default();
        let Some(moment) = &input.snapshot else {
            let none = "no snapshot archive: the lock names no moment (snapshot) for this input";
            return vec![Err(none.into())];
        };
        let snapshots = self.archives.snapshots(|| self.newer_snapshots(suite));
        snapshots.addresses(suite, moment, &input.path)
    }

    /// An apt before version 3 knows of no snapshot archive; the one that the suite has may. Its newest version is read, not a pinned
    /// one, which would be gone from the mirrors together with everything else.
    fn newer_snapshots(&self, suite: &str) -> Snapshots {
        let suite = suite.trim_end_matches("-security");
        if self.archives.bases(suite).is_empty() {
            return Snapshots::none("this machine's apt names no Debian archive");
        }
        self.library(suite).unwrap_or_else(|error| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default();
            Snapshots::none(format!("and the apt of {suite} cannot be read: {reason}"))
        })
    }

    fn library(&self, suite: &str) -> Result<Snapshots, Error> {
        let index = self.index(suite, "main")?;
        let apt = index.newest(APT)?;
        let depends = apt.field("Depends").split([',', '|', ' ']);
        let name = depends.into_iter().find(|name| name.starts_with(LIBRARY));
        let library = index.newest(name.unwrap_or(LIBRARY))?.pin(LIBRARY)?;
        let folder = self.inputs()?;
        let file = folder.join(library.sha256.to_string());
        if !file.exists() {
            self.on_mirrors(Search::new(&library, Talk::Each, &folder, &file))?
                .map_or(Ok(()), |search| Err(search.failed()))?;
        }
        let deb = Deb::read(LIBRARY, &file)?;
        let (_, bytes) = deb.only(LIBRARY_FILE)?;
        let name = format!("{} {} of {suite}", library.package, library.version);
        Ok(Snapshots::of_library(&name, bytes))
    }

    /// From a mirror, or else from the snapshot archive.
    fn fetch_deb(
        &self,
        input: &Input,
        talk: Talk,
        folder: &Path,
        cached: &Path,
    ) -> Result<(), Error> {
        let search = Search::new(input, talk, folder, cached);
        let Some(mut search) = self.on_mirrors(search)? else {
            return Ok(());
        };
        for address in self.snapshots(input) {
            match address {
                Err(problem) => search.tried.push(problem),
                Ok(address) if search.at(&address)? => return Ok(()),
                Ok(_) => {}
            }
        }
        Err(search.failed())
    }

    /// Gives the search back where no mirror has it.
    fn on_mirrors<'input>(
        &self,
        mut search: Search<'input>,
    ) -> Result<Option<Search<'input>>, Error> {
        let addresses = self.addresses(search.input);
        if addresses.is_empty() {
            search.tried.push(NO_ARCHIVE.into());
        }
        for address in addresses {
            if search.at(&address)? {
                return Ok(None);
            }
        }
        Ok(Some(search))
    }
}
