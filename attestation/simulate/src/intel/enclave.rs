//! The quoting enclave's own report.

/// What the quoting enclave's report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclaveProfile {
    /// ATTRIBUTES: flags, then XFRM.
    pub attributes: [u8; 16],
    /// Who signed it.
    pub mrsigner: [u8; 32],
    /// Which of the signer's enclaves it is.
    pub isvprodid: u16,
    /// Its level.
    pub isvsvn: u16,
    /// Bits to flip in its REPORTDATA, which names the key that signs quotes: a lie for tests.
    pub report_data_flipped: [u8; 64],
}

impl EnclaveProfile {
    pub(super) fn honest() -> Self {
        let mut attributes = [0; 16];
        // Initialised, 64 bits, and allowed to use the provisioning key.
        attributes[0] = 0x15;
        Self {
            attributes,
            mrsigner: [0xDC; 32],
            isvprodid: 2,
            isvsvn: 7,
            report_data_flipped: [0; 64],
        }
    }

    /// The enclave report, 384 bytes. `named` is what it should name.
    pub(super) fn encode(&self, named: [u8; 32]) -> Vec<u8> {
        let mut data = self.report_data_flipped;
        for (byte, name) in data.iter_mut().zip(named) {
            *byte ^= name;
        }
        [
            // CPUSVN, MISCSELECT.
            &[0; 16 + 4][..],
            &[0; 28],
            &self.attributes,
            // MRENCLAVE.
            &[0; 32],
            &[0; 32],
            &self.mrsigner,
            &[0; 96],
            &self.isvprodid.to_le_bytes(),
            &self.isvsvn.to_le_bytes(),
            &[0; 60],
            &data,
        ]
        .concat()
    }
}
