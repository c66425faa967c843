//! Values of JSON, character by character: where they end, and the characters of a string.

/// What a character is to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracked {
    /// White space before it.
    Before,
    /// Part of it.
    Inside,
    /// Its last character.
    Ends,
    /// The first character after it.
    Ended,
}

/// A string after its first quotation mark.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// What has come and not been taken.
    characters: String,
    escape: Escape,
    /// The first half of a character of two units.
    high: Option<u16>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    Begun,
    /// So many digits, with this value.
    Unicode(u8, u16),
}

impl Text {
    /// Takes the next character. None if a string must not have it.
    pub(super) fn step(&mut self, character: char) -> Option<Tracked> {
        match self.escape {
            Escape::None => match character {
                '"' => {
                    self.flush();
                    return Some(Tracked::Ends);
                }
                '\\' => self.escape = Escape::Begun,
                '\0'..' ' => return None,
                _ => self.push(character),
            },
            Escape::Begun => {
                self.escape = Escape::None;
                match character {
                    '"' | '\\' | '/' => self.push(character),
                    'b' => self.push('\u{8}'),
                    'f' => self.push('\u{c}'),
                    'n' => self.push('\n'),
                    'r' => self.push('\r'),
                    't' => self.push('\t'),
                    'u' => self.escape = Escape::Unicode(0, 0),
                    _ => return None,
                }
            }
            Escape::Unicode(digits, value) => {
                let digit = u16::try_from(character.to_digit(16)?).ok()?;
                let value = (value << 4) | digit;
                self.escape = if digits == 3 {
                    self.unit(value);
                    Escape::None
                } else {
                    Escape::Unicode(digits.saturating_add(1), value)
                };
            }
        }
        Some(Tracked::Inside)
    }

    /// What has come so far.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.characters)
    }

    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.characters.len()
    }

    fn push(&mut self, character: char) {
        self.flush();
        self.characters.push(character);
    }

    /// Half a character without the other half is none.
    fn flush(&mut self) {
        if self.high.take().is_some() {
            self.characters.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn unit(&mut self, unit: u16) {
        match (self.high.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let pair = char::decode_utf16([high, unit]);
                self.characters
                    .extend(pair.map(|half| half.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            (before, unit) => {
                if before.is_some() {
                    self.characters.push(char::REPLACEMENT_CHARACTER);
                }
                if (0xD800..0xDC00).contains(&unit) {
                    self.high = Some(unit);
                } else {
                    let character = char::from_u32(u32::from(unit));
                    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                    self.characters.push(character);
                }
            }
        }
    }
}

/// Where a value ends. Whether it is well formed inside is seen when it is parsed as a whole.
#[derive(Debug, Default)]
pub(super) struct Extent {
    kind: Kind,
    /// Objects and arrays that are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Unknown,
    /// Has a last character of its own.
    Closed,
    /// A number or a word: ends before what cannot belong to it.
    Bare,
}

impl Extent {
    /// Takes the next character. None if no value can have it there.
    pub(super) fn step(&mut self, character: char) -> Option<Tracked> {
        match self.kind {
            Kind::Unknown => {
                match character {
                    ' ' | '\t' | '\n' | '\r' => return Some(Tracked::Before),
                    '{' | '[' => {
                        self.kind = Kind::Closed;
                        self.depth = 1;
                    }
                    '"' => {
                        self.kind = Kind::Closed;
                        self.in_string = true;
                    }
                    '-' | '0'..='9' | 't' | 'f' | 'n' => self.kind = Kind::Bare,
                    _ => return None,
                }
                Some(Tracked::Inside)
            }
            Kind::Bare => Some(match character {
                ' ' | '\t' | '\n' | '\r' | ',' | '}' | ']' => Tracked::Ended,
                _ => Tracked::Inside,
            }),
            Kind::Closed => Some(if self.closes(character) {
                Tracked::Ends
            } else {
                Tracked::Inside
            }),
        }
    }

    fn closes(&mut self, character: char) -> bool {
        if self.in_string {
            match character {
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                '"' => self.in_string = false,
                _ => {}
            }
            return !self.in_string && self.depth == 0;
        }
        match character {
            '"' => self.in_string = true,
            '{' | '[' => self.depth = self.depth.saturating_add(1),
            '}' | ']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}
