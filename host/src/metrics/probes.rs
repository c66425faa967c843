//! What supervisors ask: whether to send clients here, whether to start this anew, and that it finish what it does.

use hyper::{Method, StatusCode};

use crate::guest::{Guest, State};

/// Who asks. From another machine, without the token, one reads numbers and ends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// On this machine, or with the token that the run's options know.
    MayDrain,
    /// Anyone else.
    MayRead,
}

/// A status, and a line that says why.
pub(super) type Answer = (StatusCode, String);

/// The answer to this path, if it is one of them.
pub(super) fn answer(guest: &Guest, method: &Method, path: &str, asker: Asker) -> Option<Answer> {
    let read = [Method::GET, Method::HEAD].contains(method);
    match path {
        "/ready" | "/healthz" if !read => Some(wrong_method("GET")),
        "/ready" => Some(ready(guest)),
        "/healthz" => Some(healthy(guest)),
        "/drain" if *method != Method::POST => Some(wrong_method("POST")),
        "/drain" => Some(drain(guest, asker)),
        _ => None,
    }
}

/// Whether clients are answered.
fn ready(guest: &Guest) -> Answer {
    match guest.state() {
        State::Serving if guest.is_draining() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "draining: no new work is taken\n".to_owned(),
        ),
        State::Serving => (StatusCode::OK, "ready\n".to_owned()),
        State::Booting => (
            StatusCode::SERVICE_UNAVAILABLE,
            "booting: the guest does not serve yet\n".to_owned(),
        ),
        State::Failed(failure) => failed(&failure.code),
    }
}

/// Whether there is any hope in waiting.
fn healthy(guest: &Guest) -> Answer {
    match guest.state() {
        State::Failed(failure) => failed(&failure.code),
        State::Booting | State::Serving => (StatusCode::OK, "ok\n".to_owned()),
    }
}

fn failed(code: &str) -> Answer {
    let text = format!("failed: {code}\n");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

fn drain(guest: &Guest, asker: Asker) -> Answer {
    if asker != Asker::MayDrain {
        let text = "only this machine may ask for that, or who has the token of --drain-token-sha256: run `chrysalis-host drain` on it\n";
        return (StatusCode::FORBIDDEN, text.to_owned());
    }
    guest.ask_to_drain();
    let text = "draining: what is under way is finished, then this ends\n";
    (StatusCode::ACCEPTED, text.to_owned())
}

fn wrong_method(right: &str) -> Answer {
    let text = format!("only {right} is answered here\n");
    (StatusCode::METHOD_NOT_ALLOWED, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    use Asker::{MayDrain as HERE, MayRead as ELSEWHERE};

    fn ask(guest: &Guest, method: &Method, path: &str, asker: Asker) -> (u16, String) {
        let (status, text) = answer(guest, method, path, asker).unwrap();
        (status.as_u16(), text)
    }

    #[test]
    fn a_guest_is_ready_while_it_serves_and_takes_new_work() {
        let guest = Guest::new();
        let ready = |guest: &Guest| ask(guest, &Method::GET, "/ready", ELSEWHERE).0;
        let healthy = |guest: &Guest| ask(guest, &Method::HEAD, "/healthz", ELSEWHERE).0;
        assert_eq!((ready(&guest), healthy(&guest)), (503, 200));
        guest.serves();
        assert_eq!((ready(&guest), healthy(&guest)), (200, 200));
        assert_eq!(ask(&guest, &Method::POST, "/drain", HERE).0, 202);
        assert_eq!((ready(&guest), healthy(&guest)), (503, 200));
        let guest = Guest::new();
        guest.failed("disk_wrong", "why");
        assert_eq!((ready(&guest), healthy(&guest)), (503, 503));
        assert!(
            ask(&guest, &Method::GET, "/ready", HERE)
                .1
                .contains("disk_wrong")
        );
    }

    #[test]
    fn nobody_drains_a_host_from_elsewhere_or_by_a_link() {
        let guest = Guest::new();
        guest.serves();
        assert_eq!(ask(&guest, &Method::POST, "/drain", ELSEWHERE).0, 403);
        assert_eq!(ask(&guest, &Method::GET, "/drain", HERE).0, 405);
        assert_eq!(ask(&guest, &Method::POST, "/ready", HERE).0, 405);
        assert!(!guest.is_draining());
        assert_eq!(answer(&guest, &Method::GET, "/metrics", HERE), None);
    }
}
