//! Each thing that can be wrong with a report, its certificates or what is wanted of it, by itself.

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    snp::{bits::GuestPolicy, firmware::Firmware, product::Cpuid, report::SigningKey, tcb::Tcb},
};
use chrysalis_simulate::{ASK_SERIAL, CrlProfile, TCB};

use super::{AMDS_NAME, ARK, ASK, Lie, Scene, VCEK, ask_with_a_bit_to_spare, cut_table, pose};
use crate::{
    make::{AMD, NOW, OTHER_AMD},
    wishes::{OPEN, SOMEBODY, list},
};

const DAY: i64 = 24 * 3600;
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
/// An OID that nobody has given a meaning.
const NOBODYS: &str = "1.3.6.1.4.1.65535.1";

/// The code that must come out, what is wrong, and the lie.
#[rustfmt::skip]
pub(super) const LIES: &[Lie] = &[
    ("certificate_malformed", "a certificate is no DER", |it| it.certificates.push(("junk.der", b"\x30\x03not".to_vec()))),
    ("certificate_table", "the certificate table has an entry that points outside of it", |it| {
        it.certificates = vec![("table.bin", cut_table())];
    }),
    ("certificate_malformed a-bit-to-spare", "the last bit of the ASK's signature does not count", |it| it.certificates[ASK].1 = ask_with_a_bit_to_spare()),
    ("report_length", "the report lacks its last byte", |it| it.alter = |bytes| bytes.truncate(1183)),
    ("report_version", "the report has version 6", |it| it.report.version = 6),
    ("report_algorithm", "the report names another signature algorithm", |it| it.alter = |bytes| bytes[0x34] = 2),
    ("report_reserved", "a reserved byte of the report is not zero", |it| it.alter = |bytes| bytes[0x4C] = 1),
    ("report_reserved behind-the-signature", "the last byte, which nobody signs, is not zero", |it| it.alter = |bytes| bytes[1183] = 1),
    ("report_unsigned", "the report says that no key signed it", |it| it.report.key_info.signing_key = SigningKey::None),
    ("leaf_missing", "there is no VCEK certificate", |it| drop(it.certificates.remove(VCEK))),
    ("leaf_missing of-a-provider", "a provider's key signed, and only the chip's has a certificate", |it| {
        it.report.key_info.signing_key = SigningKey::Vlek;
    }),
    ("leaf_ambiguous", "there are two VCEK certificates", |it| {
        let other = OTHER_AMD.endorsements().certificates.remove(VCEK);
        it.certificates.push(("vcek-of-another.der", other));
    }),
    ("leaf_profile", "the VCEK certificate has a serial number", |it| it.vcek(|vcek| vcek.serial = 1)),
    ("leaf_profile of-version-2", "the VCEK certificate is of X.509 version 2", |it| it.vcek(|vcek| vcek.form.version_2 = true)),
    ("leaf_profile reserved", "the VCEK certificate has a level without a meaning", |it| it.vcek(|vcek| vcek.reserved_level = 1)),
    ("leaf_profile a-bit-to-spare", "the last bit of the VCEK's key does not count", |it| it.vcek(|vcek| vcek.form.unused_bits_of_key = 1)),
    ("leaf_profile of-another-organisation", "the VCEK certificate is in AMD's name, its issuer in another", |it| {
        it.vcek(|vcek| AMDS_NAME.clone_into(&mut vcek.organisation));
    }),
    ("product_unknown", "the CPU is of a family that has no root", |it| it.report.cpuid = Some(Cpuid { family: 0x1A, model: 0x50, stepping: 0 })),
    ("product_mismatch", "the report is of Milan, its certificate of Genoa", |it| {
        it.report.cpuid = Some(Cpuid { family: 0x19, model: 0x01, stepping: 1 });
    }),
    ("product_mismatch of-the-certificate", "the certificate is of Milan, the report of Genoa", |it| {
        it.vcek(|vcek| "Milan-B0".clone_into(&mut vcek.product));
    }),
    ("simulated_root_refused", "nobody named the simulated root", |it| it.wishes = None),
    ("simulated_root_refused another-was-named", "the policy names another simulated root", |it| it.wish(|wishes| wishes.simulated(&[OTHER_AMD.root_sha256()]))),
    ("root_unknown", "the VCEK is in the name of an organisation that nobody knows", |it| it.vcek(|vcek| {
        "Nobody".clone_into(&mut vcek.organisation);
        "Nobody".clone_into(&mut vcek.issuer_organisation);
    })),
    ("root_missing", "the simulated root is not there", |it| drop(it.certificates.remove(ARK))),
    ("intermediate_missing", "there is no ASK certificate", |it| drop(it.certificates.remove(ASK))),
    ("intermediate_unknown", "the ASK is in AMD's name, and not the one that AMD has", |it| {
        it.vcek(pose);
        it.ask(|ask| ask.poses_as_amd = true);
    }),
    ("chain_profile", "the ASK is no authority", |it| it.ask(|ask| ask.is_authority = false)),
    ("chain_profile idle", "the ASK may sign no certificates", |it| it.ask(|ask| ask.signs_certificates = false)),
    ("chain_profile of-version-2", "the ASK is of X.509 version 2", |it| it.ask(|ask| ask.form.version_2 = true)),
    ("chain_profile of-another-issuer", "the ASK names another issuer than the root that signed it", |it| {
        it.ask(|ask| "ARK-Milan".clone_into(&mut ask.issuer));
    }),
    ("chain_profile critical", "the ASK has a critical extension that nobody knows", |it| it.ask(|ask| ask.form.critical_extension = Some(NOBODYS))),
    ("chain_signature", "the ASK is of another vendor of the same name", |it| {
        it.certificates[ASK].1 = OTHER_AMD.endorsements().certificates.remove(ASK);
    }),
    ("chain_signature of-itself", "the ASK has the right key, and nobody but itself signed that", |it| it.ask(|ask| ask.signs_itself = true)),
    ("chain_signature of-another-name", "the VCEK names another issuer than the ASK that signed it", |it| {
        it.vcek(|vcek| "SEV-VLEK-Genoa".clone_into(&mut vcek.issuer));
    }),
    ("chain_signature by-no-pss", "the ASK's signature calls itself PKCS #1 v1.5", |it| it.ask(|ask| {
        let sha384_with_rsa = b"\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0C\x05\x00";
        ask.form.algorithm = Some(sha384_with_rsa.to_vec());
    })),
    ("chain_signature pss-hash", "the ASK's signature says that it hashes with SHA-256", |it| it.ask_by(|pss| pss.hash = SHA256)),
    ("chain_signature pss-mask", "the ASK's signature says that it masks with SHA-256", |it| it.ask_by(|pss| pss.mask_hash = SHA256)),
    ("chain_signature pss-mask-function", "the ASK's signature says that it masks by another function", |it| it.ask_by(|pss| pss.mask_generation = NOBODYS)),
    ("chain_signature pss-salt", "the ASK's signature says that its salt has 32 bytes", |it| it.ask_by(|pss| pss.salt_length = 32)),
    ("chain_signature pss-trailer", "the ASK's signature says that it ends in another way", |it| it.ask_by(|pss| pss.trailer = 2)),
    ("chain_signature of-a-poser", "simulated keys pose as AMD's", |it| it.vcek(pose)),
    ("certificate_expired", "the VCEK certificate ended a second ago", |it| it.vcek(|vcek| vcek.not_after = Time(NOW.0 - 1))),
    ("certificate_not_yet_valid", "the VCEK certificate begins in a second", |it| it.vcek(|vcek| vcek.not_before = Time(NOW.0 + 1))),
    ("certificate_revoked", "the list revokes the ASK", |it| it.list(&CrlProfile { revoked: vec![ASK_SERIAL.into()], ..CrlProfile::empty(NOW) })),
    ("certificate_revoked by-a-stale-list", "a list of last summer revokes the ASK, the current one does not", |it| {
        let stale = CrlProfile { revoked: vec![ASK_SERIAL.into()], ..CrlProfile::empty(Time(NOW.0 - 90 * DAY)) };
        it.lists.push(AMD.issue_crl(&stale).expect("a list"));
    }),
    ("crl_profile", "the revocation list does not say when it ends", |it| it.list(&CrlProfile { next_update: None, ..CrlProfile::empty(NOW) })),
    ("crl_profile narrowed", "the revocation list says that it is about end entities alone", |it| it.list(&CrlProfile { narrowed: true, ..CrlProfile::empty(NOW) })),
    ("crl_signature", "the revocation list is of another root of the same name", |it| it.lists = OTHER_AMD.endorsements().crls),
    ("crl_expired", "the revocation list ended yesterday", |it| it.list(&CrlProfile::empty(Time(NOW.0 - 46 * DAY)))),
    ("crl_not_yet_valid", "the revocation list begins in a second", |it| it.list(&CrlProfile::empty(Time(NOW.0 + 1)))),
    ("report_signature", "a bit of the guest's report id is flipped", |it| it.alter = |bytes| bytes[0x140] ^= 1),
    ("report_signature of-another-chip", "the report is of another chip than the certificate", |it| it.amd = &OTHER_AMD),
    ("tcb_certificate_mismatch", "the certificate is for other microcode than the report tells", |it| it.vcek(|vcek| vcek.tcb.microcode += 1)),
    ("chip_mismatch", "the report names another chip than its certificate", |it| it.report.chip_id[63] ^= 1),
    ("tcb_inconsistent", "a level is committed that is above the running one", |it| {
        it.want("provisional_firmware", "true");
        it.report.committed_tcb = Tcb { snp: TCB.snp + 1, ..TCB }.encode();
    }),
    ("tcb_inconsistent firmware", "SEV firmware is committed that is newer than what runs", |it| {
        it.want("provisional_firmware", "true");
        let running = it.report.current_firmware;
        it.report.committed_firmware = Firmware { build: running.build + 1, ..running };
    }),
    ("pin_unknown of-another-question", "the report holds another REPORT_DATA than was asked for", |it| it.asked = Some([0x5B; 64])),

    ("platform_unwanted", "the policy wants a TD", |it| it.wish(|wishes| {
        wishes.remove("snp");
        for key in ["mrtd", "rtmr0", "rtmr1", "rtmr2", "mrconfigid", "minimum_evaluation"] {
            wishes.set("tdx", key, OPEN);
        }
        wishes.set("configuration", "sha384", OPEN);
    })),
    ("report_version_refused", "the report has version 2, which does not name its CPU", |it| {
        it.report.version = 2;
        it.report.cpuid = None;
        it.report.mitigations = None;
    }),
    ("product_broken", "the machine is a Milan, and the policy does not say why that will do", |it| *it = Scene::of_milan()),
    ("product_refused", "the policy wants a Turin", |it| it.want("products", "[\"turin\"]")),
    ("chip_unknown", "the policy lists another chip", |it| it.want("chips", list(&[[1_u8; 64]]))),
    ("chip_masked", "the host masks the chip's identity", |it| it.report.chip_id = [0; 64]),
    ("revocation_unchecked", "there is no revocation list", |it| it.lists.clear()),
    ("tcb_below_floor", "report and certificate are of older microcode than the policy wants", |it| {
        let mut older = TCB;
        older.microcode -= 1;
        it.vcek(|vcek| vcek.tcb.microcode -= 1);
        it.report.reported_tcb = older.encode();
    }),
    ("tcb_below_floor committed", "the host may go back to older firmware than the policy wants", |it| {
        it.want("provisional_firmware", "true");
        it.report.committed_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
    }),
    ("tcb_below_floor at-launch", "the guest was launched on older firmware than the policy wants", |it| {
        it.want("minimum_launch_tcb.genoa", "{ bootloader = 10, tee = 0, snp = 27, microcode = 84 }");
        it.report.launch_tcb = Tcb { snp: TCB.snp - 1, ..TCB }.encode();
    }),
    ("firmware_below_floor", "the policy wants newer SEV firmware", |it| it.want("minimum_firmware", "\"1.55.50\"")),
    ("firmware_provisional", "firmware runs that is not committed", |it| it.report.committed_firmware.build -= 1),
    ("debug_allowed", "the host may debug the guest", |it| it.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << 19)),
    ("migration_allowed", "the guest may be migrated", |it| it.report.policy = GuestPolicy(GuestPolicy::STRICT.0 | 1 << 18)),
    ("guest_policy_too_wide", "the guest may run on sibling threads", |it| it.want("smt", "false")),
    ("guest_policy_lacks", "the guest may run on two sockets", |it| it.want("single_socket", "true")),
    ("abi_below_floor", "the guest accepts an older firmware interface", |it| it.want("minimum_abi", "\"1.55\"")),
    ("platform_too_wide", "the platform has trusted I/O on", |it| it.platform(|bits| bits | 1 << 7)),
    ("platform_lacks", "the platform did not look for memory aliases", |it| it.platform(|bits| bits & !(1 << 5))),
    ("platform_unknown", "the platform sets a bit that nobody knows", |it| it.platform(|bits| bits | 1 << 63)),
    ("vmpl_refused", "VMPL 1 asked for the report", |it| it.report.vmpl = 1),
    ("guest_svn_below_floor", "the policy wants a newer image", |it| it.want("minimum_guest_svn", "1")),
    ("mitigation_missing", "a mitigation is not in place", |it| it.want("mitigations", "\"0x8000000000000000\"")),
    ("launch_digest_unknown", "another image was measured", |it| it.report.launch_digest[0] ^= 1),
    ("pin_unknown", "the guest has another image id", |it| it.want("image_id", list(&[[1_u8; 16]]))),
    ("id_block_unknown", "no known key signed the ID block", |it| it.want("id_keys", list(&[[1_u8; 48]]))),
    ("vtpm_pcr_unquoted", "the policy wants a PCR, and there is no virtual TPM", |it| it.want("pcrs", format!("{{ 4 = {} }}", list(&[[1_u8; 32]])))),
    ("configuration_unknown", "the guest was configured with something else", |it| it.report.host_data = [0xBA; 32]),
    ("freshness_unchecked", "nobody asked the guest for anything", |it| it.asked = None),
    ("rebuilders_too_few", "no rebuilder confirms the image", |it| it.wish(|wishes| {
        wishes.set("rebuilders", "keys", format!("[\"{SOMEBODY}\"]"));
        wishes.set("rebuilders", "at_least", "1");
    })),
    ("endorsement_missing", "nobody stapled what the publisher signed", |it| {
        it.endorsed(|_| ());
        it.statements.clear();
    }),
    ("endorsement_missing of-the-key", "the key statement is missing", |it| {
        it.endorsed(|_| ());
        it.statements.remove(1);
    }),
    ("endorsement_missing of-another-project", "the key endorses a release of another project", |it| it.endorsed(|it| "other.example".clone_into(&mut it.project))),
    ("endorsement_missing of-another-image", "the publisher endorses another image", |it| it.endorsed(|it| it.measurements.snp[0].launch_digest = Hex([1; 48]))),
    ("endorsement_not_yet_valid", "the endorsement is from the future", |it| it.endorsed(|it| it.issued = Time(NOW.0 + 1))),
    ("endorsement_expired", "the endorsement has just expired", |it| it.endorsed(|it| it.until = NOW)),
    ("endorsement_too_old", "the endorsement is a week old", |it| it.endorsed(|it| it.issued = Time(NOW.0 - 7 * DAY))),
    ("statement_malformed of-an-endorsement", "the endorsement is for more than 14 days", |it| it.endorsed(|it| it.until = Time(it.issued.0 + 14 * DAY + 1))),
];
