//! `/metrics`: counts in Prometheus's text format, and beside them what supervisors ask. Holds numbers, states and the names of boot stages, never content. Programs
//! may read it; web pages may not, so each request must be addressed to this listener and not come from a page.

pub(crate) mod counters;
mod load;
mod page;
pub(crate) mod presence;
mod probes;
pub(crate) mod takings;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_attestation::encoding::digest::{Hex, sha256};
use chrysalis_wire::local::{Addressed, HostName, from_another_site};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

pub(crate) use self::load::capacity;
use self::{
    counters::Counters,
    load::Capacity,
    page::{Page, label},
    presence::Presence,
    probes::Asker,
    takings::Takings,
};
use crate::{
    accept,
    guest::{Guest, State},
};

/// The most questions at once; one more waits.
const MAX_CONNECTIONS: usize = 8;
/// The longest that one question and its answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The version of the text format.
const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Everything that is published.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Arc<Counters>,
    guest: Arc<Guest>,
    capacity: Capacity,
    /// None in a run without a payee.
    takings: Option<Arc<Takings>>,
    /// None in a run without a network.
    presence: Option<Arc<Presence>>,
    /// Names that requests may be addressed to, besides loopback's and the listener's address.
    names: Vec<HostName>,
    /// SHA-256 of the token with which a drain is heard from elsewhere.
    drain_token: Option<Hex<32>>,
    started: Instant,
}

impl Metrics {
    pub(crate) fn new(
        counters: &Arc<Counters>,
        guest: &Arc<Guest>,
        capacity: Capacity,
        takings: Option<Arc<Takings>>,
        presence: Option<Arc<Presence>>,
        names: Vec<HostName>,
        drain_token: Option<Hex<32>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            counters: Arc::clone(counters),
            guest: Arc::clone(guest),
            capacity,
            takings,
            presence,
            names,
            drain_token,
            started: Instant::now(),
        })
    }

    /// Answers `GET /metrics` for as long as it is polled.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let answer = |(stream, from): (TcpStream, SocketAddr)| {
            let metrics = Arc::clone(&self);
            async move {
                let Ok(local) = stream.local_addr() else {
                    return;
                };
                let service = service_fn(|request| {
                    let answer = metrics.answer(&request, local, from);
                    async { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that is slow or gone gets no answer.
                let _ = timeout(PATIENCE, connection).await;
            }
        };
        accept::serve(MAX_CONNECTIONS, || listener.accept(), answer).await;
    }

    fn answer(
        &self,
        request: &Request<Incoming>,
        local: SocketAddr,
        from: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let (method, path) = (request.method(), request.uri().path());
        let page = || match (method, path) {
            (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, self.text()),
            (_, "/metrics") => (
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is answered here\n".to_owned(),
            ),
            _ => (
                StatusCode::NOT_FOUND,
                "the metrics are at /metrics\n".to_owned(),
            ),
        };
        let asker = self.asker(request.headers(), from);
        let answered = || probes::answer(&self.guest, method, path, asker).unwrap_or_else(page);
        let (status, text) = self.refusal(request, local).unwrap_or_else(answered);
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
        response
    }

    /// Somebody on this machine, or with the token: `Authorization: Bearer TOKEN`, once.
    fn asker(&self, headers: &HeaderMap, from: SocketAddr) -> Asker {
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let token = match (shown.next(), shown.next()) {
            (Some(only), None) => only.as_bytes().strip_prefix(b"Bearer "),
            _ => None,
        };
        // What is compared is a digest: how long it takes says nothing about the token.
        let has_token = token.is_some_and(|it| self.drain_token == Some(Hex(sha256(&[it]))));
        if has_token || from.ip().to_canonical().is_loopback() {
            Asker::MayDrain
        } else {
            Asker::MayRead
        }
    }

    /// Why a request is refused whatever it asks: it is meant for another listener, or a web page sends it.
    fn refusal<B>(&self, request: &Request<B>, local: SocketAddr) -> Option<(StatusCode, String)> {
        let headers = request.headers();
        let hosts = headers.get_all(HOST).into_iter().map(HeaderValue::as_bytes);
        let target = request.uri().authority().map(AsRef::as_ref);
        match Addressed::of(hosts, target, local, &self.names) {
            Addressed::Here => {}
            Addressed::Elsewhere => {
                let text =
                    format!("this is http://{local}; allow another name with --metrics-name\n");
                return Some((StatusCode::MISDIRECTED_REQUEST, text));
            }
            Addressed::Unclear => {
                let text = format!("send one header `Host: {local}`\n");
                return Some((StatusCode::BAD_REQUEST, text));
            }
        }
        let mut sites = headers.get_all("sec-fetch-site").iter();
        let page =
            headers.contains_key(ORIGIN) || sites.any(|site| from_another_site(site.as_bytes()));
        let text = "web pages are not answered\n".to_owned();
        page.then_some((StatusCode::FORBIDDEN, text))
    }

    /// The text that Prometheus reads.
    fn text(&self) -> String {
        let Counters {
            open,
            total,
            refused,
            broken,
            to_guest,
            from_guest,
        } = &*self.counters;
        let mut page = Page::default();
        let help = "Connections being relayed.";
        page.one("connections_open", "gauge", help, open.read());
        for (name, counter, help) in [
            ("connections_total", total, "Connections ever relayed."),
            (
                "connections_refused_total",
                refused,
                "Connections closed because there was no room, or because their client had too many.",
            ),
            (
                "connections_broken_total",
                broken,
                "Connections that ended in an error.",
            ),
        ] {
            page.one(name, "counter", help, counter.read());
        }
        let name = "relayed_bytes_total";
        page.family(name, "counter", "Bytes of ciphertext relayed.");
        page.sample(name, r#"{direction="to_guest"}"#, to_guest.read());
        page.sample(name, r#"{direction="from_guest"}"#, from_guest.read());
        let help = "Restarts of the guest: a run has one guest and ends with it.";
        page.one("guest_restarts_total", "counter", help, 0);
        page.family(
            "guest_state",
            "gauge",
            "1 for the state that the guest says it is in.",
        );
        let now = self.guest.state();
        for (name, is) in [
            ("booting", now == State::Booting),
            ("serving", now == State::Serving),
            ("failed", matches!(now, State::Failed(_))),
        ] {
            page.sample(
                "guest_state",
                &format!(r#"{{state="{name}"}}"#),
                u8::from(is),
            );
        }
        page.family(
            "boot_stage_seconds",
            "gauge",
            "When the guest passed each stage, in seconds since its kernel started.",
        );
        for stage in self.guest.stages() {
            let labels = format!(r#"{{stage="{}"}}"#, label(&stage.name));
            page.sample("boot_stage_seconds", &labels, stage.at());
        }
        if let Some(busy) = self.guest.busy(Instant::now()) {
            load::publish(&mut page, &busy, &self.capacity);
        }
        if let Some(takings) = &self.takings {
            takings.publish(&mut page);
        }
        if let Some(presence) = &self.presence {
            presence.publish(&mut page);
        }
        let help = "Seconds since this host program started.";
        let up = self.started.elapsed().as_secs();
        page.one("uptime_seconds", "gauge", help, up);
        page.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn metrics() -> Arc<Metrics> {
        let counters = Arc::new(Counters::default());
        counters.to_guest.add(7);
        counters.refused.add(2);
        let guest = Guest::new();
        guest.passed("disks opened", 1500);
        guest.passed("\"} evil 1", 1600);
        guest.serves();
        let capacity = Capacity::from([("q/\"m\"".to_owned(), 4)]);
        Metrics::new(
            &counters,
            &Arc::new(guest),
            capacity,
            None,
            None,
            Vec::new(),
            None,
        )
    }

    #[test]
    fn says_what_was_counted() {
        let metrics = metrics();
        let _open = metrics.counters.open_one();
        drop(metrics.counters.open_one());
        let text = metrics.text();
        for line in [
            "chrysalis_connections_open 1",
            "chrysalis_connections_total 2",
            "chrysalis_connections_refused_total 2",
            "# TYPE chrysalis_relayed_bytes_total counter",
            r#"chrysalis_relayed_bytes_total{direction="to_guest"} 7"#,
            "chrysalis_guest_restarts_total 0",
            r#"chrysalis_guest_state{state="booting"} 0"#,
            r#"chrysalis_guest_state{state="serving"} 1"#,
            r#"chrysalis_boot_stage_seconds{stage="disks opened"} 1.5"#,
            r#"chrysalis_boot_stage_seconds{stage="__ evil 1"} 1.6"#,
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn says_how_busy_the_guest_is_once_it_has_said_so() {
        let metrics = metrics();
        assert!(!metrics.text().contains("chrysalis_requests"));
        metrics
            .guest
            .loaded(crate::guest::load::tests::load("q/\"m\"", 8));
        let text = metrics.text();
        for line in [
            r#"chrysalis_requests_running{model="q/\"m\""} 2"#,
            r#"chrysalis_requests_queued{model="q/\"m\""} 1"#,
            "chrysalis_utilisation 0.75",
            r#"chrysalis_requests_total{model="q/\"m\""} 8"#,
            r#"chrysalis_requests_refused_total{model="q/\"m\""} 3"#,
            r#"chrysalis_requests_failed_total{model="q/\"m\""} 4"#,
            r#"chrysalis_tokens_total{model="q/\"m\"",kind="prompt"} 800"#,
            r#"chrysalis_tokens_total{model="q/\"m\"",kind="completion"} 80"#,
            r#"chrysalis_engine_restarts_total{model="q/\"m\""} 5"#,
            r#"chrysalis_model_ready{model="q/\"m\""} 1"#,
            "# TYPE chrysalis_first_token_seconds histogram",
            r#"chrysalis_first_token_seconds_bucket{model="q/\"m\"",le="0.02"} 4"#,
            r#"chrysalis_first_token_seconds_bucket{model="q/\"m\"",le="0.2"} 8"#,
            r#"chrysalis_first_token_seconds_bucket{model="q/\"m\"",le="+Inf"} 8"#,
            r#"chrysalis_first_token_seconds_count{model="q/\"m\""} 8"#,
            "chrysalis_attestation_age_seconds 60",
            r#"chrysalis_guest_memory_bytes{state="available"} 536870912"#,
            r#"chrysalis_guest_memory_bytes{state="total"} 2147483648"#,
            "chrysalis_load_age_seconds 0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn says_what_the_provider_is_paid_in_sums_alone() {
        assert!(!metrics().text().contains("chrysalis_payment"));
        let takings = Takings::default();
        takings.owed.set(7);
        takings.refused.add(2);
        let paid = Metrics::new(
            &Arc::default(),
            &Arc::new(Guest::new()),
            Capacity::new(),
            Some(Arc::new(takings)),
            None,
            Vec::new(),
            None,
        );
        let text = paid.text();
        for line in [
            "# TYPE chrysalis_payment_owed_nano gauge",
            "chrysalis_payment_owed_nano 7",
            "chrysalis_payment_paid_nano 0",
            "chrysalis_payment_receipts_refused_total 2",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        let labelled = |line: &str| line.starts_with("chrysalis_payment") && line.contains('{');
        assert!(!text.lines().any(labelled), "{text}");
    }

    #[test]
    fn says_how_many_directories_list_it() {
        assert!(!metrics().text().contains("chrysalis_network"));
        let presence = Presence::default();
        presence.directories.set(2);
        presence.listing.set(1);
        let listed = Metrics::new(
            &Arc::default(),
            &Arc::new(Guest::new()),
            Capacity::new(),
            None,
            Some(Arc::new(presence)),
            Vec::new(),
            None,
        );
        let text = listed.text();
        for line in [
            "chrysalis_network_directories 2",
            "chrysalis_network_directories_listing 1",
            "# TYPE chrysalis_network_attempts_failed_total counter",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }

    #[tokio::test]
    async fn answers_over_http_at_its_one_path() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(metrics().serve(listener));
        let ask = async |line: &str| ask(address, line, &format!("host: {address}")).await;
        let good = ask("GET /metrics").await;
        assert!(
            good.starts_with("HTTP/1.1 200 OK") && good.contains("version=0.0.4"),
            "{good}"
        );
        assert!(ask("GET /").await.starts_with("HTTP/1.1 404"));
        assert!(ask("HEAD /metrics").await.starts_with("HTTP/1.1 200"));
        assert!(ask("POST /metrics").await.starts_with("HTTP/1.1 405"));
    }

    async fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn only_this_machine_and_who_has_the_token_may_drain() {
        let mut metrics = Arc::into_inner(metrics()).unwrap();
        let asker = |metrics: &Metrics, from: [u8; 4], shown: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in shown {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            metrics.asker(&headers, (from, 1).into())
        };
        let (here, elsewhere) = ([127, 0, 0, 1], [192, 0, 2, 7]);
        let good = "Bearer 00ff";
        assert_eq!(asker(&metrics, here, &[]), Asker::MayDrain);
        // Without the option there is no token.
        assert_eq!(asker(&metrics, elsewhere, &[good]), Asker::MayRead);
        metrics.drain_token = Some(Hex(sha256(&[b"00ff"])));
        assert_eq!(asker(&metrics, elsewhere, &[good]), Asker::MayDrain);
        for wrong in [
            &[][..],
            &["Bearer 00fe"],
            &["Bearer "],
            &["Basic 00ff"],
            &["00ff"],
            &[good, good],
        ] {
            assert_eq!(
                asker(&metrics, elsewhere, wrong),
                Asker::MayRead,
                "{wrong:?}"
            );
        }
    }

    #[tokio::test]
    async fn web_pages_read_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let named = Metrics {
            counters: Arc::default(),
            guest: Arc::new(Guest::new()),
            capacity: Capacity::new(),
            takings: None,
            presence: None,
            names: vec!["gpu-box.example:9443".parse().unwrap()],
            drain_token: None,
            started: Instant::now(),
        };
        tokio::spawn(Arc::new(named).serve(listener));
        let port = address.port();
        for (headers, status) in [
            (format!("host: localhost:{port}"), 200),
            ("host: gpu-box.example:9443".to_owned(), 200),
            (format!("host: {address}\r\nsec-fetch-site: none"), 200),
            ("host: evil.example".to_owned(), 421),
            (format!("host: evil.example:{port}"), 421),
            (format!("host: 0.0.0.0:{port}"), 421),
            (format!("host: {address}\r\nhost: evil.example"), 400),
            ("accept: */*".to_owned(), 400),
            (
                format!("host: {address}\r\nsec-fetch-site: cross-site"),
                403,
            ),
            (format!("host: {address}\r\nsec-fetch-site: same-site"), 403),
            (
                format!("host: {address}\r\norigin: https://evil.example"),
                403,
            ),
        ] {
            let answer = ask(address, "GET /metrics", &headers).await;
            let found = answer.get(9..12).unwrap();
            assert_eq!(found, status.to_string(), "{headers}: {answer}");
            assert_eq!(answer.contains("chrysalis_"), status == 200, "{answer}");
        }
    }
}
