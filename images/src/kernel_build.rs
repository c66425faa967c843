//! Kernel modules from the source of a pinned package, for the pinned kernel. The compiler, the headers and every path are
//! those of a [`Chamber`]; the time, the user and the host that the kernel's makefiles would write down are fixed.

use std::{fs, path::Path, process::Command, thread};

use crate::{
    Error,
    chamber::Chamber,
    package::Deb,
    progress,
    recipe::{DriverRecipe, ModuleSource},
};

/// Where the work is, inside.
const WORK: &str = "/build";
/// Lines of a failed build's output that are shown.
const SHOWN_LINES: usize = 20;
/// What runs inside: `$1` is how many at once, the rest are the modules' names. The one kernel whose headers are there
/// is the one to build for. Type information is left out, as it would need the kernel's own; so is what only debuggers read.
const BUILD: &str = r#"
set -e
jobs=$1
shift
export KBUILD_BUILD_USER=chrysalis KBUILD_BUILD_HOST=chrysalis KBUILD_BUILD_TIMESTAMP=@0
common=$(echo /usr/src/linux-headers-*-common)
output=$(ls -d /usr/src/linux-headers-* | grep -v -- '-common$')
cd /build/source
make -s -j "$jobs" modules ARCH=x86_64 SYSSRC="$common" SYSOUT="$output" NV_KERNEL_MODULES="$*" CONFIG_DEBUG_INFO_BTF_MODULES=
for module in "$@"; do
    strip --strip-debug "$module.ko"
done
"#;

/// Builds a recipe's modules, in the recipe's order.
pub fn build(
    recipe: &DriverRecipe,
    source: &Deb,
    chamber: Chamber,
    scratch: &Path,
) -> Result<Vec<Vec<u8>>, Error> {
    let work = tempfile::Builder::new()
        .prefix("modules-")
        .tempdir_in(scratch)
        .map_err(Error::io("write to", scratch))?;
    let folder = work.path().join("source");
    lay_out(&recipe.source, source, &folder)?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut command = chamber.write(work.path(), WORK).command("sh", WORK);
    command
        .args(["-c", BUILD, "sh", &jobs.to_string()])
        .args(&recipe.modules);
    let what = format!("compiling {}", recipe.modules.join(" and "));
    run(&what, command)?;
    let read = |name: &String| {
        let path = folder.join(format!("{name}.ko"));
        fs::read(&path).map_err(Error::io("read", path))
    };
    recipe.modules.iter().map(read).collect()
}

fn run(what: &str, mut command: Command) -> Result<(), Error> {
    let output = progress::during(what, String::new, || command.output());
    let output = output.map_err(|error| Error::Tool {
        program: command.get_program().to_string_lossy().into_owned(),
        problem: format!("does not start: {error}"),
        hint: "`make setup` says what is missing",
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let start = lines.len().saturating_sub(SHOWN_LINES);
    Err(Error::BuildFailed {
        what: what.into(),
        log: lines.get(start..).unwrap_or_default().join("\n"),
    })
}

/// Writes the source's files, corrected.
fn lay_out(recipe: &ModuleSource, source: &Deb, folder: &Path) -> Result<(), Error> {
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
            return Err(misfit(recipe, &edit.file, &edit.from, 0));
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
    let mut edits = recipe.edit.iter().filter(|edit| edit.file == path);
    let Some(first) = edits.next() else {
        return Ok(None);
    };
    let text = str::from_utf8(bytes).map_err(|_| misfit(recipe, path, &first.from, 0))?;
    let mut text = text.to_owned();
    for edit in std::iter::once(first).chain(edits) {
        let found = text.matches(&edit.from).count();
        if found != 1 {
            return Err(misfit(recipe, path, &edit.from, found));
        }
        text = text.replacen(&edit.from, &edit.to, 1);
    }
    Ok(Some(text.into_bytes()))
}

fn misfit(recipe: &ModuleSource, file: &str, from: &str, found: usize) -> Error {
    Error::EditMisfit {
        input: recipe.input.clone(),
        file: file.into(),
        from: from.into(),
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Edit;

    fn recipe(from: &str) -> ModuleSource {
        ModuleSource {
            input: "source".into(),
            path: "usr/src/module".into(),
            edit: vec![Edit {
                file: "a.c".into(),
                from: from.into(),
                to: "call(x, 0)".into(),
            }],
            headers: Vec::new(),
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
