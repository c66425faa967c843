//! The commands of a page, and what it shows of their output.

/// A command, and what is shown of its output.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) shown: Vec<String>,
}

/// Of fenced blocks of shell, and of indented ones: a command begins with `$ `, a line that ends in `\` goes on, and the rest is output.
/// In `sh` every line is a command.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // The language of the block, `None` outside of fences.
    let mut fence: Option<&str> = None;
    let (mut open, mut goes_on) = (false, false);
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = fence.is_none().then_some(language);
            open = false;
            continue;
        }
        let content = match fence {
            Some("console" | "sh" | "bash" | "shell") => Some(line),
            Some(_) => None,
            None => line.strip_prefix("    "),
        };
        let Some(content) = content else {
            open = false;
            continue;
        };
        let bare = matches!(fence, Some("sh" | "bash" | "shell")) && !content.starts_with('#');
        let command = content.strip_prefix("$ ").or(bare.then_some(content));
        match (command, steps.last_mut()) {
            (_, Some(step)) if open && goes_on => {
                step.command.push('\n');
                step.command.push_str(content.trim());
            }
            (Some(command), _) => {
                steps.push(Step {
                    command: command.to_owned(),
                    shown: Vec::new(),
                });
                open = true;
            }
            (None, Some(step)) if open => step.shown.push(content.to_owned()),
            (None, _) => {}
        }
        goes_on = open && content.ends_with('\\') && (command.is_some() || goes_on);
    }
    steps
}

/// Whether some line of the output is as shown, where `…` stands for anything, and the end of a line may be left out.
pub(crate) fn printed(output: &str, shown: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim_end);
    let first = parts.next().unwrap_or_default();
    let parts: Vec<_> = parts.map(str::trim_start).collect();
    let behind = |rest: &str, part: &str| rest.find(part).map(|at| at + part.len());
    output.lines().any(|line| {
        let Some(mut rest) = line.strip_prefix(first) else {
            return false;
        };
        parts.iter().all(|part| {
            let end = behind(rest, part);
            rest = &rest[end.unwrap_or(0)..];
            end.is_some()
        })
    })
}
