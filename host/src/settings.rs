//! What a program that stays is told outside of its command line: in a file, for people, and in the environment, for containers. Both are turned into
//! words, so that every option, and what is wrong with its value, is the same wherever it comes from.
//!
//! The command line goes before the environment, and that before the file. A name that is no option is refused.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use anyhow::{Context, anyhow, bail};
use clap::{ArgAction, CommandFactory};
use toml::{Table, Value};

use crate::cli::Options;

/// A command that stays.
struct Verb {
    words: &'static [&'static str],
    /// What a variable's name begins with. Not with what Kubernetes calls the addresses of a service of this program's name.
    prefix: &'static str,
}

const VERBS: [Verb; 2] = [
    Verb {
        words: &["run"],
        prefix: "CHRYSALIS_RUN_",
    },
    Verb {
        words: &["cashier", "serve"],
        prefix: "CHRYSALIS_CASHIER_",
    },
];
/// The option that names the file.
const FILE: &str = "settings";
/// The most bytes of a file.
const MAX_FILE: u64 = 64 * 1024;

/// One option.
struct Known {
    name: String,
    variable: String,
    /// Without `--`: the image's folder.
    positional: bool,
    /// It takes no value.
    flag: bool,
    repeated: bool,
}

/// The words of the command line, completed.
pub(crate) fn complete(
    words: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Vec<OsString>> {
    let words: Vec<OsString> = words.into_iter().collect();
    let verb = VERBS.iter().find(|verb| verb.is_in(&words));
    let Some(verb) = verb.filter(|_| !words.iter().any(is_help)) else {
        return Ok(words);
    };
    let known = verb.known();
    let mut given = verb.of_environment(&known, environment)?;
    let file = typed(&words, FILE).or_else(|| given.get(FILE).and_then(|it| it.first().cloned()));
    if let Some(file) = file {
        let shown = Path::new(&file).display().to_string();
        let text = read(Path::new(&file))?;
        for (name, values) in verb.of_file(&known, &text).with_context(|| shown)? {
            given.entry(name).or_insert(values);
        }
    }
    given.remove(FILE);
    let after = verb.words.len().saturating_add(1);
    let mut completed = words.clone();
    for option in known.iter().filter(|it| !it.is_typed(&words, after)) {
        let values = given.remove(&option.name).unwrap_or_default();
        completed.extend(values.into_iter().flat_map(|value| option.words(value)));
    }
    Ok(completed)
}

fn is_help(word: &OsString) -> bool {
    word == "--help" || word == "-h"
}

type Given = BTreeMap<String, Vec<OsString>>;

impl Verb {
    fn name(&self) -> String {
        self.words.join(" ")
    }

    fn is_in(&self, words: &[OsString]) -> bool {
        let said = words.get(1..=self.words.len());
        said.is_some_and(|said| said.iter().zip(self.words).all(|(said, word)| said == word))
    }

    /// All options that it has.
    fn known(&self) -> Vec<Known> {
        let command = Options::command();
        let mut verb = self.words.iter();
        let command = verb.try_fold(&command, |at, word| at.find_subcommand(word));
        let arguments = command.into_iter().flat_map(clap::Command::get_arguments);
        let known = arguments.filter_map(|argument| {
            let name = match argument.get_long() {
                Some(long) => long.to_owned(),
                None if argument.is_positional() => argument.get_id().to_string(),
                None => return None,
            };
            Some(Known {
                variable: self.prefix.to_owned() + &name.to_uppercase().replace('-', "_"),
                positional: argument.is_positional(),
                flag: matches!(argument.get_action(), ArgAction::SetTrue),
                repeated: matches!(argument.get_action(), ArgAction::Append),
                name,
            })
        });
        known.collect()
    }

    fn of_environment(
        &self,
        known: &[Known],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Given> {
        let mut given = Given::new();
        for (name, value) in environment {
            let name = name.to_string_lossy();
            if !name.starts_with(self.prefix) {
                continue;
            }
            let option = known.iter().find(|it| it.variable == name);
            let option = option.ok_or_else(|| {
                anyhow!(
                    "{name} is no option of `{verb}`\nhint: `chrysalis-host {verb} --help` lists them; --log is {}LOG",
                    self.prefix,
                    verb = self.name()
                )
            })?;
            let text = value.to_string_lossy();
            let values = if option.flag {
                let set = option.is_set(&text).with_context(|| name.to_string())?;
                set.then(OsString::new).into_iter().collect()
            } else if option.repeated {
                text.split_whitespace().map(OsString::from).collect()
            } else {
                vec![value]
            };
            given.insert(option.name.clone(), values);
        }
        Ok(given)
    }

    fn of_file(&self, known: &[Known], text: &str) -> anyhow::Result<Given> {
        let table: Table = text
            .parse()
            .map_err(|error| anyhow!("{error}\nhint: write lines such as `grace = 300`"))?;
        let mut given = Given::new();
        for (name, value) in table {
            let option = known.iter().find(|it| it.name == name && name != FILE);
            let option = option.ok_or_else(|| {
                anyhow!(
                    "`{name}` is no option of `{verb}`\nhint: `chrysalis-host {verb} --help` lists them; --log is `log`",
                    verb = self.name()
                )
            })?;
            let values = match value {
                Value::Array(values) if option.repeated => {
                    let values = values.iter().map(|it| scalar(&name, it));
                    values.collect::<anyhow::Result<Vec<_>>>()?
                }
                value => vec![scalar(&name, &value)?],
            };
            let values = if option.flag {
                let set = option.is_set(&values.concat())?;
                set.then(OsString::new).into_iter().collect()
            } else {
                values.into_iter().map(OsString::from).collect()
            };
            given.insert(name, values);
        }
        Ok(given)
    }
}

impl Known {
    /// Whether the command line says it. The image's folder stands right after the verb: elsewhere it may be an option's value.
    fn is_typed(&self, words: &[OsString], after: usize) -> bool {
        if self.positional {
            let first = words.get(after).map(|word| word.to_string_lossy());
            return first.is_some_and(|word| !word.starts_with('-'));
        }
        let short = self.name == "verbose" && words.iter().any(|word| word == "-v");
        short || words.iter().any(|word| is_option(word, &self.name))
    }

    fn words(&self, value: OsString) -> Vec<OsString> {
        if self.positional {
            return vec![value];
        }
        let name = format!("--{}", self.name);
        if self.flag {
            return vec![name.into()];
        }
        // A value may begin with a dash.
        let mut word = OsString::from(name + "=");
        word.push(value);
        vec![word]
    }

    /// Whether a flag is set.
    fn is_set(&self, value: &str) -> anyhow::Result<bool> {
        match value {
            "true" | "1" => Ok(true),
            "false" | "0" | "" => Ok(false),
            _ => bail!("`{}` is true or false\nhint: write one of them", self.name),
        }
    }
}

fn is_option(word: &OsString, name: &str) -> bool {
    let word = word.to_string_lossy();
    let rest = word
        .strip_prefix("--")
        .and_then(|word| word.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// The value of an option that is typed.
fn typed(words: &[OsString], name: &str) -> Option<OsString> {
    let at = words.iter().position(|word| is_option(word, name))?;
    let word = words.get(at)?.to_string_lossy().into_owned();
    match word.split_once('=') {
        Some((_, value)) => Some(value.into()),
        None => words.get(at + 1).cloned(),
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let size = fs::metadata(file).map(|it| it.len());
    let text = size.and_then(|size| match size {
        0..=MAX_FILE => fs::read_to_string(file),
        _ => Err(std::io::ErrorKind::FileTooLarge.into()),
    });
    text.map_err(|error| {
        anyhow!("cannot read the settings {shown}: {error}\nhint: name a TOML file with --settings, such as `grace = 300`")
    })
}

fn scalar(name: &str, value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        _ => bail!(
            "`{name}` has a value that no option takes\nhint: write a text, a number, true or false; a list where an option may be repeated"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn completed(line: &str, environment: &[(&str, &str)]) -> anyhow::Result<String> {
        let variables = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let completed = complete(words(line), variables)?;
        let completed: Vec<_> = completed
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        Ok(completed.join(" "))
    }

    fn settings(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
        let file = settings(
            "image = \"i\"\ngrace = 1\nvcpus = 8\nmemory = 2048\nverbose = true\nstatement = [\"a\", \"b\"]\n",
        );
        let path = file.path().to_str().unwrap();
        let line = format!("chrysalis-host run --settings {path} --grace 3");
        let environment = [
            ("CHRYSALIS_RUN_GRACE", "2"),
            ("CHRYSALIS_RUN_VCPUS", "4"),
            ("CHRYSALIS_RUN_METRICS_NAME", "one two:3"),
            ("CHRYSALIS_OTHER", "x"),
        ];
        let found = completed(&line, &environment).unwrap();
        let mut added: Vec<_> = found
            .strip_prefix(&line)
            .unwrap()
            .split_whitespace()
            .collect();
        added.sort_unstable();
        assert_eq!(
            added,
            [
                "--memory=2048",
                "--metrics-name=one",
                "--metrics-name=two:3",
                "--statement=a",
                "--statement=b",
                "--vcpus=4",
                "--verbose",
                "i"
            ]
        );
        let by_name = [
            ("CHRYSALIS_RUN_SETTINGS", path),
            ("CHRYSALIS_RUN_VERBOSE", "false"),
        ];
        let found = completed("chrysalis-host run build/cpu", &by_name).unwrap();
        assert!(
            found.contains("--grace=1") && !found.contains("--verbose"),
            "{found}"
        );
        assert!(!found.contains(" i"), "{found}");
    }

    #[test]
    fn every_option_of_a_run_can_be_said_so() {
        use clap::Parser;
        let file = settings(
            "image = \"build/cpu\"\nconfiguration = \"c.toml\"\ndisks = \"d\"\nlisten = \"0.0.0.0:8443\"\nlog = \"json\"\n\
             guest-policy = \"0x30000\"\npayee = \"0:abababababababababababababababababababababababababababababababab\"\n\
             chain = [\"http://a\", \"http://b\"]\nfloor = 5\n",
        );
        let line = format!("chrysalis-host run --settings={}", file.path().display());
        let completed = complete(words(&line), []).unwrap();
        let options = Options::try_parse_from(completed).unwrap();
        let crate::cli::Command::Run(run) = options.command else {
            panic!("another command");
        };
        assert_eq!(run.payment.chain, ["http://a", "http://b"]);
        assert_eq!(run.image.to_str(), Some("build/cpu"));
    }

    #[test]
    fn what_is_no_option_is_refused_by_name() {
        for (text, what) in [
            ("grase = 3", "`grase` is no option"),
            ("settings = \"x\"", "`settings` is no option"),
            ("grace = ", "hint: write lines"),
            ("grace = [3]", "`grace` has a value"),
            ("verbose = \"often\"", "is true or false"),
            ("[run]\ngrace = 3", "`run` is no option"),
        ] {
            let file = settings(text);
            let line = format!("chrysalis-host run --settings {}", file.path().display());
            let refused = format!("{:#}", completed(&line, &[]).unwrap_err());
            assert!(refused.contains(what), "{text}: {refused}");
        }
        let refused = completed("chrysalis-host run i", &[("CHRYSALIS_RUN_GRASE", "3")]);
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("CHRYSALIS_RUN_GRASE is no option"),
            "{refused}"
        );
        let refused = completed("chrysalis-host run --settings /nowhere", &[]);
        assert!(refused.unwrap_err().to_string().contains("hint: "));
        // Other commands, and help, are left alone.
        for line in [
            "chrysalis-host doctor",
            "chrysalis-host run --help",
            "chrysalis-host",
        ] {
            assert_eq!(
                completed(line, &[("CHRYSALIS_RUN_GRASE", "3")]).unwrap(),
                line
            );
        }
    }
}
