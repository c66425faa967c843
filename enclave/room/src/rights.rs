//! The administrator's rights, given up for good.

use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

/// Becomes this user and the group of the same number, with no capability and no way to one, no core dump and no debugger.
/// Where only one thread runs.
pub(crate) fn give_up(user: u32) -> anyhow::Result<()> {
    set_no_new_privs(true)?;
    empty_bounding_set()?;
    clear_ambient_capability_set()?;
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, sets)?;
    // After the change of the user, which would undo it.
    chrysalis_sandbox::leave_no_traces()
}

/// No more than this, whatever the engine asks for.
pub(crate) fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let most = Some(most);
    setrlimit(
        resource,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
}

fn empty_bounding_set() -> rustix::io::Result<()> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(one) {
            // The kernel knows fewer: that was the last.
            Err(Errno::INVAL) => break,
            removed => removed?,
        }
    }
    Ok(())
}
