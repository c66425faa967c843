//! Asking the host. It is not trusted with anything: each answer is measured, signed, checked or a hint, and each question
//! has a deadline.

use std::{path::PathBuf, time::Duration};

use chrysalis_attestation::{
    evidence::{Endorsements, MAX_CERTIFICATES, MAX_CRLS},
    nvidia::{
        GpuEvidence, MAX_RIMS,
        ocsp::{MAX_ANSWERS, OcspAnswer},
    },
    release::MAX_STATEMENTS,
};
use chrysalis_wire::{
    frame::{self, FrameError},
    host::{
        FromHost, GpuAnswer, HOST_CID, HOST_PORT, MAX_CONFIGURATION, MAX_FAILURE, Owed, Status,
        TLS_PORT, ToHost,
    },
};
use tokio::time::{Instant, sleep, timeout};

use crate::transport::{self, AnyStream, Listener};

/// How long the host may take to answer a question.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a host that is still starting.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long one attempt to connect may take.
const ATTEMPT_PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Where the host answers, and where clients come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// The machine's vsock.
    Vsock,
    /// `host.sock` and `tls.sock` in a folder.
    Unix(PathBuf),
}

/// A question that the host did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// `host_unreachable`
    #[error("the host does not take connections: {0}")]
    Unreachable(std::io::Error),
    /// `host_stalled`
    #[error("the host did not answer within {} seconds", ANSWER_PATIENCE.as_secs())]
    Stalled,
    /// `host_refused`
    #[error("the host refused: {0:?}")]
    Refused(String),
    /// `host_misspoke`
    #[error("the host answered a different question")]
    Misspoke,
    /// `host_misspoke`
    #[error("the host's answer could not be read: {0}")]
    Frame(#[from] FrameError),
}

impl HostError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "host_unreachable",
            Self::Stalled => "host_stalled",
            Self::Refused(_) => "host_refused",
            Self::Misspoke | Self::Frame(_) => "host_misspoke",
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Stalled => {
                "start the machine with `chrysalis-host run`, which answers the enclave on vsock port 1024"
            }
            Self::Refused(_) => "the host's own log says why it refused",
            Self::Misspoke | Self::Frame(_) => {
                "run a chrysalis-host of the release that the image is of"
            }
        }
    }
}

/// The host, behind one address.
#[derive(Debug)]
pub(crate) struct Host {
    address: Address,
}

impl Host {
    pub(crate) fn new(address: Address) -> Self {
        Self { address }
    }

    /// The configuration's bytes; the caller compares their digest with HOST_DATA.
    pub(crate) async fn configuration(&self) -> Result<Vec<u8>, HostError> {
        match self.ask(&ToHost::Configuration).await? {
            FromHost::Configuration(bytes) if bytes.len() <= MAX_CONFIGURATION => Ok(bytes),
            _ => Err(HostError::Misspoke),
        }
    }

    /// What vendors have signed about this platform, and rebuilders about this image. It travels as it is: a verifier trusts
    /// only the signatures. No honest host supplies more than a bundle may carry.
    pub(crate) async fn endorsements(&self) -> Result<Endorsements, HostError> {
        match self.ask(&ToHost::Endorsements).await? {
            FromHost::Endorsements {
                certificates,
                crls,
                tdx,
                rims,
                ocsp,
                statements,
            } if certificates.len() <= MAX_CERTIFICATES
                && crls.len() <= MAX_CRLS
                && rims.len() <= MAX_RIMS
                && ocsp.len() <= MAX_ANSWERS
                && statements.len() <= MAX_STATEMENTS =>
            {
                Ok(Endorsements {
                    certificates,
                    crls,
                    tdx,
                    rims,
                    ocsp: ocsp.into_iter().map(OcspAnswer::brought_along).collect(),
                    statements,
                })
            }
            _ => Err(HostError::Misspoke),
        }
    }

    /// Shows evidence to the host, which fetches what vendors have signed about such hardware. This is the host's courtesy:
    /// without it, verifiers say what is missing.
    pub(crate) async fn present(&self, quote: Vec<u8>, gpus: &[GpuEvidence]) {
        let answer = |GpuEvidence { report, chain }: &GpuEvidence| GpuAnswer {
            report: report.clone(),
            chain: chain.clone(),
        };
        let gpus = gpus.iter().map(answer).collect();
        let presented = match self.ask(&ToHost::Evidence { quote, gpus }).await {
            Ok(FromHost::Noted) => Ok(()),
            Ok(_) => Err(HostError::Misspoke),
            Err(error) => Err(error),
        };
        if let Err(error) = presented {
            tracing::warn!(code = error.code(), "the host looked for no endorsements");
        }
    }

    /// A report of the simulated processor.
    pub(crate) async fn simulated_report(
        &self,
        report_data: [u8; 64],
    ) -> Result<Vec<u8>, HostError> {
        match self.ask(&ToHost::SimulatedReport { report_data }).await? {
            FromHost::SimulatedReport(report) => Ok(report),
            _ => Err(HostError::Misspoke),
        }
    }

    /// What the simulated GPUs answer, and the simulation's roots.
    pub(crate) async fn simulated_gpus(
        &self,
        nonce: [u8; 32],
    ) -> Result<(Vec<GpuEvidence>, [[u8; 32]; 2]), HostError> {
        match self.ask(&ToHost::SimulatedGpus { nonce }).await? {
            FromHost::SimulatedGpus { gpus, roots } => {
                let evidence = |GpuAnswer { report, chain }| GpuEvidence { report, chain };
                Ok((gpus.into_iter().map(evidence).collect(), roots))
            }
            _ => Err(HostError::Misspoke),
        }
    }

    /// Sets the simulated GPUs ready.
    pub(crate) async fn simulated_gpus_ready(&self) -> Result<(), HostError> {
        self.hand(&ToHost::SimulatedGpusReady).await
    }

    /// Reports how far the enclave has got.
    pub(crate) async fn tell(&self, status: Status) -> Result<(), HostError> {
        self.hand(&ToHost::Status(status)).await
    }

    /// Who signs caps on a lane, and how far the host lets all its tabs go here. It has no reason to lie: it is the one who is paid.
    pub(crate) async fn lane(
        &self,
        purse: &[u8; 32],
        lane: u32,
    ) -> Result<([u8; 32], u64), HostError> {
        let purse = purse.to_vec();
        match self.ask(&ToHost::Lane { purse, lane }).await? {
            FromHost::Lane { spend_key, ceiling } => {
                let key = spend_key.try_into().map_err(|_| HostError::Misspoke)?;
                Ok((key, ceiling))
            }
            _ => Err(HostError::Misspoke),
        }
    }

    /// The least price that the operator works for.
    pub(crate) async fn terms(&self) -> Result<u64, HostError> {
        match self.ask(&ToHost::Terms).await? {
            FromHost::Terms { floor } => Ok(floor),
            _ => Err(HostError::Misspoke),
        }
    }

    /// Hands over what is owed.
    pub(crate) async fn owed(&self, owed: Vec<Owed>) -> Result<(), HostError> {
        self.hand(&ToHost::Owed(owed)).await
    }

    /// Hands over a signed report.
    pub(crate) async fn report(&self, report: Vec<u8>) -> Result<(), HostError> {
        self.hand(&ToHost::Report(report)).await
    }

    /// Hands over what is offered, and the evidence for it.
    pub(crate) async fn offers(
        &self,
        offers: Vec<Vec<u8>>,
        evidence: Vec<u8>,
    ) -> Result<(), HostError> {
        self.hand(&ToHost::Offers { offers, evidence }).await
    }

    /// Says what the host only has to note.
    async fn hand(&self, what: &ToHost) -> Result<(), HostError> {
        match self.ask(what).await? {
            FromHost::Noted => Ok(()),
            _ => Err(HostError::Misspoke),
        }
    }

    /// A connection to the key server that the configuration names. The host carries it.
    pub(crate) async fn key_server(&self) -> Result<AnyStream, HostError> {
        match self.converse(&ToHost::KeyServer).await? {
            (stream, FromHost::Connected) => Ok(stream),
            _ => Err(HostError::Misspoke),
        }
    }

    /// Returns when the provider wants the machine to stop.
    pub(crate) async fn shutdown_wanted(&self) {
        self.wanted(&ToHost::AwaitShutdown, &FromHost::Shutdown)
            .await;
    }

    /// Returns when the provider wants the machine to finish what it does, and then to stop.
    pub(crate) async fn drain_wanted(&self) {
        self.wanted(&ToHost::AwaitDrain, &FromHost::Drain).await;
    }

    /// Returns when the host wants it, however often the connection breaks before that.
    async fn wanted(&self, question: &ToHost, wish: &FromHost) {
        loop {
            if let Ok(mut stream) = self.connect().await
                && frame::write_async(&mut stream, question).await.is_ok()
                && let Ok(answer) = frame::read_async::<FromHost>(&mut stream).await
                && answer == *wish
            {
                return;
            }
            sleep(ATTEMPT_PATIENCE).await;
        }
    }

    /// Listens for clients.
    pub(crate) fn listen(&self) -> std::io::Result<Listener> {
        match &self.address {
            Address::Vsock => Listener::vsock(TLS_PORT),
            Address::Unix(folder) => Listener::unix(&folder.join("tls.sock")),
        }
    }

    async fn ask(&self, question: &ToHost) -> Result<FromHost, HostError> {
        let (_, answer) = self.converse(question).await?;
        Ok(answer)
    }

    /// Asks, and keeps the connection.
    async fn converse(&self, question: &ToHost) -> Result<(AnyStream, FromHost), HostError> {
        let mut stream = self.connect().await?;
        let conversation = async {
            frame::write_async(&mut stream, question).await?;
            frame::read_async(&mut stream).await
        };
        match timeout(ANSWER_PATIENCE, conversation).await {
            Ok(Ok(FromHost::Refused(mut why))) => {
                why.truncate(why.floor_char_boundary(MAX_FAILURE / 2));
                Err(HostError::Refused(why))
            }
            Ok(answer) => Ok((stream, answer?)),
            Err(_) => Err(HostError::Stalled),
        }
    }

    /// Connects, with patience for a host that is still starting.
    async fn connect(&self) -> Result<AnyStream, HostError> {
        let deadline = Instant::now() + CONNECT_PATIENCE;
        loop {
            let attempt = async {
                match &self.address {
                    Address::Vsock => transport::connect_vsock(HOST_CID, HOST_PORT).await,
                    Address::Unix(folder) => {
                        transport::connect_unix(&folder.join("host.sock")).await
                    }
                }
            };
            let error = match timeout(ATTEMPT_PATIENCE, attempt).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => error,
                Err(_) => std::io::ErrorKind::TimedOut.into(),
            };
            if Instant::now() >= deadline {
                return Err(HostError::Unreachable(error));
            }
            sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A host that reads one question and answers `answer`, or nothing.
    fn fake(answer: Option<FromHost>) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("host.sock")).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _: ToHost = frame::read_async(&mut stream).await.unwrap();
            match answer {
                Some(answer) => frame::write_async(&mut stream, &answer).await.unwrap(),
                None => sleep(Duration::from_secs(1000)).await,
            }
        });
        let host = Host::new(Address::Unix(folder.path().to_owned()));
        (folder, host)
    }

    #[tokio::test]
    async fn takes_the_configuration() {
        let (_folder, host) = fake(Some(FromHost::Configuration(vec![1, 2])));
        assert_eq!(host.configuration().await.unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn refuses_a_configuration_over_the_limit() {
        let long = vec![0; MAX_CONFIGURATION + 1];
        let (_folder, host) = fake(Some(FromHost::Configuration(long)));
        assert!(matches!(
            host.configuration().await,
            Err(HostError::Misspoke)
        ));
    }

    #[tokio::test]
    async fn takes_statements_and_no_more_than_a_bundle_may_carry() {
        let bring = |count| FromHost::Endorsements {
            certificates: Vec::new(),
            crls: Vec::new(),
            tdx: Vec::new(),
            rims: Vec::new(),
            ocsp: Vec::new(),
            statements: vec![b"{}".to_vec(); count],
        };
        let (_folder, host) = fake(Some(bring(MAX_STATEMENTS)));
        let endorsements = host.endorsements().await.unwrap();
        assert_eq!(
            endorsements.statements,
            vec![b"{}".to_vec(); MAX_STATEMENTS]
        );
        let (_folder, host) = fake(Some(bring(MAX_STATEMENTS + 1)));
        let refused = host.endorsements().await;
        assert!(matches!(refused, Err(HostError::Misspoke)));
    }

    #[tokio::test]
    async fn a_lane_has_a_key_of_32_bytes() {
        for (length, ceiling) in [(32, Some(7)), (31, None), (0, None)] {
            let (_folder, host) = fake(Some(FromHost::Lane {
                spend_key: vec![1; length],
                ceiling: 7,
            }));
            let found = host.lane(&[2; 32], 3).await.ok();
            assert_eq!(found, ceiling.map(|ceiling| ([1; 32], ceiling)));
        }
        let (_folder, host) = fake(Some(FromHost::Noted));
        assert!(matches!(host.terms().await, Err(HostError::Misspoke)));
    }

    #[tokio::test]
    async fn passes_on_why_the_host_refused() {
        let (_folder, host) = fake(Some(FromHost::Refused("no".into())));
        let refused = host.configuration().await.unwrap_err();
        assert_eq!(refused.to_string(), "the host refused: \"no\"");
    }

    #[tokio::test(start_paused = true)]
    async fn names_a_host_that_stalls() {
        let (_folder, host) = fake(None);
        assert!(matches!(
            host.configuration().await,
            Err(HostError::Stalled)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn names_a_host_that_is_not_there() {
        let host = Host::new(Address::Unix("/nonexistent".into()));
        assert!(matches!(
            host.configuration().await,
            Err(HostError::Unreachable(_))
        ));
    }
}
