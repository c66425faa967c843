//! An image as the Open Container Initiative lays it out (image-spec 1.1): blobs by their digest, a manifest, an index. No daemon takes part.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{archive::Tree, contents::Contents};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Whom the programs run as: no user of the node.
const USER: &str = "10001:10001";

/// Something in the layout.
struct Blob {
    media_type: &'static str,
    digest: String,
    size: u64,
}

impl Blob {
    fn described(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.size})
    }
}

/// Writes the image, and says what it is.
pub(crate) fn write(
    contents: &Contents,
    root: Option<&Path>,
    date: u64,
    out: &Path,
) -> anyhow::Result<String> {
    let shown = out.display().to_string();
    ensure!(
        !out.exists(),
        "{shown} is there already\nhint: remove it, or name another folder with --out"
    );
    let blobs = out.join("blobs/sha256");
    fs::create_dir_all(&blobs).with_context(|| format!("cannot make {shown}"))?;
    let layout = Layout { blobs, date };
    let below = root.map(Tree::of).transpose()?;
    let layers = below.into_iter().chain([contents.programs()]);
    let layers: Vec<_> = layers
        .map(|tree| layout.layer(&tree))
        .collect::<anyhow::Result<_>>()?;
    let (blobs, plain): (Vec<Blob>, Vec<String>) = layers.into_iter().unzip();
    let created = stamp(date)?;
    let config = json!({
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": USER,
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "CHRYSALIS_RUN_LOG=json"],
            "Entrypoint": ["/usr/bin/chrysalis-host"],
            "Cmd": ["run"],
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": plain},
    });
    let config = layout.json(CONFIG, &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.described(),
        "layers": blobs.iter().map(Blob::described).collect::<Vec<_>>(),
    });
    let manifest = layout.json(MANIFEST, &manifest)?;
    let version = env!("CARGO_PKG_VERSION");
    let mut entry = manifest.described();
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": version});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(out.join("index.json"), index.to_string())?;
    fs::write(
        out.join("oci-layout"),
        json!({"imageLayoutVersion": "1.0.0"}).to_string(),
    )?;
    Ok(format!(
        "{shown}: chrysalis-host {version}, {}",
        manifest.digest
    ))
}

/// Where blobs go.
struct Layout {
    blobs: PathBuf,
    date: u64,
}

impl Layout {
    fn json(&self, media_type: &'static str, value: &Value) -> anyhow::Result<Blob> {
        let bytes = value.to_string();
        let digest = hex::encode(Sha256::digest(&bytes));
        fs::write(self.blobs.join(&digest), &bytes)?;
        Ok(Blob {
            media_type,
            digest: format!("sha256:{digest}"),
            size: bytes.len() as u64,
        })
    }

    /// A layer, and the digest of what is file in it. It may be large: nothing of it is held in memory.
    fn layer(&self, tree: &Tree) -> anyhow::Result<(Blob, String)> {
        let draft = self.blobs.join("draft");
        let seconds = u32::try_from(self.date).unwrap_or(u32::MAX);
        let file = Hashed::new(io::BufWriter::new(fs::File::create(&draft)?));
        let packer = GzBuilder::new()
            .mtime(seconds)
            .write(file, Compression::default());
        let plain = tree.write(Hashed::new(packer), self.date)?;
        let (packer, plain) = plain.end();
        let (mut file, digest) = GzEncoder::finish(packer)?.end();
        file.flush()?;
        let size = fs::metadata(&draft)?.len();
        fs::rename(draft, self.blobs.join(&digest))?;
        let blob = Blob {
            media_type: LAYER,
            digest: format!("sha256:{digest}"),
            size,
        };
        Ok((blob, format!("sha256:{plain}")))
    }
}

/// Hashes what is written through it.
struct Hashed<W> {
    to: W,
    hash: Sha256,
}

impl<W> Hashed<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
        }
    }

    fn end(self) -> (W, String) {
        (self.to, hex::encode(self.hash.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// As the image's configuration has it.
fn stamp(date: u64) -> anyhow::Result<String> {
    let seconds = i64::try_from(date).context("--date is too large")?;
    let date = OffsetDateTime::from_unix_timestamp(seconds).context("--date is no time")?;
    Ok(date.format(&Rfc3339)?)
}
