//! The auditor: everything that a directory publishes, against its log and by itself. Needs nothing of the directory but its files.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrysalis_attestation::{
    Time,
    encoding::{
        cbor,
        digest::{Hex, sha256},
    },
    evidence::Evidence,
    release::{Checkpoint, MAX_TEXT, PublicKey, leaf_hash, verify_inclusion},
};
use chrysalis_image::publish::Tree;
use chrysalis_network::{
    ClassFile, Delta, Descriptor, MAX_CLASS_FILE, MAX_DELTA, MAX_NOW, Now, Rejection, Signers,
};
use chrysalis_settle::{Attested, EpochEvidence, MAX_KEPT, Report, SignedReport};

pub use self::source::{Folder, Source, Unread, Web};
use crate::publish::entry;

/// The most bytes of a descriptor in its envelope, and of a minute's reports.
const MAX_FILE: usize = 16 * 1024 * 1024;
/// The most bytes of an entry.
const MAX_ENTRY: usize = 256;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many entries the log has.
    pub entries: u64,
    /// Class files that are there.
    pub classes: u64,
    /// Listings in the newest of each class.
    pub listings: u64,
    /// Reports.
    pub reports: u64,
    /// Pieces of evidence, where they can be found.
    pub evidence: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A file that is not as it has to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.file, self.what)
    }
}

/// Checks all of it. A refusal where it is no directory of a network that these signers vouch for.
pub fn check(
    source: &dyn Source,
    signers: &Signers,
    now: Time,
) -> Result<Result<Checked, Rejection>, Unread> {
    let envelope = source.need("network", MAX_FILE)?;
    let network = match Descriptor::verify(&envelope, signers, now, |_| None) {
        Ok((network, _)) => network,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let mut audit = Audit {
        source,
        network,
        checked: Checked::default(),
        reports: BTreeMap::new(),
    };
    audit.policy()?;
    if let Some(files) = audit.log()? {
        audit.files(&files)?;
        audit.strays(&files)?;
    }
    audit.now()?;
    audit.evidence()?;
    Ok(Ok(audit.checked))
}

struct Audit<'a> {
    source: &'a dyn Source,
    network: Descriptor,
    checked: Checked,
    /// The last report of each enclave and model.
    reports: BTreeMap<([u8; 32], [u8; 32]), Report>,
}

impl Audit<'_> {
    fn fault(&mut self, file: &str, what: &(impl ToString + ?Sized)) {
        self.checked.faults.push(Fault {
            file: file.to_owned(),
            what: what.to_string(),
        });
    }

    fn policy(&mut self) -> Result<(), Unread> {
        let digest = self.network.policy;
        let name = format!("policies/{digest}");
        match self.source.get(&name, MAX_FILE)? {
            None => self.fault(&name, "the policy that the descriptor names is not there"),
            Some(policy) if sha256(&[&policy]) != digest.0 => self.fault(&name, "another file"),
            Some(_) => {}
        }
        Ok(())
    }

    /// The log by itself. What it says of files comes back, the newest last; `None`: it is no log.
    fn log(&mut self) -> Result<Option<Vec<(String, String)>>, Unread> {
        let name = "checkpoint";
        let note = self.source.need(name, MAX_TEXT)?;
        let Some((head, key)) = self.head(&note) else {
            self.fault(
                name,
                "no directory that the descriptor names has signed it with its log's key",
            );
            return Ok(None);
        };
        let mut tree = Tree::default();
        let mut roots = BTreeMap::new();
        let mut entries = Vec::new();
        for number in 0..head.size {
            let name = format!("entries/{number:06}");
            let Some(bytes) = self.source.get(&name, MAX_ENTRY)? else {
                self.fault(&name, "it is not there");
                return Ok(None);
            };
            tree.push(bytes.clone());
            roots.insert(tree.size(), tree.head(&head.origin));
            entries.push(bytes);
        }
        self.checked.entries = head.size;
        if roots.get(&head.size) != Some(&head) {
            self.fault(name, "the log's entries are others than it signed");
            return Ok(None);
        }
        let mut files = Vec::new();
        for (number, bytes) in entries.iter().enumerate() {
            self.proof(bytes, &key, &roots)?;
            let read = std::str::from_utf8(bytes).ok().and_then(read_entry);
            match read {
                Some((digest, path)) => files.push((path.to_owned(), digest.to_owned())),
                None => self.fault(&format!("entries/{number:06}"), "no digest of a file"),
            }
        }
        self.growth(&head, &key, &roots)?;
        Ok(Some(files))
    }

    fn head(&self, note: &[u8]) -> Option<(Checkpoint, PublicKey)> {
        self.network.directories.iter().find_map(|directory| {
            let key = PublicKey::from_ed25519(directory.key.0).ok()?;
            let head = Checkpoint::verify(note, &key).ok()?;
            (head.origin == directory.origin()).then_some((head, key))
        })
    }

    fn proof(
        &mut self,
        entry: &[u8],
        key: &PublicKey,
        roots: &BTreeMap<u64, Checkpoint>,
    ) -> Result<(), Unread> {
        let name = format!("proofs/{}.tlog-proof", Hex(leaf_hash(entry)));
        let Some(proof) = self.source.get(&name, MAX_TEXT)? else {
            self.fault(&name, "it is not there");
            return Ok(());
        };
        match verify_inclusion(entry, &proof, key) {
            Err(rejection) => self.fault(&name, &rejection),
            Ok(head) if roots.get(&head.size) != Some(&head) => {
                self.fault(&name, "it leads to another tree than this log's");
            }
            Ok(_) => {}
        }
        Ok(())
    }

    /// From the first head to the newest.
    fn growth(
        &mut self,
        head: &Checkpoint,
        key: &PublicKey,
        roots: &BTreeMap<u64, Checkpoint>,
    ) -> Result<(), Unread> {
        let Some(first) = self.first_head(key)? else {
            return Ok(());
        };
        let mut at = first;
        while at.size < head.size {
            let name = format!("consistency/{}", at.size);
            let Some(growth) = self.source.get(&name, MAX_TEXT)? else {
                self.fault(&name, "it is not there");
                return Ok(());
            };
            let note = chrysalis_attestation::release::Growth::parse(&growth);
            let next = note.and_then(|it| Checkpoint::verify(it.checkpoint.as_bytes(), key));
            let next = next.and_then(|next| {
                at.head().grew_into(&next, Some(&growth))?;
                Ok(next)
            });
            match next {
                Ok(next) if next.size > at.size && roots.get(&next.size) == Some(&next) => {
                    at = next;
                }
                Ok(_) => {
                    self.fault(&name, "it leads to another tree than this log's");
                    return Ok(());
                }
                Err(rejection) => {
                    self.fault(&name, &rejection);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The head that the first entry came with.
    fn first_head(&self, key: &PublicKey) -> Result<Option<Checkpoint>, Unread> {
        let Some(first) = self.source.get("entries/000000", MAX_ENTRY)? else {
            return Ok(None);
        };
        let name = format!("proofs/{}.tlog-proof", Hex(leaf_hash(&first)));
        let proof = self.source.get(&name, MAX_TEXT)?.unwrap_or_default();
        Ok(verify_inclusion(&first, &proof, key).ok())
    }

    /// What the log has of each file, and whether it is the file that is there.
    fn files(&mut self, files: &[(String, String)]) -> Result<(), Unread> {
        let mut named = BTreeSet::new();
        let mut newest = BTreeMap::new();
        for (kind, number) in files.iter().filter_map(|(path, _)| kind_of(path)) {
            let most = newest.entry(kind).or_insert(number);
            *most = number.max(*most);
        }
        for (path, digest) in files {
            if !named.insert(path) {
                self.fault(path, "it is in the log twice");
            }
            let Some(bytes) = self.source.get(path, MAX_FILE)? else {
                // Older ones are not kept; those that are have to be there.
                if is_kept(path, &newest) {
                    self.fault(path, "it is in the log, and withheld");
                }
                continue;
            };
            if entry(path, &bytes) != format!("{digest}  {path}\n") {
                self.fault(path, "another file than the one in the log");
            } else if path.starts_with("reports/") {
                self.minute(path, &bytes);
            } else {
                self.class(path, &bytes)?;
            }
        }
        Ok(())
    }

    fn minute(&mut self, path: &str, bytes: &[u8]) {
        let values = cbor::decode(bytes).and_then(cbor::array);
        let reports = values.and_then(|it| {
            let bytes = it.into_iter().map(cbor::bytes);
            bytes.collect::<Option<Vec<_>>>()
        });
        let Some(reports) = reports else {
            return self.fault(path, "no list of reports");
        };
        let mut last = None;
        for bytes in reports {
            let report = match SignedReport::verify(&bytes) {
                Ok(report) => report,
                Err(rejection) => {
                    self.fault(path, &rejection);
                    continue;
                }
            };
            self.checked.reports += 1;
            let place = (report.receipt_key, report.weights, report.epoch);
            if last.is_some_and(|last| place <= last) {
                self.fault(path, "reports out of order, or one twice");
            }
            last = Some(place);
            self.follows(path, report);
        }
    }

    /// A gap is no fault of the directory's: it may not have been sent what is missing. One that is there has to follow.
    fn follows(&mut self, path: &str, report: Report) {
        let place = (report.receipt_key, report.weights);
        let before = self.reports.get(&place);
        let before = before.filter(|it| it.epoch.checked_add(1) == Some(report.epoch));
        let held = match before {
            None if report.epoch > 0 => report.is_priced(),
            before => report.follows(before),
        };
        if let Err(rejection) = held {
            self.fault(path, &rejection);
        }
        let newer = self
            .reports
            .get(&place)
            .is_none_or(|it| it.epoch < report.epoch);
        if newer {
            self.reports.insert(place, report);
        }
    }

    fn class(&mut self, path: &str, bytes: &[u8]) -> Result<(), Unread> {
        let file = match ClassFile::decode(bytes) {
            Ok(file) => file,
            Err(rejection) => {
                self.fault(path, &rejection);
                return Ok(());
            }
        };
        self.checked.classes += 1;
        if file.network != self.network.id()
            || crate::publish::whole(&file.weights, file.epoch) != path
        {
            self.fault(path, "it is of another network, class or epoch");
        }
        let Some(earlier) = file.epoch.checked_sub(1) else {
            return Ok(());
        };
        let name = crate::publish::delta(&file.weights, file.epoch);
        let delta = self.source.get(&name, MAX_DELTA)?;
        let before = crate::publish::whole(&file.weights, earlier);
        let before = self.source.get(&before, MAX_CLASS_FILE)?;
        let (Some(delta), Some(before)) = (delta, before) else {
            return Ok(());
        };
        let led = ClassFile::decode(&before).and_then(|mut before| {
            before.apply(Delta::decode(&delta)?)?;
            Ok(before)
        });
        match led {
            Ok(led) if led == file => {}
            Ok(_) => self.fault(&name, "it leads to another file than the one in the log"),
            Err(rejection) => self.fault(&name, &rejection),
        }
        Ok(())
    }

    fn now(&mut self) -> Result<(), Unread> {
        let classes: Vec<_> = self.network.classes.iter().map(|it| it.weights).collect();
        for weights in classes {
            let name = format!("now/{weights}");
            let Some(bytes) = self.source.get(&name, MAX_NOW)? else {
                self.fault(&name, "it is not there");
                continue;
            };
            let now = match Now::decode(&bytes) {
                Ok(now) => now,
                Err(rejection) => {
                    self.fault(&name, &rejection);
                    continue;
                }
            };
            if (now.network, now.weights) != (self.network.id(), weights.0) {
                self.fault(&name, "it is of another network or class");
                continue;
            }
            let whole = crate::publish::whole(&weights.0, now.epoch);
            match self.source.get(&whole, MAX_CLASS_FILE)? {
                None => self.fault(&name, "it names an epoch that is not there"),
                Some(bytes) => {
                    let file = ClassFile::decode(&bytes);
                    self.checked.listings += file.map_or(0, |it| it.listings.len() as u64);
                }
            }
        }
        Ok(())
    }

    /// Evidence, where the folder can be looked through.
    fn evidence(&mut self) -> Result<(), Unread> {
        for digest in self.source.names("evidence")?.unwrap_or_default() {
            let name = format!("evidence/{digest}");
            let bytes = self.source.need(&name, MAX_KEPT)?;
            let found = EpochEvidence::decode(&bytes).ok();
            let found = found.and_then(|it| Evidence::decode(&it.bundle).ok());
            let found = found.map(|it| Hex(Attested::bundle_digest(&it)).to_string());
            if found.as_ref() == Some(&digest) {
                self.checked.evidence += 1;
            } else {
                self.fault(&name, "other evidence than its name says");
            }
        }
        Ok(())
    }

    /// Files that the log does not know, where the folder can be looked through.
    fn strays(&mut self, files: &[(String, String)]) -> Result<(), Unread> {
        let named: BTreeSet<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        let mut folders = vec!["reports".to_owned()];
        for class in self.source.names("listings")?.unwrap_or_default() {
            folders.push(format!("listings/{class}"));
        }
        for folder in folders {
            for name in self.source.names(&folder)?.unwrap_or_default() {
                let path = format!("{folder}/{name}");
                let known = named.contains(path.replace("/delta-", "/full-").as_str());
                if !known {
                    self.fault(&path, "it is not in the log");
                }
            }
        }
        Ok(())
    }
}

/// What kind of file it is, and its number.
fn kind_of(path: &str) -> Option<(&str, i64)> {
    let at = path.rfind(['/', '-'])?;
    let (kind, number) = path.split_at_checked(at + 1)?;
    Some((kind, number.parse().ok()?))
}

/// Whether a file is young enough to be there: by the newest that the log has of its kind.
fn is_kept(path: &str, newest: &BTreeMap<&str, i64>) -> bool {
    let Some((kind, this)) = kind_of(path) else {
        return true;
    };
    let kept = if kind == "reports/" {
        crate::publish::REPORTS_KEPT
    } else {
        i64::try_from(crate::publish::EPOCHS_KEPT).unwrap_or(i64::MAX)
    };
    let newest = newest.get(kind).copied().unwrap_or(this);
    newest.saturating_sub(this) < kept
}

/// The digest and the name in an entry.
fn read_entry(entry: &str) -> Option<(&str, &str)> {
    let (digest, path) = entry.strip_suffix('\n')?.split_once("  ")?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|it| it.is_ascii_hexdigit());
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    let is_path = path.split('/').all(part) && !path.contains(char::is_whitespace);
    (is_digest && is_path).then_some((digest, path))
}
