//! The source of a GPU's kernel modules, laid out with the recipe's corrections.

use std::{fs, path::Path};

use crate::{
    Error,
    inputs::{package::Deb, recipe::ModuleSource},
};

/// Writes the source's files, corrected.
pub(super) fn lay_out(recipe: &ModuleSource, source: &Deb, folder: &Path) -> Result<(), Error> {
    let prefix = format!("{}/", recipe.path.trim_end_matches('/'));
    let mut found = false;
    for (path, bytes) in source.files() {
        let Some(path) = path.strip_prefix(&prefix) else {
            continue;
        };
        found = true;
        let place = folder.join(path);
        let parent = place.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        let corrected = corrected(recipe, path, bytes)?;
        fs::write(&place, corrected.as_deref().unwrap_or(bytes))
            .map_err(Error::io("write", &place))?;
    }
    for edit in &recipe.edit {
        if !folder.join(&edit.file).exists() {
            return Err(edit.misfit(&recipe.input, 0));
        }
    }
    if found {
        return Ok(());
    }
    Err(Error::NoSource {
        input: recipe.input.clone(),
        path: recipe.path.clone(),
    })
}

/// A file after its corrections; `None` where it has none.
fn corrected(recipe: &ModuleSource, path: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let input = &recipe.input;
    let mut edits = recipe.edit.iter().filter(|edit| edit.file == path);
    let Some(first) = edits.next() else {
        return Ok(None);
    };
    let text = str::from_utf8(bytes).map_err(|_| first.misfit(input, 0))?;
    let text = edits.try_fold(first.correct(input, text)?, |text, edit| {
        edit.correct(input, &text)
    })?;
    Ok(Some(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::recipe::Edit;

    fn recipe(from: &str) -> ModuleSource {
        ModuleSource {
            input: "source".into(),
            path: "usr/src/module".into(),
            edit: vec![Edit {
                file: "a.c".into(),
                from: from.into(),
                to: "call(x, 0)".into(),
            }],
        }
    }

    #[test]
    fn corrects_the_one_place() {
        let text = corrected(&recipe("call(x)"), "a.c", b"int y = call(x);").unwrap();
        assert_eq!(text.unwrap(), b"int y = call(x, 0);");
        assert_eq!(
            corrected(&recipe("call(x)"), "b.c", b"call(x)").unwrap(),
            None
        );
    }

    #[test]
    fn refuses_a_correction_that_fits_nowhere_or_twice() {
        for (text, times) in [(&b"nothing"[..], 0), (b"call(x) call(x)", 2), (b"\xff", 0)] {
            let error = corrected(&recipe("call(x)"), "a.c", text).unwrap_err();
            assert!(matches!(error, Error::EditMisfit { found, .. } if found == times));
        }
    }
}
