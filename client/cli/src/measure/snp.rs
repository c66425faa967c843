//! SNP: the launch digest, and the ID block that makes the security processor hold a guest to it.

use std::{fs, path::Path};

use anyhow::Context;
use chrysalis_measure::{CommandLine, IdBlock, Image, Shape, SigningKey, snp_launch_digest};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::arguments::{MeasureArguments, SnpArguments};
use crate::{options::Format, outcome::Outcome};

pub(super) fn run(
    image: &Image,
    which: CommandLine,
    arguments: &MeasureArguments,
) -> anyhow::Result<Outcome> {
    let snp = &arguments.snp;
    let vcpus = snp.vcpus.context("--platform snp needs --vcpus")?;
    let mut shape = Shape::new(vcpus);
    shape.cpu_type = snp.cpu.unwrap_or(shape.cpu_type);
    shape.guest_features = snp.guest_features.unwrap_or(shape.guest_features);
    let digest = snp_launch_digest(image, which, shape)?;
    match (&snp.id_key, &snp.author_key, &snp.out) {
        (Some(id_key), Some(author_key), Some(out)) => {
            let values = sign(digest, snp, id_key, author_key, out)?;
            print(&values, arguments.format);
        }
        _ => println!("{}", hex::encode(digest)),
    }
    Ok(Outcome::Yes)
}

/// Writes both parts of the ID block, and tells what a policy can pin.
fn sign(
    launch_digest: [u8; 48],
    snp: &SnpArguments,
    id_key: &Path,
    author_key: &Path,
    out: &Path,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let block = IdBlock {
        launch_digest,
        family_id: snp.family_id.unwrap_or_default(),
        image_id: snp.image_id.unwrap_or_default(),
        guest_svn: snp.guest_svn.unwrap_or_default(),
        policy: snp.guest_policy.unwrap_or_default(),
    };
    let identity = block.sign(&key("--id-key", id_key)?, &key("--author-key", author_key)?);
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    for (name, bytes) in [
        ("id-block", &identity.block),
        ("id-auth", &identity.authentication),
    ] {
        let path = out.join(name);
        fs::write(&path, BASE64.encode(bytes))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(vec![
        ("launch_digest", hex::encode(launch_digest)),
        ("id_key_digest", hex::encode(identity.id_key_digest)),
        ("author_key_digest", hex::encode(identity.author_key_digest)),
    ])
}

fn key(role: &'static str, path: &Path) -> anyhow::Result<SigningKey> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
    // What is not UTF-8 has no PEM in it.
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Ok(SigningKey::from_pem(role, text)?)
}

/// Prints named values, in order.
fn print(values: &[(&'static str, String)], format: Format) {
    match format {
        Format::Text => {
            let width = values.iter().map(|(name, _)| name.len()).max();
            let width = width.unwrap_or_default();
            for (name, value) in values {
                println!("{name:width$}  {value}");
            }
        }
        Format::Json => {
            let object: serde_json::Map<_, _> = values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                .collect();
            println!("{}", serde_json::Value::from(object));
        }
    }
}
