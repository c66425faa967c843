//! A connection to a peer that has proved itself. [`AttestedConnection::connect`] is the only way to get one, and no other type
//! has `send`: a prompt cannot leave before trust, because until then there is nothing to send it with.

use bytes::Bytes;
use chrysalis_attestation::{Trusted, evidence::SavedSession};
use chrysalis_settle::{Expected, JobNumber, Kept, Receipt, Rejection, Tab, TabId, money::Quote};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri, Version,
    body::Incoming,
    header::{HOST, HeaderValue},
};

use crate::{
    Answer, Error, RelyingParty, Target,
    channel::{Channel, Sender, Task},
    deadlines::within,
    epoch::Epoch,
    error::from_hyper,
    kept::Came,
    pad,
    pay::{self, Outstanding, Proof, Seat},
    relay::{self, Way},
    term::Term,
};

/// An open, verified connection. Dropping it closes it, and the enclave stops generating.
///
/// It also closes when its verdict's `until` has passed, by the relying party's clock or by its stopwatch. From then on not a byte
/// leaves over it, and no byte of an answer is handed out. Whatever is under way ends in [`Error::Expired`].
pub struct AttestedConnection {
    sender: Sender,
    _driver: Task,
    _watch: Task,
    authority: HeaderValue,
    relying_party: RelyingParty,
    /// Through a relay, if requests go that way.
    way: Option<Way>,
    term: Term,
    trusted: Trusted,
    saved: SavedSession,
    epoch: Epoch,
    tab: Tab,
    /// In place of `tab`, where answers are paid for.
    seat: Option<Seat>,
}

/// A job that a receipt must be about, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The number that the client drew, and sent as `x-chrysalis-job`.
    pub job: JobNumber,
    /// SHA-256 of the request's body, without white space at its end.
    pub request: [u8; 32],
}

impl Asked {
    /// What its receipt must be. Without `answer`, the job must have been cancelled.
    pub(crate) fn expected<'a>(
        &self,
        epoch: &'a Epoch,
        quote: Option<&'a Quote>,
        answer: Option<[u8; 32]>,
    ) -> Expected<'a> {
        Expected {
            job: self.job,
            request: self.request,
            answer,
            attested: epoch.attested(),
            quote,
        }
    }
}

impl AttestedConnection {
    /// Connects, asks for evidence about this very connection, verifies it, and only then returns.
    pub async fn connect(target: &Target, relying_party: &RelyingParty) -> Result<Self, Error> {
        // On the heap: whoever waits for this need not be as large.
        let once = || Box::pin(Self::connect_once(target, relying_party));
        match once().await {
            // An epoch may have begun between evidence and keys. Another one does not begin as soon.
            Err(Error::RelayKeys) => once().await,
            outcome => outcome,
        }
    }

    async fn connect_once(target: &Target, relying_party: &RelyingParty) -> Result<Self, Error> {
        let deadlines = relying_party.deadlines();
        let mut channel = Channel::open(target, relying_party.dial(), deadlines).await?;
        let kept = relying_party.kept().of(&channel.authority);
        let asked = channel.ask_for_evidence(deadlines.evidence, &kept);
        let (saved, came) = asked.await?;
        let (trusted, term) = relying_party.verify_connection(&saved).await?;
        if came == Came::Whole {
            relying_party.keep(&channel.authority, &saved);
        }
        // It is set only here, so it was unset.
        let term = channel.leash.get_or_init(|| term).clone();
        let (ended, close) = (term.ended(), channel.driver.end());
        let watch = tokio::spawn(async move {
            ended.await;
            close();
        });
        let receipt_key = trusted.claims().receipt_key;
        let epoch = Epoch::of(&channel.certificate, &saved, receipt_key)?;
        if let Some(listing) = relying_party.listing() {
            listing.is_about(trusted.claims(), epoch.attested(), false)?;
            listing.is_on(trusted.peer())?;
        }
        let tab = Tab::new(TabId::unpaid(saved.exporter()), receipt_key);
        let way = match relying_party.relay() {
            None => None,
            Some(relay) => {
                let keys = channel.ask_for_keys(deadlines.first_byte).await?;
                let digest = trusted.claims().hpke_key;
                let authority = channel.authority.clone();
                let way = Way::new(relay.clone(), authority, &keys, digest)?;
                // Nothing else goes this way: the host need not see for how long somebody asks.
                channel.driver.end()();
                Some(way)
            }
        };
        let authority = HeaderValue::try_from(channel.authority)
            .map_err(|error| Error::Local(error.to_string()))?;
        let seat = match (relying_party.payer(), &way) {
            (Some(payer), None) => {
                let limit = relying_party.limit();
                Some(Seat::take(payer, limit, receipt_key, *saved.exporter())?)
            }
            _ => None,
        };
        let mut connection = Self {
            sender: channel.sender,
            _driver: channel.driver,
            _watch: watch.into(),
            authority,
            relying_party: relying_party.clone(),
            way,
            term,
            trusted,
            saved,
            epoch,
            tab,
            seat,
        };
        Box::pin(connection.ask_terms()).await?;
        Ok(connection)
    }

    /// Asks where the tab stands and what answers cost, if somebody pays.
    async fn ask_terms(&mut self) -> Result<(), Error> {
        let request = match (&self.seat, self.relying_party.limit()) {
            (Some(seat), _) => seat.request()?,
            // Nobody pays yet, and the price says whether anybody will.
            (None, Some(_)) => pay::request(self.saved.exporter(), None)?,
            (None, None) => return Ok(()),
        };
        let answer = self.send_as_it_is(request).await?;
        let (terms, _) = pay::read(answer).await??;
        if let (None, Some(limit)) = (&self.seat, self.relying_party.limit()) {
            limit.note(&terms.quotes)?;
        }
        match &mut self.seat {
            Some(seat) => seat.learn(terms),
            None => Ok(()),
        }
    }

    /// What was verified.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// How long the connection can be trusted.
    pub(crate) fn term(&self) -> &Term {
        &self.term
    }

    /// The evidence, to keep: anyone can verify it again, offline.
    pub fn saved_session(&self) -> &SavedSession {
        &self.saved
    }

    /// Sends one request and waits for the head of its answer. Sets `Host` to the enclave's address, and fills a JSON body with white
    /// space to a power of two, so that its ciphertext shows little of the prompt's length.
    ///
    /// Refuses if what the verdict rests on has expired, before or while the request is under way. [`Error::Closed`] says that not a
    /// byte was sent, so the request may go over another connection.
    ///
    /// Where somebody pays, a request that names a job carries a cap and a quote.
    pub async fn send(&mut self, mut request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        if let Some(seat) = &mut self.seat
            && !seat.pay(&mut request)?
        {
            Box::pin(self.ask_terms()).await?;
            if let Some(seat) = &mut self.seat {
                seat.pay(&mut request)?;
            }
        }
        let answer = self.send_as_it_is(request).await?;
        if let Some(seat) = &mut self.seat
            && !answer.status().is_success()
        {
            seat.refused();
        }
        Ok(answer)
    }

    async fn send_as_it_is(&mut self, request: Request<Bytes>) -> Result<Response<Answer>, Error> {
        let deadlines = *self.relying_party.deadlines();
        let request = self.addressed(request);
        let term = self.term.clone();
        let sending = async {
            if let Some(way) = &self.way {
                let dial = self.relying_party.dial();
                return Box::pin(way.send(request, dial, &deadlines)).await;
            }
            self.sender.ready().await.map_err(|_| Error::Closed)?;
            let sent = self.sender.try_send_request(request).await;
            let sent = sent.map_err(|mut failed| match failed.take_message() {
                Some(_) => Error::Closed,
                None => from_hyper(failed.error(), "answer"),
            })?;
            Ok(sent.map(direct))
        };
        let answer = within(deadlines.first_byte, "first byte of the answer", sending);
        let answer = tokio::select! {
            // First: once the term is over, nothing is even begun.
            biased;
            expired = term.ended() => Err(expired),
            answer = answer => match answer {
                // The connection was closed because its term had ended.
                Ok(Err(_)) if term.is_over() => Err(term.expired()),
                answer => answer?,
            },
        };
        Ok(answer?.map(|body| Answer::new(body, deadlines.idle, term)))
    }

    /// Takes the receipt of the last answer. `answer` is SHA-256 of its content up to the receipt
    /// (`chrysalis_wire::content`). A receipt of a later epoch than the
    /// connection's is `receipt_evidence` here; [`Self::accept_in`] takes it.
    pub fn accept(
        &mut self,
        receipt: &Receipt,
        asked: &Asked,
        answer: [u8; 32],
    ) -> Result<Kept, Rejection> {
        let epoch = self.epoch.clone();
        self.accept_in(&epoch, receipt, asked, answer)
    }

    /// The same, in an epoch that another connection to the same enclave saw.
    pub fn accept_in(
        &mut self,
        epoch: &Epoch,
        receipt: &Receipt,
        asked: &Asked,
        answer: [u8; 32],
    ) -> Result<Kept, Rejection> {
        let accept = |tab: &mut Tab, quote: Option<&Quote>| {
            tab.accept(receipt, &asked.expected(epoch, quote, Some(answer)))
        };
        match &mut self.seat {
            Some(seat) => seat.accept(accept),
            None => accept(&mut self.tab, None),
        }
    }

    /// The epoch in which the connection was made, as its certificate has it.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Nano for a million units, by which the last job is priced, until its receipt has come.
    pub(crate) fn price(&self) -> Option<u64> {
        let quote = self.seat.as_ref()?.quote()?;
        Some(self.relying_party.limit()?.price_of(quote))
    }

    /// What is to become of the connection's last job, should its reader leave before its receipt.
    pub(crate) fn outstanding(&self) -> Outstanding {
        match &self.seat {
            Some(seat) => seat.outstanding(),
            None => Outstanding {
                tab: self.tab.clone(),
                quote: None,
                proof: Proof::Exporter(*self.saved.exporter()),
            },
        }
    }

    /// Whether the connection can take a request now.
    pub fn is_ready(&self) -> bool {
        let is_open = self.sender.is_ready() && !self.sender.is_closed();
        !self.term.is_over() && (self.way.is_some() || is_open)
    }

    /// Whether the enclave may close it at any time: through a relay, each request has a connection of its own.
    pub(crate) fn retires(&self) -> bool {
        self.way.is_none()
    }

    fn addressed(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let mut request = pad::fill(request).map(Full::new);
        if let Some(path) = request.uri().path_and_query() {
            *request.uri_mut() = Uri::from(path.clone());
        }
        // Whatever version the request came in, this hop speaks its own (RFC 9110 §2.5) and stays open.
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.authority.clone());
        request
    }
}

/// A body that comes over this connection.
fn direct(body: Incoming) -> relay::Body {
    body.map_err(|error| from_hyper(&error, "answer"))
        .boxed_unsync()
}
