//! Kernel modules in the order in which they load: each after those it depends on, by its own word (`depends=` in its
//! `.modinfo` section). Soft dependencies stay out: what an image needs, its recipe names. The bytes stay as the kernel's
//! makers signed them.

use std::{collections::BTreeMap, io::Read};

use liblzma::read::XzDecoder;

use crate::{Error, package::Deb};

/// Most that one module may unpack to.
const MAX_MODULE: u64 = 64 << 20;

/// A module, ready to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name as the kernel package spells it, without `.ko`.
    pub name: String,
    /// The file in the kernel package.
    pub path: String,
    /// The file, decompressed.
    pub bytes: Vec<u8>,
}

/// The modules that a kernel package has, and those its kernel has built in.
pub struct Modules<'deb> {
    loadable: BTreeMap<String, (&'deb str, &'deb [u8])>,
    built_in: Vec<String>,
}

impl<'deb> Modules<'deb> {
    /// Lists what a kernel package has.
    pub fn of(kernel: &'deb Deb) -> Self {
        let mut modules = Self {
            loadable: BTreeMap::new(),
            built_in: Vec::new(),
        };
        for (path, bytes) in kernel
            .files()
            .filter(|(path, _)| path.contains("lib/modules/"))
        {
            if let Some(name) = module_name(path) {
                modules.loadable.insert(key(name), (path, bytes));
            } else if path.ends_with("/modules.builtin") {
                let text = String::from_utf8_lossy(bytes);
                modules
                    .built_in
                    .extend(text.lines().filter_map(module_name).map(key));
            }
        }
        modules
    }

    /// The named modules and all they depend on, in loading order, each once.
    pub fn resolve(&self, wanted: &[String]) -> Result<Vec<Module>, Error> {
        let mut order = Vec::new();
        for name in wanted {
            self.add(name, None, &mut Vec::new(), &mut order)?;
        }
        Ok(order)
    }

    fn add(
        &self,
        name: &str,
        needed_by: Option<&str>,
        under_way: &mut Vec<String>,
        order: &mut Vec<Module>,
    ) -> Result<(), Error> {
        let wanted = key(name);
        let have = order.iter().any(|module| key(&module.name) == wanted);
        if have || self.built_in.contains(&wanted) {
            return Ok(());
        }
        if under_way.contains(&wanted) {
            return Err(bad(name, "part of a circle of dependencies"));
        }
        let (path, bytes) = self
            .loadable
            .get(&wanted)
            .ok_or_else(|| Error::UnknownModule {
                module: name.into(),
                needed_by: needed_by.map(Into::into),
            })?;
        let bytes = decompress(name, path, bytes)?;
        under_way.push(wanted);
        for dependency in dependencies(name, &bytes)? {
            self.add(&dependency, Some(name), under_way, order)?;
        }
        under_way.pop();
        let spelled = module_name(path).unwrap_or(name);
        order.push(Module {
            name: spelled.into(),
            path: (*path).into(),
            bytes,
        });
        Ok(())
    }
}

/// `kernel/x/dm-verity.ko.xz` → `dm-verity`.
fn module_name(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    file.strip_suffix(".ko.xz")
        .or_else(|| file.strip_suffix(".ko"))
}

/// The kernel takes `-` and `_` in names for the same.
fn key(name: &str) -> String {
    name.replace('-', "_")
}

fn bad(module: &str, problem: &'static str) -> Error {
    Error::BadModule {
        module: module.into(),
        problem,
    }
}

fn decompress(name: &str, path: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    if path.strip_suffix(".xz").is_none() {
        return Ok(bytes.to_vec());
    }
    let mut out = Vec::new();
    XzDecoder::new(bytes)
        .take(MAX_MODULE + 1)
        .read_to_end(&mut out)
        .map_err(|_| bad(name, "not a whole xz file"))?;
    if out.len() as u64 > MAX_MODULE {
        return Err(bad(name, "larger than 64 MiB"));
    }
    Ok(out)
}

/// The names after `depends=`.
fn dependencies(name: &str, elf: &[u8]) -> Result<Vec<String>, Error> {
    if modinfo(elf).is_none() {
        return Err(bad(name, "no 64-bit ELF file with a .modinfo section"));
    }
    let depends =
        info(elf, "depends=").ok_or_else(|| bad(name, "silent about its dependencies"))?;
    Ok(depends
        .split(',')
        .filter(|part| !part.is_empty())
        .map(Into::into)
        .collect())
}

/// What a module says about itself after `key=`.
pub(crate) fn info<'elf>(elf: &'elf [u8], key: &str) -> Option<&'elf str> {
    let fields = modinfo(elf)?.split(|byte| *byte == 0);
    fields
        .filter_map(|field| std::str::from_utf8(field).ok())
        .find_map(|field| field.strip_prefix(key))
}

/// The section `.modinfo` of a little-endian 64-bit ELF file.
fn modinfo(elf: &[u8]) -> Option<&[u8]> {
    const SECTION_HEADER: usize = 64;
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(elf, 0x28, 8)?;
    let count = number(elf, 0x3c, 2)?;
    let names_index = number(elf, 0x3e, 2)?;
    let header = |index: usize| {
        let start = table.checked_add(index.checked_mul(SECTION_HEADER)?)?;
        elf.get(start..start.checked_add(SECTION_HEADER)?)
    };
    let body = |header: &[u8]| {
        let start = number(header, 0x18, 8)?;
        elf.get(start..start.checked_add(number(header, 0x20, 8)?)?)
    };
    let names = body(header(names_index)?)?;
    (0..count).filter_map(header).find_map(|header| {
        let name = names.get(number(header, 0, 4)?..)?;
        if name.starts_with(b".modinfo\0") {
            body(header)
        } else {
            None
        }
    })
}

fn number(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let field = bytes.get(start..start.checked_add(length)?)?;
    let value = field
        .iter()
        .rev()
        .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_module() {
        for hostile in [&b""[..], b"\x7fELF", b"\x7fELF\x02\x01", &[0xff; 200]] {
            assert!(matches!(
                dependencies("m", hostile),
                Err(Error::BadModule { .. })
            ));
        }
        let mut claims_much = vec![0xff; 200];
        claims_much[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert!(matches!(
            dependencies("m", &claims_much),
            Err(Error::BadModule { .. })
        ));
    }

    #[test]
    fn takes_names_as_the_kernel_does() {
        assert_eq!(
            module_name("usr/lib/modules/6/kernel/drivers/md/dm-verity.ko.xz"),
            Some("dm-verity")
        );
        assert_eq!(module_name("usr/lib/modules/6/modules.order"), None);
        assert_eq!(key("dm-verity"), "dm_verity");
    }
}
