//! `TDREPORT`: what the TDX module says about a TD to the machine that it runs on. (Intel 348551, `TDREPORT_STRUCT`.)
//!
//! A MAC authenticates it, which only that machine can check. So nothing here is worth more than the quote that was made from it:
//! the two are compared, field by field, and the quote is what is verified.

use crate::{
    Rejection,
    encoding::{
        digest::{Hex, sha384},
        reader::Reader,
    },
    tdx::report::{Layout, TdReport},
    transcript::ensure,
};

/// Its length in bytes.
pub(crate) const TDREPORT_SIZE: usize = 1024;
/// `REPORTTYPE` of a TD.
const TD: u8 = 0x81;
/// `TEE_TCB_INFO`; 17 bytes of padding follow it.
const TCB_INFO_SIZE: usize = 239;
/// `TDINFO`.
const TD_INFO_SIZE: usize = 512;
const TOO_SHORT: Rejection = malformed("its TDREPORT ends too early");
const UNKNOWN: &str = "its TDREPORT has an unknown type";

const fn malformed(what: &'static str) -> Rejection {
    Rejection::HclMalformed { what }
}

/// Reads the TD's report, in the layout with the most fields.
///
/// Its own hashes must be right, and reserved bytes must be zero. So apart from CPUSVN and the MAC, which are meaningful only to its
/// machine, every byte is checked, here or in [`check_quote`].
pub(crate) fn parse(bytes: &[u8]) -> Result<TdReport, Rejection> {
    let holds = |holds, what| ensure(holds, || malformed(what));
    let mut reader = Reader::new(bytes, TOO_SHORT);
    let [kind, subtype, version, reserved] = reader.array()?;
    let is_known = kind == TD && subtype == 0 && version <= 1 && reserved == 0;
    holds(is_known, UNKNOWN)?;
    let mut zero = reader.array()? == [0; 12];
    // CPUSVN.
    reader.array::<16>()?;
    let hashes: [[u8; 48]; 2] = [reader.array()?, reader.array()?];
    let report_data = Hex(reader.array()?);
    zero &= reader.array()? == [0; 32];
    // The MAC.
    reader.array::<32>()?;
    let tcb_info = reader.take(TCB_INFO_SIZE)?;
    zero &= reader.array()? == [0; 17];
    let td_info = reader.take(TD_INFO_SIZE)?;
    holds(zero, "its TDREPORT sets what is reserved")?;
    let covered = hashes == [sha384(&[tcb_info]), sha384(&[td_info])];
    holds(covered, "its TDREPORT does not hash to itself")?;

    let mut tcb = Reader::new(tcb_info, TOO_SHORT);
    // VALID: which fields the processor filled in. It always fills in those of a quote.
    tcb.array::<8>()?;
    let mut td = Reader::new(td_info, TOO_SHORT);
    let report = TdReport {
        layout: Layout::V15,
        report_data,
        tee_tcb_svn: Hex(tcb.array()?),
        mrseam: Hex(tcb.array()?),
        mrsignerseam: Hex(tcb.array()?),
        seam_attributes: Hex(tcb.array()?),
        tee_tcb_svn_2: Some(Hex(tcb.array()?)),
        attributes: td.u64()?,
        xfam: td.u64()?,
        mrtd: Hex(td.array()?),
        mrconfigid: Hex(td.array()?),
        mrowner: Hex(td.array()?),
        mrownerconfig: Hex(td.array()?),
        rtmr: [
            Hex(td.array()?),
            Hex(td.array()?),
            Hex(td.array()?),
            Hex(td.array()?),
        ],
        mrservicetd: Some(Hex(td.array()?)),
        extended: None,
    };
    // Version 1 means that there are service TDs.
    let has_service_td = report.mrservicetd != Some(Hex([0; 48]));
    holds(has_service_td == (version == 1), UNKNOWN)?;
    Ok(report)
}

/// Checks that the quote was made from this report, for all fields that both have.
pub(crate) fn check_quote(report: &TdReport, quote: &TdReport) -> Result<(), Rejection> {
    let is_longer = quote.layout != Layout::V1;
    let [rtmr0, rtmr1, rtmr2, rtmr3] = [0, 1, 2, 3].map(|index: usize| {
        let register = |of: &TdReport| of.rtmr.get(index).copied();
        register(report) == register(quote)
    });
    let fields = [
        ("REPORTDATA", report.report_data == quote.report_data),
        ("TEE_TCB_SVN", report.tee_tcb_svn == quote.tee_tcb_svn),
        ("MRSEAM", report.mrseam == quote.mrseam),
        ("MRSIGNERSEAM", report.mrsignerseam == quote.mrsignerseam),
        (
            "SEAMATTRIBUTES",
            report.seam_attributes == quote.seam_attributes,
        ),
        ("TDATTRIBUTES", report.attributes == quote.attributes),
        ("XFAM", report.xfam == quote.xfam),
        ("MRTD", report.mrtd == quote.mrtd),
        ("MRCONFIGID", report.mrconfigid == quote.mrconfigid),
        ("MROWNER", report.mrowner == quote.mrowner),
        ("MROWNERCONFIG", report.mrownerconfig == quote.mrownerconfig),
        ("RTMR0", rtmr0),
        ("RTMR1", rtmr1),
        ("RTMR2", rtmr2),
        ("RTMR3", rtmr3),
        (
            "TEE_TCB_SVN_2",
            !is_longer || report.tee_tcb_svn_2 == quote.tee_tcb_svn_2,
        ),
        (
            "MRSERVICETD",
            !is_longer || report.mrservicetd == quote.mrservicetd,
        ),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Rejection::HclQuoteMismatch { field }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the quote made from [`bytes`] says.
    fn quote() -> TdReport {
        let digest = |byte| Hex([byte; 48]);
        TdReport {
            layout: Layout::V15,
            tee_tcb_svn: Hex([1; 16]),
            mrseam: digest(2),
            mrsignerseam: digest(3),
            seam_attributes: Hex([4; 8]),
            attributes: 5,
            xfam: 6,
            mrtd: digest(7),
            mrconfigid: digest(8),
            mrowner: digest(9),
            mrownerconfig: digest(10),
            rtmr: [11, 12, 13, 14].map(digest),
            report_data: Hex([15; 64]),
            tee_tcb_svn_2: Some(Hex([16; 16])),
            mrservicetd: Some(digest(0)),
            extended: None,
        }
    }

    fn bytes() -> Vec<u8> {
        let td = quote();
        let mut bytes = vec![0; TDREPORT_SIZE];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &[TD]);
        put(128, &td.report_data.0);
        put(264, &[1; 16]);
        put(280, &[2; 48]);
        put(328, &[3; 48]);
        put(376, &[4; 8]);
        put(384, &[16; 16]);
        put(512, &td.attributes.to_le_bytes());
        put(520, &td.xfam.to_le_bytes());
        for (place, byte) in (0..).zip(7..=14) {
            put(528 + 48 * place, &[byte; 48]);
        }
        rehash(&mut bytes);
        bytes
    }

    fn rehash(bytes: &mut [u8]) {
        let hashes = [sha384(&[&bytes[256..495]]), sha384(&[&bytes[512..]])];
        bytes[32..128].copy_from_slice(hashes.as_flattened());
    }

    #[test]
    fn tells_what_the_quote_tells() {
        let report = parse(&bytes()).expect("a TDREPORT");
        assert_eq!(report, quote());
        assert_eq!(check_quote(&report, &quote()), Ok(()));
        // A report 1.0 has neither of the two.
        let shorter = TdReport {
            layout: Layout::V1,
            tee_tcb_svn_2: None,
            mrservicetd: None,
            ..quote()
        };
        assert_eq!(check_quote(&report, &shorter), Ok(()));
    }

    #[test]
    fn every_field_that_a_quote_tells_is_compared() {
        for (at, field) in [
            (128, "REPORTDATA"),
            (264, "TEE_TCB_SVN"),
            (280, "MRSEAM"),
            (328, "MRSIGNERSEAM"),
            (376, "SEAMATTRIBUTES"),
            (384, "TEE_TCB_SVN_2"),
            (512, "TDATTRIBUTES"),
            (520, "XFAM"),
            (528, "MRTD"),
            (576, "MRCONFIGID"),
            (624, "MROWNER"),
            (672, "MROWNERCONFIG"),
            (720, "RTMR0"),
            (768, "RTMR1"),
            (816, "RTMR2"),
            (864, "RTMR3"),
            (912, "MRSERVICETD"),
        ] {
            let mut changed = bytes();
            changed[at] ^= 1;
            changed[2] = u8::from(field == "MRSERVICETD");
            rehash(&mut changed);
            let report = parse(&changed).expect("a TDREPORT");
            let mismatch = Err(Rejection::HclQuoteMismatch { field });
            assert_eq!(check_quote(&report, &quote()), mismatch);
        }
    }

    #[test]
    fn every_other_byte_but_the_machines_own_is_held_to_something() {
        let machines_own = [16..32, 224..256];
        for at in 0..TDREPORT_SIZE {
            let mut changed = bytes();
            changed[at] ^= 1;
            let found = parse(&changed).and_then(|report| check_quote(&report, &quote()));
            let is_open = machines_own.iter().any(|range| range.contains(&at));
            assert_eq!(found.is_ok(), is_open, "byte {at}");
        }
    }

    #[test]
    fn refuses_what_is_no_report_of_a_td() {
        let refused = |change: fn(&mut Vec<u8>), what| {
            let mut bytes = bytes();
            change(&mut bytes);
            assert_eq!(parse(&bytes), Err(malformed(what)));
        };
        refused(|it| it[0] = 0, UNKNOWN);
        refused(|it| it[2] = 1, UNKNOWN);
        refused(|it| it[2] = 2, UNKNOWN);
        let bound = |it: &mut Vec<u8>| {
            it[912] = 1;
            rehash(it);
        };
        refused(bound, UNKNOWN);
        let reserved = "its TDREPORT sets what is reserved";
        for change in [
            (|it: &mut Vec<u8>| it[4] = 1) as fn(&mut Vec<u8>),
            |it| it[192] = 1,
            |it| it[495] = 1,
        ] {
            refused(change, reserved);
        }
        let hashes = "its TDREPORT does not hash to itself";
        refused(|it| it[32] ^= 1, hashes);
        refused(|it| it[1023] = 1, hashes);
        for length in 0..TDREPORT_SIZE {
            assert_eq!(parse(&bytes()[..length]), Err(TOO_SHORT));
        }
    }
}
