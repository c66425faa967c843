//! `[[model]]` as a person writes it, and as a configuration has it.

use super::*;
use crate::policy::Policy;

/// The models of a policy with these lines at the top and these tables at the end.
fn parse(top: &str, tables: &str) -> Result<Option<ModelsPolicy>, String> {
    let text = format!(
        "version = 1\n{top}\n[snp]\nlaunch_digest = [\"{}\"]\nminimum_tcb = {{ unchecked = \"a test\" }}\n\
         [configuration]\nsha256 = {{ unchecked = \"a test\" }}\n{tables}",
        "11".repeat(48)
    );
    let policy = Policy::parse(&text).map_err(|error| error.to_string())?;
    Ok(policy.models)
}

fn named(name: &str) -> ModelPolicy {
    ModelPolicy {
        name: name.to_owned(),
        ..ModelPolicy::default()
    }
}

fn hex(byte: u8) -> String {
    hex::encode([byte; 32])
}

#[test]
fn every_key_is_read() {
    assert_eq!(parse("", ""), Ok(None));
    let tables = format!(
        "[[model]]\nname = \"m\"\nkind = \"rerank\"\nweights = \"{}\"\ndisk = \"{}\"\ntokenizer = \"{}\"\n\
         template = \"{}\"\nengine_disk = \"{}\"\n[[model]]\nname = \"n\"\n",
        hex(1),
        hex(2),
        hex(3),
        hex(4),
        hex(5)
    );
    let all = ModelPolicy {
        name: "m".to_owned(),
        kind: Some("rerank".to_owned()),
        weights: Some([1; 32]),
        disk: Some([2; 32]),
        tokenizer: Some([3; 32]),
        template: Some([4; 32]),
        engine_disk: Some([5; 32]),
    };
    let models = ModelsPolicy {
        listed: vec![all, named("n")],
        others: None,
    };
    assert_eq!(parse("", &tables), Ok(Some(models.clone())));
    let others = Some("a test".to_owned());
    let open = ModelsPolicy { others, ..models };
    assert_eq!(
        parse("other_models = \" a test \"", &tables),
        Ok(Some(open))
    );
}

#[test]
fn says_what_is_missing_misspelt_or_of_another_form() {
    let tables = (0..=MAX_SERVED).map(|number| format!("[[model]]\nname = \"m{number}\"\n"));
    let many = tables.collect::<Vec<_>>().concat();
    for (top, tables, message) in [
        (
            "",
            "[[model]]\nkind = \"chat\"",
            "policy: `model.name` is missing; write the model's name in the API",
        ),
        (
            "",
            "[[model]]\nname = \"m\"\nweight = \"\"",
            "policy, line 10: `model.weight` is unknown; did you mean `weights`?",
        ),
        (
            "",
            "[[model]]\nname = \"m n\"",
            "policy, line 9: `model.name` must be the model's name in the API: up to 128 printable characters without spaces",
        ),
        (
            "",
            "[[model]]\nname = \"m\"\nkind = \"oracle\"",
            "policy, line 10: `model.kind` must be chat, embedding, rerank or speech",
        ),
        (
            "",
            "[[model]]\nname = \"m\"\nweights = \"11\"",
            "policy, line 10: `model.weights` must be a SHA-256 in hex",
        ),
        (
            "",
            "[[model]]\nname = \"m\"\ndisk = \"11\"",
            "policy, line 10: `model.disk` must be a dm-verity root: 64 digits in hex",
        ),
        (
            "",
            "[[model]]\nname = \"m\"\n[[model]]\nname = \"m\"",
            "policy, line 8: `model` must be 1 to 16 [[model]] tables, no two of one name",
        ),
        (
            "",
            &many,
            "policy, line 8: `model` must be 1 to 16 [[model]] tables, no two of one name",
        ),
        (
            "",
            "[model]\nname = \"m\"",
            "policy, line 8: `model` must be 1 to 16 [[model]] tables, no two of one name",
        ),
        (
            "model = []",
            "",
            "policy, line 2: `model` must be a list with at least one value",
        ),
        (
            "other_models = \" \"",
            "[[model]]\nname = \"m\"",
            "policy, line 2: `other_models` must be the reason why you accept models that are not listed",
        ),
        (
            "other_models = \"why\"",
            "",
            "policy, line 2: `other_models` must be left out unless [[model]] lists some: no other model can be told from them",
        ),
    ] {
        assert_eq!(parse(top, tables), Err(message.to_owned()));
    }
}

#[test]
fn a_configurations_models_are_pinned_by_all_that_it_says() {
    let of = |text: &str| Policy::models_of_configuration(text).map_err(|error| error.to_string());
    for none in [
        "",
        "version = 1\n[model]\nname = \"m\"\n[engine]\nthreads = 1\n",
    ] {
        assert_eq!(of(none), Ok(Vec::new()), "{none}");
    }
    let text = format!(
        "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{}\", blocks = 3 }}\n\
         [[model]]\nname = \"m\"\nkind = \"speech\"\nengine = \"e\"\ndisk = {{ root = \"{}\", blocks = 4 }}\n\
         weights = \"{}\"\ntemplate = \"{}\"\ncontext = 2048\n[[model]]\nname = \"n\"\n",
        hex(1),
        hex(2),
        hex(3),
        hex(4)
    );
    let pinned = ModelPolicy {
        kind: Some("speech".to_owned()),
        engine_disk: Some([1; 32]),
        disk: Some([2; 32]),
        weights: Some([3; 32]),
        template: Some([4; 32]),
        ..named("m")
    };
    assert_eq!(of(&text), Ok(vec![pinned, named("n")]));
    let elsewhere = text.replace("engine = \"e\"", "engine = \"f\"");
    let message = "policy, line 8: `model.engine` must be the name of an [[engine]]";
    assert_eq!(of(&elsewhere), Err(message.to_owned()));
    let text = "[[model]]\nweights = \"00\"\n";
    let message = "policy: `model.name` is missing; write the model's name in the API";
    assert_eq!(of(text), Err(message.to_owned()));
}
