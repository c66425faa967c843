//! `verify snp` with the quote of Azure's virtual TPM.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{SEPTEMBER_2026, expected, no_verdict, snp, vectors, verdict};

/// Azure's report of a vector.
fn azure(vector: &str, more: &str) -> String {
    format!(
        "snp --report snp/{vector}/hcl-report.bin --cert snp/{vector}/vcek.der --without crl --at {SEPTEMBER_2026} {more}"
    )
}

#[test]
fn the_quote_of_azures_virtual_tpm_is_genuine_and_tells_its_pcrs() {
    let Some(folder) = vectors() else { return };
    for vector in [
        "azure-genoa-v3-trustee",
        "azure-milan-v3-cdai-live",
        "azure-milan-v3-trustee-ev0",
        "azure-milan-v3-trustee-ev1",
    ] {
        let quote = format!("--tpm-quote snp/{vector}/evidence.json");
        let nonce = &expected(&folder, &format!("snp/{vector}"))["checks"]["extra_data_hex"];
        let nonce = nonce.as_str().expect("a nonce");
        let ask = |more: &str| verdict(&folder, &azure(vector, &format!("{quote} {more}"))).1;
        let found = ask(&format!("--nonce {nonce}"));
        assert_eq!(found["verdict"], "genuine", "{vector}: {found}");
        let told = &found["claims"]["vtpm"];
        assert_eq!(told["nonce"], nonce);
        assert_eq!(told["pcrs"].as_object().map(serde_json::Map::len), Some(24));
        assert_eq!(ask("--nonce 00")["code"], "vtpm_nonce_mismatch");
        assert_eq!(ask("")["verdict"], "genuine", "what nobody asked is open");
    }
    let other = "--tpm-quote snp/azure-milan-v3-trustee-ev0/evidence.json";
    let found = verdict(&folder, &azure("azure-genoa-v3-trustee", other)).1;
    assert_eq!(found["code"], "vtpm_quote_signature");
}

#[test]
fn a_quote_comes_as_a_tpm_tools_files_too() {
    let Some(folder) = vectors() else { return };
    let vector = "azure-milan-v3-trustee-ev1";
    let text = fs::read(folder.join(format!("snp/{vector}/evidence.json"))).expect("evidence");
    let evidence: Value = serde_json::from_slice(&text).expect("JSON");
    let quote = &evidence["tpm_quote"];
    let bytes = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex");
    let pcrs = quote["pcrs"].as_array().expect("PCRs");
    let pcrs: Vec<u8> = pcrs.iter().flat_map(bytes).collect();
    let keep = TempDir::new().expect("a folder");
    let keep = keep.path();
    fs::write(keep.join("quote.msg"), bytes(&quote["message"])).expect("a file");
    fs::write(keep.join("quote.sig"), bytes(&quote["signature"])).expect("a file");
    fs::write(keep.join("quote.pcrs"), hex::encode(&pcrs)).expect("a file");
    let at = keep.display();
    let quote = format!("--tpm-quote {at}/quote.msg --tpm-signature {at}/quote.sig");
    let whole = format!("{quote} --tpm-pcrs {at}/quote.pcrs");
    let ask = |more: &str| verdict(&folder, &azure(vector, more)).1;
    assert_eq!(ask(&whole)["verdict"], "genuine");
    assert_eq!(ask(&quote)["code"], "vtpm_pcrs_missing");
    assert_eq!(
        ask(&format!("{quote} --without pcrs"))["verdict"],
        "genuine"
    );
    fs::write(keep.join("quote.pcrs"), &pcrs[32..]).expect("a file");
    assert_eq!(ask(&whole)["code"], "vtpm_pcr_count");
    fs::write(keep.join("quote.pcrs"), &pcrs[1..]).expect("a file");
    no_verdict(&folder, &azure(vector, &whole), "32 bytes each");
}

#[test]
fn a_policy_names_the_pcrs_that_are_wanted() {
    let Some(folder) = vectors() else { return };
    let vector = "azure-milan-v3-trustee-ev1";
    let fields = expected(&folder, &format!("snp/{vector}"));
    let digest = &fields["fields"]["measurement"];
    let keep = TempDir::new().expect("a folder");
    let policy = keep.path().join("policy.toml");
    let quote = format!("--tpm-quote snp/{vector}/evidence.json");
    let ask = |pcr: &str, more: &str| {
        let text = format!(
            "version = 1\n[snp]\nlaunch_digest = [{digest}]\nminimum_tcb = {{ unchecked = \"a test\" }}\n\
             pcrs = {{ 0 = [\"{pcr}\"] }}\n[configuration]\nsha256 = {{ unchecked = \"any\" }}\n"
        );
        fs::write(&policy, text).expect("a policy");
        let more = format!("--policy {} {more}", policy.display());
        verdict(&folder, &azure(vector, &more)).1
    };
    let found = verdict(&folder, &azure(vector, &quote)).1;
    let pcr = found["claims"]["vtpm"]["pcrs"]["0"]
        .as_str()
        .expect("PCR 0");
    let asked = format!("{quote} --nonce {}", hex::encode("challenge"));
    assert_eq!(
        ask(pcr, &asked)["verdict"],
        "trusted",
        "{}",
        ask(pcr, &asked)
    );
    assert_eq!(ask(pcr, &quote)["code"], "freshness_unchecked");
    assert_eq!(ask(&"00".repeat(32), &asked)["code"], "vtpm_pcr_unknown");
    assert_eq!(ask(pcr, "")["code"], "vtpm_pcr_unquoted");
}

#[test]
fn a_quote_in_the_wrong_place_is_named() {
    let Some(folder) = vectors() else { return };
    let json = "snp/azure-milan-v3-trustee-ev1/evidence.json";
    let quote = format!("--tpm-quote {json}");
    let why = "a quote goes with Azure's HCL report";
    no_verdict(&folder, &snp("milan-v3-ms", &quote), why);
    let report = format!("snp --report {json} --cert snp/milan-v3-ms/vcek.der");
    no_verdict(
        &folder,
        &report,
        "is a TPM's quote in JSON, not an SEV-SNP report",
    );
    let vector = "azure-milan-v3-trustee-ev1";
    let swapped = azure(vector, "--tpm-quote snp/milan-v3-ms/vcek.der");
    no_verdict(&folder, &swapped, "is a certificate, not a vTPM's quote");
    let both = azure(vector, &format!("{quote} --tpm-signature {json}"));
    no_verdict(&folder, &both, "leave --tpm-signature");
    no_verdict(&folder, &azure(vector, "--nonce 00"), "--tpm-quote");
}
