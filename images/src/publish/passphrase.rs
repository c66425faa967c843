//! Passphrases: from a file or a terminal, never from the command line, which every user of the machine can read.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::error::Error;

/// A new passphrase has at least so many characters.
pub const MINIMUM: usize = 12;
/// No one types more.
const MAX_FILE: u64 = 4096;
const TERMINAL: &str = "/dev/tty";

/// Where the passphrase of a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passphrase {
    /// The first line of a file.
    File(PathBuf),
    /// The person at the terminal.
    Terminal,
}

impl Passphrase {
    /// A file where one is named, else the terminal.
    pub fn from(file: Option<&Path>) -> Self {
        file.map_or(Self::Terminal, |file| Self::File(file.to_owned()))
    }

    /// The passphrase of a key that is there.
    pub(super) fn of(&self, key: &Path) -> Result<Zeroizing<String>, Error> {
        match self {
            Self::File(path) => first_line(path),
            Self::Terminal => ask(key, &format!("passphrase of {}: ", key.display())),
        }
    }

    /// A passphrase for a new key.
    pub(super) fn choose(&self, key: &Path) -> Result<Zeroizing<String>, Error> {
        let chosen = match self {
            Self::File(path) => first_line(path)?,
            Self::Terminal => {
                let first = ask(key, &format!("new passphrase for {}: ", key.display()))?;
                let second = ask(key, "again: ")?;
                if first != second {
                    return Err(Error::Mistyped);
                }
                first
            }
        };
        if chosen.chars().count() < MINIMUM {
            return Err(Error::Weak { minimum: MINIMUM });
        }
        Ok(chosen)
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, Error> {
    let length = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if length > MAX_FILE {
        let too_long = io::Error::new(io::ErrorKind::InvalidData, "it is too long");
        return Err(Error::io("read the passphrase in", path)(too_long));
    }
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    let text = Zeroizing::new(text);
    let line = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_owned()))
}

/// Asks with the echo off.
fn ask(key: &Path, prompt: &str) -> Result<Zeroizing<String>, Error> {
    let no_terminal = |reason| Error::NoTerminal {
        path: key.to_owned(),
        reason,
    };
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open(TERMINAL)
        .map_err(no_terminal)?;
    terminal.write_all(prompt.as_bytes()).map_err(no_terminal)?;
    let mut line = Zeroizing::new(String::new());
    {
        let _silent = Silent::new(&terminal).map_err(no_terminal)?;
        BufReader::new(&terminal)
            .read_line(&mut line)
            .map_err(no_terminal)?;
    }
    terminal.write_all(b"\n").map_err(no_terminal)?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // Nothing is left to do where the terminal is gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_first_line_and_a_new_one_must_be_long_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passphrase");
        let key = Path::new("release.pem");
        fs::write(&path, "twelve chars\nand a note\n").expect("written");
        let source = Passphrase::from(Some(&path));
        assert_eq!(source.of(key).expect("read").as_str(), "twelve chars");
        assert_eq!(source.choose(key).expect("read").as_str(), "twelve chars");
        fs::write(&path, "eleven char\n").expect("written");
        assert!(matches!(
            source.choose(key),
            Err(Error::Weak { minimum: 12 })
        ));
        fs::write(&path, "x".repeat(5000)).expect("written");
        assert!(source.of(key).is_err());
        assert_eq!(Passphrase::from(None), Passphrase::Terminal);
    }
}
