//! From a store to the verifiers' input: the only seam between fetched files and the evidence that is verified.
//!
//! What is not there is left out, and the verifier says what is missing. Nothing is judged here, not even freshness.

use chrysalis_attestation::{
    Collateral,
    evidence::{CpuReport, Evidence},
    nvidia::{self, GpuEvidence, ocsp::OcspAnswer},
    snp::needs::Chip,
    tdx::{self, split_answer},
};

use crate::{
    error::StoreError,
    intel,
    object::Object,
    store::Store,
    wish::{Wish, following},
};

/// An object, with its file if the store has it.
type Found = (Object, Option<Vec<u8>>);

impl Store {
    /// Certificates and revocation lists for an SEV-SNP report, except those that came with it.
    pub fn for_report(
        &self,
        report: &[u8],
        certificates: &[Vec<u8>],
    ) -> Result<Collateral, StoreError> {
        self.of_amd(Wish::of_report(report, certificates)?)
    }

    /// The same for all reports of a chip at a firmware level: what a host staples.
    pub fn for_chip(&self, chip: Chip) -> Result<Collateral, StoreError> {
        self.of_amd(Wish::of_chip(chip))
    }

    /// For a bundle: what applies to its CPU's report, except the certificates that it carries, and to its GPUs.
    ///
    /// If the store has only part of Intel's collateral or of the manifests and the bundle carries them, the bundle's are used: for
    /// these a verifier uses its own or the bundle's, never both. Nothing is found for unreadable evidence; the verifier says why.
    pub fn for_bundle(&self, bundle: &Evidence) -> Result<Collateral, StoreError> {
        let mut collateral = match &bundle.cpu {
            CpuReport::Snp(report) => {
                found(self.for_report(report, &bundle.endorsements.certificates))?
            }
            CpuReport::Tdx { quote, .. } => Collateral {
                tdx: found(self.for_quote(quote).map(|it| it.encode()))?,
                ..Collateral::default()
            },
            _ => Collateral::default(),
        };
        let (gpus, has_all_rims) = found(self.of_nvidia(&bundle.gpus))?;
        if has_all_rims || bundle.endorsements.rims.is_empty() {
            collateral.rims = gpus.rims;
        }
        collateral.ocsp = gpus.ocsp;
        Ok(collateral)
    }

    /// Everything that Intel says about a quote's platform; all of it must be in the store.
    pub fn for_quote(&self, quote: &[u8]) -> Result<tdx::IntelCollateral, StoreError> {
        let mut lacks = Vec::new();
        let [mut info, mut identity, mut pck_list, mut root_list] = [const { Vec::new() }; 4];
        for (object, file) in self.closure(Wish::of_quote(quote)?)? {
            let Some(file) = file else {
                lacks.push(object.to_string());
                continue;
            };
            match object {
                Object::TcbInfo(_) => info = file,
                Object::QeIdentity => identity = file,
                Object::PckList(_) => pck_list = file,
                Object::RootList(_) => root_list = file,
                _ => {}
            }
        }
        if !lacks.is_empty() {
            return Err(StoreError::Lacks(lacks));
        }
        let (tcb_info, tcb_info_signature, tcb_info_issuer_chain) =
            self.signed(&info, "tcbInfo", "tcb.json")?;
        let (qe_identity, qe_identity_signature, qe_identity_issuer_chain) =
            self.signed(&identity, "enclaveIdentity", "qe-identity.json")?;
        Ok(tdx::IntelCollateral {
            pck_crl_issuer_chain: tdx::needs::issuer_chain(quote)?,
            root_ca_crl: root_list,
            pck_crl: pck_list,
            tcb_info_issuer_chain,
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain,
            qe_identity,
            qe_identity_signature,
        })
    }

    /// Manifests and OCSP answers for GPUs. The answers count as stapled: none of them carries this verifier's nonce.
    pub fn for_gpus(&self, gpus: &[GpuEvidence]) -> Result<nvidia::GpuCollateral, StoreError> {
        self.of_nvidia(gpus).map(|(collateral, _)| collateral)
    }

    /// The same, and whether every manifest was in the store.
    fn of_nvidia(&self, gpus: &[GpuEvidence]) -> Result<(nvidia::GpuCollateral, bool), StoreError> {
        let mut collateral = nvidia::GpuCollateral::default();
        let mut has_all_rims = true;
        for (object, file) in self.closure(Wish::of_gpus(gpus)?)? {
            match object {
                Object::Rim(_) => {
                    has_all_rims &= file.is_some();
                    collateral.rims.extend(file);
                }
                Object::Ocsp(_) => {
                    let answers = file.map(|der| OcspAnswer { der, nonce: None });
                    collateral.ocsp.extend(answers);
                }
                _ => {}
            }
        }
        Ok((collateral, has_all_rims))
    }

    fn of_amd(&self, wish: Wish) -> Result<Collateral, StoreError> {
        let mut collateral = Collateral::default();
        for (object, file) in self.closure(wish)? {
            match object {
                Object::Vcek(_) => collateral.certificates.extend(file),
                Object::VcekList(_) | Object::VlekList(_) => collateral.crls.extend(file),
                _ => {}
            }
        }
        Ok(collateral)
    }

    /// Everything that is wished for, and everything that it needs in turn, each with its file if the store has it.
    fn closure(&self, mut wish: Wish) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        while let Some(object) = wish.objects.get(found.len()).cloned() {
            let file = self.read(&object)?.map(|kept| kept.file);
            for next in file.iter().flat_map(|file| following(&object, file)) {
                wish.add(next);
            }
            found.push((object, file));
        }
        Ok(found)
    }

    fn signed(
        &self,
        file: &[u8],
        object: &str,
        name: &str,
    ) -> Result<(String, [u8; 64], String), StoreError> {
        let (answer, chain) = str::from_utf8(file)
            .ok()
            .and_then(intel::split)
            .ok_or_else(|| StoreError::Damaged(self.folder().join("intel").join(name)))?;
        let (body, signature) = split_answer(&answer, object)?;
        Ok((body.to_owned(), signature, chain))
    }
}

/// What was found; nothing if it is missing or the evidence cannot be read.
fn found<T: Default>(found: Result<T, StoreError>) -> Result<T, StoreError> {
    match found {
        Err(StoreError::Lacks(_) | StoreError::Evidence { .. }) => Ok(T::default()),
        found => found,
    }
}
