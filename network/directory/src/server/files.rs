//! Files of the published folder, with an ETag each. A file is never changed in its place, so its inode, length and time name what is in it.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::task::spawn_blocking;

/// The most bytes of one file: a class's listings are the longest.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// The most bytes that are kept in memory, so that a thousand readers of a file hold it once.
const MAX_KEPT: usize = 256 * 1024 * 1024;
/// The most bytes of a path.
const MAX_PATH: usize = 256;
/// Folders whose files never change once they are there.
const FIXED: [&str; 6] = [
    "listings/",
    "reports/",
    "entries/",
    "proofs/",
    "consistency/",
    "policies/",
];

const HTML: &str = "text/html; charset=utf-8";

#[derive(Debug)]
pub(super) struct Files {
    folder: Arc<PathBuf>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<String, (String, Bytes)>,
    bytes: usize,
}

impl Files {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            folder: Arc::new(folder.to_owned()),
            kept: Arc::default(),
        }
    }

    /// `None`: there is no such file.
    pub(super) async fn answer(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Full<Bytes>>> {
        let name = name(path)?.to_owned();
        let (folder, kept) = (Arc::clone(&self.folder), Arc::clone(&self.kept));
        let asked = headers.get(IF_NONE_MATCH).cloned();
        let cache = if FIXED.iter().any(|fixed| name.starts_with(fixed)) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let kind = kind(&name);
        let read = move || read(&folder, &name, asked.as_ref(), &kept);
        let (tag, bytes) = spawn_blocking(read).await.ok()??;
        let mut answer = Response::new(Full::from(bytes.clone().unwrap_or_default()));
        if bytes.is_none() {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        headers.insert(ETAG, HeaderValue::from_str(&tag).ok()?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if kind == HTML {
            let policy = HeaderValue::from_static(crate::ledger::POLICY);
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        Some(answer)
    }
}

/// A name below the folder. Nothing that begins with a dot, so no way up either.
fn name(path: &str) -> Option<&str> {
    if path == "/" {
        return Some("index.html");
    }
    let name = path.strip_prefix('/').filter(|it| it.len() <= MAX_PATH)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let good = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
    name.split('/').all(good).then_some(name)
}

fn kind(name: &str) -> &'static str {
    let folder = name.split('/').next().unwrap_or_default();
    match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("html") => return HTML,
        Some("js") => return "text/javascript; charset=utf-8",
        Some("css") => return "text/css; charset=utf-8",
        Some("json") => return "application/json",
        _ => {}
    }
    match folder {
        "network" => "application/json",
        "now" | "listings" | "reports" | "evidence" => "application/cbor",
        "policies" | "checkpoint" | "entries" | "proofs" | "consistency" => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}

/// A file's tag, and what is in it unless that was asked for by the same tag.
fn read(
    folder: &Path,
    name: &str,
    asked: Option<&HeaderValue>,
    kept: &Mutex<Kept>,
) -> Option<(String, Option<Bytes>)> {
    let path = folder.join(name);
    let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let tag = tag(&about);
    let same = |it: &HeaderValue| {
        let tags = it.to_str().unwrap_or_default().split(',');
        tags.map(str::trim)
            .any(|it| it == "*" || it.trim_start_matches("W/") == tag)
    };
    if asked.is_some_and(same) {
        return Some((tag, None));
    }
    if let Some((found, bytes)) = lock(kept).files.get(name)
        && *found == tag
    {
        return Some((tag, Some(bytes.clone())));
    }
    let file = File::open(&path).ok()?;
    // The name may stand for another file by now.
    let tag = self::tag(&file.metadata().ok()?);
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_FILE {
        return None;
    }
    let bytes = Bytes::from(bytes);
    lock(kept).keep(name, &tag, &bytes);
    Some((tag, Some(bytes)))
}

fn tag(about: &fs::Metadata) -> String {
    format!(
        "\"{:x}-{:x}-{:x}-{:x}\"",
        about.ino(),
        about.size(),
        about.mtime(),
        about.mtime_nsec()
    )
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn keep(&mut self, name: &str, tag: &str, bytes: &Bytes) {
        if self.bytes + bytes.len() > MAX_KEPT {
            self.files.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        let before = self
            .files
            .insert(name.to_owned(), (tag.to_owned(), bytes.clone()));
        self.bytes -= before.map_or(0, |(_, bytes)| bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for good in ["/network", "/now/00ff", "/proofs/00.tlog-proof"] {
            assert!(name(good).is_some(), "{good}");
        }
        assert_eq!(name("/"), Some("index.html"));
        for bad in [
            "",
            "network",
            "//network",
            "/../key",
            "/now/../../key",
            "/now/.x",
            "/now/",
            "/now/%2e%2e/key",
            "/now\\key",
            "/é",
        ] {
            assert_eq!(name(bad), None, "{bad}");
        }
        assert_eq!(name(&format!("/{}", "a".repeat(MAX_PATH + 1))), None);
    }
}
