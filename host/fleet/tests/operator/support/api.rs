//! The API server: HTTP on loopback, discovery, list, watch, the subresources `status` and `scale`, and the refusals 404, 409 and 410.
//! Nothing is authenticated, and no schema is checked.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Collected, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Frame, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::store::{KINDS, Key, Kind, Refusal, Store, text};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An API server, which may be away while its store stays.
pub(crate) struct Api {
    shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    serving: Option<tokio::task::JoinHandle<()>>,
}

pub(crate) struct Shared {
    store: Mutex<Store>,
    /// Grows with the store's version, and when watches have to look up for another reason.
    news: watch::Sender<u64>,
}

impl Shared {
    /// Looks at the store, or changes it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        let done = work(&mut self.lock());
        self.news.send_modify(|it| *it += 1);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }
}

impl Api {
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            store: Mutex::default(),
            news: watch::Sender::new(0),
        });
        let mut api = Self {
            shared,
            address,
            serving: None,
        };
        api.shared.with(|store| {
            store
                .create(&KINDS[0], "", json!({"metadata": {"name": "default"}}))
                .unwrap()
        });
        api.resume().await;
        api
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Closes the listener and every connection.
    pub(crate) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            serving.await.ok();
        }
    }

    pub(crate) async fn resume(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.address = listener.local_addr().unwrap();
        let shared = self.shared();
        self.serving = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&shared), request));
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        }));
    }

    /// Forgets what happened so far: open watches and those that go on from there are told 410.
    pub(crate) fn forget(&self) {
        self.shared.with(|store| {
            store.version += 1;
            store.forgotten = store.version;
            store.events.clear();
        });
    }
}

/// What a path names.
struct Place {
    kind: &'static Kind,
    /// None: of all namespaces.
    namespace: Option<String>,
    name: Option<String>,
    sub: Option<String>,
}

impl Place {
    fn of(path: &[&str]) -> Option<Self> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let named = |plural: &str| {
            KINDS
                .iter()
                .find(|it| (it.group, it.version, it.plural) == (group, version, plural))
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if rest.first().is_some_and(|it| named(it).is_some()) =>
            {
                (Some((*namespace).to_owned()), rest)
            }
            _ => (None, rest),
        };
        let kind = named(rest.first()?)?;
        let at = |index: usize| rest.get(index).map(|it| (*it).to_owned());
        Some(Self {
            kind,
            namespace,
            name: at(1),
            sub: at(2),
        })
    }

    fn key(&self) -> Key {
        (
            self.kind.plural,
            self.namespace.clone().unwrap_or_default(),
            self.name.clone().unwrap_or_default(),
        )
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let path: Vec<_> = path.split('/').filter(|it| !it.is_empty()).collect();
    let query = query(request.uri().query().unwrap_or_default());
    let method = request.method().clone();
    let Some(place) = Place::of(&path) else {
        let found = discovery(&path).ok_or_else(|| {
            (
                404,
                "NotFound",
                "the server could not find the requested resource".to_owned(),
            )
        });
        return Ok(json_of(found));
    };
    let body = request
        .into_body()
        .collect()
        .await
        .map(Collected::to_bytes)
        .unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if method == Method::GET && place.name.is_none() {
        return Ok(
            if query
                .get("watch")
                .is_some_and(|it| it == "1" || it == "true")
            {
                watching(shared, place, query)
            } else {
                json_of(Ok(list(&shared.lock(), &place, &query)))
            },
        );
    }
    let done = shared.with(|store| change(store, &place, &method, body));
    Ok(json_of(done.map(|it| {
        (if method == Method::POST { 201 } else { 200 }, it)
    })))
}

fn change(
    store: &mut Store,
    place: &Place,
    method: &Method,
    body: Value,
) -> Result<Value, Refusal> {
    let key = place.key();
    match (method.as_str(), place.sub.as_deref()) {
        ("GET", None | Some("status")) => store.get(&key).cloned(),
        ("GET", Some("scale")) => store.get(&key).map(scale),
        ("POST", None) => store.create(place.kind, &key.1, body),
        ("PUT", None) => store.replace(&key, body),
        ("PUT", Some("status")) => store.replace_status(&key, &body),
        ("PATCH", None) => {
            let mut object = store.get(&key)?.clone();
            merge(&mut object, &body);
            store.replace(&key, object)
        }
        ("PUT" | "PATCH", Some("scale")) if place.kind.has_scale => {
            let mut object = store.get(&key)?.clone();
            object["spec"]["replicas"] = body["spec"]["replicas"].clone();
            store.replace(&key, object).map(|it| scale(&it))
        }
        ("DELETE", None) => store.delete(&key, &body),
        _ => Err((
            405,
            "MethodNotAllowed",
            format!("{method} is not answered here"),
        )),
    }
}

fn list(store: &Store, place: &Place, query: &BTreeMap<String, String>) -> (u16, Value) {
    let items = store
        .objects
        .iter()
        .filter(|(key, it)| selects(place, query, key, it))
        .map(|(_, it)| it.clone());
    let items: Vec<_> = items.collect();
    let kind = format!("{}List", place.kind.name);
    let metadata = json!({"resourceVersion": store.version.to_string()});
    (
        200,
        json!({"kind": kind, "apiVersion": place.kind.api_version(), "metadata": metadata, "items": items}),
    )
}

fn selects(place: &Place, query: &BTreeMap<String, String>, key: &Key, object: &Value) -> bool {
    let pairs = |name: &str| -> Vec<(String, String)> {
        let all = query
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
            .split(',');
        all.filter_map(|it| it.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_start_matches('=').to_owned()))
            .collect()
    };
    key.0 == place.kind.plural
        && place.namespace.as_ref().is_none_or(|it| *it == key.1)
        && pairs("labelSelector")
            .iter()
            .all(|(name, value)| object["metadata"]["labels"][name] == json!(value))
        && pairs("fieldSelector")
            .iter()
            .all(|(name, value)| name != "metadata.name" || *value == key.2)
}

/// What happens from a version on, an object a line, until the server, the client or the time ends it. From nothing on, what is there comes
/// first; who asks for it is told when that is all.
fn watching(shared: Arc<Shared>, place: Place, query: BTreeMap<String, String>) -> Response<Body> {
    let number = |name: &str| query.get(name).and_then(|it| it.parse().ok());
    let from = number("resourceVersion").unwrap_or(0);
    if from != 0 && from < shared.lock().forgotten {
        return json_of(Err(gone()));
    }
    let ends = Duration::from_secs(number("timeoutSeconds").unwrap_or(290));
    let ends = tokio::time::Instant::now() + ends;
    let news = shared.news.subscribe();
    let watch = Watch {
        shared,
        place,
        query,
        seen: from,
        is_over: false,
    };
    let lines = stream::unfold((watch, news), move |(mut watch, mut news)| async move {
        while !watch.is_over {
            news.borrow_and_update();
            let lines = watch.lines();
            if !lines.is_empty() {
                let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(lines)));
                return Some((frame, (watch, news)));
            }
            tokio::select! {
                () = tokio::time::sleep_until(ends) => return None,
                changed = news.changed() => changed.ok()?,
            }
        }
        None
    });
    let body = BodyExt::boxed_unsync(StreamBody::new(lines.boxed()));
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

struct Watch {
    shared: Arc<Shared>,
    place: Place,
    query: BTreeMap<String, String>,
    /// The version up to which all is said.
    seen: u64,
    is_over: bool,
}

impl Watch {
    fn lines(&mut self) -> String {
        let store = self.shared.lock();
        let selects = |key: &Key, object: &Value| selects(&self.place, &self.query, key, object);
        let line =
            |what: &str, object: &Value| format!("{}\n", json!({"type": what, "object": object}));
        let lines = if self.seen == 0 {
            let there = store.objects.iter().filter(|(key, it)| selects(key, it));
            let mut lines: String = there.map(|(_, it)| line("ADDED", it)).collect();
            if self
                .query
                .get("sendInitialEvents")
                .is_some_and(|it| it == "true")
            {
                let annotations = json!({"k8s.io/initial-events-end": "true"});
                let metadata = json!({"resourceVersion": store.version.to_string(), "annotations": annotations});
                let kind = self.place.kind;
                lines += &line(
                    "BOOKMARK",
                    &json!({"kind": kind.name, "apiVersion": kind.api_version(), "metadata": metadata}),
                );
            }
            lines
        } else if self.seen < store.forgotten {
            self.is_over = true;
            line("ERROR", &status(&gone()))
        } else {
            let events = store
                .events
                .iter()
                .filter(|it| it.version > self.seen && selects(&it.key, &it.object));
            events.map(|it| line(it.what, &it.object)).collect()
        };
        self.seen = store.version;
        lines
    }
}

/// What kubectl and clients ask first.
fn discovery(path: &[&str]) -> Option<(u16, Value)> {
    let groups = || {
        let named = KINDS.iter().filter(|it| !it.group.is_empty());
        named.map(|it| {
            let version = json!({"groupVersion": it.api_version(), "version": it.version});
            json!({"name": it.group, "versions": [version], "preferredVersion": version})
        })
    };
    let resources = |api_version: String| {
        let kinds = KINDS.iter().filter(|it| it.api_version() == api_version);
        let resources: Vec<_> = kinds.flat_map(|it| {
            let entry = |sub: &str, kind: &str| {
                let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
                json!({"name": format!("{}{sub}", it.plural), "singularName": it.name.to_lowercase(), "namespaced": it.is_namespaced, "kind": kind, "verbs": verbs})
            };
            let mut scale = entry("/scale", "Scale");
            scale["group"] = json!("autoscaling");
            scale["version"] = json!("v1");
            let all = [Some(entry("", it.name)), Some(entry("/status", it.name)), it.has_scale.then_some(scale)];
            all.into_iter().flatten()
        }).collect();
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources})
    };
    let found = match path {
        ["version"] => json!({"major": "1", "minor": "37", "gitVersion": "v1.37.0-chrysalis-test"}),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => {
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups().collect::<Vec<_>>()})
        }
        ["api", "v1"] => resources("v1".to_owned()),
        ["apis", group, version]
            if KINDS
                .iter()
                .any(|it| (it.group, it.version) == (*group, *version)) =>
        {
            resources(format!("{group}/{version}"))
        }
        _ => return None,
    };
    Some((200, found))
}

fn scale(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let kept = ["name", "namespace", "uid", "resourceVersion"]
        .map(|it| (it.to_owned(), metadata[it].clone()));
    let status = json!({"replicas": object["status"]["replicas"].as_u64().unwrap_or(0), "selector": object["status"]["selector"]});
    let metadata: serde_json::Map<_, _> = kept.into_iter().collect();
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": {"replicas": object["spec"]["replicas"]}, "status": status})
}

/// RFC 7386.
pub(crate) fn merge(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut into[name], value);
        }
    }
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|it| it.split_once('='));
    let decoded = |it: &str| {
        percent_decode_str(&it.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn gone() -> Refusal {
    (410, "Expired", "too old resource version".to_owned())
}

fn status((code, reason, message): &Refusal) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "code": code, "message": message})
}

fn json_of(found: Result<(u16, Value), Refusal>) -> Response<Body> {
    let (code, value) = found.unwrap_or_else(|refusal| (refusal.0, status(&refusal)));
    let body = Full::from(value.to_string()).boxed_unsync();
    Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

/// The phase of a pod.
pub(crate) fn phase(pod: &Value) -> String {
    text(pod, "/status/phase")
}
