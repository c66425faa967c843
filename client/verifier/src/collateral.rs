//! Certificates and revocation lists that somebody put together. All of it is untrusted transport: each object is signed by its vendor.

use chrysalis_attestation::{
    Collateral,
    encoding::pem::{self, Block},
};

use crate::{MAX_EVIDENCE, MAX_FILES, Misuse, misuse::misuse};

/// Adds a file: PEM of any number of blocks, or DER of a certificate or, as its name says, of a revocation list.
pub fn add_file(collateral: &mut Collateral, bytes: Vec<u8>, is_list: bool) -> Result<(), Misuse> {
    if !pem::is_pem(&bytes) {
        let kind = if is_list {
            &mut collateral.crls
        } else {
            &mut collateral.certificates
        };
        kind.push(bytes);
        return Ok(());
    }
    let Some(blocks) = pem::blocks(&bytes) else {
        misuse!(
            "it is PEM with something before, between or behind its blocks: leave the blocks alone"
        );
    };
    for Block { label, der } in blocks {
        match label.as_str() {
            pem::CERTIFICATE => collateral.certificates.push(der),
            pem::REVOCATION_LIST => collateral.crls.push(der),
            _ => misuse!("it holds a block `{label}`, neither a certificate nor a revocation list"),
        }
    }
    Ok(())
}

/// Certificates and revocation lists, each in files of any number.
pub fn of_files(certificates: Vec<Vec<u8>>, lists: Vec<Vec<u8>>) -> Result<Collateral, Misuse> {
    let mut collateral = Collateral::default();
    if certificates.len() > MAX_FILES || lists.len() > MAX_FILES {
        misuse!("more than {MAX_FILES} files: bring those that this evidence needs");
    }
    for (files, is_list) in [(certificates, false), (lists, true)] {
        for file in files {
            if file.len() > MAX_EVIDENCE {
                misuse!("a certificate or a revocation list has at most {MAX_EVIDENCE} bytes");
            }
            add_file(&mut collateral, file, is_list)?;
        }
    }
    Ok(collateral)
}
