//! `verify snp` on reports of real machines.

use std::fs;

use chrysalis_test_support::real;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    BROKEN, JUNE_2025, LISTS, SEPTEMBER_2026, codes, expected, no_verdict, snp, verdict, verify,
};

#[test]
fn real_reports_of_three_lines_are_genuine() {
    let Some(folder) = real(&LISTS) else { return };
    for (vector, line) in [
        ("milan-v3-ms", "milan"),
        ("genoa-v3-ms", "genoa"),
        ("turin-v5-ms", "turin"),
    ] {
        let accept = if line == "milan" { BROKEN } else { "" };
        let list = format!("--crl snp/crls/{line}_2026-08.crl.der --at {SEPTEMBER_2026} {accept}");
        let (code, found) = verdict(&folder, &snp(vector, &list));
        assert_eq!(
            (code, &found["verdict"]),
            (0, &"genuine".into()),
            "{vector}"
        );
        let fields = &expected(&folder, &format!("snp/{vector}"))["fields"];
        let claims = &found["claims"]["cpu"];
        assert_eq!(claims["measurement"], fields["measurement"], "{vector}");
        assert_eq!(claims["report_data"], fields["report_data"], "{vector}");
        assert_eq!(claims["host_data"], fields["host_data"], "{vector}");
        assert_eq!(claims["version"], fields["version"], "{vector}");
        assert_eq!(claims["tcb"], fields["reported_tcb_le"], "{vector}");
        assert_eq!(claims["chip_id"], fields["chip_id"], "{vector}");
        assert_eq!(claims["product"], line, "{vector}");
        assert_eq!(claims["status"], "not_revoked", "{vector}");
    }
}

#[test]
fn a_milan_is_refused_unless_the_command_line_or_the_policy_accepts_it_with_a_reason() {
    let Some(folder) = real(&LISTS) else { return };
    let list = format!("--crl snp/crls/milan_2026-08.crl.der --at {SEPTEMBER_2026}");
    let milan = |more: &str| snp("milan-v3-ms", &format!("{list} {more}"));
    let (code, found) = verdict(&folder, &milan(""));
    assert_eq!((code, &found["code"]), (1, &"product_broken".into()));
    assert_eq!(found["claims"]["cpu"]["broken"]["product"], "milan");
    let output = verify(&folder, &milan(""));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.contains("2605.12990") && text.contains(BROKEN),
        "{text}"
    );
    no_verdict(
        &folder,
        &milan("--accept-broken genoa"),
        "known to be broken: milan",
    );

    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let fields = &expected(&folder, "snp/milan-v3-ms")["fields"];
    let write = |lines: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [{}]\n\
             minimum_tcb.milan = {{ bootloader = 4, tee = 0, snp = 24, microcode = 219 }}\n{lines}\n\
             [configuration]\nsha256 = {{ unchecked = \"any\" }}\n\
             [session]\nfreshness = {{ unchecked = \"a report kept for the record\" }}\n",
            fields["measurement"]
        );
        fs::write(&policy, text).expect("a policy");
    };
    let with_policy = milan(&format!("--policy {}", policy.display()));
    write("");
    assert_eq!(verdict(&folder, &with_policy).1["code"], "product_broken");
    let both = format!("{with_policy} {BROKEN}");
    no_verdict(&folder, &both, "cannot be used with");
    write("broken.milan = { unchecked = \"a vector\" }");
    let (_, found) = verdict(&folder, &with_policy);
    assert_eq!(found["verdict"], "trusted", "{found}");
    let output = verify(&folder, &with_policy);
    let text = String::from_utf8(output.stdout).expect("text");
    for line in [
        "cpu     AMD SEV-SNP, Milan       BROKEN since 2026-05-13, with any firmware\n",
        "\nopen    soundness                not checked: a vector. Milan has been broken since 2026-05-13: ",
        "\nopen    freshness                not checked: a report kept for the record\n",
        "\nopen    not in the policy        chip, ",
        "\ntrusted (broken hardware) until ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

/// Two honest reports of machines that had not committed their firmware.
#[test]
fn firmware_that_can_be_rolled_back_is_refused_unless_the_policy_takes_it() {
    let Some(folder) = real(&LISTS) else { return };
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    for (vector, leaf, list, at) in [
        (
            "milan-v2-trustee",
            "vcek.der",
            "milan_2026-08",
            SEPTEMBER_2026,
        ),
        ("milan-v3-vlek-aws", "vlek.der", "milan_2025-05", JUNE_2025),
    ] {
        let ask = |lines: &str| {
            let digest = &expected(&folder, &format!("snp/{vector}"))["fields"]["measurement"];
            let text = format!(
                "version = 1\n[snp]\nlaunch_digest = [{digest}]\nversions = [2, 3]\nvmpl = [0, 1]\n\
                 minimum_tcb = {{ unchecked = \"a vector\" }}\nbroken.milan = {{ unchecked = \"a vector\" }}\n\
                 masked_chip = {{ unchecked = \"a vector\" }}\nplatform.alias_check = false\n{lines}\n\
                 [configuration]\nsha256 = {{ unchecked = \"any\" }}\n\
                 [session]\nfreshness = {{ unchecked = \"a vector\" }}\n"
            );
            fs::write(&policy, text).expect("a policy");
            let arguments = format!(
                "snp --report snp/{vector}/report.bin --cert snp/{vector}/{leaf} --crl snp/crls/{list}.crl.der --at {at} \
                 --policy {}",
                policy.display()
            );
            verdict(&folder, &arguments).1
        };
        assert_eq!(ask("")["code"], "firmware_provisional", "{vector}");
        let found = ask("provisional_firmware = true");
        assert_eq!(found["verdict"], "trusted", "{vector}: {found}");
    }
}

#[test]
fn a_report_comes_as_hex_text_in_azures_wrapping_or_beside_a_certificate_table() {
    let Some(folder) = real(&[]) else { return };
    let at = format!("--without crl --at {SEPTEMBER_2026} {BROKEN}");
    for arguments in [
        format!(
            "snp --report snp/milan-v2-virtee/report_milan.hex --cert snp/milan-v2-virtee/vcek.der {at}"
        ),
        format!(
            "snp --report snp/genoa-v3-tsm-veraison/report.bin --cert snp/genoa-v3-tsm-veraison/auxblob.bin {at}"
        ),
        format!(
            "snp --report snp/azure-genoa-v3-trustee/hcl-report.bin --cert snp/azure-genoa-v3-trustee/vcek.der {at}"
        ),
        format!(
            "snp --report snp/azure-milan-v3-cdai-live/hcl-report.bin --cert snp/azure-milan-v3-cdai-live/vcek.der {at}"
        ),
        format!(
            "snp --report snp/genoa-v3-azure-hcl-openpcc/hcl-report.bin --cert snp/genoa-v3-azure-hcl-openpcc/vcek.der {at}"
        ),
    ] {
        let (_, found) = verdict(&folder, &arguments);
        assert_eq!(found["verdict"], "genuine", "{arguments}: {found}");
        let checks = found["checks"].as_array().expect("checks");
        let open = checks
            .iter()
            .find(|check| check["outcome"] == "not_checked" && check["step"] == "policy-2");
        assert_eq!(open.expect("listed")["detail"], "--without crl");
        let wrapped = arguments.contains("hcl-report");
        let told = checks.iter().find(|check| check["step"] == "hcl-3");
        assert_eq!(told.is_some(), wrapped, "no quote of a vTPM is listed");
    }
}

#[test]
fn a_report_without_a_revocation_list_is_refused_unless_a_flag_says_otherwise() {
    let Some(folder) = real(&[]) else { return };
    let (code, found) = verdict(
        &folder,
        &snp("genoa-v3-ms", &format!("--at {SEPTEMBER_2026}")),
    );
    assert_eq!((code, &found["code"]), (1, &"revocation_unchecked".into()));
    let stale = "--crl snp/crls/genoa_2024-10.crl.der --without crl";
    let (code, found) = verdict(
        &folder,
        &snp("genoa-v3-ms", &format!("{stale} --at {SEPTEMBER_2026}")),
    );
    assert_eq!(
        (code, &found["code"]),
        (1, &"crl_expired".into()),
        "a list that is there counts"
    );
}

#[test]
fn a_report_that_the_host_may_debug_is_refused_and_all_failures_are_told() {
    let Some(folder) = real(&LISTS) else { return };
    let list = format!("--crl snp/crls/milan_2026-08.crl.der --at {SEPTEMBER_2026} {BROKEN}");
    let (code, found) = verdict(&folder, &snp("milan-v2-debug", &list));
    assert_eq!((code, &found["code"]), (1, &"debug_allowed".into()));
    assert_eq!(
        found["claims"]["cpu"]["debug"], true,
        "what it says is known: it is signed"
    );
    let explain = format!("--explain-only --at {SEPTEMBER_2026}");
    let (_, found) = verdict(&folder, &snp("milan-v2-debug", &explain));
    let codes: Vec<_> = found["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| failure["code"].clone())
        .collect();
    let wrong = ["product_broken", "revocation_unchecked", "debug_allowed"];
    assert_eq!(codes, wrong);
}

#[test]
fn a_list_that_came_along_is_not_called_missing_when_the_chain_fails() {
    let Some(folder) = real(&LISTS) else { return };
    let told = |more: &str| {
        let arguments = snp("genoa-v3-ms", &format!("{more} --explain-only"));
        let (_, found) = verdict(&folder, &arguments);
        let codes = codes(&found).into_iter().map(str::to_owned);
        (codes.collect::<Vec<_>>(), found["checks"].clone())
    };
    let list = "--crl snp/crls/genoa_2026-08.crl.der";
    for (more, code) in [
        (
            format!("{list} --at 2012-01-01T00:00:00Z"),
            "certificate_not_yet_valid",
        ),
        (
            format!("{list} --at 2012-01-01T00:00:00Z --without crl"),
            "certificate_not_yet_valid",
        ),
        (
            format!("--crl snp/crls/genoa_2024-10.crl.der --at {SEPTEMBER_2026}"),
            "crl_expired",
        ),
    ] {
        let (codes, checks) = told(&more);
        assert_eq!(codes, [code], "{more}");
        let mut checks = checks.as_array().expect("checks").iter();
        let list = checks
            .find(|check| check["step"] == "policy-2")
            .expect("listed");
        assert_eq!(list["outcome"], "not_checked");
        let why = list["detail"].as_str().expect("why");
        assert!(why.contains("snp-4"), "{why}");
    }
    let (codes, _) = told("--at 2012-01-01T00:00:00Z");
    assert_eq!(codes, ["certificate_not_yet_valid", "revocation_unchecked"]);
}

#[test]
fn a_providers_key_verifies_in_its_time() {
    let Some(folder) = real(&LISTS) else { return };
    let vlek = format!(
        "snp --report snp/milan-v3-vlek-aws/report.bin --cert snp/milan-v3-vlek-aws/vlek.der {BROKEN}"
    );
    let list = "--crl snp/crls/milan_2025-05.crl.der";
    let (_, found) = verdict(&folder, &format!("{vlek} {list} --at {JUNE_2025}"));
    assert_eq!(found["verdict"], "genuine");
    let list = "--crl snp/crls/milan_2026-08.crl.der";
    let (_, found) = verdict(&folder, &format!("{vlek} {list} --at {SEPTEMBER_2026}"));
    assert_eq!(found["code"], "certificate_expired");
}

#[test]
fn the_certificate_of_another_chip_is_refused() {
    let Some(folder) = real(&LISTS) else { return };
    let wrong = "snp --report snp/azure-hclv1-wrong-vcek/hcl-report.bin --cert snp/azure-hclv1-wrong-vcek/vcek-of-other-chip.der";
    let list = format!("--crl snp/crls/milan_2026-08.crl.der --at {SEPTEMBER_2026} {BROKEN}");
    let (code, found) = verdict(&folder, &format!("{wrong} {list}"));
    assert_eq!((code, &found["code"]), (1, &"report_signature".into()));
    assert_eq!(found["claims"], Value::Null, "nothing of it is known");
    let (_, found) = verdict(&folder, &format!("{wrong} {list} --explain-only"));
    let failures = found["failures"].as_array().expect("failures");
    assert_eq!(failures[1]["code"], "chip_mismatch");
    assert_eq!(failures.len(), 2);
}

#[test]
fn malformed_reports_are_refused_by_name() {
    let Some(folder) = real(&[]) else { return };
    for file in [
        "too-long-1185.bin",
        "truncated-793.bin",
        "snp_report_msg_resp.bin",
    ] {
        let arguments =
            format!("snp --report snp/malformed-lit/{file} --cert snp/milan-v3-ms/vcek.der");
        let (code, found) = verdict(&folder, &arguments);
        assert_eq!(
            (code, &found["code"]),
            (1, &"report_length".into()),
            "{file}"
        );
    }
}

#[test]
fn trust_needs_a_policy_that_says_what_is_wanted() {
    let Some(folder) = real(&LISTS) else { return };
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let write = |digest: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [\"{digest}\"]\n\
             minimum_tcb.genoa = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
             [configuration]\nsha256 = {{ unchecked = \"any\" }}\n"
        );
        fs::write(&policy, text).expect("a policy");
    };
    let ask = |more: &str| {
        let list = "--crl snp/crls/genoa_2026-08.crl.der";
        let policy = policy.display();
        let arguments = snp(
            "genoa-v3-ms",
            &format!("{list} --at {SEPTEMBER_2026} --policy {policy} {more}"),
        );
        verdict(&folder, &arguments).1
    };
    let fields = &expected(&folder, "snp/genoa-v3-ms")["fields"];
    write(fields["measurement"].as_str().expect("a digest"));
    assert_eq!(ask("--report-data 00")["verdict"], "trusted");
    assert_eq!(ask("--report-data 01")["code"], "pin_unknown");
    assert_eq!(ask("")["code"], "freshness_unchecked");
    assert_eq!(ask("--without freshness")["verdict"], "trusted");
    write(&"00".repeat(48));
    assert_eq!(ask("--report-data 00")["code"], "launch_digest_unknown");
    fs::write(&policy, "version = 1\n[configurations]\n").expect("a policy");
    let typo = format!("--policy {}", policy.display());
    no_verdict(
        &folder,
        &snp("genoa-v3-ms", &typo),
        "did you mean `configuration`?",
    );
}
