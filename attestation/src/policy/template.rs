//! A policy to start from: for one image and one configuration, with comments that say what to decide next.

use crate::snp::tcb::Tcb;

/// What a template is filled in with.
#[derive(Debug, Clone)]
pub struct Template<'a> {
    /// The image's launch digest.
    pub launch_digest: [u8; 48],
    /// SHA-256 of the configuration.
    pub configuration: [u8; 32],
    /// The floor for the firmware.
    pub minimum_tcb: Tcb,
    /// SHA-256 of a simulated root's DER, to accept no hardware but that simulation's.
    pub simulated_root: Option<[u8; 32]>,
    /// Why revocation is not checked; `None`: it is.
    pub revocation_unchecked: Option<&'a str>,
}

impl Template<'_> {
    pub(super) fn to_toml(&self) -> String {
        let launch_digest = hex::encode(self.launch_digest);
        let configuration = hex::encode(self.configuration);
        let Tcb {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = self.minimum_tcb;
        let fmc = fmc.map_or(String::new(), |fmc| format!("fmc = {fmc}, "));
        let revocation = match self.revocation_unchecked {
            Some(why) => format!("revocation = {{ unchecked = {} }}", quote(why)),
            None => "# revocation = { unchecked = \"why\" }   # default: a fresh revocation list is required".to_owned(),
        };
        let simulation = match self.simulated_root {
            Some(root) => format!(
                "# Accepts evidence of a simulated processor, which protects nothing. Remove it for real machines.\n\
                 [simulation]\nroots = [\"{}\"]\n",
                hex::encode(root)
            ),
            None => "# No simulation is accepted: [simulation] would name its roots.\n".to_owned(),
        };
        format!(
            "\
# What a peer must prove before it gets a prompt. What is not named here is checked strictly.
# To leave something unchecked, replace its list by {{ unchecked = \"why\" }}: the verdict repeats the reason.
version = 1

[snp]
# The image: firmware, kernel, initrd and command line, as the processor measured them.
launch_digest = [\"{launch_digest}\"]
# The lowest firmware levels. Raise them to those of AMD's current firmware.
minimum_tcb = {{ {fmc}bootloader = {bootloader}, tee = {tee}, snp = {snp}, microcode = {microcode} }}
# products = [\"genoa\"]   # default: milan, genoa and turin
{revocation}

[configuration]
# SHA-256 of configuration.toml: the model, its weights, its limits.
sha256 = [\"{configuration}\"]

{simulation}"
        )
    }
}

/// A TOML basic string. JSON's escapes are a subset of TOML's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
