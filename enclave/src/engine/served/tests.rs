use super::*;
use crate::{
    engine::{
        CallBody,
        fake::{self, Play, Said},
    },
    secrets::Secrets,
};
use chrysalis_wire::configuration::{Kind, KnownAnswer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const PATIENCE: Duration = Duration::from_secs(30);

fn call(text: &str) -> Call {
    Call {
        path: "/v1/completions",
        body: CallBody::Json(json!({"prompt": text, "max_tokens": 16, "stream": true})),
        most_text: 1024,
    }
}

async fn served(play: Play) -> Arc<Served> {
    served_within(play, |_| {}).await
}

async fn served_within(play: Play, change: fn(&mut Serving)) -> Arc<Served> {
    let mut serving = fake::measured().configuration.serving;
    change(&mut serving);
    fake::serve(&fake::model("tiny", Kind::Chat), play, &serving).await
}

fn tenant() -> Tenant {
    Tenant([1; 32])
}

async fn next(answer: &mut mpsc::Receiver<Event>) -> Option<Event> {
    timeout(PATIENCE, answer.recv())
        .await
        .expect("a part in time")
}

/// The text of an answer, and how it ended.
async fn whole(mut answer: mpsc::Receiver<Event>) -> (String, Option<Event>) {
    let mut text = String::new();
    loop {
        match next(&mut answer).await {
            Some(Event::Began) => {}
            Some(Event::Json(piece)) => {
                text.push_str(piece["choices"][0]["text"].as_str().unwrap_or_default());
            }
            last => return (text, last),
        }
    }
}

fn begin(served: &Arc<Served>, text: &str) -> Result<mpsc::Receiver<Event>, Turned> {
    served.ask(&tenant(), call(text), Spell::default())
}

async fn ask(served: &Arc<Served>, text: &str) -> (String, Option<Event>) {
    whole(begin(served, text).unwrap()).await
}

fn failed(fault: Fault) -> Event {
    Event::Failed(fault)
}

#[tokio::test]
async fn an_answer_comes_part_by_part_and_ends() {
    let served = served(fake::echo).await;
    let mut answer = begin(&served, "a b").unwrap();
    assert_eq!(next(&mut answer).await, Some(Event::Began));
    assert_eq!(whole(answer).await, ("a b ".into(), Some(Event::Done)));
    assert_eq!(served.counters().requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn one_more_than_the_queue_holds_is_turned_away() {
    let served = served(fake::echo).await;
    let mut running = begin(&served, "forever").unwrap();
    next(&mut running).await;
    let _waiting = [(); 2].map(|()| begin(&served, "a").unwrap());
    let turned = begin(&served, "b").unwrap_err();
    assert!(matches!(turned, Turned::Busy { .. }));
    // A client that leaves makes room.
    drop(running);
    timeout(PATIENCE, async {
        while begin(&served, "c").is_err() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_engine_that_ends_costs_one_answer_and_is_replaced() {
    let served = served(fake::echo).await;
    let (text, end) = ask(&served, "one crash").await;
    assert_eq!((text.as_str(), end), ("one ", Some(failed(Fault::Ended))));
    assert_eq!(
        ask(&served, "again").await,
        ("again ".into(), Some(Event::Done))
    );
    assert_eq!(served.counters().restarts.load(Ordering::Relaxed), 1);
    assert!(served.ready());
}

fn lies(_: &str, body: Value) -> Vec<Said> {
    let chunk = || Said::Json(json!({"choices": [{"text": "x"}]}));
    match body["prompt"].as_str().unwrap_or_default() {
        "no json" => vec![chunk(), Said::Raw("data: {\n\n".into())],
        "no event" => vec![chunk(), Said::Raw("data: x".into())],
        "no end" => vec![chunk()],
        "closes" => vec![chunk(), Said::Close],
        "event without end" => vec![Said::Raw(vec![b'x'; 300 << 10].into())],
        "too much" => (0..10_000)
            .map(|_| Said::Raw(format!(": {}\n", "x".repeat(1 << 10)).into()))
            .collect(),
        "whole nonsense" => vec![Said::Whole(Value::Null), Said::Raw("}".into())],
        _ => fake::echo("/v1/completions", body),
    }
}

#[tokio::test]
async fn each_lie_of_an_engine_costs_one_answer() {
    let served = served(lies).await;
    for (lie, fault) in [
        ("no json", Fault::Malformed),
        ("no event", Fault::Malformed),
        ("no end", Fault::Ended),
        ("closes", Fault::Ended),
        ("event without end", Fault::TooLong),
        ("too much", Fault::TooLong),
        ("whole nonsense", Fault::Malformed),
    ] {
        assert_eq!(ask(&served, lie).await.1, Some(failed(fault)), "{lie}");
        let after = ask(&served, "honest").await;
        assert_eq!(after, ("honest ".into(), Some(Event::Done)), "{lie}");
    }
}

#[tokio::test]
async fn what_an_engine_refuses_is_passed_on_and_it_stays() {
    let served = served(fake::echo).await;
    let (_, end) = ask(&served, "long").await;
    assert!(
        matches!(end, Some(Event::Refused { status: 400, .. })),
        "{end:?}"
    );
    assert_eq!(served.counters().restarts.load(Ordering::Relaxed), 0);
}

fn flood(_: &str, body: Value) -> Vec<Said> {
    if body["prompt"] == "flood" {
        return (0..5000).map(|_| Said::Json(json!({}))).collect();
    }
    fake::echo("/v1/completions", body)
}

#[tokio::test]
async fn an_engine_never_waits_for_a_reader() {
    let served = served(flood).await;
    let mut slow = begin(&served, "flood").unwrap();
    assert_eq!(
        ask(&served, "next").await,
        ("next ".into(), Some(Event::Done))
    );
    let mut last = None;
    while let Some(event) = next(&mut slow).await {
        last = Some(event);
    }
    assert_eq!(last, Some(failed(Fault::NotRead)));
    assert_eq!(served.counters().restarts.load(Ordering::Relaxed), 0);
}

/// Answers at first; once it has ended, it never gets ready again.
fn breaks_for_good(path: &str, body: Value) -> Vec<Said> {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    if body["prompt"] == "crash" {
        BROKEN.store(true, Ordering::Relaxed);
    }
    let known = body["prompt"] == "well known";
    if known && BROKEN.load(Ordering::Relaxed) {
        return vec![
            Said::Json(json!({"choices": [{"text": "something else"}]})),
            Said::Done,
        ];
    }
    fake::echo(path, body)
}

#[tokio::test]
async fn where_no_engine_starts_it_says_so() {
    let mut model = fake::model("tiny", Kind::Chat);
    model.known_answer = fake::measured().configuration.models.remove(0).known_answer;
    let serving = fake::measured().configuration.serving;
    let served = fake::serve(&model, breaks_for_good, &serving).await;
    ask(&served, "crash").await;
    timeout(PATIENCE, async {
        while served.ready() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(begin(&served, "a").unwrap_err(), Turned::NoEngine);
}

#[tokio::test]
async fn another_answer_than_the_known_one_stops_the_start() {
    let mut model = fake::model("tiny", Kind::Chat);
    let known = |text: &str| KnownAnswer {
        prompt: "well known".into(),
        text: text.into(),
        seen_on: None,
    };
    model.known_answer = vec![known("well done")];
    let launcher = fake::launcher(&model, fake::echo);
    let process = launcher.start().await.unwrap();
    let failure = launcher.require_known_answer(&process).await.unwrap_err();
    assert_eq!(failure.code(), "known_answer_wrong");
    // One of several is enough.
    model.known_answer.push(known("well known "));
    let launcher = fake::launcher(&model, fake::echo);
    launcher.require_known_answer(&process).await.unwrap();
}

/// Says how often it was started: the known answer is asked for once by each process.
static STARTS: AtomicU32 = AtomicU32::new(0);

fn counts_starts(path: &str, body: Value) -> Vec<Said> {
    if body["prompt"] == "well known" {
        STARTS.fetch_add(1, Ordering::Relaxed);
    }
    fake::echo(path, body)
}

#[tokio::test]
async fn an_engine_that_was_asked_and_is_idle_is_replaced_once() {
    let mut model = fake::model("tiny", Kind::Chat);
    model.known_answer = fake::measured().configuration.models.remove(0).known_answer;
    let mut serving = fake::measured().configuration.serving;
    serving.recycle_idle_s = 1;
    let served = fake::serve(&model, counts_starts, &serving).await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        STARTS.load(Ordering::Relaxed),
        1,
        "it has not been asked anything"
    );
    ask(&served, "a secret").await;
    sleep(Duration::from_millis(3500)).await;
    assert_eq!(STARTS.load(Ordering::Relaxed), 2);
    assert_eq!(served.counters().restarts.load(Ordering::Relaxed), 0);
    assert_eq!(ask(&served, "more").await.1, Some(Event::Done));
}

#[tokio::test]
async fn a_call_that_goes_away_ends_at_the_engine_too() {
    let served = served(fake::echo).await;
    let mut running = begin(&served, "forever").unwrap();
    next(&mut running).await;
    drop(running);
    assert_eq!(
        ask(&served, "next").await,
        ("next ".into(), Some(Event::Done))
    );
}

/// A model whose engine was given this secret.
async fn served_with_secret(value: &str) -> Arc<Served> {
    let model = fake::model("tiny", Kind::Chat);
    let mut launcher = fake::launcher(&model, fake::echo);
    launcher.secrets = Secrets::new(&["licence".to_owned()], values(value).into_iter());
    let process = launcher.start().await.unwrap();
    let serving = fake::measured().configuration.serving;
    Served::start(launcher, process, &serving, Trust::default())
}

fn values(value: &str) -> Vec<Wiped> {
    vec![value.as_bytes().to_vec().into()]
}

#[tokio::test]
async fn a_secret_that_has_changed_is_given_to_a_fresh_process() {
    let served = served_with_secret("one").await;
    let old = served.process().await.unwrap();
    served.renew_secrets(values("one"));
    // What has begun ends with the process that began it.
    let mut running = begin(&served, "a step b").unwrap();
    next(&mut running).await;
    served.renew_secrets(values("two"));
    let fresh = async {
        while served.process().await.unwrap().given() == old.given() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, fresh).await.unwrap();
    assert_eq!(served.launcher.count.load(Ordering::Relaxed), 2);
    fake::steps().add_permits(1);
    assert_eq!(whole(running).await, ("a b ".into(), Some(Event::Done)));
    assert_eq!(
        ask(&served, "new").await,
        ("new ".into(), Some(Event::Done))
    );
}

#[tokio::test]
async fn a_model_out_of_service_has_no_secrets() {
    let served = served_with_secret("one").await;
    assert_eq!(served.launcher.secrets.now().secrets.len(), 1);
    served.withdraw().await;
    assert!(served.launcher.secrets.now().secrets.is_empty());
}
