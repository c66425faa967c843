//! Every target, with what it is fed.

use super::{
    azure, bundle, handed_over, model, network, nvidia, policy, question, relay, release, settle,
    snp, tdx, wire,
};
use crate::target::Target;

const KIB: usize = 1024;

const fn target(
    name: &'static str,
    longest: usize,
    dictionary: Option<&'static str>,
    run: fn(&[u8]),
) -> Target {
    Target {
        name,
        longest,
        dictionary,
        run,
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("snp_report", 1184, None, snp::report),
    target("snp_chain", 16 * KIB, Some("x509"), snp::chain),
    target("certificate_table", 16 * KIB, Some("x509"), snp::table),
    target("hcl", 4 * KIB, None, azure::hcl),
    target("vtpm", 16 * KIB, Some("x509"), azure::vtpm),
    target("azure_td", 16 * KIB, Some("tdx"), azure::td),
    target("pem", 16 * KIB, Some("x509"), snp::pem),
    target("tdx_quote", 64 * KIB, Some("tdx"), tdx::quote),
    target("tdx_collateral", 64 * KIB, Some("tdx"), tdx::collateral),
    target("tdx_statements", 16 * KIB, Some("tdx"), tdx::statements),
    target("event_log", 64 * KIB, None, tdx::event_log),
    target("spdm", 8 * KIB, None, nvidia::spdm),
    target("opaque", 4 * KIB, None, nvidia::opaque),
    target("gpu_evidence", 32 * KIB, Some("x509"), nvidia::evidence),
    target("rim", 65 * KIB, Some("rim"), nvidia::rim),
    target("rim_content", 48 * KIB, Some("rim"), nvidia::rim_content),
    target("ocsp", 17 * KIB, Some("x509"), nvidia::ocsp),
    target("gpu_verify", 128 * KIB, Some("rim"), nvidia::verify),
    target("bundle", 128 * KIB, Some("bundle"), bundle::bundle),
    target("path", 2 * KIB, Some("bundle"), bundle::path),
    target("short_bundle", 16 * KIB, Some("bundle"), bundle::short),
    target("claims", 4 * KIB, Some("bundle"), bundle::claims),
    target("certificate", 32 * KIB, Some("x509"), bundle::certificate),
    target("saved_session", 128 * KIB, Some("bundle"), bundle::saved),
    target("handed_over", 128 * KIB, Some("bundle"), handed_over::any),
    target("envelope", 16 * KIB, Some("release"), release::envelope),
    target("statement", 16 * KIB, Some("release"), release::statement),
    target("checkpoint", 4 * KIB, Some("release"), release::checkpoint),
    target("log_proof", 16 * KIB, Some("release"), release::proof),
    target(
        "root_statement",
        8 * KIB,
        Some("release"),
        release::root_statement,
    ),
    target(
        "key_statement",
        16 * KIB,
        Some("release"),
        release::key_statement,
    ),
    target("release_key", 5 * KIB, Some("release"), release::key_file),
    target("policy", 16 * KIB, Some("policy"), policy::policy),
    target("question", 192 * KIB, Some("question"), question::question),
    target("wire", 16 * KIB, Some("wire"), wire::frame),
    target("configuration", 16 * KIB, Some("wire"), wire::configuration),
    target("host_name", 300, None, wire::host_name),
    target("form", 8 * KIB, None, wire::form),
    target("encapsulated", 24 * KIB, None, relay::encapsulated),
    target("inside", 16 * KIB, None, relay::inside),
    target("model", 16 * KIB, None, model::file),
    target("job", KIB, Some("receipt"), settle::job),
    target("receipt", KIB, Some("receipt"), settle::receipt),
    target("kept_receipt", 2 * KIB, Some("receipt"), settle::kept),
    target("credential", 128, None, settle::credential),
    target("descriptor", 8 * KIB, Some("network"), network::descriptor),
    target("listing", 2 * KIB, Some("network"), network::listing),
    target(
        "directory_file",
        8 * KIB,
        Some("network"),
        network::directory_file,
    ),
    target("upload", 8 * KIB, Some("network"), network::upload),
    target("report", KIB, Some("receipt"), settle::report),
    target("terms", 2 * KIB, Some("receipt"), settle::terms),
    target("purse", 4 * KIB, None, settle::purse),
];
