//! `[tdx]`: which TD is wanted, on how current a platform, and what may be missing from the proof.
//!
//! ```toml
//! [tdx]
//! mrtd = ["<48 bytes, hex>"]                   # required: a list, or { unchecked = "why" }
//! rtmr0 = ["<48 bytes, hex>"]                  # required, like rtmr1 and rtmr2: a list, or { unchecked = "why" }
//! rtmr0_events = ["<hex>", { varies = "why" }, { acpi_varies = "why" }] # instead of rtmr0: all events in the register, in order
//! rtmr3 = ["<48 bytes, hex>"]                  # default: zero, which means that nothing was measured after boot
//! mrconfigid = ["<48 bytes, hex>"]             # default: configuration.sha384, which means the same; one of the two is required
//! minimum_evaluation = 19                      # required: Intel's TCB evaluation number, or { unchecked = "why" }
//! statuses = ["UpToDate"]                      # default; any of Intel's statuses except Revoked
//! refused_advisories = ["INTEL-SA-01192"]      # default: none beyond what the status implies
//! minimum_tee_tcb_svn = "06010300000000000000000000000000"   # default: open, as Intel's levels cover it
//! mrseam = ["<48 bytes, hex>"]                 # default: open, any TDX module that Intel signed
//! mrowner = ["<48 bytes, hex>"]                # default: zero
//! mrownerconfig = ["<48 bytes, hex>"]          # default: zero
//! xfam = ["0x600e7"]                           # default: open, any known features
//! debug = false                                # default; whether the host may debug or profile the TD
//! migratable = false                           # default; whether the TD may move to another machine
//! perfmon = false                              # default; whether the TD may use performance counters
//! service_td = false                           # default; whether service TDs may be bound to the TD
//! devices = false                              # default; whether devices may reach into the TD's memory (TDX Connect)
//! dynamic_platform = true                      # default, as servers with several processors are dynamic; false refuses them
//! cached_keys = true                           # default, as they are registered this way; false refuses keys that Intel may keep
//! smt = true                                   # default; false refuses sibling threads
//! pcrs = { 4 = ["<32 bytes, hex>"] }           # default: open; PCRs of Azure's virtual TPM, whose quote is then required
//! sept_ve_disable = { unchecked = "why" }      # default: required
//! event_log = { unchecked = "why" }            # default: a log that leads to the registers' values is required
//! trailing = { unchecked = "why" }             # default: only zeros may follow the quote
//! ```

use super::{
    PolicyError,
    section::{Field, Section, pcrs},
};
use crate::transcript::Expect;
use crate::{
    encoding::digest::Hex,
    tdx::{
        Status, TdxPolicy,
        policy::{BootEvent, Evaluation, NOTHING_ASKED},
    },
    transcript::LEFT_OPEN,
};

pub(super) const KEYS: [&str; 27] = [
    "mrtd",
    "rtmr0",
    "rtmr0_events",
    "rtmr1",
    "rtmr2",
    "rtmr3",
    "mrconfigid",
    "minimum_evaluation",
    "statuses",
    "refused_advisories",
    "minimum_tee_tcb_svn",
    "mrseam",
    "mrowner",
    "mrownerconfig",
    "xfam",
    "debug",
    "migratable",
    "perfmon",
    "service_td",
    "devices",
    "dynamic_platform",
    "cached_keys",
    "smt",
    "sept_ve_disable",
    "event_log",
    "trailing",
    "pcrs",
];
const ZERO: [u8; 48] = [0; 48];
const FROM_PUBLISHER: &str = "take it from the image's publisher; `chrysalis verify tdx --format json` prints that of a TD you trust";

/// Reads the section. No file can say what the TD was asked to sign: until the caller sets it, no quote is accepted.
pub(super) fn policy(
    section: &Section<'_>,
    configuration: Option<Expect<[u8; 48]>>,
) -> Result<TdxPolicy, PolicyError> {
    let required = |key| section.require(key, FROM_PUBLISHER)?.expect(register);
    let or_zero = |key| {
        let read = section.read(key, |field| field.expect(register))?;
        Ok(read.unwrap_or(Expect::AnyOf(vec![ZERO])))
    };
    let rtmr0_events = section.read("rtmr0_events", |events| events.list(event))?;
    let rtmr0 = match (section.get("rtmr0"), &rtmr0_events) {
        (None, Some(_)) => Expect::Unchecked {
            why: "its events are".to_owned(),
        },
        _ => required("rtmr0")?,
    };
    let mrconfigid = match (section.get("mrconfigid"), configuration) {
        (None, Some(configuration)) => configuration,
        _ => section
            .require(
                "mrconfigid",
                "set it to the SHA-384 of the configuration that the TD was launched with",
            )?
            .expect(register)?,
    };
    let floor = section.require(
        "minimum_evaluation",
        "write the tcbEvaluationDataNumber of the collateral that you consider current, such as 19",
    )?;
    Ok(TdxPolicy {
        statuses: section
            .read("statuses", |statuses| statuses.list(status))?
            .unwrap_or_else(|| vec![Status::UpToDate]),
        minimum_evaluation: evaluation(&floor)?,
        refused_advisories: section
            .read("refused_advisories", |advisories| {
                advisories.list(|id| id.text("an advisory").map(str::to_owned))
            })?
            .unwrap_or_default(),
        trailing_accepted: section.read("trailing", Field::unchecked)?,
        event_log_unchecked: section.read("event_log", Field::unchecked)?,
        debug: section.bool("debug", false)?,
        migratable: section.bool("migratable", false)?,
        perfmon: section.bool("perfmon", false)?,
        service_td: section.bool("service_td", false)?,
        devices: section.bool("devices", false)?,
        sept_ve_accepted: section.read("sept_ve_disable", Field::unchecked)?,
        dynamic_platform: section.bool("dynamic_platform", true)?,
        cached_keys: section.bool("cached_keys", true)?,
        smt: section.bool("smt", true)?,
        minimum_tee_tcb_svn: section
            .read("minimum_tee_tcb_svn", |svn| svn.hex("16 bytes in hex"))?
            .unwrap_or_default(),
        xfam: section
            .read("xfam", |features| features.expect(bits))?
            .unwrap_or_else(open),
        mrseam: section
            .read("mrseam", |modules| modules.expect(register))?
            .unwrap_or_else(open),
        mrtd: required("mrtd")?,
        mrconfigid,
        mrowner: or_zero("mrowner")?,
        mrownerconfig: or_zero("mrownerconfig")?,
        rtmr: [
            rtmr0,
            required("rtmr1")?,
            required("rtmr2")?,
            or_zero("rtmr3")?,
        ],
        rtmr0_events,
        pcrs: pcrs(section)?,
        report_data: NOTHING_ASKED,
    })
}

/// The key of an entry that accepts any ACPI tables.
pub(super) const ACPI_VARIES: &str = "acpi_varies";
const ACPI_EXPECTED: &str = "the digest of the machine's ACPI tables (`chrysalis policy init --acpi DIR` computes it), or { acpi_varies = \"why\" }";

fn open<T>() -> Expect<T> {
    let why = LEFT_OPEN.to_owned();
    Expect::Unchecked { why }
}

fn register(field: &Field<'_>) -> Result<[u8; 48], PolicyError> {
    field.hex("48 bytes in hex")
}

fn event(field: &Field<'_>) -> Result<BootEvent, PolicyError> {
    const EXPECTED: &str = "48 bytes in hex, or { varies = \"why\" }";
    if !field.is_table() {
        return Ok(BootEvent::Measured(Hex(field.hex(EXPECTED)?)));
    }
    if let Ok(why) = field.reason(ACPI_VARIES, EXPECTED) {
        return Ok(BootEvent::Varies {
            why: format!("any ACPI tables: {why}"),
        });
    }
    let why = field.reason("varies", EXPECTED)?;
    // Earlier templates wrote this: a name, but no reason for accepting any table from the host.
    if is_acpi(&why) {
        return Err(field.wrong(ACPI_EXPECTED));
    }
    Ok(BootEvent::Varies { why })
}

/// Whether an event with this name measures what the host tells the kernel about the machine.
pub(super) fn is_acpi(name: &str) -> bool {
    name.trim_start().to_ascii_lowercase().starts_with("acpi")
}

/// Any but `Revoked`: no verdict would honor a list that has it.
fn status(field: &Field<'_>) -> Result<Status, PolicyError> {
    const EXPECTED: &str = "UpToDate, SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded, OutOfDate, \
        OutOfDateConfigurationNeeded, TDRelaunchAdvised or TDRelaunchAdvisedConfigurationNeeded";
    match Status::parse(field.text(EXPECTED)?) {
        Some(Status::Revoked) | None => Err(field.wrong(EXPECTED)),
        Some(status) => Ok(status),
    }
}

fn evaluation(field: &Field<'_>) -> Result<Evaluation, PolicyError> {
    const EXPECTED: &str = "a number such as 19, or { unchecked = \"why\" }";
    if field.is_table() {
        return field.unchecked().map(|why| Evaluation::Unchecked { why });
    }
    match field.number(EXPECTED)? {
        // Every number is at least 0, so a floor of 0 would check nothing.
        0 => Err(field.wrong(EXPECTED)),
        number => Ok(Evaluation::AtLeast(number)),
    }
}

fn bits(field: &Field<'_>) -> Result<u64, PolicyError> {
    const EXPECTED: &str = "bits in hex such as \"0x600e7\"";
    let digits = field.text(EXPECTED)?.strip_prefix("0x");
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| field.wrong(EXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    /// A policy whose required keys all have a value: 0x11 to 0x15, repeated.
    fn least() -> String {
        let keys = ["mrtd", "rtmr0", "rtmr1", "rtmr2", "mrconfigid"];
        let values = ["11", "12", "13", "14", "15"].map(|byte| byte.repeat(48));
        let lines = keys
            .iter()
            .zip(values)
            .map(|(key, value)| format!("{key} = [\"{value}\"]\n"));
        let lines: String = lines.collect();
        format!("version = 1\n[tdx]\n{lines}minimum_evaluation = 19\n")
    }

    /// The minimal policy with these lines at its end.
    fn parse(lines: &str) -> Result<TdxPolicy, String> {
        let text = format!("{}{lines}", least());
        Policy::parse_tdx(&text).map_err(|error| error.to_string())
    }

    fn any(byte: u8) -> Expect<[u8; 48]> {
        Expect::AnyOf(vec![[byte; 48]])
    }

    #[test]
    fn what_is_not_said_is_strict() {
        let strict = TdxPolicy {
            statuses: vec![Status::UpToDate],
            minimum_evaluation: Evaluation::AtLeast(19),
            refused_advisories: vec![],
            trailing_accepted: None,
            event_log_unchecked: None,
            debug: false,
            migratable: false,
            perfmon: false,
            service_td: false,
            devices: false,
            sept_ve_accepted: None,
            dynamic_platform: true,
            cached_keys: true,
            smt: true,
            minimum_tee_tcb_svn: [0; 16],
            xfam: open(),
            mrseam: open(),
            mrtd: any(0x11),
            mrconfigid: any(0x15),
            mrowner: any(0),
            mrownerconfig: any(0),
            rtmr: [any(0x12), any(0x13), any(0x14), any(0)],
            rtmr0_events: None,
            pcrs: [].into(),
            report_data: Expect::AnyOf(vec![]),
        };
        assert_eq!(parse(""), Ok(strict));
    }

    #[test]
    fn every_key_is_read() {
        let [seam, owner, config, third] =
            ["21", "22", "23", "24"].map(|byte| format!("[\"{}\"]", byte.repeat(48)));
        let policy = parse(&format!(
            "statuses = [\"UpToDate\", \"SWHardeningNeeded\"]\nrefused_advisories = [\"INTEL-SA-1\"]\n\
             trailing = {{ unchecked = \"a\" }}\nevent_log = {{ unchecked = \"b\" }}\nsept_ve_disable = {{ unchecked = \"c\" }}\n\
             debug = true\nmigratable = true\nperfmon = true\nservice_td = true\ndevices = true\n\
             dynamic_platform = false\ncached_keys = false\nsmt = false\n\
             minimum_tee_tcb_svn = \"06010300000000000000000000000000\"\nxfam = [\"0x600e7\"]\n\
             mrseam = {seam}\nmrowner = {owner}\nmrownerconfig = {config}\nrtmr3 = {third}\n\
             pcrs = {{ 4 = [\"{}\"] }}\n\
             [session]\nfreshness = {{ unchecked = \"d\" }}",
            "25".repeat(32)
        ));
        let why = |text: &str| Some(text.to_owned());
        let mut minimum_tee_tcb_svn = [0; 16];
        minimum_tee_tcb_svn[..3].copy_from_slice(&[6, 1, 3]);
        let expected = TdxPolicy {
            statuses: vec![Status::UpToDate, Status::SWHardeningNeeded],
            minimum_evaluation: Evaluation::AtLeast(19),
            refused_advisories: vec!["INTEL-SA-1".to_owned()],
            trailing_accepted: why("a"),
            event_log_unchecked: why("b"),
            debug: true,
            migratable: true,
            perfmon: true,
            service_td: true,
            devices: true,
            sept_ve_accepted: why("c"),
            dynamic_platform: false,
            cached_keys: false,
            smt: false,
            minimum_tee_tcb_svn,
            xfam: Expect::AnyOf(vec![0x600e7]),
            mrseam: any(0x21),
            mrtd: any(0x11),
            mrconfigid: any(0x15),
            mrowner: any(0x22),
            mrownerconfig: any(0x23),
            rtmr: [any(0x12), any(0x13), any(0x14), any(0x24)],
            rtmr0_events: None,
            pcrs: [(4, vec![[0x25; 32]])].into(),
            report_data: Expect::Unchecked {
                why: "d".to_owned(),
            },
        };
        assert_eq!(policy, Ok(expected));
    }

    #[test]
    fn the_events_of_a_register_stand_for_its_value() {
        let text = least().replace(
            &format!("rtmr0 = [\"{}\"]", "12".repeat(48)),
            &format!(
                "rtmr0_events = [\"{}\", {{ varies = \"f\" }}]",
                "16".repeat(48)
            ),
        );
        let policy = Policy::parse_tdx(&text).expect("a policy");
        assert!(matches!(policy.rtmr[0], Expect::Unchecked { .. }));
        let why = "f".to_owned();
        let events = vec![
            BootEvent::Measured(Hex([0x16; 48])),
            BootEvent::Varies { why },
        ];
        assert_eq!(policy.rtmr0_events, Some(events));
        // Both may be wanted.
        let both = parse(&format!("rtmr0_events = [\"{}\"]", "16".repeat(48)));
        assert_eq!(both.expect("a policy").rtmr[0], any(0x12));
    }

    #[test]
    fn what_is_required_may_be_unchecked_with_a_reason() {
        let open = "{ unchecked = \"e\" }";
        let text = format!(
            "version = 1\n[tdx]\nmrtd = {open}\nrtmr0 = {open}\nrtmr1 = {open}\nrtmr2 = {open}\n\
             mrconfigid = {open}\nminimum_evaluation = {open}"
        );
        let policy = Policy::parse_tdx(&text).expect("a policy");
        let why = || "e".to_owned();
        assert_eq!(policy.mrtd, Expect::Unchecked { why: why() });
        assert_eq!(policy.rtmr[2], Expect::Unchecked { why: why() });
        assert_eq!(
            policy.minimum_evaluation,
            Evaluation::Unchecked { why: why() }
        );
    }

    #[test]
    fn each_required_key_is_missed_by_name() {
        for key in [
            "mrtd",
            "rtmr0",
            "rtmr1",
            "rtmr2",
            "mrconfigid",
            "minimum_evaluation",
        ] {
            let text = least();
            let lines: Vec<_> = text
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} =")))
                .collect();
            let error = Policy::parse_tdx(&lines.join("\n")).expect_err(key);
            let beginning = format!("policy: `tdx.{key}` is missing; ");
            assert!(error.to_string().starts_with(&beginning), "{error}");
        }
    }

    #[test]
    fn says_what_is_misspelt_or_of_another_form() {
        for (line, message) in [
            (
                "mr_owner = []",
                "policy, line 9: `tdx.mr_owner` is unknown; did you mean `mrowner`?",
            ),
            (
                "status = [\"UpToDate\"]",
                "policy, line 9: `tdx.status` is unknown; did you mean `statuses`?",
            ),
            (
                "statuses = [\"Revoked\"]",
                "policy, line 9: `tdx.statuses` must be UpToDate, SWHardeningNeeded, ConfigurationNeeded, \
                 ConfigurationAndSWHardeningNeeded, OutOfDate, OutOfDateConfigurationNeeded, TDRelaunchAdvised or \
                 TDRelaunchAdvisedConfigurationNeeded",
            ),
            (
                "statuses = []",
                "policy, line 9: `tdx.statuses` must be a list with at least one value",
            ),
            (
                "xfam = [3]",
                "policy, line 9: `tdx.xfam` must be bits in hex such as \"0x600e7\"",
            ),
            (
                "rtmr0_events = [{ varies = \"\" }]",
                "policy, line 9: `tdx.rtmr0_events` must be 48 bytes in hex, or { varies = \"why\" }",
            ),
            (
                "rtmr0_events = [{ varies = \"ACPI tables\" }]",
                "policy, line 9: `tdx.rtmr0_events` must be the digest of the machine's ACPI tables (`chrysalis policy init --acpi DIR` \
                 computes it), or { acpi_varies = \"why\" }",
            ),
            (
                "rtmr3 = [\"00\"]",
                "policy, line 9: `tdx.rtmr3` must be 48 bytes in hex",
            ),
            (
                "minimum_tee_tcb_svn = 6",
                "policy, line 9: `tdx.minimum_tee_tcb_svn` must be 16 bytes in hex",
            ),
            (
                "event_log = false",
                "policy, line 9: `tdx.event_log` must be { unchecked = \"why\" }, with a reason",
            ),
        ] {
            assert_eq!(parse(line), Err(message.to_owned()));
        }
        let text = least().replace("= 19", "= \"new\"");
        assert_eq!(
            Policy::parse_tdx(&text).expect_err("text").to_string(),
            "policy, line 8: `tdx.minimum_evaluation` must be a number such as 19, or { unchecked = \"why\" }"
        );
    }

    #[test]
    fn simulated_roots_are_read_by_themselves() {
        let root = "33".repeat(32);
        let text = format!("version = 1\n[simulation]\nroots = [\"{root}\"]");
        assert_eq!(Policy::parse_simulation(&text), Ok(vec![[0x33; 32]]));
        assert_eq!(Policy::parse_simulation("version = 1"), Ok(vec![]));
    }
}
