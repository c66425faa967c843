//! The measured programs, and what is known about them: which compiler made which bytes is recorded next to them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    digest::Sha256,
    inputs::lock::Input,
    manifest::{Origin, Toolchain},
};

/// The file of facts about programs, in their folder.
const FACTS: &str = "binaries.json";

/// A folder of programs, and what is known about them.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    facts: Option<Facts>,
}

/// What a build writes down about its programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    toolchain: Toolchain,
    binaries: Vec<Fact>,
    inputs: Vec<Input>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    package: String,
    version: String,
    sha256: Sha256,
}

impl Binaries {
    /// Programs that were compiled elsewhere. Recorded facts apply only to the bytes they name.
    pub fn given(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FACTS);
        let facts = fs::read(&path).ok();
        let facts = facts.map(|bytes| serde_json::from_slice(&bytes));
        let malformed =
            |problem| Error::value(path, "the file", format!("cannot be parsed: {problem}"));
        Ok(Self {
            folder: folder.to_owned(),
            facts: facts.transpose().map_err(malformed)?,
        })
    }

    /// Programs, by package and version, that were just compiled into a folder; `inputs` are what the toolchain is made of.
    pub fn built(
        folder: &Path,
        programs: impl Iterator<Item = (String, String)>,
        toolchain: Toolchain,
        inputs: &[Input],
    ) -> Result<Self, Error> {
        let fact = |(package, version): (String, String)| {
            let path = folder.join(&package);
            let (_, sha256) = Sha256::of_file(&path).map_err(Error::io("read", &path))?;
            Ok(Fact {
                package,
                version,
                sha256,
            })
        };
        let facts = Facts {
            toolchain,
            binaries: programs.map(fact).collect::<Result<_, _>>()?,
            inputs: inputs.to_vec(),
        };
        let path = folder.join(FACTS);
        let mut text = serde_json::to_string_pretty(&facts).expect("strings always serialise");
        text.push('\n');
        fs::write(&path, text).map_err(Error::io("write", path))?;
        Ok(Self {
            folder: folder.to_owned(),
            facts: Some(facts),
        })
    }

    /// The folder they lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program's bytes and origin.
    pub fn read(&self, package: &str) -> Result<(Vec<u8>, Origin), Error> {
        let path = self.folder.join(package);
        let bytes = fs::read(&path).map_err(|_| Error::NoProgram {
            package: package.into(),
            folder: self.folder.clone(),
        })?;
        let digest = Sha256::of(&bytes);
        let facts = self.facts.iter().flat_map(|facts| &facts.binaries);
        let fact = facts
            .into_iter()
            .find(|fact| fact.package == package && fact.sha256 == digest);
        let origin = match fact {
            Some(fact) => Origin::Built {
                package: package.into(),
                version: fact.version.clone(),
            },
            None => Origin::Given {
                package: package.into(),
            },
        };
        Ok((bytes, origin))
    }

    /// What compiled them, where that is known.
    pub fn toolchain(&self) -> Option<Toolchain> {
        self.facts.as_ref().map(|facts| facts.toolchain.clone())
    }

    /// The packages of that toolchain.
    pub fn inputs(&self) -> &[Input] {
        self.facts.as_ref().map_or(&[], |facts| &facts.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_hold_only_for_the_bytes_they_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a", "built");
        let facts = format!(
            r#"{{"toolchain": {{"rustc": "r", "c_compiler": "c", "c_library": "{0}"}},
                "binaries": [{{"package": "a", "version": "1", "sha256": "{0}"}}], "inputs": []}}"#,
            Sha256::of(b"built")
        );
        write(FACTS, &facts);
        let built = Origin::Built {
            package: "a".into(),
            version: "1".into(),
        };
        let given = Origin::Given {
            package: "a".into(),
        };
        let origin = || Binaries::given(folder.path()).unwrap().read("a").unwrap().1;
        assert_eq!(origin(), built);
        write("a", "changed");
        assert_eq!(origin(), given);
    }
}
