//! A vector before it is written: what is asked, the files that it is asked of, and what must come out.

use std::collections::BTreeMap;

use chrysalis_attestation::Time;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Files of many vectors, by their name below `common/`.
pub(crate) type Common = BTreeMap<String, Vec<u8>>;
/// Every file of the tree, by its path.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// One folder of the tree.
pub(crate) struct Vector {
    /// Its path: the kind, and what it shows.
    name: String,
    request: BTreeMap<String, Value>,
    /// Option and file name, and its bytes.
    files: Vec<(Place, Vec<u8>)>,
    expected: Value,
}

/// Where a file stands in the request.
struct Place {
    key: String,
    name: String,
    many: bool,
}

impl Vector {
    /// A vector of this kind whose `code` must come out; a word after the code tells apart those that share one.
    pub(crate) fn rejected(kind: &str, code: &str, shows: &str, at: Time) -> Self {
        let name = code.replace(['_', ' '], "-");
        let (code, _) = code.split_once(' ').unwrap_or((code, ""));
        let expected = json!({"verdict": "rejected", "code": code});
        Self::new(kind, &name, shows, at, expected)
    }

    /// A vector with which nothing is wrong. These claims, among others, must come out.
    pub(crate) fn accepted(
        kind: &str,
        name: &str,
        shows: &str,
        at: Time,
        (verdict, claims): (&str, Value),
    ) -> Self {
        let expected = json!({"verdict": verdict, "code": null, "claims": claims});
        Self::new(kind, name, shows, at, expected)
    }

    fn new(kind: &str, name: &str, shows: &str, at: Time, expected: Value) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp(at.0).expect("a time of this age");
        let mut request = BTreeMap::new();
        for (key, value) in [
            ("kind", kind),
            ("shows", shows),
            ("at", &moment.format(&Rfc3339).expect("a plain time")),
        ] {
            request.insert(key.to_owned(), json!(value));
        }
        Self {
            name: format!("{kind}/{name}"),
            request,
            files: Vec::new(),
            expected,
        }
    }

    /// Adds what is no file.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.request.insert(key.to_owned(), value.into());
        self
    }

    /// Adds what is no file, if it is there.
    pub(crate) fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a file.
    pub(crate) fn file(mut self, key: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.add(key, name, false, bytes.into());
        self
    }

    /// Adds a file of an option that may have several.
    pub(crate) fn one_of(mut self, key: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.add(key, name, true, bytes.into());
        self
    }

    /// Puts so many zeros in the place of a file, or of the first of several.
    pub(crate) fn zeros(mut self, key: &str, count: u64) -> Self {
        let place = self.files.iter().position(|(place, _)| place.key == key);
        let many = match place {
            Some(place) => self.files.remove(place).0.many,
            None => false,
        };
        let zeros = json!({ "zeros": count });
        self.with(key, if many { json!([zeros]) } else { zeros })
    }

    /// Adds a folder.
    pub(crate) fn folder(mut self, key: &str, name: &str, files: &Tree) -> Self {
        self.request.insert(key.to_owned(), json!(name));
        self.beside(name, files)
    }

    /// Puts other bytes in the place of a file.
    pub(crate) fn replaced(mut self, key: &str, bytes: Vec<u8>) -> Self {
        let mut files = self.files.iter_mut();
        let (_, old) = files.find(|(place, _)| place.key == key).expect("a file");
        *old = bytes;
        self
    }

    /// Adds the files of a folder that the request names in some other way.
    pub(crate) fn beside(mut self, name: &str, files: &Tree) -> Self {
        for (path, bytes) in files {
            self.add("", &format!("{name}/{path}"), false, bytes.clone());
        }
        self
    }

    fn add(&mut self, key: &str, name: &str, many: bool, bytes: Vec<u8>) {
        let (key, name) = (key.to_owned(), name.to_owned());
        self.files.push((Place { key, name, many }, bytes));
    }

    /// Puts its files into the tree; those that are common are only named.
    fn write(self, common: &Common, tree: &mut Tree) {
        let Self {
            name: folder,
            mut request,
            files,
            expected,
        } = self;
        for (Place { key, name, many }, bytes) in files {
            let shared = common
                .iter()
                .find(|(_, known)| **known == bytes)
                .filter(|_| !key.is_empty());
            let path = if let Some((shared, _)) = shared {
                format!("../../common/{shared}")
            } else {
                let twice = tree.insert(format!("{folder}/{name}"), bytes);
                assert!(twice.is_none(), "{folder} has two files {name}");
                name
            };
            match (key.as_str(), many) {
                ("", _) => {}
                (_, true) => {
                    let list = request.entry(key).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("a list").push(json!(path));
                }
                (_, false) => drop(request.insert(key, json!(path))),
            }
        }
        let request: Map<_, _> = request.into_iter().collect();
        for (name, json) in [("request", Value::Object(request)), ("expected", expected)] {
            // Whatever order this build of `serde_json` keeps.
            let mut json: Value = json;
            json.sort_all_objects();
            let text = serde_json::to_string_pretty(&json).expect("JSON");
            let twice = tree.insert(format!("{folder}/{name}.json"), format!("{text}\n").into());
            assert!(twice.is_none(), "there are two vectors {folder}");
        }
    }
}

/// All files of these vectors, and of what they have in common.
pub(crate) fn tree(vectors: Vec<Vector>, common: Common) -> Tree {
    let mut tree = Tree::new();
    for vector in vectors {
        vector.write(&common, &mut tree);
    }
    let common = common.into_iter();
    tree.extend(common.map(|(name, bytes)| (format!("common/{name}"), bytes)));
    tree
}
