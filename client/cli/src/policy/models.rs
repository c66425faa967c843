//! The models that a policy lists: those of the configuration, and the digests that the command line gives.

use std::str::FromStr;

use anyhow::{Context, bail};
use chrysalis_attestation::policy::{ModelPolicy, Policy};

/// A model by its name in the API, and the SHA-256 of its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    name: String,
    weights: [u8; 32],
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "write it as NAME=DIGEST, where DIGEST is the SHA-256 of the weights in hex";
        // A name may have an equals sign in it.
        let (name, digest) = text.rsplit_once('=').ok_or(wrong)?;
        let mut weights = [0; 32];
        let digest = hex::decode_to_slice(digest.trim(), &mut weights);
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        match digest {
            Ok(()) if named => Ok(Self {
                name: name.to_owned(),
                weights,
            }),
            _ => Err(wrong.to_owned()),
        }
    }
}

/// The models of a configuration.
pub(super) fn of_configuration(configuration: &[u8]) -> anyhow::Result<Vec<ModelPolicy>> {
    let text = std::str::from_utf8(configuration)?;
    Ok(Policy::models_of_configuration(text)?)
}

/// Each model of the configuration by all that it says, which must be what the command line says about the same one.
///
/// Where the configuration has no `[[model]]`, those of the command line alone.
pub(super) fn listed(
    mut models: Vec<ModelPolicy>,
    named: &[Named],
) -> anyhow::Result<Vec<ModelPolicy>> {
    let of_the_command_line = models.is_empty();
    for (at, Named { name, weights }) in named.iter().enumerate() {
        if named.iter().take(at).any(|other| other.name == *name) {
            bail!("--model names {name} twice; name it once");
        }
        if of_the_command_line {
            models.push(ModelPolicy {
                name: name.clone(),
                weights: Some(*weights),
                ..ModelPolicy::default()
            });
            continue;
        }
        let known = models.iter_mut().find(|model| model.name == *name);
        let known = known.with_context(|| {
            format!(
                "the configuration has no model {name}, so no enclave with it can meet this policy; \
                 take the configuration that names it, or leave out --model {name}"
            )
        })?;
        match known.weights {
            Some(found) if found != *weights => bail!(
                "the configuration says that the weights of {name} are {}, --model says {}; \
                 ask the provider for a configuration with the weights that you trust",
                hex::encode(found),
                hex::encode(weights)
            ),
            _ => known.weights = Some(*weights),
        }
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> Vec<Named> {
        let parsed = words.iter().map(|word| word.parse().expect("a model"));
        parsed.collect()
    }

    fn word(name: &str, byte: u8) -> String {
        format!("{name}={}", hex::encode([byte; 32]))
    }

    #[test]
    fn a_model_is_a_name_and_a_digest() {
        let [model] = &named(&[&word("a=b", 1)])[..] else {
            panic!()
        };
        assert_eq!((&*model.name, model.weights), ("a=b", [1; 32]));
        for wrong in ["m", "m=", "m=11", &word("", 1), &word("a b", 1)] {
            let error = wrong.parse::<Named>().expect_err(wrong);
            assert!(error.starts_with("write it as NAME=DIGEST"), "{error}");
        }
    }

    #[test]
    fn the_configurations_models_are_listed_and_compared_with_those_named() {
        let digest = hex::encode([1; 32]);
        let text = format!(
            "[[model]]\nname = \"m\"\nkind = \"chat\"\nweights = \"{digest}\"\n[[model]]\nname = \"n\"\n"
        );
        let of = |words: &[&str]| {
            let models = of_configuration(text.as_bytes()).expect("a configuration");
            let listed = listed(models, &named(words));
            listed.map_err(|error| error.to_string())
        };
        let plain = of(&[]).expect("two");
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[0].weights, Some([1; 32]));
        assert_eq!(of(&[&word("m", 1)]), Ok(plain));
        let more = of(&[&word("n", 2)]).expect("two");
        assert_eq!(more[1].weights, Some([2; 32]));
        for (words, says) in [
            (vec![word("m", 2)], "the weights of m are 0101"),
            (vec![word("o", 2)], "the configuration has no model o"),
            (vec![word("n", 2), word("n", 2)], "names n twice"),
        ] {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let error = of(&words).expect_err("a contradiction");
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn without_models_in_the_configuration_those_named_are_listed() {
        let old = b"version = 1\n[model]\nname = \"m\"\n";
        let old = || of_configuration(old).expect("a configuration");
        assert_eq!(listed(old(), &[]).expect("none"), []);
        let listed = listed(old(), &named(&[&word("m", 3)])).expect("one");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].weights, Some([3; 32]));
    }
}
