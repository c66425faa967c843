//! Open files: a connection takes two of them, and the system allows each process so many.

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::talk::say;

/// What a connection takes: the client's socket and the guest's.
const PER_CONNECTION: usize = 2;
/// What everything else takes: listeners, the guest's questions, metrics, files.
const RESERVED: usize = 128;
/// The connections that there is room for if nothing else is asked.
const USUAL: usize = 10_240;

/// Raises this process's limit for `asked` connections, or for [`USUAL`] or as many as it may have, and for `others` besides. How
/// many there is room for. Children inherit the limit.
pub(crate) fn room(asked: Option<usize>, others: usize) -> anyhow::Result<usize> {
    let others = others.saturating_add(RESERVED);
    let wanted = asked.unwrap_or(USUAL);
    let files = wanted.saturating_mul(PER_CONNECTION).saturating_add(others);
    let allowed = raise(files)?;
    let fit = allowed.saturating_sub(others) / PER_CONNECTION;
    if wanted <= fit {
        return Ok(wanted);
    }
    let short =
        format!("{wanted} connections need {files} open files, and this user may have {allowed}");
    let more =
        format!("`nofile` in /etc/security/limits.conf, or LimitNOFILE={files} of a service");
    match asked {
        None if fit > 0 => {
            say(format_args!(
                "room for {fit} connections: {short}\nhint: for more, raise {more}"
            ));
            Ok(fit)
        }
        _ => bail!(
            "{short}\nhint: raise {more}; or run with --connections {}",
            fit.max(1)
        ),
    }
}

/// Sees to it that this process may have so many files open, or as many as it is allowed to. How many it may have.
fn raise(files: usize) -> anyhow::Result<usize> {
    let wanted = u64::try_from(files)?;
    let now = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= wanted);
    if enough(now.current) {
        return Ok(files);
    }
    // Only root gets beyond the maximum.
    let beyond = Rlimit {
        current: Some(wanted),
        maximum: now.maximum.map(|maximum| maximum.max(wanted)),
    };
    if setrlimit(Resource::Nofile, beyond).is_ok() {
        return Ok(files);
    }
    let most = Rlimit {
        current: now.maximum,
        ..now
    };
    setrlimit(Resource::Nofile, most).context("cannot raise the limit of open files")?;
    Ok(now
        .maximum
        .map_or(files, |most| usize::try_from(most).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_many_connections_fit_where_not_all_do() {
        let refused = room(Some(usize::MAX / 4), 0).unwrap_err().to_string();
        let hint = refused.rsplit("--connections ").next().unwrap();
        let fit: usize = hint.parse().unwrap();
        assert!(
            refused.contains("open files") && refused.contains("hint: "),
            "{refused}"
        );
        assert_eq!(room(Some(fit), 0).unwrap(), fit);
        let current = getrlimit(Resource::Nofile).current.unwrap();
        assert!(current >= u64::try_from(fit * PER_CONNECTION).unwrap());
        assert!((1..=USUAL).contains(&room(None, 0).unwrap()));
    }
}
