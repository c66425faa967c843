//! Files that were swapped, damaged or are not there, whatever they should hold.

use std::process::{Command, Stdio};

use chrysalis_test_support::real;
use chrysalis_tests::paths;

use super::{
    H100, H100_NONCE, LISTS, RIMS, SEPTEMBER_2026, assert_no_damage_passes, h100, h100_with_rims,
    no_verdict, snp,
};

#[test]
fn swapped_files_are_named() {
    let Some(folder) = real(&[]) else { return };
    let quote = "tdx/quotes/v4-phala/quote.bin";
    let vcek = "snp/milan-v3-ms/vcek.der";
    for (file, kind) in [
        (quote, "a TDX quote"),
        ("tdx/quotes/v3-sgx-phala/quote.bin", "an SGX quote"),
        ("nvidia/h100-550.90.07/report.bin", "a GPU report"),
        ("nvidia/h100-550.90.07/report.hex.txt", "a GPU report"),
        (
            "nvidia/h100-590.12-multi4/multi_gpu_hopper.json",
            "GPU evidence in JSON",
        ),
        (vcek, "a certificate"),
        ("snp/crls/milan_2025-05.crl.der", "a revocation list"),
        ("nvidia/h100-550.90.07/chain.pem", "a certificate"),
    ] {
        let arguments = format!("snp --report {file} --cert {vcek}");
        no_verdict(
            &folder,
            &arguments,
            &format!("{file} is {kind}, not an SEV-SNP report"),
        );
    }
    let report = "snp/milan-v3-ms/report.bin";
    for (file, kind) in [
        (quote, "a TDX quote"),
        (report, "an SEV-SNP report"),
        (vcek, "a certificate"),
    ] {
        let arguments =
            format!("nvidia --report {file} --chain {H100}/chain.pem --nonce {H100_NONCE}");
        no_verdict(
            &folder,
            &arguments,
            &format!("{file} is {kind}, not a GPU report"),
        );
    }
    for (file, why) in [
        (
            quote,
            "it is a TDX quote, and no bundle: `chrysalis verify tdx --quote`",
        ),
        (report, "verify snp"),
        (
            "snp/azure-genoa-v3-trustee/hcl-report.bin",
            "it is an Azure HCL report, and no bundle: `chrysalis verify snp --report`",
        ),
        (
            "nvidia/h100-550.90.07/report.bin",
            "it is a GPU report, and no bundle: `chrysalis verify nvidia --report`",
        ),
        (
            "nvidia/h100-590.12-multi4/multi_gpu_hopper.json",
            "it is GPU evidence in JSON, and no bundle",
        ),
        (
            "tdx/collateral/b0c06f-2025-06/collateral.json",
            "it is TDX collateral, and no bundle: `chrysalis verify tdx --quote-collateral`",
        ),
        (
            "snp/crls/milan_2025-05.crl.der",
            "it is a revocation list, and no evidence",
        ),
        (
            "nvidia/h100-550.90.07/chain.pem",
            "more than one certificate",
        ),
    ] {
        no_verdict(&folder, file, why);
    }
    let plain = super::verdict(&folder, vcek).1;
    assert_eq!(plain["code"], "evidence_missing");
    let swapped = format!("snp --report {report} --cert {report}");
    no_verdict(
        &folder,
        &swapped,
        "is an SEV-SNP report, not a VCEK or VLEK certificate",
    );
    no_verdict(
        &folder,
        &snp("milan-v3-ms", &format!("--crl {vcek}")),
        "is a certificate, not a revocation list",
    );
    let rim = h100(&format!("--rim {H100}/chain.pem"));
    no_verdict(&folder, &rim, "is a certificate, not a RIM");
}

#[test]
fn a_command_line_that_asks_nothing_has_no_verdict() {
    let Some(folder) = real(&[]) else { return };
    no_verdict(
        &folder,
        "snp --report nothing.bin --cert nothing.der",
        "cannot read nothing.bin",
    );
    no_verdict(&folder, "snp --report nothing.bin", "--cert");
    no_verdict(&folder, &h100("--nonce 00"), "--nonce");
    let chainless = format!("nvidia --report {H100}/report.bin --nonce {H100_NONCE}");
    no_verdict(&folder, &chainless, "give them with --chain");
    no_verdict(&folder, "nothing.cbor", "cannot read nothing.cbor");
    no_verdict(
        &folder,
        "snp --report /dev/zero --cert /dev/zero",
        "has more than 1048576 bytes",
    );
}

#[test]
fn damaged_bytes_in_any_file_end_in_a_refusal_or_an_error() {
    let Some(folder) = real(&[LISTS.as_slice(), &RIMS].concat()) else {
        return;
    };
    let commands = [
        snp(
            "genoa-v3-ms",
            &format!("--crl snp/crls/genoa_2026-08.crl.der --at {SEPTEMBER_2026}"),
        ),
        format!(
            "snp --report snp/azure-genoa-v3-trustee/hcl-report.bin --cert snp/genoa-v3-tsm-veraison/auxblob.bin --without crl --at {SEPTEMBER_2026}"
        ),
        h100_with_rims("--without ocsp"),
        format!(
            "nvidia --report nvidia/h100-590.12-single/hopper_evidence.json --nonce {H100_NONCE}"
        ),
    ];
    for command in commands {
        assert_no_damage_passes(&folder, &command);
    }
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let Some(folder) = real(&LISTS) else { return };
    let list = format!("--crl snp/crls/genoa_2026-08.crl.der --at {SEPTEMBER_2026}");
    let mut asked = Command::new(paths::tool("chrysalis"))
        .current_dir(&folder)
        .arg("verify")
        .args(snp("genoa-v3-ms", &list).split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built: cargo build -p chrysalis");
    drop(asked.stdout.take());
    let output = asked.wait_with_output().expect("an end");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{talk}");
}
