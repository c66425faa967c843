//! What v0.1.4 spelt otherwise: refused, with the new spelling.

/// The one option.
const WEIGHTS: &str = "--weights";

/// What to write instead of a command line that is refused, if it is one of before.
pub(crate) fn now(words: &[String]) -> Option<&'static str> {
    let given = |option: &str| {
        let prefix = format!("{option}=");
        words
            .iter()
            .any(|word| word == option || word.starts_with(&prefix))
    };
    // With the new spelling given, something else is wrong.
    let old =
        words.first().is_some_and(|verb| verb == "run") && given(WEIGHTS) && !given("--disks");
    old.then_some(
        "`chrysalis-host run --weights FILE` is now `chrysalis-host run --disks DIR`\n\
         hint: name the folder with the disks of the configuration's engines and models, as `chrysalis-image engine` and \
         `chrysalis-image model` write them with --out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Options;
    use clap::Parser;

    fn said(line: &str) -> Option<&'static str> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let start = ["chrysalis-host".to_owned()];
        let parsed = Options::try_parse_from(start.iter().chain(&words));
        assert!(parsed.is_err(), "{line} is taken");
        now(&words)
    }

    #[test]
    fn the_old_spelling_is_refused_and_the_new_one_named() {
        for line in [
            "run build/cpu --configuration c --weights w.img",
            "run --weights=w.img build/cpu --configuration c",
        ] {
            assert!(said(line).unwrap().contains("--disks DIR"), "{line}");
        }
        for other in [
            "run build/cpu --configuration c",
            "run --disks d --weights w",
            "doctor --weights w",
        ] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
