//! What a policy says beyond its template: the options of `policy init` that fill in a line each.

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{policy::Policy, release::Development};
use chrysalis_image::publish;
use data_encoding::BASE64;

use super::arguments::{PolicyInitArguments, Setting};

/// The template with what the command line adds; it must still be a policy.
pub(super) fn add(mut text: String, arguments: &PolicyInitArguments) -> anyhow::Result<String> {
    if let Some(rebuilders) = rebuilders(arguments)? {
        text.push('\n');
        text.push_str(&rebuilders);
    }
    for setting in &arguments.settings {
        text = set(&text, setting)?;
    }
    Policy::parse(&text)
        .map(|_| text)
        .map_err(|error| anyhow!("{error}"))
        .context("these options make no policy")
}

fn rebuilders(arguments: &PolicyInitArguments) -> anyhow::Result<Option<String>> {
    let mut keys = Vec::new();
    for path in &arguments.rebuilders {
        let key = publish::read_public(path, Development::Refused)?;
        keys.push(format!("\"{}\"", BASE64.encode(&key.spki())));
    }
    let all = u32::try_from(keys.len())?;
    let at_least = arguments.at_least.unwrap_or(all);
    if at_least > all {
        bail!("--at-least {at_least} is more than the {all} keys of --rebuilder; name more keys");
    }
    Ok((!keys.is_empty()).then(|| {
        let keys = keys.join(", ");
        format!(
            "# Who must have rebuilt the image, and how many of them.\n[rebuilders]\nkeys = [{keys}]\nat_least = {at_least}\n"
        )
    }))
}

/// Sets a key of a section, in place of the line that sets it now.
fn set(text: &str, setting: &Setting) -> anyhow::Result<String> {
    let Setting {
        section,
        key,
        value,
    } = setting;
    let line = format!("{key} = {value}");
    let mut lines: Vec<_> = text.lines().collect();
    let header = format!("[{section}]");
    let Some(start) = lines.iter().position(|line| *line == header) else {
        return Ok(format!("{text}\n{header}\n{line}\n"));
    };
    let start = start + 1;
    let body = lines.iter().skip(start);
    let end = start + body.take_while(|line| !line.starts_with('[')).count();
    let prefix = format!("{key} = ");
    let old = (start..end).find(|at| lines[*at].starts_with(&prefix));
    match old {
        Some(at) if lines[at].ends_with('[') => {
            bail!("{section}.{key} is a list over several lines; edit it in the policy instead")
        }
        Some(at) => lines[at] = &line,
        None => lines.insert(start, &line),
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_takes_the_place_of_its_line_or_makes_one() {
        let text = "version = 1\n[gpu]\ncount = [1]\nrevocation = \"stapled\"\n\n[snp]\nlist = [\n    1,\n]\n";
        let set = |words: &str| {
            let setting: Setting = words.parse().expect("a setting");
            set(text, &setting)
        };
        let asked = set("gpu.revocation=\"asked\"").expect("set");
        assert_eq!(asked, text.replace("stapled", "asked"));
        let new = set("snp.broken.milan = { unchecked = \"a test\" }").expect("set");
        let line = "[snp]\nbroken.milan = { unchecked = \"a test\" }\n";
        assert_eq!(new, text.replace("[snp]\n", line));
        let section = set("session.freshness={ unchecked = \"a test\" }").expect("set");
        assert!(
            section.ends_with("]\n\n[session]\nfreshness = { unchecked = \"a test\" }\n"),
            "{section}"
        );
        assert!(set("snp.list=[2]").is_err());
    }
}
