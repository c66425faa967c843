//! The hand-off block: the memory map that QEMU writes for the firmware, which measures it before anything else (QEMU,
//! `hw/i386/tdvf-hob.c`; structures from the UEFI Platform Initialization Specification, volume 3).

use super::metadata::{Kind, Metadata};

/// Where q35 ends the memory below 4 GiB: in guests with at least this much memory, and in those with less.
const LARGE: u64 = 0xB000_0000;
const BELOW_4G_OF_LARGE: u64 = 0x8000_0000;
const FOUR_GIB: u64 = 0x1_0000_0000;

const TYPE_HAND_OFF: u16 = 1;
const TYPE_RESOURCE: u16 = 3;
const HAND_OFF_LENGTH: u16 = 56;
const RESOURCE_LENGTH: u16 = 48;
const VERSION: u32 = 9;
/// `EFI_RESOURCE_SYSTEM_MEMORY` and `EFI_RESOURCE_MEMORY_UNACCEPTED`.
const ACCEPTED: u32 = 0;
const UNACCEPTED: u32 = 7;
/// Present, initialized, tested.
const ATTRIBUTES: u32 = 7;
/// The entry that ends the list. The list's end counts it, but it is not hashed.
const END_LENGTH: u64 = 8;

/// A range of memory, and whether the firmware finds it accepted.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
    kind: u32,
}

/// The block without its last entry, as it is hashed; `None` if the firmware does not fit into that much memory.
pub(super) fn block(metadata: &Metadata<'_>, memory: u64) -> Option<Vec<u8>> {
    let ranges = ranges(metadata, memory)?;
    let length = u64::from(HAND_OFF_LENGTH) + u64::from(RESOURCE_LENGTH) * ranges.len() as u64;
    let end = metadata.hand_off + length + END_LENGTH;

    let mut block = Vec::new();
    block.extend(header(TYPE_HAND_OFF, HAND_OFF_LENGTH));
    block.extend(VERSION.to_le_bytes());
    // Boot mode; top and bottom of memory, used and free: the firmware finds these itself.
    block.extend([0; 4 + 4 * 8]);
    block.extend(end.to_le_bytes());
    for range in ranges {
        block.extend(header(TYPE_RESOURCE, RESOURCE_LENGTH));
        // No owner.
        block.extend([0; 16]);
        block.extend(range.kind.to_le_bytes());
        block.extend(ATTRIBUTES.to_le_bytes());
        block.extend(range.start.to_le_bytes());
        block.extend((range.end - range.start).to_le_bytes());
    }
    Some(block)
}

/// Type, length and a reserved word.
fn header(kind: u16, length: u16) -> [u8; 8] {
    let [[a, b], [c, d]] = [kind.to_le_bytes(), length.to_le_bytes()];
    [a, b, c, d, 0, 0, 0, 0]
}

/// The guest's memory, cut where the firmware's own parts lie.
fn ranges(metadata: &Metadata<'_>, memory: u64) -> Option<Vec<Range>> {
    let below = if memory >= LARGE {
        BELOW_4G_OF_LARGE
    } else {
        memory
    };
    let range = |start, end, kind| Range { start, end, kind };
    let mut ranges = vec![range(0, below, UNACCEPTED)];
    if memory > below {
        ranges.push(range(FOUR_GIB, FOUR_GIB + memory - below, UNACCEPTED));
    }
    let parts = metadata.sections.iter();
    for part in parts.filter(|part| matches!(part.kind, Kind::HandOff | Kind::Memory)) {
        let (start, end) = (part.address, part.address + part.size);
        let around = ranges.iter().position(|range| {
            range.kind == UNACCEPTED && range.start <= start && end <= range.end
        })?;
        let whole = ranges.remove(around);
        ranges.extend([
            range(whole.start, start, UNACCEPTED),
            range(start, end, ACCEPTED),
            range(end, whole.end, UNACCEPTED),
        ]);
        ranges.retain(|range| range.start < range.end);
    }
    ranges.sort_by_key(|range| range.start);
    Some(ranges)
}
