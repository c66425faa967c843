//! A file of source in which texts are found whatever their white space, so that the list stays true when the source is formatted.

use std::ops::Range;

/// What stands before a module of tests, which may quote what it tests.
const TESTS: &str = "#[cfg(test)]\n";

/// A file, and what is to be put where.
pub struct Source<'a> {
    text: &'a str,
    /// The bytes that are no white space, up to the tests.
    bytes: Vec<u8>,
    /// The place of each of them in the text.
    places: Vec<usize>,
    changes: Vec<(Range<usize>, String)>,
}

impl<'a> Source<'a> {
    /// Nothing changed yet.
    pub fn new(text: &'a str) -> Self {
        let code = text.get(..tests(text)).unwrap_or(text);
        let (places, bytes) = code
            .bytes()
            .enumerate()
            .filter(|(_, byte)| !byte.is_ascii_whitespace())
            .unzip();
        Self {
            text,
            bytes,
            places,
            changes: Vec::new(),
        }
    }

    /// Puts `put` where `find` stands, which must be once: in the function that begins with `within`, or in the whole file.
    pub fn replace(
        &mut self,
        within: Option<&str>,
        find: &str,
        put: &str,
    ) -> Result<(), &'static str> {
        let area = match within {
            None => 0..self.bytes.len(),
            Some(head) => {
                let head = self.once(0..self.bytes.len(), head)?;
                head.start..self.end_of_function(head.end)
            }
        };
        let found = self.once(area, find)?;
        let place = |index: usize| self.places.get(index).copied();
        let (Some(start), Some(last)) = (place(found.start), place(found.end - 1)) else {
            return Err("it is empty");
        };
        let range = start..last + 1;
        let overlaps = |(other, _): &(Range<usize>, String)| {
            other.start < range.end && range.start < other.end
        };
        if self.changes.iter().any(overlaps) {
            return Err("it runs into another guard");
        }
        self.changes.push((range, put.to_owned()));
        Ok(())
    }

    /// The text with all changes made.
    pub fn text(mut self) -> String {
        self.changes.sort_by_key(|(range, _)| range.start);
        let mut text = self.text.to_owned();
        for (range, put) in self.changes.into_iter().rev() {
            text.replace_range(range, &put);
        }
        text
    }

    fn once(&self, area: Range<usize>, find: &str) -> Result<Range<usize>, &'static str> {
        let wanted: Vec<u8> = find
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        if wanted.is_empty() {
            return Err("it is empty");
        }
        let code = self.bytes.get(area.clone()).unwrap_or_default();
        let mut found = code
            .windows(wanted.len())
            .enumerate()
            .filter(|(_, window)| *window == wanted)
            .map(|(place, _)| area.start + place);
        match (found.next(), found.next()) {
            (None, _) => Err("it does not stand there"),
            (Some(place), None) => Ok(place..place + wanted.len()),
            _ => Err("it stands there more than once"),
        }
    }

    /// Where the body that begins after this place ends.
    fn end_of_function(&self, from: usize) -> usize {
        let mut depth = 0_usize;
        for (index, byte) in self.bytes.iter().enumerate().skip(from) {
            match byte {
                b'{' => depth += 1,
                b'}' if depth <= 1 => return index,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        self.bytes.len()
    }
}

/// Where the module of tests begins, or else where the text ends.
fn tests(text: &str) -> usize {
    let begins_a_module = |(place, _): &(usize, &str)| {
        let rest = text.get(place + TESTS.len()..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        line.ends_with("mod tests {")
    };
    let found = text.match_indices(TESTS).find(begins_a_module);
    found.map_or(text.len(), |(place, _)| place)
}
