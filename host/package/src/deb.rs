//! A Debian package (deb(5)): an `ar` archive of two tar archives, one of what dpkg has to know, one of the files.

use std::{fs, io::Write, path::Path};

use anyhow::Context;
use flate2::{Compression, GzBuilder};

use crate::{archive::Tree, contents::Contents};

const CONTROL: &str = include_str!("../files/control");
const POSTINST: &str = include_str!("../files/postinst");
/// The format's version.
const FORMAT: &[u8] = b"2.0\n";

/// Writes the package, and says what it is.
pub(crate) fn write(contents: &Contents, date: u64, out: &Path) -> anyhow::Result<String> {
    let files = contents.tree();
    let mut control = Tree::default();
    control.file("control", fields(contents, files.size()), 0o644);
    control.file("postinst", POSTINST, 0o755);
    let shown = out.display().to_string();
    let members = [
        ("debian-binary", FORMAT.to_vec()),
        ("control.tar.gz", packed(&control, date)?),
        ("data.tar.gz", packed(&files, date)?),
    ];
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.into(), bytes.len() as u64);
        header.set_mtime(date);
        header.set_mode(0o100_644);
        package.append(&header, &bytes[..])?;
    }
    let package = package.into_inner()?;
    fs::write(out, &package).with_context(|| format!("cannot write {shown}"))?;
    Ok(format!(
        "{shown}: chrysalis-host {}, {} bytes",
        env!("CARGO_PKG_VERSION"),
        package.len()
    ))
}

/// The fields that dpkg reads.
fn fields(contents: &Contents, size: u64) -> String {
    let newest = contents
        .programs
        .iter()
        .filter_map(|program| program.glibc)
        .max();
    let depends = match newest {
        Some(version) => format!(
            "libc6 (>= 2.{version}), libgcc-s1, systemd | systemd-standalone-sysusers | opensysusers"
        ),
        None => "systemd | systemd-standalone-sysusers | opensysusers".to_owned(),
    };
    CONTROL
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@SIZE@", &size.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &depends)
}

fn packed(tree: &Tree, date: u64) -> anyhow::Result<Vec<u8>> {
    let seconds = u32::try_from(date).unwrap_or(u32::MAX);
    let packer = GzBuilder::new().mtime(seconds);
    let mut packer = packer.write(Vec::new(), Compression::default());
    packer.write_all(&tree.write(Vec::new(), date)?)?;
    Ok(packer.finish()?)
}
