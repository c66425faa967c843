//! Step policy-15: the models that the enclave claims to serve are the ones that the policy lists. The claims are bound by then.

#[cfg(test)]
mod tests;

use crate::{
    Rejection,
    evidence::claims::{Claims, ModelClaim},
    policy::{ModelPolicy, ModelsPolicy},
    transcript::{Inspection, LEFT_OPEN, LEFT_TO_CONFIGURATION, PINNED_BY_NOTHING, Step},
};

const CHECK: Step = ("policy-15", "models");

/// Whether a policy says which configuration it wants: the configuration names the models and their disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Configuration {
    Pinned,
    Open,
}

/// Each model that is served is listed, and each that is listed is served.
pub(super) fn models(
    wanted: Option<&ModelsPolicy>,
    claims: &Claims,
    configuration: Configuration,
    inspection: &mut Inspection,
) {
    let Some(wanted) = wanted else {
        return left_open(configuration, inspection);
    };
    let mut others = Vec::new();
    for model in &claims.models {
        match wanted.listed.iter().find(|it| it.name == model.name) {
            Some(wanted) => compare(wanted, model, claims, inspection),
            None => others.push(model.name.as_str()),
        }
    }
    let served = |wanted: &ModelPolicy| claims.models.iter().any(|it| it.name == wanted.name);
    for missing in wanted.listed.iter().filter(|wanted| !served(wanted)) {
        let name = missing.name.clone();
        inspection.fail(CHECK, Rejection::ModelMissing { name });
    }
    match &wanted.others {
        Some(why) if !others.is_empty() => {
            let told = format!("{} ({why})", others.join(", "));
            inspection.skip(("policy-15", "other models"), &told);
        }
        _ => {
            for other in others {
                let name = other.to_owned();
                inspection.fail(CHECK, Rejection::ModelUnlisted { name });
            }
        }
    }
    let by_name_alone = |it: &ModelPolicy| it.weights.is_none() && it.disk.is_none();
    if wanted.listed.iter().any(by_name_alone) {
        inspection.skip(("policy-15", "model weights"), LEFT_OPEN);
    }
}

/// The policy lists no models.
pub(super) fn left_open(configuration: Configuration, inspection: &mut Inspection) {
    let why = match configuration {
        Configuration::Pinned => LEFT_TO_CONFIGURATION,
        Configuration::Open => PINNED_BY_NOTHING,
    };
    inspection.skip(CHECK, why);
}

/// A model and its engine are what the policy lists under its name.
fn compare(wanted: &ModelPolicy, model: &ModelClaim, claims: &Claims, inspection: &mut Inspection) {
    let engine_disk = claims.engine_of(model).map(|engine| engine.disk);
    let digests = [
        ("weights", wanted.weights, Some(model.weights)),
        ("disk", wanted.disk, Some(model.disk)),
        ("tokenizer", wanted.tokenizer, model.tokenizer),
        ("template", wanted.template, model.template),
        ("engine's disk", wanted.engine_disk, engine_disk),
    ];
    let wrong_digest = digests.into_iter().find_map(|(field, wanted, found)| {
        let differs = wanted.is_some() && wanted != found;
        differs.then(|| (field, found.map_or("absent".to_owned(), hex::encode)))
    });
    let other_kind = wanted.kind.as_ref().is_some_and(|it| *it != model.kind);
    let wrong_kind = other_kind.then(|| ("kind", model.kind.clone()));
    let result = match wrong_kind.or(wrong_digest) {
        None => Ok(()),
        Some((field, found)) => Err(Rejection::ModelMismatch {
            name: model.name.clone(),
            field,
            found,
        }),
    };
    inspection.note(CHECK, || result, |()| format!("{}, as listed", model.name));
}
