//! An answer as it comes in.

use std::{sync::Arc, time::Duration};

use chrysalis_client::proxy::Body;
use http_body_util::BodyExt;
use hyper::Response;
use pyo3::{prelude::*, types::PyBytes};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use crate::{
    failure::Failure,
    runtime,
    task::{Outcome, Task},
};

/// What is left of a body, and its place among the connections.
type Rest = Arc<Mutex<Option<(Body, OwnedSemaphorePermit)>>>;

/// A status, headers, and a body that comes piece by piece. Dropping it closes its connection if the body has not come whole.
#[pyclass(frozen, module = "chrysalis._native")]
pub(crate) struct Answer {
    /// The status code.
    #[pyo3(get)]
    status: u16,
    /// Names and values, in their order.
    #[pyo3(get)]
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    rest: Rest,
}

impl Answer {
    pub(crate) fn new(answer: Response<Body>, place: OwnedSemaphorePermit) -> Self {
        let (head, body) = answer.into_parts();
        let headers = head.headers.iter();
        let headers =
            headers.map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()));
        Self {
            status: head.status.as_u16(),
            headers: headers.collect(),
            rest: Arc::new(Mutex::new(Some((body, place)))),
        }
    }
}

#[pymethods]
impl Answer {
    /// The next piece: bytes, or None once the answer has come whole. `read`: seconds to wait for it at most.
    #[pyo3(signature = (read=None))]
    fn next(&self, python: Python<'_>, read: Option<f64>) -> PyResult<Task> {
        let rest = Arc::clone(&self.rest);
        let limit = limit(read);
        Task::begin(async move { next(rest, limit).await })
            .map_err(|failure| failure.raised(python))
    }

    /// Closes the connection, if the body has not come whole.
    fn close(&self) {
        let rest = Arc::clone(&self.rest);
        // Where there is no runtime, there is no connection either.
        if let Ok(runtime) = runtime::current() {
            runtime.spawn(async move { rest.lock().await.take() });
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A body is dropped where its connection lives.
        self.close();
    }
}

/// A wait in seconds; `None`, and what no clock can count, has no end.
pub(crate) fn limit(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// The next piece of data.
async fn next(rest: Rest, limit: Option<Duration>) -> Result<Outcome, Failure> {
    let mut rest = rest.lock().await;
    let piece = async {
        let Some((body, _)) = &mut *rest else {
            return Ok(None);
        };
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    };
    let piece = late(limit, "read", piece).await;
    if !matches!(piece, Ok(Some(_))) {
        rest.take();
    }
    piece.map(|piece| -> Outcome {
        Box::new(move |python| {
            Ok(match piece {
                Some(bytes) => PyBytes::new(python, &bytes).into_any().unbind(),
                None => python.None(),
            })
        })
    })
}

/// Waits for `work` for as long as its caller does.
pub(crate) async fn late<T>(
    limit: Option<Duration>,
    what: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match limit {
        None => work.await,
        Some(after) => tokio::time::timeout(after, work)
            .await
            .unwrap_or(Err(Failure::Late { what, after })),
    }
}
