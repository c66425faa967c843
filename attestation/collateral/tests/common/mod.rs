//! Services that answer as the vendors' do, and as they should not; and a world whose clock only sleeping moves.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod services;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use chrysalis_attestation::Time;
use chrysalis_collateral::{
    Anchors, Event, Fetcher, Gathered, Http, Limits, Mirrors, Refresh, Service, Store, Update,
    Wish, World,
};

/// Longer than any test has patience.
const STALL: Duration = Duration::from_secs(5);

/// What a service does when it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status, header lines, body.
    Whole(u16, Vec<String>, Vec<u8>),
    /// A body that ends before its announced length.
    Truncated(Vec<u8>),
    /// A header, and then nothing for a long time.
    Stalling,
    /// A body without end.
    Endless,
}

pub(crate) fn ok(body: &[u8]) -> Answer {
    Answer::Whole(200, Vec::new(), body.to_vec())
}

pub(crate) fn status(status: u16) -> Answer {
    Answer::Whole(status, Vec::new(), b"no".to_vec())
}

pub(crate) fn with_header(status: u16, header: &str, body: &[u8]) -> Answer {
    Answer::Whole(status, vec![header.to_owned()], body.to_vec())
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
}

type Script = BTreeMap<String, VecDeque<Answer>>;

/// Makes an answer of a question that was posted.
type Answerer = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// A service on this machine. A path's last answer is repeated; a path without one is 404.
pub(crate) struct Local {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Script>>,
    responder: Arc<Mutex<Option<Arc<Answerer>>>>,
}

impl Local {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, script) = (Arc::default(), Arc::new(Mutex::new(Script::new())));
        let responder = Arc::new(Mutex::new(None));
        let local = Self {
            base,
            asked: Arc::clone(&asked),
            script: Arc::clone(&script),
            responder: Arc::clone(&responder),
        };
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (asked, script) = (Arc::clone(&asked), Arc::clone(&script));
                let responder = responder.lock().unwrap().clone();
                thread::spawn(move || serve(connection, &asked, &script, responder.as_deref()));
            }
        });
        local
    }

    /// What `GET path`, or `POST path`, is answered with, in turn.
    pub(crate) fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) -> &Self {
        let answers = answers.into_iter().collect();
        self.script.lock().unwrap().insert(path.to_owned(), answers);
        self
    }

    /// What a POST is answered with whose body holds these bytes.
    pub(crate) fn respond(&self, about: &[u8], answer: Answer) -> &Self {
        self.answer(&hex::encode(about), [answer])
    }

    /// What every POST is answered with for which there is nothing else; 404 where this says nothing.
    pub(crate) fn respond_by(
        &self,
        answerer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) {
        *self.responder.lock().unwrap() = Some(Arc::new(answerer));
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

fn serve(
    mut connection: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    script: &Mutex<Script>,
    responder: Option<&Answerer>,
) {
    let Some((line, body)) = read(&connection) else {
        return;
    };
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let question = hex::encode(&body);
    let made = responder.and_then(|answer| answer(&body));
    asked.lock().unwrap().push(Asked { line, body });
    let mut script = script.lock().unwrap();
    let about = script.keys().find(|key| question.contains(*key)).cloned();
    let found = script.get_mut(&about.unwrap_or(path));
    let answer = match found {
        Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
        Some(answers) => answers[0].clone(),
        None => made.map_or_else(|| status(404), |body| ok(&body)),
    };
    drop(script);
    let head = |status: u16, length: usize, headers: &[String]| {
        let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
        format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
        )
    };
    let _ = match answer {
        Answer::Whole(status, headers, body) => connection
            .write_all(head(status, body.len(), &headers).as_bytes())
            .and_then(|()| connection.write_all(&body)),
        Answer::Truncated(body) => connection
            .write_all(head(200, body.len(), &[]).as_bytes())
            .and_then(|()| connection.write_all(&body[..body.len() / 2])),
        Answer::Stalling => connection
            .write_all(b"HTTP/1.1 200 X\r\n")
            .map(|()| thread::sleep(STALL)),
        Answer::Endless => connection
            .write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n")
            .map(|()| while connection.write_all(&[0; 1 << 13]).is_ok() {}),
    };
}

fn read(connection: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(
                line.to_lowercase()
                    .contains("content-length")
                    .then(|| line.to_owned())
                    .ok_or(line.to_owned()),
            ),
        }
    }
    let length = lines.iter().find_map(|line| {
        let (_, length) = line.as_ref().ok()?.split_once(':')?;
        length.trim().parse::<usize>().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let first = lines.into_iter().next()?;
    Some((first.unwrap_or_else(|line| line), body))
}

/// A world at a moment, where nobody waits.
pub(crate) struct Staged {
    pub(crate) now: Cell<Time>,
    elapsed: Cell<Duration>,
    pub(crate) slept: RefCell<Vec<Duration>>,
}

impl Staged {
    pub(crate) fn at(now: Time) -> Self {
        Self {
            now: Cell::new(now),
            elapsed: Cell::default(),
            slept: RefCell::default(),
        }
    }

    pub(crate) fn seconds_slept(&self) -> Vec<u64> {
        let slept = self.slept.borrow();
        slept
            .iter()
            .map(|pause| (*pause + Duration::from_millis(50)).as_secs())
            .collect()
    }
}

impl World for Staged {
    fn now(&self) -> Time {
        self.now.get()
    }

    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }

    fn sleep(&self, duration: Duration) {
        self.slept.borrow_mut().push(duration);
        self.elapsed.set(self.elapsed.get() + duration);
    }

    fn random(&self) -> Option<[u8; 32]> {
        Some([127; 32])
    }
}

/// A store in a folder of its own, a service, and a world.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) local: Local,
    pub(crate) world: Staged,
    pub(crate) anchors: Anchors,
    pub(crate) mirrors: Mirrors,
    pub(crate) update: Update,
    pub(crate) limits: Limits,
}

impl Stage {
    pub(crate) fn new(now: Time, anchors: Anchors) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::start();
        let mut mirrors = Mirrors::default();
        for service in Service::ALL {
            mirrors.set(service, &local.base).unwrap();
        }
        Self {
            store: Store::open_or_create(folder.path()).unwrap(),
            folder,
            local,
            world: Staged::at(now),
            anchors,
            mirrors,
            update: Update::Standard,
            limits: Limits {
                spacing: Duration::ZERO,
                ..Limits::default()
            },
        }
    }

    pub(crate) fn gather(&self, wish: &Wish, refresh: Refresh) -> Vec<Gathered> {
        self.gather_hearing(wish, refresh, &mut |_| ())
    }

    pub(crate) fn gather_hearing(
        &self,
        wish: &Wish,
        refresh: Refresh,
        hear: &mut dyn FnMut(Event<'_>),
    ) -> Vec<Gathered> {
        Fetcher {
            store: &self.store,
            mirrors: &self.mirrors,
            update: self.update,
            anchors: &self.anchors,
            http: &Http::new(),
            world: &self.world,
            limits: self.limits,
            hear,
        }
        .gather(wish, refresh)
    }
}

/// The codes of what failed, `""` for what did not.
pub(crate) fn codes(gathered: &[Gathered]) -> Vec<&'static str> {
    gathered
        .iter()
        .map(|it| {
            it.outcome
                .as_ref()
                .map_or_else(|failure| failure.error.code(), |_| "")
        })
        .collect()
}
