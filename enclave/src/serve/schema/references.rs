//! What a schema refers to: only places within itself, never round in a circle at the same value, and not to more than can be
//! checked in a moment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::error::quoted,
    bounds,
    keywords::{self, About},
};

/// The most different places that a schema refers to.
const MAX_TARGETS: usize = 256;
/// The most schemas once every reference is replaced by what it refers to.
const MAX_EXPANDED: usize = 10_000;
/// The most ways in which a schema that refers to itself may be applied to one part of an answer.
const MAX_WAYS: usize = 100_000;
/// The most levels that an answer can have; no parser here takes more.
const MAX_LEVELS: usize = 128;

/// The places that a schema refers to, and the schema at each.
pub(super) struct References<'a> {
    targets: BTreeMap<&'a str, &'a Value>,
    /// References in the schema that has most of them, if any refers to itself in the end.
    recursion: Option<usize>,
}

impl<'a> References<'a> {
    /// Finds and checks them.
    pub(super) fn of(root: &'a Value) -> Result<Self, String> {
        let mut references = Self {
            targets: BTreeMap::new(),
            recursion: None,
        };
        references.find(root, root)?;
        references.refuse_circles(root)?;
        let mut known = BTreeMap::new();
        let mut recursive = false;
        let whole = references.expanded(root, &mut Vec::new(), &mut known, &mut recursive);
        if whole > MAX_EXPANDED {
            return Err(format!(
                "has more than {MAX_EXPANDED} schemas once each $ref is replaced by what it refers to; send a smaller schema"
            ));
        }
        if recursive {
            let bodies = references.targets.values().chain([&root]);
            references.recursion = bodies.map(|body| count(body)).max();
        }
        Ok(references)
    }

    /// The places.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.targets.iter().map(|(place, schema)| (*place, *schema))
    }

    /// How many levels an answer may have so that checking it has an end in sight: a schema that refers to itself `n` times may
    /// be applied in `n` to the power of the levels ways.
    pub(super) fn deepest(&self) -> usize {
        let Some(each) = self.recursion.filter(|each| *each > 1) else {
            return MAX_LEVELS;
        };
        let (mut ways, mut levels) = (1_usize, 0_usize);
        while ways <= MAX_WAYS {
            ways = ways.saturating_mul(each);
            levels = levels.saturating_add(1);
        }
        levels
    }

    fn find(&mut self, root: &'a Value, schema: &'a Value) -> Result<(), String> {
        if let Some(place) = keywords::reference(schema)
            && !self.targets.contains_key(place)
        {
            let pointer = place.strip_prefix('#').ok_or_else(|| {
                format!(
                    "refers to {:?}, which is elsewhere; this server fetches nothing: put it under #/$defs",
                    quoted(place)
                )
            })?;
            let target = root.pointer(pointer).ok_or_else(|| {
                format!(
                    "refers to {:?}, where there is nothing; put a schema there, or correct the $ref",
                    quoted(place)
                )
            })?;
            if self.targets.len() == MAX_TARGETS {
                return Err(format!("refers to more than {MAX_TARGETS} places"));
            }
            // It may stand where no keyword expects a schema.
            bounds::check(target)?;
            self.targets.insert(place, target);
            self.find(root, target)?;
        }
        keywords::inside(schema).try_for_each(|(_, schema)| self.find(root, schema))
    }

    /// A schema that applies itself to the same value again has no meaning, and neither a grammar nor a check of it an end.
    fn refuse_circles(&self, root: &'a Value) -> Result<(), String> {
        let mut done = Vec::new();
        self.targets
            .iter()
            .map(|(place, schema)| (*place, *schema))
            .chain([("#", root)])
            .try_for_each(|(place, schema)| self.follow(place, schema, &mut Vec::new(), &mut done))
    }

    fn follow(
        &self,
        place: &'a str,
        schema: &'a Value,
        path: &mut Vec<&'a str>,
        done: &mut Vec<&'a str>,
    ) -> Result<(), String> {
        if done.contains(&place) {
            return Ok(());
        }
        if path.contains(&place) {
            return Err(format!(
                "refers from {:?} to itself without going into a property or an item; take one of the references away",
                quoted(place)
            ));
        }
        path.push(place);
        let mut next = Vec::new();
        at_once(schema, &mut next);
        for place in next {
            if let Some(schema) = self.targets.get(place) {
                self.follow(place, schema, path, done)?;
            }
        }
        path.pop();
        done.push(place);
        Ok(())
    }

    /// Schemas in this one with each reference replaced, but for those to where the path comes from.
    fn expanded(
        &self,
        schema: &'a Value,
        path: &mut Vec<&'a str>,
        known: &mut BTreeMap<&'a str, usize>,
        recursive: &mut bool,
    ) -> usize {
        let mut schemas = 1_usize;
        if let Some(place) = keywords::reference(schema) {
            let referred = match (known.get(place), self.targets.get(place)) {
                (Some(known), _) => *known,
                (None, Some(_)) if path.contains(&place) => {
                    *recursive = true;
                    0
                }
                (None, Some(target)) => {
                    path.push(place);
                    let referred = self.expanded(target, path, known, recursive);
                    path.pop();
                    known.insert(place, referred);
                    referred
                }
                (None, None) => 0,
            };
            schemas = schemas.saturating_add(referred);
        }
        for (about, schema) in keywords::inside(schema) {
            if about != About::Nothing {
                schemas = schemas.saturating_add(self.expanded(schema, path, known, recursive));
            }
        }
        schemas
    }
}

/// What a schema refers to for the very value that it is applied to.
fn at_once<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    found.extend(keywords::reference(schema));
    for (about, schema) in keywords::inside(schema) {
        if about == About::Same {
            at_once(schema, found);
        }
    }
}

/// References in a schema.
fn count(schema: &Value) -> usize {
    let inside = keywords::inside(schema).filter(|(about, _)| *about != About::Nothing);
    let inside: usize = inside.map(|(_, schema)| count(schema)).sum();
    inside.saturating_add(usize::from(keywords::reference(schema).is_some()))
}
