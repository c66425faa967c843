//! A terminal's last lines: a block that is redrawn in place, and lines that come above it.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::Mutex,
};

use crate::mutex::held;

/// stderr is one for the whole process, and so is what stands on it.
static STDERR: Mutex<Block> = Mutex::new(Block { lines: Vec::new() });

/// Puts lines above the block.
pub(super) fn above(text: &str) {
    // As with eprintln!, but a terminal that is gone ends nothing.
    let _ = held(&STDERR).above(&mut io::stderr(), text);
}

/// The block, for as long as it is kept up to date. What was drawn last stays.
#[derive(Debug)]
pub(crate) struct Live(&'static Mutex<Block>);

impl Live {
    pub(crate) fn new() -> Self {
        Self(&STDERR)
    }

    /// Puts these in the place of the lines before, none of which may be wider than the terminal.
    pub(crate) fn draw(&self, lines: Vec<String>) -> io::Result<()> {
        held(self.0).draw(&mut io::stderr(), lines)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        held(self.0).lines.clear();
    }
}

/// The lines that the cursor stands under.
#[derive(Debug)]
struct Block {
    lines: Vec<String>,
}

impl Block {
    fn draw(&mut self, to: &mut impl Write, lines: Vec<String>) -> io::Result<()> {
        let mut text = self.back();
        self.lines = lines;
        self.append(&mut text);
        to.write_all(text.as_bytes())
    }

    fn above(&mut self, to: &mut impl Write, said: &str) -> io::Result<()> {
        let mut text = self.back();
        for line in said.lines() {
            text += line;
            text += if self.lines.is_empty() {
                "\n"
            } else {
                "\x1b[K\n"
            };
        }
        self.append(&mut text);
        to.write_all(text.as_bytes())
    }

    /// To the start of the block's first line.
    fn back(&self) -> String {
        match self.lines.len() {
            0 => String::new(),
            count => format!("\x1b[{count}F"),
        }
    }

    /// Each line, and nothing to its right or under the last.
    fn append(&self, text: &mut String) {
        for line in &self.lines {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}\x1b[K");
        }
        if !self.lines.is_empty() {
            text.push_str("\x1b[J");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rustix::{
        fs::{Mode, OFlags, open},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    };
    use std::{fs::File, io::Read};

    /// What a terminal of this width shows after `text`: as much of ECMA-48 as we use.
    pub(crate) fn shown(text: &str, width: usize) -> Vec<String> {
        let mut rows: Vec<Vec<char>> = vec![Vec::new()];
        let (mut row, mut column) = (0, 0);
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\r' => column = 0,
                '\n' => {
                    row += 1;
                    rows.resize(rows.len().max(row + 1), Vec::new());
                }
                '\x1b' => {
                    assert_eq!(characters.next(), Some('['));
                    let mut count = String::new();
                    match characters.find(|&character| {
                        count.push(character);
                        character.is_ascii_alphabetic()
                    }) {
                        Some('F') => {
                            count.pop();
                            (row, column) = (row - count.parse::<usize>().unwrap(), 0);
                        }
                        Some('K') => rows[row].truncate(column),
                        Some('J') => {
                            rows[row].truncate(column);
                            rows.truncate(row + 1);
                        }
                        other => panic!("{other:?}"),
                    }
                }
                character => {
                    assert!(column < width, "line {row} is too wide");
                    let wide = rows[row].len().max(column + 1);
                    rows[row].resize(wide, ' ');
                    rows[row][column] = character;
                    column += 1;
                }
            }
        }
        let text = |row: Vec<char>| row.into_iter().collect::<String>().trim_end().to_owned();
        rows.into_iter().map(text).collect()
    }

    /// A pseudo-terminal: what is written to the second comes out of the first as a terminal gets it.
    fn terminal() -> (File, File) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs = open(name.as_c_str(), flags, Mode::empty()).unwrap();
        (ours.into(), theirs.into())
    }

    #[test]
    fn a_block_is_redrawn_in_place_and_lines_go_above_it() {
        let (mut ours, mut theirs) = terminal();
        let mut block = Block { lines: Vec::new() };
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect();
        block.above(&mut theirs, "before").unwrap();
        block
            .draw(&mut theirs, lines("one-long two three"))
            .unwrap();
        block.draw(&mut theirs, lines("1 2")).unwrap();
        block.above(&mut theirs, "said\ntwice").unwrap();
        block.draw(&mut theirs, lines("uno due")).unwrap();
        block.lines.clear();
        block.above(&mut theirs, "after").unwrap();
        let (mut text, mut part) = (Vec::new(), [0; 4096]);
        while !text.ends_with(b"after\r\n") {
            let length = ours.read(&mut part).unwrap();
            text.extend_from_slice(&part[..length]);
        }
        let text = String::from_utf8(text).unwrap();
        let seen = shown(&text, 80);
        assert_eq!(seen, ["before", "said", "twice", "uno", "due", "after", ""]);
    }
}
