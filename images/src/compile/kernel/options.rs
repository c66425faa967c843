//! Options of a kernel: files of `NAME=value  # reason`, and whether the kernel's own rules left them as they stand.

use std::collections::BTreeMap;

/// Options by name, each with its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options(BTreeMap<String, String>);

/// What is wrong with a line of options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) problem: &'static str,
}

impl Options {
    /// Adds those of a file. An option that is there already takes the new value.
    pub(super) fn add(&mut self, text: &str) -> Result<(), Fault> {
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = parse(line).map_err(|problem| Fault {
                line: number,
                problem,
            })?;
            self.0.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// As the kernel's makefiles read them.
    pub(super) fn render(&self) -> String {
        let lines = self.0.iter();
        let lines: Vec<_> = lines
            .map(|(name, value)| format!("CONFIG_{name}={value}"))
            .collect();
        lines.join("\n") + "\n"
    }

    /// The options that a finished `.config` does not have as they are wanted.
    pub(super) fn unmet(&self, configuration: &str) -> Vec<String> {
        let found: BTreeMap<&str, &str> = configuration
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='))
            .collect();
        let unmet = self.0.iter().filter_map(|(name, wanted)| {
            let found = found.get(name.as_str()).copied().unwrap_or("n");
            (found != wanted).then(|| format!("{name}={wanted}, which the kernel makes {found}"))
        });
        unmet.collect()
    }
}

/// `NAME=value  # reason`
fn parse(line: &str) -> Result<(&str, &str), &'static str> {
    let (option, reason) = line.split_once(" # ").ok_or("no reason after ` # `")?;
    if reason.trim().is_empty() {
        return Err("no reason after ` # `");
    }
    let (name, value) = option.trim_end().split_once('=').ok_or("no `=`")?;
    let named = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(named) {
        return Err("no name of an option before `=`");
    }
    let is_text = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_text || is_number || matches!(value, "y" | "m" | "n") {
        return Ok((name, value));
    }
    Err("a value that is not y, m, n, a number or a text in quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        let mut options = Options::default();
        options.add(text).unwrap();
        options
    }

    #[test]
    fn a_later_file_has_the_last_word() {
        let mut options = options("# heading\n\nNET=y   # sockets\nLSM=\"a,b\" # order\n");
        options.add("NET=n # none\nNR_CPUS=8 # few\n").unwrap();
        assert_eq!(
            options.render(),
            "CONFIG_LSM=\"a,b\"\nCONFIG_NET=n\nCONFIG_NR_CPUS=8\n"
        );
    }

    #[test]
    fn names_each_option_that_the_kernel_made_otherwise() {
        let options = options("A=y # x\nB=n # x\nC=8 # x\nD=\"t\" # x\nE=n # x\nF=y # x\n");
        let configuration =
            "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=4\nCONFIG_D=\"t\"\nCONFIG_E=y\n";
        assert_eq!(
            options.unmet(configuration),
            [
                "C=8, which the kernel makes 4",
                "E=n, which the kernel makes y",
                "F=y, which the kernel makes n"
            ]
        );
    }

    #[test]
    fn refuses_a_line_without_a_reason_a_name_or_a_value() {
        for (line, problem) in [
            ("NET=y", "no reason after ` # `"),
            ("NET=y #  ", "no reason after ` # `"),
            ("NET # x", "no `=`"),
            ("=y # x", "no name of an option before `=`"),
            ("net=y # x", "no name of an option before `=`"),
            (
                "NET=yes # x",
                "a value that is not y, m, n, a number or a text in quotes",
            ),
            (
                "NET=\" # x",
                "a value that is not y, m, n, a number or a text in quotes",
            ),
        ] {
            let fault = Options::default().add(&format!("# one\n{line}\n"));
            assert_eq!(fault, Err(Fault { line: 2, problem }), "{line}");
        }
    }
}
