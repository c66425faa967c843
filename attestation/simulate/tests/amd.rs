//! The simulated AMD against code that is not its own: ring's signatures and x509-parser's certificates.
//!
//! RSA keys take seconds to make, so most tests share one vendor, kept in the build folder.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_attestation::{
    Time,
    encoding::digest::sha256,
    snp::report::{REPORT_SIZE, Report, SIGNED_SIZE},
};
use chrysalis_simulate::{ASK_SERIAL, Amd, CrlProfile, Launch, ORGANISATION, SimulateError, TCB};
use ring::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384, UnparsedPublicKey, VerificationAlgorithm,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use x509_parser::prelude::*;

/// 2026-12-01 12:00 UTC: the vendor is as old as this whenever the tests run.
const NOW: Time = Time(1_796_126_400);
const DAY: i64 = 24 * 3600;
const YEAR: i64 = 365 * DAY;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated-amd")
}

fn vendor() -> Amd {
    Amd::open_or_create(&folder(), NOW, &mut |step| println!("{step}")).unwrap()
}

/// VCEK, ASK, ARK.
fn certificates(amd: &Amd) -> [Vec<u8>; 3] {
    amd.endorsements().certificates.try_into().unwrap()
}

fn certificate(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap();
    assert!(rest.is_empty());
    certificate
}

fn verify(
    algorithm: &'static dyn VerificationAlgorithm,
    signer: &X509Certificate<'_>,
    message: &[u8],
    signature: &[u8],
) {
    let key = &signer.public_key().subject_public_key.data;
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .unwrap();
}

fn seconds(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    )
}

#[test]
fn each_certificate_is_signed_by_the_one_above_it() {
    let ders = certificates(&vendor());
    let [vcek, ask, ark] = ders.each_ref().map(|der| certificate(der));
    for (lower, upper) in [(&vcek, &ask), (&ask, &ark), (&ark, &ark)] {
        let signature = &lower.signature_value.data;
        verify(
            &RSA_PSS_2048_8192_SHA384,
            upper,
            lower.tbs_certificate.as_ref(),
            signature,
        );
        assert_eq!(lower.issuer(), upper.subject());
    }
}

#[test]
fn authorities_have_the_profile_of_amds() {
    let ders = certificates(&vendor());
    let [_, ask, ark] = ders.each_ref().map(|der| certificate(der));
    let name = |common_name| {
        format!("OU=Engineering, C=US, L=Santa Clara, ST=CA, O={ORGANISATION}, CN={common_name}")
    };
    for (certificate, common_name, serial, path_length) in [
        (&ark, "ARK-Genoa", 0x20000_u64, None),
        (&ask, "SEV-Genoa", ASK_SERIAL, Some(0)),
    ] {
        assert_eq!(certificate.subject().to_string(), name(common_name));
        assert_eq!(certificate.serial, serial.into());
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, path_length);
        assert!(
            certificate
                .key_usage()
                .unwrap()
                .unwrap()
                .value
                .key_cert_sign()
        );
        let points = certificate.extensions().iter().filter(|extension| {
            matches!(
                extension.parsed_extension(),
                ParsedExtension::CRLDistributionPoints(_)
            )
        });
        assert_eq!(points.count(), 1);
        let (from, until) = seconds(certificate);
        assert!(from <= NOW.0);
        assert_eq!(until - from, 25 * YEAR);
    }
}

#[test]
fn the_vcek_has_serial_number_zero_and_amds_extensions_alone() {
    let amd = vendor();
    let ders = certificates(&amd);
    let [vcek, _, _] = ders.each_ref().map(|der| certificate(der));
    assert_eq!(vcek.serial, 0_u32.into());
    assert!(
        vcek.subject()
            .to_string()
            .ends_with("O=Chrysalis Simulated, CN=SEV-VCEK")
    );
    let (from, until) = seconds(&vcek);
    assert!(from <= NOW.0);
    assert_eq!(until - from, 7 * YEAR);

    let report = amd.report(&Launch::new([1; 48], [2; 32], [3; 32]), [4; 64]);
    let expected: [(&str, &[u8]); 11] = [
        ("1", &[2, 1, 0]),
        ("2", b"\x16\x05Genoa"),
        ("3.1", &[2, 1, TCB.bootloader]),
        ("3.2", &[2, 1, TCB.tee]),
        ("3.4", &[2, 1, 0]),
        ("3.5", &[2, 1, 0]),
        ("3.6", &[2, 1, 0]),
        ("3.7", &[2, 1, 0]),
        ("3.3", &[2, 1, TCB.snp]),
        ("3.8", &[2, 1, TCB.microcode]),
        ("4", &report.chip_id),
    ];
    let found: Vec<_> = vcek
        .extensions()
        .iter()
        .map(|extension| {
            (
                extension.oid.to_id_string(),
                extension.value,
                extension.critical,
            )
        })
        .collect();
    let expected = expected.map(|(arc, value)| (format!("1.3.6.1.4.1.3704.1.{arc}"), value, false));
    assert_eq!(found, expected);
}

#[test]
fn a_report_is_signed_by_the_certified_key() {
    let amd = vendor();
    let ders = certificates(&amd);
    let [vcek, _, _] = ders.each_ref().map(|der| certificate(der));
    let launch = Launch::new([1; 48], [2; 32], [3; 32]);
    let bytes: [u8; REPORT_SIZE] = amd.sign_report(&launch, [4; 64]);
    let report = Report::parse(&bytes).unwrap();
    let signature = [report.signature.r, report.signature.s].concat();
    verify(
        &ECDSA_P384_SHA384_FIXED,
        &vcek,
        &bytes[..SIGNED_SIZE],
        &signature,
    );
    let unsigned = amd.report(&launch, [4; 64]);
    assert_eq!(
        report,
        Report {
            signature: report.signature,
            ..unsigned
        }
    );
    assert_eq!(
        (report.launch_digest, report.host_data, report.report_data),
        ([1; 48], [2; 32], [4; 64])
    );
}

#[test]
fn the_revocation_list_is_the_roots_and_holds_for_45_days() {
    let amd = vendor();
    let ders = certificates(&amd);
    let [_, _, ark] = ders.each_ref().map(|der| certificate(der));
    let honest = amd.endorsements().crls.remove(0);
    let revoking = CrlProfile {
        revoked: vec![ASK_SERIAL.into()],
        ..CrlProfile::empty(NOW)
    };
    for (der, revoked) in [
        (honest, vec![]),
        (
            amd.issue_crl(&revoking).unwrap(),
            vec![ASK_SERIAL.to_string()],
        ),
    ] {
        let (rest, list) = CertificateRevocationList::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(list.version(), Some(X509Version::V2));
        assert_eq!(list.issuer(), ark.subject());
        let signature = &list.signature_value.data;
        verify(
            &RSA_PSS_2048_8192_SHA384,
            &ark,
            list.tbs_cert_list.as_ref(),
            signature,
        );
        let (from, until) = (list.last_update(), list.next_update().unwrap());
        assert!(from.timestamp() <= NOW.0);
        assert_eq!(until.timestamp() - from.timestamp(), 45 * DAY);
        let serials = list
            .iter_revoked_certificates()
            .map(|entry| entry.serial().to_string());
        assert_eq!(serials.collect::<Vec<_>>(), revoked);
    }
}

#[test]
fn the_revocation_list_is_made_anew_after_a_day() {
    let mut amd = vendor();
    let first = amd.endorsements().crls;
    amd.renew(Time(NOW.0 + DAY / 2)).unwrap();
    assert_eq!(amd.endorsements().crls, first);
    amd.renew(Time(NOW.0 + 2 * DAY)).unwrap();
    assert_ne!(amd.endorsements().crls, first);
}

#[test]
fn reopening_gives_the_same_vendor() {
    let (one, other) = (vendor(), vendor());
    assert_eq!(one.endorsements(), other.endorsements());
    assert_eq!(one.root_sha256(), other.root_sha256());
    let [_, _, ark] = certificates(&one);
    assert_eq!(one.root_sha256(), sha256(&[&ark]));
    let (_, pem) = parse_x509_pem(&fs::read(folder().join("ark.pem")).unwrap()).unwrap();
    assert_eq!(pem.contents, ark);
}

#[test]
fn nobody_else_can_read_the_keys_and_the_folder_says_what_they_are() {
    vendor();
    let mut files = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        assert_eq!(
            entry.unwrap().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        files += 1;
    }
    assert_eq!(files, 6);
    assert!(
        fs::read_to_string(folder().join("README"))
            .unwrap()
            .contains("SIMULATED")
    );
}

#[test]
fn a_damaged_folder_is_an_error_that_says_what_to_do() {
    vendor();
    let parent = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, parent.path().join(path.file_name().unwrap())).unwrap();
    }
    fs::write(parent.path().join("ask.key.pem"), "not a key").unwrap();
    let error = Amd::open_or_create(parent.path(), NOW, &mut |_| ())
        .err()
        .unwrap();
    assert!(
        matches!(
            &error,
            SimulateError::Damaged {
                what: "private key",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("remove its folder"), "{error}");
}

#[test]
fn those_who_race_end_with_the_same_keys() {
    let parent = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = parent.path().join("state/simulated-amd/");
    // What a run that was cut off leaves.
    fs::create_dir_all(parent.path().join("state/simulated-amd.new")).unwrap();
    fs::write(
        parent.path().join("state/simulated-amd.new/ark.pem"),
        "half a cert",
    )
    .unwrap();
    let steps = AtomicUsize::new(0);
    let open = || {
        let mut progress = |_: &str| _ = steps.fetch_add(1, Ordering::Relaxed);
        Amd::open_or_create(&folder, NOW, &mut progress)
            .unwrap()
            .endorsements()
    };
    let all: Vec<_> = thread::scope(|scope| {
        let racing: Vec<_> = (0..3).map(|_| scope.spawn(open)).collect();
        racing
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!(
        steps.into_inner(),
        2,
        "one of them made the keys, in two slow steps"
    );
    assert!(!parent.path().join("state/simulated-amd.new").exists());
}

#[test]
fn a_seed_gives_one_vendor() {
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| Amd::seeded([7; 32], NOW).unwrap().endorsements());
        let other = scope.spawn(|| Amd::seeded([7; 32], NOW).unwrap().endorsements());
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one, other);
}
