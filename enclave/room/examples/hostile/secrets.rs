//! Its own secrets, what it can do to them, and the way to those of another room.

use std::{
    fmt::{Debug, Write},
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// A line for each: a name, then what it found.
pub(crate) fn all(other: &str) -> String {
    let mut said = String::new();
    let mut say = |what: &str, found: &dyn Debug| writeln!(said, "{what}\t{found:?}").unwrap();
    let entries = fs::read_dir("/secrets").map(|it| it.flatten().collect::<Vec<_>>());
    let mut names: Vec<_> = entries
        .unwrap_or_default()
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    names.sort();
    for path in &names {
        let file = fs::metadata(path).unwrap();
        let own = file.uid() == fs::metadata("/tmp").unwrap().uid();
        let text = fs::read_to_string(path).unwrap();
        say(
            path.to_str().unwrap(),
            &(format!("{:o}", file.mode() & 0o7777), own, text),
        );
    }
    let first = names
        .first()
        .map_or(Path::new("/secrets/none"), |it| it.as_path());
    let kind = |error: std::io::Error| error.kind();
    let write = File::options()
        .write(true)
        .open(first)
        .map(drop)
        .map_err(kind);
    say("write", &write);
    say(
        "mode",
        &fs::set_permissions(first, Permissions::from_mode(0o600)).is_ok(),
    );
    say("remove", &fs::remove_file(first).is_ok());
    say("new", &fs::write("/secrets/new", "").is_ok());
    say("link", &fs::hard_link(first, "/tmp/link").is_ok());
    say(
        "environment",
        &std::env::vars().any(|(_, value)| value.contains("word")),
    );
    say("arguments", &std::env::args().any(|it| it.contains("word")));
    say("outside", &fs::read_dir(other).is_ok());
    // Every process that it sees, by whatever of its files it may follow.
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let reach = |place: &Path, file: &str| fs::read(place.join(file)).is_ok_and(|it| contains(&it));
    let through = processes.map(|it| it.path()).filter(|it| {
        let files = [
            "root/secrets/theirs",
            "cwd/secrets/theirs",
            "environ",
            "cmdline",
        ];
        files.iter().any(|file| reach(it, file))
    });
    say("processes", &through.count());
    said
}

/// The word of the other room.
fn contains(bytes: &[u8]) -> bool {
    bytes.windows(10).any(|it| it == b"their word")
}
