//! `[snp]`: each key, its form and its default. [`SnpPolicy`] says what they mean.

use std::collections::BTreeMap;

use super::{
    PolicyError,
    section::{Field, Section, pcrs, sha384},
};
use crate::{
    snp::{
        PlatformPolicy, SnpPolicy,
        broken::{self, Accepted},
        firmware::Firmware,
        floor::{Floor, Floors},
        product::Product,
        tcb::Tcb,
    },
    transcript::Expect,
};

/// Every key of the section.
pub(super) const KEYS: [&str; 33] = [
    "launch_digest",
    "minimum_tcb",
    "minimum_committed_tcb",
    "minimum_launch_tcb",
    "minimum_firmware",
    "provisional_firmware",
    "products",
    "broken",
    "versions",
    "vmpl",
    "debug",
    "migration",
    "smt",
    "cxl",
    "single_socket",
    "aes_256_xts",
    "rapl_off",
    "ciphertext_hiding",
    "page_swap_off",
    "minimum_abi",
    "platform",
    "minimum_guest_svn",
    "mitigations",
    "id_keys",
    "author_keys",
    "chips",
    "masked_chip",
    "revocation",
    "family_id",
    "image_id",
    "report_id",
    "report_id_ma",
    "pcrs",
];
const PLATFORM: [&str; 8] = [
    "smt",
    "tsme",
    "trusted_io",
    "ecc",
    "rapl_off",
    "ciphertext_hiding",
    "alias_check",
    "unknown_bits",
];
const COMPONENTS: [&str; 4] = ["bootloader", "tee", "snp", "microcode"];
const COMPONENTS_WITH_FMC: [&str; 5] = ["fmc", "bootloader", "tee", "snp", "microcode"];
const PRODUCTS: [(&str, Product); 3] = [
    ("milan", Product::Milan),
    ("genoa", Product::Genoa),
    ("turin", Product::Turin),
];

/// Reads the section.
pub(super) fn policy(section: &Section<'_>) -> Result<SnpPolicy, PolicyError> {
    let launch_digest = section.require(
        "launch_digest",
        "run `chrysalis measure DIR --platform snp --vcpus N` to compute it from an image",
    )?;
    let minimum_tcb = section.require(
        "minimum_tcb",
        "use the levels of AMD's current firmware, or those that `chrysalis show` prints for a machine you trust",
    )?;
    let products = section.read("products", |products| products.expect(product))?;
    let one_line = only(products.as_ref());
    let floor = |levels: &Field<'_>| floor(levels, one_line);
    let minimum_tcb = floor(&minimum_tcb)?;
    let all_products = match &minimum_tcb {
        Floor::Each(floors) => floors.by_line().map(|(product, _)| product).collect(),
        Floor::Unchecked { .. } => Product::ALL.to_vec(),
    };
    Ok(SnpPolicy {
        launch_digest: launch_digest.expect(|digest| digest.hex("48 bytes in hex"))?,
        minimum_tcb,
        minimum_committed_tcb: section.read("minimum_committed_tcb", floor)?,
        minimum_launch_tcb: section.read("minimum_launch_tcb", floor)?,
        minimum_firmware: section.read("minimum_firmware", firmware)?,
        provisional_firmware: section.bool("provisional_firmware", false)?,
        products: products.unwrap_or(Expect::AnyOf(all_products)),
        broken: accepted(&section.section("broken", &PRODUCTS.map(|(name, _)| name))?)?,
        versions: section
            .read("versions", |versions| {
                versions.expect(|version| version.number("a number"))
            })?
            .unwrap_or(Expect::AnyOf(vec![3, 4, 5])),
        vmpl: section
            .read("vmpl", |levels| levels.expect(vmpl))?
            .unwrap_or(Expect::AnyOf(vec![0])),
        debug: section.bool("debug", false)?,
        migration: section.bool("migration", false)?,
        smt: section.bool("smt", true)?,
        cxl: section.bool("cxl", false)?,
        single_socket: section.bool("single_socket", false)?,
        aes_256_xts: section.bool("aes_256_xts", false)?,
        rapl_off: section.bool("rapl_off", false)?,
        ciphertext_hiding: section.bool("ciphertext_hiding", false)?,
        page_swap_off: section.bool("page_swap_off", false)?,
        minimum_abi: section.read("minimum_abi", abi)?,
        platform: platform(&section.section("platform", &PLATFORM)?)?,
        minimum_guest_svn: section
            .read("minimum_guest_svn", |svn| svn.number("a number"))?
            .unwrap_or(0),
        mitigations: section.read("mitigations", bits)?.unwrap_or(0),
        id_keys: section
            .read("id_keys", |keys| keys.list(sha384))?
            .unwrap_or_default(),
        author_keys: section
            .read("author_keys", |keys| keys.list(sha384))?
            .unwrap_or_default(),
        chips: section.read("chips", |chips| chips.expect(chip))?,
        masked_chip: section.read("masked_chip", Field::unchecked)?,
        revocation_unchecked: section.read("revocation", Field::unchecked)?,
        family_id: section.read("family_id", pin)?,
        image_id: section.read("image_id", pin)?,
        report_id: section.read("report_id", pin)?,
        report_id_ma: section.read("report_id_ma", pin)?,
        pcrs: pcrs(section)?,
    })
}

fn platform(section: &Section<'_>) -> Result<PlatformPolicy, PolicyError> {
    Ok(PlatformPolicy {
        smt: section.bool("smt", true)?,
        tsme: section.bool("tsme", true)?,
        trusted_io: section.bool("trusted_io", false)?,
        ecc: section.bool("ecc", false)?,
        rapl_off: section.bool("rapl_off", false)?,
        ciphertext_hiding: section.bool("ciphertext_hiding", false)?,
        alias_check: section.bool("alias_check", true)?,
        unknown_bits: section.read("unknown_bits", bits)?.unwrap_or(0),
    })
}

/// The product line, if the policy accepts exactly one.
fn only(products: Option<&Expect<Product>>) -> Option<Product> {
    match products {
        Some(Expect::AnyOf(products)) => match products.as_slice() {
            [one] => Some(*one),
            _ => None,
        },
        Some(Expect::Unchecked { .. }) | None => None,
    }
}

/// Levels for each line, or unchecked; the line's name may be left out where only one is accepted.
fn floor(field: &Field<'_>, one_line: Option<Product>) -> Result<Floor, PolicyError> {
    const EACH: &str = "levels for each product line, as in `minimum_tcb.genoa = { … }`: levels of different lines cannot be compared";
    if field.has("unchecked") {
        return Ok(Floor::Unchecked {
            why: field.unchecked()?,
        });
    }
    let mut floors = BTreeMap::new();
    if COMPONENTS_WITH_FMC.iter().any(|name| field.has(name)) {
        let product = one_line.ok_or_else(|| field.wrong(EACH))?;
        floors.insert(product, levels(field, product)?);
    } else {
        let section = field.section(&PRODUCTS.map(|(name, _)| name))?;
        for (name, product) in PRODUCTS {
            let levels = section.read(name, |field| levels(field, product))?;
            floors.extend(levels.map(|levels| (product, levels)));
        }
    }
    Floor::each(floors).map_err(|_| field.wrong(EACH))
}

/// All components must be named: one left out would have a floor of zero.
fn levels(field: &Field<'_>, product: Product) -> Result<Tcb, PolicyError> {
    const LEVEL: &str = "a level from 0 to 255";
    const SOME: &str = "above 0 in at least one component; to check no levels at all, write { unchecked = \"why\" } in place of all lines";
    let section = if product.has_fmc() {
        field.section(&COMPONENTS_WITH_FMC)?
    } else {
        field.section(&COMPONENTS)?
    };
    let how = "name bootloader, tee, snp and microcode, with 0 where any level will do";
    let required = |name| section.require(name, how)?.number(LEVEL);
    let fmc = product.has_fmc().then(|| {
        let how = "name fmc, with 0 where any level will do: Turin has a management controller, whose level counts too";
        section.require("fmc", how)?.number(LEVEL)
    });
    let levels = Tcb {
        fmc: fmc.transpose()?,
        bootloader: required("bootloader")?,
        tee: required("tee")?,
        snp: required("snp")?,
        microcode: required("microcode")?,
    };
    Floors::new([(product, levels)]).map_err(|_| field.wrong(SOME))?;
    Ok(levels)
}

/// Broken lines that are accepted all the same. A reason given for a sound line would silently take effect on the day it breaks.
fn accepted(section: &Section<'_>) -> Result<Accepted, PolicyError> {
    const SOUND: &str = "left out: this product line is not known to be broken";
    let mut accepted = Accepted::new();
    for (name, product) in PRODUCTS {
        let Some(field) = section.get(name) else {
            continue;
        };
        let why = field.unchecked()?;
        broken::of(product).ok_or_else(|| field.wrong(SOUND))?;
        accepted.insert(product, why);
    }
    Ok(accepted)
}

fn product(field: &Field<'_>) -> Result<Product, PolicyError> {
    const EXPECTED: &str = "milan, genoa or turin";
    let text = field.text(EXPECTED)?;
    let found = PRODUCTS.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, product)| *product)
        .ok_or_else(|| field.wrong(EXPECTED))
}

fn vmpl(field: &Field<'_>) -> Result<u32, PolicyError> {
    const EXPECTED: &str = "a number from 0 to 3";
    match field.number(EXPECTED)? {
        level @ 0..=3 => Ok(level),
        _ => Err(field.wrong(EXPECTED)),
    }
}

fn firmware(field: &Field<'_>) -> Result<Firmware, PolicyError> {
    const EXPECTED: &str = "a version such as \"1.55.40\"";
    match numbers(field.text(EXPECTED)?).as_deref() {
        Some([major, minor, build]) => Ok(Firmware {
            major: *major,
            minor: *minor,
            build: *build,
        }),
        _ => Err(field.wrong(EXPECTED)),
    }
}

fn abi(field: &Field<'_>) -> Result<(u8, u8), PolicyError> {
    const EXPECTED: &str = "a version such as \"1.55\"";
    match numbers(field.text(EXPECTED)?).as_deref() {
        Some([major, minor]) => Ok((*major, *minor)),
        _ => Err(field.wrong(EXPECTED)),
    }
}

fn numbers(text: &str) -> Option<Vec<u8>> {
    text.split('.').map(|number| number.parse().ok()).collect()
}

fn bits(field: &Field<'_>) -> Result<u64, PolicyError> {
    const EXPECTED: &str = "bits in hex such as \"0x3\"";
    let digits = field.text(EXPECTED)?.strip_prefix("0x");
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| field.wrong(EXPECTED))
}

/// 64 bytes, or Turin's 8, which its reports pad with zeros.
fn chip(field: &Field<'_>) -> Result<[u8; 64], PolicyError> {
    const EXPECTED: &str = "64 bytes in hex, or 8 on Turin";
    let mut chip = [0; 64];
    let text = field.text(EXPECTED)?;
    if let Ok(short) = field.hex::<8>(EXPECTED) {
        let (head, _) = chip.split_at_mut(short.len());
        head.copy_from_slice(&short);
        return Ok(chip);
    }
    hex::decode_to_slice(text, &mut chip).map_err(|_| field.wrong(EXPECTED))?;
    Ok(chip)
}

fn pin<const N: usize>(field: &Field<'_>) -> Result<Expect<[u8; N]>, PolicyError> {
    field.expect(|value| value.hex("hex of the field's exact length"))
}
