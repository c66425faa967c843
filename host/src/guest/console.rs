//! What the guest and the programs around it print: the newest lines in memory, to show when something breaks, and all
//! of it in a file, up to a limit. It is untrusted text; a guest that prints too much is cut off before it fills the disk.

use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    task::JoinHandle,
};

use super::text::{LineBreaks, printable};
use crate::{mutex::held, talk::tell};

/// The newest lines that are kept in memory.
const KEPT_LINES: usize = 200;
/// The most bytes of one line; the rest becomes the next.
const MAX_LINE: usize = 1024;
/// The most bytes of the file.
const MAX_FILE: usize = 16 << 20;

/// Where the lines come together.
#[derive(Debug)]
pub(crate) struct Console {
    kept: Mutex<Kept>,
    echo: bool,
}

#[derive(Debug)]
struct Kept {
    lines: VecDeque<String>,
    file: File,
    room: usize,
}

impl Console {
    /// Starts a new file at `path`. With `echo`, each line is shown as it comes.
    pub(crate) fn create(path: &Path, echo: bool) -> anyhow::Result<Arc<Self>> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let kept = Kept {
            lines: VecDeque::with_capacity(KEPT_LINES),
            file,
            room: MAX_FILE,
        };
        Ok(Arc::new(Self {
            kept: Mutex::new(kept),
            echo,
        }))
    }

    /// Takes lines until `output` ends, each with `prefix` in front.
    pub(crate) fn follow(
        self: &Arc<Self>,
        prefix: &'static str,
        output: impl AsyncRead + Unpin + Send + 'static,
    ) -> JoinHandle<()> {
        let console = Arc::clone(self);
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        tokio::spawn(async move {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            loop {
                line.clear();
                match (&mut output).take(limit).read_until(b'\n', &mut line).await {
                    Ok(1..) => console.take(prefix, &line),
                    Ok(0) | Err(_) => return,
                }
            }
        })
    }

    fn take(&self, prefix: &str, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = printable(text.trim_end(), MAX_LINE, LineBreaks::Replace);
        let line = format!("{prefix}{text}");
        if self.echo {
            tell("console", &Value::Null, format_args!("console: {line}"));
        }
        let mut kept = held(&self.kept);
        if let Some(room) = kept.room.checked_sub(line.len().saturating_add(1)) {
            kept.room = room;
            // A full disk must not end a guest that serves; the newest lines stay in memory.
            let _ = writeln!(kept.file, "{line}");
        }
        if kept.lines.len() == KEPT_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    /// The newest lines, oldest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<String> {
        let kept = held(&self.kept);
        let skipped = kept.lines.len().saturating_sub(count);
        kept.lines.iter().skip(skipped).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_newest_lines_and_writes_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let console = Console::create(&path, false).unwrap();
        let lines: Vec<String> = (0..KEPT_LINES + 50)
            .map(|number| format!("line {number}\n"))
            .collect();
        let printed = lines.concat();
        console
            .follow("", std::io::Cursor::new(printed.clone()))
            .await
            .unwrap();
        assert_eq!(console.newest(2), ["line 248", "line 249"]);
        assert_eq!(console.newest(usize::MAX).len(), KEPT_LINES);
        assert_eq!(std::fs::read_to_string(path).unwrap(), printed);
    }

    #[tokio::test]
    async fn a_guest_that_prints_without_end_does_not_fill_memory_or_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let console = Console::create(&path, false).unwrap();
        let flood = tokio::io::repeat(b'x').take(40 << 20);
        console.follow("", flood).await.unwrap();
        assert!(std::fs::metadata(path).unwrap().len() <= MAX_FILE as u64);
        assert!(
            console
                .newest(usize::MAX)
                .iter()
                .all(|line| line.len() <= MAX_LINE)
        );
    }
}
