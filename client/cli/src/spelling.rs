//! What v0.1.4 spelt otherwise: refused, with the new spelling.

/// `verify tdx --collateral`, of a file.
pub(crate) const COLLATERAL: &str = "`--collateral FILE` is now `--quote-collateral FILE`";

/// Verbs and options as they were, and what to write instead. What was only renamed in part comes before the whole.
const SPELLINGS: [(&str, &str); 13] = [
    ("verify bundle", "chrysalis verify FILE"),
    ("verify snp --nonce", "chrysalis verify snp --tpm-nonce HEX"),
    ("verify tdx --nonce", "chrysalis verify tdx --tpm-nonce HEX"),
    ("verify --key", "chrysalis verify FILE --session-key FILE"),
    (
        "verify --nonce",
        "chrysalis verify FILE --session-nonce HEX",
    ),
    (
        "verify --exporter",
        "chrysalis verify FILE --session-exporter HEX",
    ),
    ("fetch --status", "chrysalis fetch status DIR"),
    ("measure --against", "chrysalis measure DIR --compare DIR"),
    (
        "measure --policy",
        "chrysalis measure DIR --guest-policy HEX",
    ),
    ("audit --build", "chrysalis audit --out DIR"),
    (
        "audit --sign --out",
        "chrysalis audit --sign FILE --statement FILE",
    ),
    ("release make", "chrysalis-image release make"),
    ("log append", "chrysalis-image log append"),
];
/// What follows `verify` and has options of its own.
const KINDS: [&str; 3] = ["snp", "tdx", "nvidia"];

/// What to write instead of a command line that is refused, if it is one of before.
pub(crate) fn now(words: &[String]) -> Option<String> {
    let given = |option: &str| {
        let prefix = format!("{option}=");
        let mut words = words.iter();
        words.any(|word| word == option || word.starts_with(&prefix))
    };
    SPELLINGS.iter().find_map(|(old, new)| {
        let (options, verbs): (Vec<_>, Vec<_>) =
            old.split(' ').partition(|word| word.starts_with("--"));
        let (start, rest) = words.split_at_checked(verbs.len())?;
        let verb = start == verbs;
        let other =
            verbs == ["verify"] && rest.first().is_some_and(|word| KINDS.contains(&&**word));
        let all = options.iter().all(|option| given(option));
        // With the new spelling given, something else is wrong.
        let mut options = new.split(' ').filter(|word| word.starts_with("--"));
        let known = options.clone().next().is_some() && options.all(given);
        (verb && all && !other && !known).then(|| format!("`chrysalis {old}` is now `{new}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Arguments;
    use clap::Parser;

    /// Each of them in a whole command line, in the same order.
    const EXAMPLES: [&str; SPELLINGS.len()] = [
        "verify bundle session.cbor --policy policy.toml",
        "verify snp --report r --cert c --tpm-quote q --nonce 00",
        "verify tdx --quote q --collateral c --tpm-quote q --nonce=00",
        "verify bundle.cbor --key k",
        "verify bundle.cbor --nonce 00",
        "verify --exporter 00 bundle.cbor",
        "fetch --status store",
        "measure build/cpu --against other",
        "measure build/cpu --platform snp --vcpus 2 --policy 0x30000",
        "audit --build build/audit --against m --key k",
        "audit --against m --key k --sign mine.pem --out statement.json",
        "release make build/cpu --epoch 1 --expires 2027-06-01 --key k --out v1",
        "log append log manifest.json --origin a --key k",
    ];

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn every_old_spelling_is_refused_and_the_new_one_named() {
        for (example, (old, new)) in EXAMPLES.iter().zip(SPELLINGS) {
            let words = words(example);
            let start = ["chrysalis".to_owned()];
            let parsed = Arguments::try_parse_from(start.iter().chain(&words));
            assert!(parsed.is_err(), "{example} is taken");
            let said = now(&words).expect(example);
            assert_eq!(said, format!("`chrysalis {old}` is now `{new}`"));
        }
    }

    #[test]
    fn other_mistakes_are_none_of_these() {
        for other in [
            "verify nvidia --report r --nonce 00",
            "verify session.cbor --polcy p",
            "audit --sign k --statement s --out o --typo",
            "verify bundle.cbor --session-nonce 00 --nonce 00",
            "log verify log",
            "",
        ] {
            assert_eq!(now(&words(other)), None, "{other}");
        }
    }
}
