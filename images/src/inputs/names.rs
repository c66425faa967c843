//! Words and paths of recipes, checked alike everywhere.

/// Longest name of an engine or a model.
const MAX_NAME: usize = 64;

/// Whether this can name a card: its file is called after it, and so is the model in the API.
pub(crate) fn is_name(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// What is wrong with a name for which [`is_name`] does not hold.
pub(crate) const NAME_RULE: &str =
    "must be at most 64 of a-z, 0-9, `-`, `_` and `.`, and begin with a letter or a digit";

/// Whether this is a relative path that stays where it is.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(is_part)
}

/// Whether this is an absolute path in the root of an engine.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(is_inside)
}

fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && part.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_and_paths_from_others() {
        assert!(is_name("smollm2-135m-instruct") && is_name("a_b.1"));
        for bad in ["", ".x", "-x", "A", "a/b", "ä", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_inside("usr/lib/a b") && is_absolute("/usr/lib"));
        for bad in ["", "/", "/a", "a/", "a//b", "./a", "a/../b", "a\nb"] {
            assert!(!is_inside(bad), "{bad}");
        }
        assert!(!is_absolute("a") && !is_absolute("/"));
    }
}
