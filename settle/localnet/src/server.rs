//! The local chain on a socket: toncenter's HTTP interface, and a faucet and a clock besides.

use std::{
    cell::RefCell,
    convert::Infallible,
    io,
    net::{self, SocketAddr},
    rc::Rc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use chrysalis_chain::address;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, runtime, task, time::interval};

use super::{
    Local,
    dialect::{self, Wrong},
};

/// The most bytes of a request's body.
const MAX_BODY: usize = 1024 * 1024;
/// How long a client may take for a request's head.
const PATIENCE: Duration = Duration::from_secs(30);

/// An empty chain at this time, on a free port of this machine, on a thread of its own: for as long as the process lives.
pub fn start(clock: u32) -> io::Result<SocketAddr> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || run(listener, clock));
    Ok(address)
}

/// An empty chain at this time, for ever. `GET /api/v2/METHOD?…`, `POST /api/v2/METHOD` and `POST /api/v2/jsonRPC` are toncenter's; `POST
/// /faucet` with `{"address", "nano"}` gives coins, `POST /clock` with `{"by"}` or `{"to"}` moves the clock forward by or to seconds.
pub fn run(listener: net::TcpListener, clock: u32) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(listener)?;
        serve(listener, Rc::new(RefCell::new(Local::new(clock)))).await
    })
}

async fn serve(listener: TcpListener, chain: Rc<RefCell<Local>>) -> io::Result<Infallible> {
    task::spawn_local(tick(chain.clone()));
    loop {
        let (stream, _) = listener.accept().await?;
        let chain = chain.clone();
        task::spawn_local(async move {
            let service = service_fn(move |request| {
                let chain = chain.clone();
                async move { Ok::<_, Infallible>(respond(&chain, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // A client that is gone gets no answer.
            let _ = connection.await;
        });
    }
}

/// The clock goes on.
async fn tick(chain: Rc<RefCell<Local>>) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.tick().await;
    loop {
        seconds.tick().await;
        let now = chain.borrow().clock();
        chain.borrow_mut().set_clock(now.saturating_add(1));
    }
}

async fn respond(chain: &RefCell<Local>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return written(&Value::Null, Err(Wrong(400, error.to_string()))),
    };
    let asked = match head.method {
        Method::GET => Ok(of_query(head.uri.query().unwrap_or_default())),
        Method::POST => {
            serde_json::from_slice(&body).map_err(|error| Wrong(400, error.to_string()))
        }
        _ => Err(Wrong(405, "ask with GET or POST".to_owned())),
    };
    let asked: Value = match asked {
        Ok(asked) => asked,
        Err(wrong) => return written(&Value::Null, Err(wrong)),
    };
    let mut chain = chain.borrow_mut();
    let path = head.uri.path();
    let method = path.strip_prefix("/api/v2/").unwrap_or_default();
    match (path, method) {
        ("/faucet", _) => written(&Value::Null, faucet(&mut chain, &asked)),
        ("/clock", _) => written(&Value::Null, clock(&mut chain, &asked)),
        (_, "jsonRPC") => {
            let method = asked["method"].as_str().unwrap_or_default();
            written(
                &asked["id"],
                dialect::answer(&mut chain, method, &asked["params"]),
            )
        }
        (_, "") => written(
            &Value::Null,
            Err(Wrong(404, format!("nothing is at {path}"))),
        ),
        (_, method) => written(&Value::Null, dialect::answer(&mut chain, method, &asked)),
    }
}

fn of_query(query: &str) -> Value {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let fields: Map<String, Value> = pairs
        .map(|(name, value)| (decoded(name), decoded(value).into()))
        .collect();
    fields.into()
}

fn faucet(chain: &mut Local, asked: &Value) -> Result<Value, Wrong> {
    let wrong = |what: &str| Wrong(422, what.to_owned());
    let address = asked["address"]
        .as_str()
        .ok_or_else(|| wrong("address is missing"))?;
    let address = address::parse(address).ok_or_else(|| wrong("address is none"))?;
    let nano = asked["nano"]
        .as_u64()
        .ok_or_else(|| wrong("nano is no whole number"))?;
    chain.give(&address, nano);
    Ok(json!({"@type": "ok"}))
}

fn clock(chain: &mut Local, asked: &Value) -> Result<Value, Wrong> {
    let seconds = |name: &str| asked[name].as_u64().and_then(|it| u32::try_from(it).ok());
    let to = match (seconds("by"), seconds("to")) {
        (Some(by), None) => chain.clock().saturating_add(by),
        (None, Some(to)) => to,
        _ => return Err(Wrong(422, "say by or to, in seconds".to_owned())),
    };
    chain.set_clock(to);
    Ok(json!({"now": chain.clock()}))
}

fn written(id: &Value, outcome: Result<Value, Wrong>) -> Response<Full<Bytes>> {
    let (status, mut body) = match outcome {
        Ok(result) => (StatusCode::OK, json!({"ok": true, "result": result})),
        Err(Wrong(code, error)) => (
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            json!({"ok": false, "error": error, "code": code}),
        ),
    };
    if !id.is_null() {
        body["jsonrpc"] = "2.0".into();
        body["id"] = id.clone();
    }
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
