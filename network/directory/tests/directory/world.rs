//! A network with a simulated chip: all honest, until a test makes one thing a lie.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use chrysalis_attestation::{
    Collateral, Time,
    encoding::digest::{Hex, sha256},
    evidence::{
        CpuReport, Evidence,
        binding::{Anchor, Session, host_data},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
        encode_gpus,
    },
    policy::{Policy, SnpTemplate, Template},
    snp::{floor::Floor, product::Product},
};
use chrysalis_directory::{
    Admitted, Clock, Cuts, Desk, Directory, Judge, Origin, Publisher, Refused,
    store::{Shared, Sqlite},
};
use chrysalis_image::publish::{Passphrase, SigningKey};
use chrysalis_network::{Descriptor, Endpoint, Listing, Signers, Upload};
use chrysalis_settle::{
    Attested, EpochEvidence, Offer, Report, Sign, money,
    price::{Load, Price},
};
use chrysalis_simulate::{Amd, Launch, TCB};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

/// 2026-12-01 12:00 UTC: when every scene begins.
pub(crate) const NOW: i64 = 1_796_126_400;
pub(crate) const CONFIGURATION: &[u8] = b"model = \"smollm2\"\n";
pub(crate) const LAUNCH_DIGEST: [u8; 48] = [0xD1; 48];
pub(crate) const WEIGHTS: [u8; 32] = [0x33; 32];
pub(crate) const OTHER_WEIGHTS: [u8; 32] = [0x34; 32];
pub(crate) const SPKI: &[u8] = b"the enclave's SubjectPublicKeyInfo";

/// Anyone can sign with it.
pub(crate) struct Key(Ed25519KeyPair);

impl Key {
    pub(crate) fn of(name: &str) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&sha256(&[name.as_bytes()])).expect("a seed"))
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("32 bytes")
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

/// One simulated vendor for all tests, kept between runs.
pub(crate) fn amd() -> &'static Amd {
    static AMD: OnceLock<Amd> = OnceLock::new();
    AMD.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = root.join("build/simulated-vendors/directory");
        Amd::open_or_create(&folder, Time(NOW), &mut |_| ()).expect("a simulated vendor")
    })
}

/// That of another chip than the vendor's first, made once.
fn certificate(chip: u8) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<u8, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("unpoisoned");
    let issue = || {
        let mut profile = amd().vcek_profile(Time(NOW));
        profile.hwid = [chip; 64];
        amd().issue_vcek(&profile).expect("a certificate")
    };
    made.entry(chip).or_insert_with(issue).clone()
}

pub(crate) fn policy_text(roots: &[[u8; 32]]) -> String {
    Policy::template(&Template {
        configuration: CONFIGURATION,
        snp: Some(SnpTemplate {
            launch_digest: vec![LAUNCH_DIGEST],
            minimum_tcb: Floor::each([(Product::Genoa, TCB)]).expect("a floor"),
        }),
        simulated_roots: roots.to_vec(),
        ..Template::default()
    })
}

/// A network's name, its policy, one directory whose log has this key.
pub(crate) fn network_toml(name: &str, policy: &str, key: &[u8; 32]) -> String {
    let (policy, key) = (Hex(sha256(&[policy.as_bytes()])), Hex(*key));
    let (weights, other) = (Hex(WEIGHTS), Hex(OTHER_WEIGHTS));
    format!(
        "name = \"{name}\"\nversion = 1\nexpires = \"2027-06-01T00:00:00Z\"\npolicy = \"{policy}\"\n\
         [chain]\nglobal_id = -3\npurse = \"{}\"\n\
         [[directory]]\nurl = \"https://directory.example\"\nkey = \"{key}\"\n\
         [[class]]\nname = \"smollm2\"\nweights = \"{weights}\"\n\
         [[class]]\nname = \"other\"\nweights = \"{other}\"\n",
        "aa".repeat(32)
    )
}

/// The clock of a test.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn at(now: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now)))
    }

    pub(crate) fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::of(move || Time(hands.now()))
    }
}

/// A directory, and what it is made of.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) hands: Hands,
    pub(crate) desk: Arc<Desk>,
    pub(crate) publisher: Publisher,
    pub(crate) signers: Signers,
    /// How often evidence was judged.
    pub(crate) judged: Arc<AtomicUsize>,
}

pub(crate) struct Making {
    pub(crate) private: bool,
    pub(crate) roots: Vec<[u8; 32]>,
    pub(crate) cuts: Cuts,
    pub(crate) store: Option<Shared>,
    pub(crate) now: i64,
}

impl Default for Making {
    fn default() -> Self {
        Self {
            private: false,
            roots: vec![amd().root_sha256()],
            cuts: Cuts::default(),
            store: None,
            now: NOW,
        }
    }
}

fn signing_key(folder: &Path, name: &str) -> SigningKey {
    let path = folder.join(name);
    if path.exists() {
        let passphrase = Passphrase::Terminal;
        let development = chrysalis_image::publish::development(false);
        return SigningKey::read(&path, &passphrase, development).expect("a key");
    }
    SigningKey::make_open(&path).expect("a key")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Making::default())
    }

    pub(crate) fn with(making: Making) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), making)
    }

    /// In a folder that may have one from before.
    pub(crate) fn in_folder(folder: TempDir, making: Making) -> Self {
        let store = making.store.unwrap_or_else(|| {
            let path = folder.path().join("directory.sqlite");
            Shared::new(Sqlite::open(&path).expect("a database"))
        });
        let log = signing_key(folder.path(), "log.pem");
        let owner = signing_key(folder.path(), "network.pem");
        let text = policy_text(&making.roots);
        let key = *log.public().ed25519().expect("Ed25519");
        let toml = network_toml("network.example", &text, &key);
        let envelope = Descriptor::envelope(toml.into_bytes()).expect("a descriptor");
        let envelope = owner.seal(envelope).expect("signed").into_bytes();
        let signers = Signers {
            keys: vec![owner.public().clone()],
            at_least: 1,
        };
        let (network, _) =
            Descriptor::verify(&envelope, &signers, Time(NOW), |_| None).expect("a network");
        let hands = Hands::at(making.now);
        let policy = Policy::parse(&text).expect("a policy");
        let judged = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&judged);
        let bring = Arc::new(move |_: &_| {
            count.fetch_add(1, Ordering::SeqCst);
            Collateral::default()
        });
        let directory = Directory {
            network,
            judge: Judge::new(policy, bring),
            private: making.private,
            clock: hands.clock(),
        };
        let desk = Desk::new(directory, store);
        let origin = Origin {
            name: "directory.example".to_owned(),
            key: log,
        };
        let public = folder.path().join("public");
        let publisher = Publisher::new(Arc::clone(&desk), &public, origin, making.cuts);
        publisher
            .introduce(&envelope, text.as_bytes())
            .expect("introduced");
        Self {
            folder,
            hands,
            desk,
            publisher,
            signers,
            judged,
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin {
            name: "directory.example".to_owned(),
            key: signing_key(self.folder.path(), "log.pem"),
        }
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// As after the program has ended and begun again.
    pub(crate) fn restarted(self) -> Self {
        let now = self.hands.now();
        let Self { folder, .. } = self;
        Self::in_folder(
            folder,
            Making {
                now,
                ..Making::default()
            },
        )
    }

    pub(crate) fn network(&self) -> [u8; 32] {
        self.desk.directory().network.id()
    }

    pub(crate) fn list(&self, enclave: &Enclave) -> Result<Admitted, Refused> {
        self.desk.list(&enclave.upload(self).encode())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.public().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// An enclave with its operator.
#[derive(Clone)]
pub(crate) struct Enclave {
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) claims: Claims,
    pub(crate) weights: [u8; 32],
    pub(crate) chip: u8,
    pub(crate) seq: u64,
    pub(crate) lasts: i64,
    pub(crate) began: i64,
    pub(crate) endpoint: String,
    pub(crate) alter: fn(&mut Offer),
    pub(crate) bring: bool,
}

impl Enclave {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            operator: format!("operator of {name}"),
            claims: claims(Key::of(name).public(), NOW),
            weights: WEIGHTS,
            chip: 1,
            seq: 1,
            lasts: 1800,
            began: NOW,
            endpoint: "enclave.example:443".to_owned(),
            alter: |_| (),
            bring: true,
        }
    }

    pub(crate) fn evidence(&self) -> EpochEvidence {
        let claims = Claims {
            epoch_began: self.began,
            ..self.claims.clone()
        };
        let claims = claims.encode();
        let anchor = Anchor::new(&Session::Boot, SPKI, &claims);
        let amd = amd();
        let launch = Launch::new(LAUNCH_DIGEST, host_data(CONFIGURATION), [self.chip; 32]);
        let mut report = amd.report(&launch, anchor.report_data(&encode_gpus(&[])));
        let mut endorsements = amd.endorsements();
        if self.chip > 1 {
            report.chip_id = [self.chip; 64];
            endorsements.certificates[0] = certificate(self.chip);
        }
        let evidence = Evidence {
            cpu: CpuReport::Snp(amd.sign(&report).to_vec()),
            claims,
            gpus: Vec::new(),
            path: None,
            endorsements,
        };
        EpochEvidence {
            spki: SPKI.to_vec(),
            bundle: evidence.encode(),
        }
    }

    pub(crate) fn offer(&self, evidence: &EpochEvidence) -> Vec<u8> {
        let evidence = Evidence::decode(&evidence.bundle).expect("evidence");
        let mut offer = Offer {
            receipt_key: Key::of(&self.name).public(),
            epoch: self.claims.epoch,
            evidence: Attested::bundle_digest(&evidence),
            configuration: self.claims.configuration,
            release: self.claims.release.clone(),
            platform: "simulated".to_owned(),
            gpus: 0,
            model: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            weights: self.weights,
            context: 2048,
            slots: 8,
            tokens_per_second: 40,
        };
        (self.alter)(&mut offer);
        offer.sign(&Key::of(&self.name)).expect("signed").encode()
    }

    pub(crate) fn listing(&self, world: &World, evidence: &EpochEvidence) -> Listing {
        Listing {
            network: world.network(),
            operator: Key::of(&self.operator).public(),
            seq: self.seq,
            payee: [0x0A; 32],
            lane_min: 100_000_000,
            delay_min: 3600,
            endpoints: vec![Endpoint::parse(&self.endpoint).expect("an endpoint")],
            region: "eu".to_owned(),
            offer: self.offer(evidence),
            until: world.hands.now() + self.lasts,
        }
    }

    pub(crate) fn upload(&self, world: &World) -> Upload {
        let evidence = self.evidence();
        let listing = self.listing(world, &evidence);
        Upload {
            listing: listing.sign(&Key::of(&self.operator)).expect("signed"),
            evidence: self.bring.then_some(evidence),
        }
    }

    /// Reports in a row, as an enclave makes them.
    pub(crate) fn reports(&self, count: u64) -> Vec<Vec<u8>> {
        let key = Key::of(&self.name);
        let rates = [1_000_000, 100_000, 3_000_000, 0];
        let mut price = Price::new(20_000_000);
        let mut reports = Vec::new();
        for epoch in 0..count {
            let load = Load {
                used: 480_000 - 60_000 * (epoch % 5),
                capacity: 480_000,
            };
            let report = Report {
                receipt_key: key.public(),
                weights: self.weights,
                epoch,
                price,
                rates,
                asked: money::prices(price.base().expect("fits"), &rates).expect("fits"),
                load,
                jobs: 3,
                failed: 0,
                revenue: 1_000,
                tabs: 1,
                first_token_ms: 120,
                tokens_per_second: 40,
                ended: NOW + i64::try_from(epoch).expect("small") * 60,
            };
            reports.push(report.sign(&key).expect("signed").encode());
            price = price.after(load, 20_000_000);
        }
        reports
    }
}

pub(crate) fn claims(receipt_key: [u8; 32], began: i64) -> Claims {
    Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.4".to_owned(),
        configuration: host_data(CONFIGURATION),
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp".to_owned(),
            disk: [0x22; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [0x55; 32],
            weights: WEIGHTS,
            tokenizer: Some([0x66; 32]),
            template: Some([0x44; 32]),
        }],
        known_answer: true,
        receipt_key,
        hpke_key: [0x09; 32],
        epoch: 2,
        epoch_began: began,
        epoch_seconds: 3600,
    }
}
