//! What the processor and the quoting enclave report: fields at fixed places. Trusts nothing; a report proves nothing by itself.

use std::fmt;

use serde::Serialize;

use crate::{
    Rejection,
    encoding::{digest::Hex, reader::Reader},
    release::Measured,
};

/// The size of an enclave's report.
pub const ENCLAVE_SIZE: usize = 384;

/// Which layout a TD's report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Layout {
    /// TD report 1.0, 584 bytes.
    #[serde(rename = "1.0")]
    V1,
    /// TD report 1.5, 648 bytes: adds the present level and service TDs.
    #[serde(rename = "1.5")]
    V15,
    /// TD report 1.5, extended, 885 bytes: adds devices, and service TDs by the extended scheme.
    #[serde(rename = "1.5 extended")]
    V15Extended,
}

impl Layout {
    /// How many bytes it has.
    pub const fn size(self) -> usize {
        match self {
            Self::V1 => 584,
            Self::V15 => 648,
            Self::V15Extended => 885,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "1.0",
            Self::V15 => "1.5",
            Self::V15Extended => "1.5 extended",
        })
    }
}

/// A TD's report. Every field is signed by hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TdReport {
    /// Its layout.
    pub layout: Layout,
    /// The level at which the TD was launched: the module's SVN, its major version, the microcode's SVN.
    pub tee_tcb_svn: Hex<16>,
    /// The TDX module's measurement.
    pub mrseam: Hex<48>,
    /// Who signed the TDX module: zero for Intel.
    pub mrsignerseam: Hex<48>,
    /// The TDX module's attributes: zero.
    pub seam_attributes: Hex<8>,
    /// `TDATTRIBUTES`, a little-endian number: see [`super::attributes`].
    pub attributes: u64,
    /// `XFAM`: the processor features that the TD may use.
    pub xfam: u64,
    /// The launch measurement.
    pub mrtd: Hex<48>,
    /// What the host configured: Chrysalis puts the configuration's SHA-384 here.
    pub mrconfigid: Hex<48>,
    /// The owner, as the host says.
    pub mrowner: Hex<48>,
    /// The owner's configuration, as the host says.
    pub mrownerconfig: Hex<48>,
    /// The run-time measurement registers.
    pub rtmr: [Hex<48>; 4],
    /// What the TD had signed.
    pub report_data: Hex<64>,
    /// The current level, after updates that preserved the TD. Layout 1.5.
    pub tee_tcb_svn_2: Option<Hex<16>>,
    /// The service TDs bound to this one; zero for none. Layout 1.5.
    pub mrservicetd: Option<Hex<48>>,
    /// What the extended layout adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended: Option<Extended>,
}

/// What a TD report 1.5 contains in its extended layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Extended {
    /// Which of the TD's partitions asked; 0 is the TD itself.
    pub vm_id: u8,
    /// The TD's identity on its platform.
    pub td_id: Hex<32>,
    /// The devices that the TD allows to access its memory (TDX Connect); zero for none.
    pub device_info: Hex<48>,
    /// The service TDs that were bound first; zero for none.
    pub initial_service_td: Hex<48>,
    /// Their attributes, a little-endian number.
    pub initial_service_td_attributes: u64,
    /// Where the first service TD was bound: the processor's level.
    pub initial_cpu_svn: Hex<16>,
    /// The module's level there.
    pub initial_tee_tcb_svn: Hex<16>,
    /// The platform's family, model and stepping there.
    pub initial_fmspc: Hex<12>,
    /// The service TDs that are bound now; zero for none.
    pub service_td: Hex<48>,
    /// Their attributes, a little-endian number.
    pub service_td_attributes: u64,
}

impl TdReport {
    /// The image's measurements: RTMR0 covers the machine as well, RTMR3 is the guest's own.
    pub fn measured(&self) -> Measured {
        let [_, rtmr1, rtmr2, _] = self.rtmr;
        Measured::Tdx {
            mrtd: self.mrtd,
            rtmr1,
            rtmr2,
        }
    }

    /// Reads a report of this layout.
    pub(super) fn read(reader: &mut Reader<'_>, layout: Layout) -> Result<Self, Rejection> {
        let mut report = Self {
            layout,
            tee_tcb_svn: Hex(reader.array()?),
            mrseam: Hex(reader.array()?),
            mrsignerseam: Hex(reader.array()?),
            seam_attributes: Hex(reader.array()?),
            attributes: reader.u64()?,
            xfam: reader.u64()?,
            mrtd: Hex(reader.array()?),
            mrconfigid: Hex(reader.array()?),
            mrowner: Hex(reader.array()?),
            mrownerconfig: Hex(reader.array()?),
            rtmr: [
                Hex(reader.array()?),
                Hex(reader.array()?),
                Hex(reader.array()?),
                Hex(reader.array()?),
            ],
            report_data: Hex(reader.array()?),
            tee_tcb_svn_2: None,
            mrservicetd: None,
            extended: None,
        };
        if layout != Layout::V1 {
            report.tee_tcb_svn_2 = Some(Hex(reader.array()?));
            report.mrservicetd = Some(Hex(reader.array()?));
        }
        if layout == Layout::V15Extended {
            report.extended = Some(Extended::read(reader)?);
        }
        Ok(report)
    }

    /// Whether a service TD is bound to this one, or was, as far as its layout says.
    pub fn has_service_td(&self) -> bool {
        let is_bound = |hash: Hex<48>| hash != Hex([0; 48]);
        self.mrservicetd.is_some_and(is_bound)
            || self
                .extended
                .is_some_and(|it| is_bound(it.service_td) || is_bound(it.initial_service_td))
    }

    /// Whether devices may reach into its memory, as far as its layout says.
    pub fn has_devices(&self) -> bool {
        self.extended
            .is_some_and(|it| it.device_info != Hex([0; 48]))
    }
}

impl Extended {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Rejection> {
        let [vm_id] = reader.array()?;
        Ok(Self {
            vm_id,
            td_id: Hex(reader.array()?),
            device_info: Hex(reader.array()?),
            initial_service_td: Hex(reader.array()?),
            initial_service_td_attributes: reader.u64()?,
            initial_cpu_svn: Hex(reader.array()?),
            initial_tee_tcb_svn: Hex(reader.array()?),
            initial_fmspc: Hex(reader.array()?),
            service_td: Hex(reader.array()?),
            service_td_attributes: reader.u64()?,
        })
    }
}

/// An SGX enclave's report: here, that of the quoting enclave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnclaveReport {
    /// `MISCSELECT`, verbatim.
    pub miscselect: [u8; 4],
    /// `ATTRIBUTES`, verbatim.
    pub attributes: [u8; 16],
    /// The enclave's measurement.
    pub mrenclave: [u8; 32],
    /// Who signed the enclave.
    pub mrsigner: [u8; 32],
    /// Which of the signer's enclaves it is.
    pub isvprodid: u16,
    /// Its level.
    pub isvsvn: u16,
    /// What the enclave had signed.
    pub report_data: [u8; 64],
}

impl EnclaveReport {
    /// Reads the fields that a verifier needs.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Rejection> {
        reader.array::<16>()?;
        let miscselect = reader.array()?;
        reader.array::<28>()?;
        let attributes = reader.array()?;
        let mrenclave = reader.array()?;
        reader.array::<32>()?;
        let mrsigner = reader.array()?;
        reader.array::<96>()?;
        let isvprodid = u16::from_le_bytes(reader.array()?);
        let isvsvn = u16::from_le_bytes(reader.array()?);
        reader.array::<60>()?;
        Ok(Self {
            miscselect,
            attributes,
            mrenclave,
            mrsigner,
            isvprodid,
            isvsvn,
            report_data: reader.array()?,
        })
    }
}
