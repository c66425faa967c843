//! Reads tables whose keys must all be known, and reports where and how a value is wrong.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{PolicyError, Problem};
use crate::transcript::Expect;

/// How similar two keys must be (Jaro-Winkler, 0 to 1) for one to be suggested instead of the other.
const ALIKE: f64 = 0.75;

/// A table without unknown keys.
pub(super) struct Section<'a> {
    text: &'a str,
    path: String,
    table: Option<&'a DeTable<'a>>,
}

/// A value and its position.
pub(super) struct Field<'a> {
    text: &'a str,
    pub(super) key: String,
    value: &'a Spanned<DeValue<'a>>,
}

/// `path` and `key` as a person writes them.
fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// The line of a byte offset, counted from 1.
pub(super) fn line(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

impl<'a> Section<'a> {
    /// The whole policy.
    pub(super) fn root(
        text: &'a str,
        table: &'a DeTable<'a>,
        known: &[&'static str],
    ) -> Result<Self, PolicyError> {
        Self::whole(text, table).knowing(known)
    }

    /// A document whose other keys do not concern this reader.
    pub(super) fn whole(text: &'a str, table: &'a DeTable<'a>) -> Self {
        Self {
            text,
            path: String::new(),
            table: Some(table),
        }
    }

    /// Refuses the first unknown key, before anything counts as missing.
    fn knowing(self, known: &[&'static str]) -> Result<Self, PolicyError> {
        let unknown = self
            .table
            .into_iter()
            .flat_map(|table| table.keys())
            .find(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown else {
            return Ok(self);
        };
        let likeness = |candidate: &str| strsim::jaro_winkler(candidate, key.get_ref());
        let nearest = known
            .iter()
            .copied()
            .filter(|candidate| likeness(candidate) >= ALIKE)
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Err(PolicyError {
            line: Some(line(self.text, key.span().start)),
            key: join(&self.path, key.get_ref()),
            problem: Problem::UnknownKey { nearest },
        })
    }

    /// A nested table; if it is missing, an empty one.
    pub(super) fn section(&self, key: &str, known: &[&'static str]) -> Result<Self, PolicyError> {
        match self.get(key) {
            Some(field) => field.section(known),
            None => Ok(Self {
                text: self.text,
                path: join(&self.path, key),
                table: None,
            }),
        }
    }

    /// A value, if it is set.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let (key, value) = self
            .table?
            .iter()
            .find(|(found, _)| found.get_ref().as_ref() == key)?;
        Some(Field {
            text: self.text,
            key: join(&self.path, key.get_ref()),
            value,
        })
    }

    /// A value that must be set.
    pub(super) fn require(&self, key: &str, how: &'static str) -> Result<Field<'a>, PolicyError> {
        self.get(key).ok_or_else(|| PolicyError {
            line: None,
            key: join(&self.path, key),
            problem: Problem::Missing { how },
        })
    }

    /// A value read by `read`, if it is set.
    pub(super) fn read<T>(
        &self,
        key: &str,
        read: impl Fn(&Field<'a>) -> Result<T, PolicyError>,
    ) -> Result<Option<T>, PolicyError> {
        self.get(key).map(|field| read(&field)).transpose()
    }

    /// A boolean, or its default.
    pub(super) fn bool(&self, key: &str, default: bool) -> Result<bool, PolicyError> {
        Ok(self.read(key, Field::bool)?.unwrap_or(default))
    }
}

impl<'a> Field<'a> {
    /// The error for a value of the wrong form.
    pub(super) fn wrong(&self, expected: &'static str) -> PolicyError {
        PolicyError {
            line: Some(line(self.text, self.value.span().start)),
            key: self.key.clone(),
            problem: Problem::Wrong { expected },
        }
    }

    pub(super) fn section(&self, known: &[&'static str]) -> Result<Section<'a>, PolicyError> {
        self.table()?.knowing(known)
    }

    /// A table whose other keys do not concern this reader.
    pub(super) fn table(&self) -> Result<Section<'a>, PolicyError> {
        let table = self.value.get_ref().as_table();
        Ok(Section {
            text: self.text,
            path: self.key.clone(),
            table: Some(table.ok_or_else(|| self.wrong("a table"))?),
        })
    }

    /// Whether this is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().as_table().is_some()
    }

    /// Whether this is a table with this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get_ref().get(key).is_some()
    }

    pub(super) fn bool(&self) -> Result<bool, PolicyError> {
        self.value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong("true or false"))
    }

    pub(super) fn text(&self, expected: &'static str) -> Result<&'a str, PolicyError> {
        self.value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong(expected))
    }

    /// A non-negative number.
    pub(super) fn number<T: TryFrom<u64>>(&self, expected: &'static str) -> Result<T, PolicyError> {
        self.value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(expected))
    }

    /// `N` bytes in hex.
    pub(super) fn hex<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<[u8; N], PolicyError> {
        let mut bytes = [0; N];
        hex::decode_to_slice(self.text(expected)?, &mut bytes).map_err(|_| self.wrong(expected))?;
        Ok(bytes)
    }

    /// A list with at least one value.
    pub(super) fn list<T>(
        &self,
        read: impl Fn(&Self) -> Result<T, PolicyError>,
    ) -> Result<Vec<T>, PolicyError> {
        let array = self
            .value
            .get_ref()
            .as_array()
            .filter(|array| !array.is_empty())
            .ok_or_else(|| self.wrong("a list with at least one value"))?;
        let values = array.iter().map(|value| Self {
            text: self.text,
            key: self.key.clone(),
            value,
        });
        values.map(|value| read(&value)).collect()
    }

    /// A list with at least one value, or `{ unchecked = "why" }`.
    pub(super) fn expect<T>(
        &self,
        read: impl Fn(&Self) -> Result<T, PolicyError>,
    ) -> Result<Expect<T>, PolicyError> {
        match self.value.get_ref() {
            DeValue::Table(_) => Ok(Expect::Unchecked {
                why: self.unchecked()?,
            }),
            DeValue::Array(_) => Ok(Expect::AnyOf(self.list(read)?)),
            _ => Err(self.wrong("a list, or { unchecked = \"why\" }")),
        }
    }

    /// The reason in `{ unchecked = "why" }`.
    pub(super) fn unchecked(&self) -> Result<String, PolicyError> {
        self.reason("unchecked", "{ unchecked = \"why\" }, with a reason")
    }

    /// The reason in a table that has only this key.
    pub(super) fn reason(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<String, PolicyError> {
        if self.value.get_ref().as_table().is_none() {
            return Err(self.wrong(expected));
        }
        let why = self.section(&[key])?.read(key, |why| why.text(expected))?;
        match why.map(str::trim) {
            Some(why) if !why.is_empty() => Ok(why.to_owned()),
            _ => Err(self.wrong(expected)),
        }
    }
}

/// A digest.
pub(super) fn sha256(field: &Field<'_>) -> Result<[u8; 32], PolicyError> {
    field.hex("a SHA-256 in hex")
}

/// A digest.
pub(super) fn sha384(field: &Field<'_>) -> Result<[u8; 48], PolicyError> {
    field.hex("a SHA-384 in hex")
}

/// Of a PC's TPM.
const PCRS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

/// Each PCR that the section names, with the accepted values.
pub(super) fn pcrs(section: &Section<'_>) -> Result<BTreeMap<u8, Vec<[u8; 32]>>, PolicyError> {
    let section = section.section("pcrs", &PCRS)?;
    let mut pcrs = BTreeMap::new();
    for (index, name) in (0..).zip(PCRS) {
        let values = section.read(name, |values| values.list(|it| it.hex("a SHA-256 in hex")))?;
        if let Some(values) = values {
            pcrs.insert(index, values);
        }
    }
    Ok(pcrs)
}
