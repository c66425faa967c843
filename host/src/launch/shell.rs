//! A command as a person can read it and a shell can run it.

use std::{ffi::OsString, path::Path};

use anyhow::Context;

/// A path as QEMU takes it.
pub(super) fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| {
        format!(
            "QEMU needs paths that are UTF-8 text\nhint: rename {}",
            path.display()
        )
    })
}

/// One option and its value a line, quoted if the shell would otherwise interpret it.
pub(super) fn command(program: &Path, arguments: &[OsString]) -> anyhow::Result<String> {
    let mut text = quoted(program.to_str().context("QEMU's path is not UTF-8 text")?);
    for argument in arguments {
        let word = argument.to_str().context("an argument is not UTF-8 text")?;
        text.push_str(if word.starts_with('-') {
            " \\\n  "
        } else {
            " "
        });
        text.push_str(&quoted(word));
    }
    Ok(text)
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=,.:/+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let arguments = [
            "-append",
            "a b -- c",
            "-object",
            r#"{"it's":"$HOME"}"#,
            "-x",
            "",
        ];
        let text = command(Path::new("/usr/bin/printf"), &arguments.map(OsString::from)).unwrap();
        let text = text.replacen("printf", r"printf '%s\0'", 1);
        let output = std::process::Command::new("sh")
            .args(["-c", &text])
            .output()
            .unwrap();
        let read: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        let meant: Vec<&[u8]> = arguments
            .iter()
            .map(|word| word.as_bytes())
            .chain([&b""[..]])
            .collect();
        assert_eq!(read, meant);
    }
}
