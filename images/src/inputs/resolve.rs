//! The lock of an engine's own: the interpreter and its libraries as apt chooses them, and wheels as pip does. Made once and
//! reviewed; a build asks neither.

use std::path::Path;

use super::{
    engine::EngineRecipe,
    fetch::Fetcher,
    lock::{Input, Lock},
    moment::Moment,
    refresh::dated,
};
use crate::Error;

/// The pins of a recipe's `[python]`. Debs that are not in the old lock are of this moment.
pub fn engine(
    recipe_path: &Path,
    old: &Lock,
    fetcher: &Fetcher,
    now: &Moment,
) -> Result<Lock, Error> {
    let recipe = EngineRecipe::read(recipe_path)?;
    let python = recipe.python.ok_or_else(|| {
        let problem = "must be there: only an engine of wheels has a lock of its own";
        Error::value(recipe_path, "python", problem)
    })?;
    let wanted = |pin: &Input| !python.without.contains(&pin.package);
    let index = fetcher.index(&python.suite, "main")?;
    let debs = index.closure(&python.packages)?;
    let debs = debs.into_iter().filter(wanted).map(|pin| {
        let before = old.input.iter().find(|before| before.name == pin.name);
        dated(pin, before, now)
    });
    let mut input: Vec<Input> = debs.collect();
    input.extend(fetcher.pin_wheels(&python)?);
    input.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(Lock { input })
}
