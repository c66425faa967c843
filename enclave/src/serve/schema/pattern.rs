//! Patterns in words that every engine's grammar knows: llama.cpp takes `\d` for no pattern at all, and constrains nothing.

/// The same pattern without `\d`, `\w` and `\s`.
pub(super) fn plain(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().unwrap_or_default();
                let class = match escaped {
                    'd' => "0-9",
                    'w' => "A-Za-z0-9_",
                    's' => " \\t\\n\\r",
                    _ => {
                        plain.extend(['\\', escaped]);
                        continue;
                    }
                };
                if in_class {
                    plain.push_str(class);
                } else {
                    plain.extend(["[", class, "]"]);
                }
            }
            '[' => {
                in_class = true;
                plain.push(character);
            }
            ']' => {
                in_class = false;
                plain.push(character);
            }
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_out() {
        for (pattern, wanted) in [
            (r"^\d{3}-\w+$", "^[0-9]{3}-[A-Za-z0-9_]+$"),
            (r"^[\d.]\s?$", r"^[0-9.][ \t\n\r]?$"),
            (r"^\\d\.\[\d$", r"^\\d\.\[[0-9]$"),
            ("^[a-z]+$", "^[a-z]+$"),
        ] {
            assert_eq!(plain(pattern), wanted);
        }
    }
}
