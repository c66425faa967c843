//! Where two programs differ: the first section, to help find the cause. Trusts neither program.

use object::{Object, ObjectSection, read::elf::ElfFile64};

/// The first section, by its place in the file, in which two programs differ, or that only one of them has. None if one of them is
/// not a 64-bit ELF file, or if they differ only in what lies between their sections.
pub(crate) fn section_that_differs(left: &[u8], right: &[u8]) -> Option<String> {
    let (left, right) = (sections(left)?, sections(right)?);
    let longer = left.len().max(right.len());
    let pairs = (0..longer).map(|index| (left.get(index), right.get(index)));
    let (left, right) = pairs.into_iter().find(|(left, right)| left != right)?;
    left.or(right).map(|(name, ..)| name.clone())
}

/// Name, content and size in memory. A linker's build ID follows from all the rest, so it counts last.
fn sections(program: &[u8]) -> Option<Vec<(String, &[u8], u64)>> {
    let file = ElfFile64::<object::Endianness>::parse(program).ok()?;
    let mut sections = Vec::new();
    for section in file.sections() {
        let name = section.name().ok()?.to_owned();
        sections.push((name, section.data().ok()?, section.size()));
    }
    sections.sort_by_key(|(name, ..)| name == ".note.gnu.build-id");
    Some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_section_that_differs() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(section_that_differs(&program, &program), None);
        let file = ElfFile64::<object::Endianness>::parse(&*program).unwrap();
        for name in [".text", ".rodata", ".note.gnu.build-id"] {
            let section = file.section_by_name(name).unwrap();
            let (offset, _) = section.file_range().unwrap();
            let mut other = program.clone();
            *other.get_mut(usize::try_from(offset).unwrap()).unwrap() ^= 1;
            let differs = section_that_differs(&program, &other);
            assert_eq!(differs.as_deref(), Some(name));
        }
    }

    #[test]
    fn names_nothing_in_what_is_no_program() {
        assert_eq!(section_that_differs(b"one", b"two"), None);
        assert_eq!(section_that_differs(b"\x7fELF", b"\x7fELF"), None);
    }
}
