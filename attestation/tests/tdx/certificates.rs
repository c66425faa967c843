//! Certificates that are signed and still wrong in one thing.

use chrysalis_attestation::{Rejection, Time};
use chrysalis_simulate::{Curve, Profile, Purpose, Signer};

use super::scene::{NOW, Scene};

/// ECDSA with SHA-384, DER.
const ECDSA_SHA384: [u8; 12] = [0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3];
/// 1.2.840.113741.1.13.1.4 in DER: the item that has the FMSPC.
const FMSPC: [u8; 10] = [0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 13, 1, 4];

fn refused(change: fn(&mut Scene)) -> Rejection {
    let mut scene = Scene::new();
    change(&mut scene);
    scene.verify().expect_err("something is wrong")
}

/// Issues the platform's authority anew, and the platform.
fn authority(scene: &mut Scene, change: impl FnOnce(&mut Profile)) {
    let mut profile = scene.intel.pck_authority.profile();
    change(&mut profile);
    scene.intel.pck_authority = scene.intel.root.issue(profile);
    scene.reissue(|_| ());
}

/// Makes another root, which is then pinned, and everything below it.
fn root(scene: &mut Scene, change: impl FnOnce(&mut Profile)) {
    let mut profile = scene.intel.root.profile();
    change(&mut profile);
    scene.intel.root = Signer::root(Curve::P256, &[1; 32], profile);
    signer(scene, |_| ());
    authority(scene, |_| ());
}

/// Issues the certificate anew of the key that signs TCB info and QE identity.
fn signer(scene: &mut Scene, change: impl FnOnce(&mut Profile)) {
    let mut profile = scene.intel.tcb_signer.profile();
    change(&mut profile);
    scene.intel.tcb_signer = scene.intel.root.issue(profile);
}

/// Whose certificate it is, why it is refused, and what was done to it.
type Lie = (&'static str, &'static str, fn(&mut Scene));

const LISTS: &str = "may not sign certificates and revocation lists";
const NAME: &str = "does not have the name that its place requires";
const NO_AUTHORITY: &str = "is not a certificate authority";
const MESSAGES: &str = "may not sign messages";
const FORM: &str = "has an SGX extension of the wrong form";

#[rustfmt::skip]
const LIES: &[Lie] = &[
    ("root", NAME, |it| root(it, |root| "Somebody".clone_into(&mut root.common_name))),
    ("root", LISTS, |it| root(it, |root| root.purpose = Purpose::IdleAuthority)),
    ("PCK CA", NAME, |it| authority(it, |ca| "Somebody".clone_into(&mut ca.common_name))),
    ("PCK CA", NO_AUTHORITY, |it| authority(it, |ca| ca.purpose = Purpose::NoAuthority)),
    ("PCK CA", NO_AUTHORITY, |it| authority(it, |ca| ca.purpose = Purpose::UncriticalAuthority)),
    ("PCK CA", LISTS, |it| authority(it, |ca| ca.purpose = Purpose::IdleAuthority)),
    ("PCK CA", LISTS, |it| authority(it, |ca| ca.purpose = Purpose::AuthorityWithoutLists)),
    ("PCK", NAME, |it| it.reissue(|pck| "Somebody".clone_into(&mut pck.organisation))),
    ("PCK", "does not state that it is not an authority", |it| it.reissue(|pck| pck.purpose = Purpose::SignsAndIssues)),
    ("PCK", MESSAGES, |it| it.reissue(|pck| pck.purpose = Purpose::Agrees)),
    ("PCK", MESSAGES, |it| it.reissue(|pck| pck.purpose = Purpose::NoAuthority)),
    ("PCK", "is not signed with ECDSA and SHA-256", |it| it.reissue(|pck| pck.form.algorithm = Some(ECDSA_SHA384.to_vec()))),
    ("PCK", "names a different issuer", |it| {
        let renamed = it.intel.pck_authority.renamed("Intel SGX PCK Processor CA");
        it.intel.pck = renamed.issue(it.intel.pck.profile());
    }),
    ("PCK", FORM, |it| it.reissue(|pck| {
        // An item more than Intel defines.
        let (_, sgx) = &mut pck.extensions[0];
        let length = u16::from_be_bytes([sgx[2], sgx[3]]) + 2;
        sgx[2..4].copy_from_slice(&length.to_be_bytes());
        sgx.extend([5, 0]);
    })),
    ("PCK", FORM, |it| it.reissue(|pck| {
        // The FMSPC, under the name of something else.
        let (_, sgx) = &mut pck.extensions[0];
        let place = sgx.windows(FMSPC.len()).position(|it| it == FMSPC);
        sgx[place.expect("the item") + FMSPC.len() - 1] = 8;
    })),
];

#[test]
fn each_is_refused_for_what_it_is() {
    for (which, what, lie) in LIES.iter().copied() {
        let wanted = Rejection::IntelCertificateProfile { which, what };
        assert_eq!(refused(lie), wanted);
    }
}

#[test]
fn a_root_that_was_issued_again_is_good_once_it_is_pinned() {
    let mut scene = Scene::new();
    root(&mut scene, |root| root.serial = Some(7));
    scene.verify().expect("honest, under another root");
}

#[test]
fn only_the_root_certifies_the_authority_and_the_signer() {
    let by_another = |change: fn(&mut Scene, &Signer)| {
        let mut scene = Scene::new();
        change(&mut scene, &Scene::of_another().intel.root);
        scene.verify().expect_err("another root's").code()
    };
    let of_the_authority = by_another(|scene, root| {
        let intel = &mut scene.intel;
        intel.pck_authority = root.issue(intel.pck_authority.profile());
        intel.pck = intel.pck_authority.issue(intel.pck.profile());
    });
    assert_eq!(of_the_authority, "intel_certificate_signature");
    let of_the_signer = by_another(|scene, root| {
        scene.intel.tcb_signer = root.issue(scene.intel.tcb_signer.profile());
    });
    assert_eq!(of_the_signer, "intel_certificate_signature");
}

#[test]
fn the_signer_signs_in_its_own_time() {
    let late = refused(|it| signer(it, |signer| signer.not_after = Time(NOW.0 - 1)));
    assert_eq!(late.code(), "intel_certificate_expired");
    let early = refused(|it| signer(it, |signer| signer.not_before = Time(NOW.0 + 1)));
    assert_eq!(early.code(), "intel_certificate_not_yet_valid");
}
