//! Who is let in, and why others are not.

use super::*;

fn code(refused: &(u16, Value)) -> (u16, &str) {
    (refused.0, refused.1["code"].as_str().unwrap())
}

#[tokio::test]
async fn what_runs_on_a_tab_counts_at_its_bound_over_all_its_connections() {
    let (host, _story) = enclave("required").await;
    let mut one = Payer::new(&host).await;
    let running = bound(&streamed("forever"), one.quote("tiny"));
    let next = bound(&chat("one two"), one.quote("tiny"));
    one.cap = running + next - 1;
    let mut other = one.again(&host).await;
    let (job, body) = begin(&mut one, "forever", b"on ").await;
    let refused = other.refused(CHAT, &chat("one two")).await;
    assert_eq!(code(&refused), (402, "cap_too_low"));
    assert_eq!(refused.1["wanted"], running + next);
    assert_eq!(refused.1["cap"], one.cap);
    assert_eq!(refused.1["ceiling"], u64::MAX);
    // As much as was wanted is enough.
    other.cap = refused.1["wanted"].as_u64().unwrap();
    let paid = other.paid(CHAT, &chat("one two")).await;
    assert_eq!((paid.units, paid.amount), ([2, 0, 2, 0], 6));
    // The one that ran is owed with what it handed over, and continues the same chain.
    one.connection = Connection::new(&host).await;
    let cancelled = loop {
        let state = other.state().await;
        let last = state.last.unwrap();
        if Job::decode(&last.job).unwrap().seq == 2 {
            break last;
        }
    };
    let body = body.to_string();
    let cancelled = other.take(&cancelled, job, body.as_bytes(), None, "tiny");
    assert_eq!((cancelled.amount, cancelled.cumulative), (2, 8));
}

#[tokio::test]
async fn a_cap_never_falls_and_a_newer_one_counts() {
    let (host, _story) = enclave("optional").await;
    let mut payer = Payer::new(&host).await;
    let enough = payer.cap;
    payer.paid(CHAT, &chat("one")).await;
    payer.cap = 1;
    payer.paid(CHAT, &chat("one")).await;
    let enough_for_one = bound(&chat("one"), payer.quote("tiny"));
    let mut other = Payer::with(&host, 1, enough_for_one).await;
    other.paid(CHAT, &chat("one")).await;
    let refused = other.refused(CHAT, &chat("one")).await;
    assert_eq!(code(&refused), (402, "cap_too_low"));
    // Raised by asking for the tab.
    other.cap = enough;
    other.state().await;
    other.cap = 1;
    other.paid(CHAT, &chat("one")).await;
}

#[tokio::test]
async fn all_tabs_of_a_lane_share_its_ceiling() {
    let ceiling = 4000;
    let low = |bank: &mut Bank| drop(bank.lanes.insert(LANE, Ok(lane(ceiling))));
    let (host, _story) = enclave_within("required", low, Bounds::default()).await;
    let mut one = Payer::new(&host).await;
    let running = bound(&streamed("forever"), one.quote("tiny"));
    let next = bound(&chat("one two three"), one.quote("tiny"));
    begin(&mut one, "forever", b"on ").await;
    let mut two = Payer::with(&host, 1, one.cap).await;
    assert_eq!(two.state().await.ceiling, ceiling);
    begin(&mut two, "forever", b"on ").await;
    let mut three = Payer::with(&host, 2, one.cap).await;
    begin(&mut three, "forever", b"on ").await;
    let mut four = Payer::with(&host, 3, one.cap).await;
    let refused = four.refused(CHAT, &chat("one two three")).await;
    assert_eq!(code(&refused), (402, "cap_too_low"));
    assert_eq!(refused.1["wanted"], next);
    assert_eq!(refused.1["ceiling"], ceiling - 3 * running);
}

#[tokio::test]
async fn who_must_pay_and_does_not_gets_the_price() {
    let (host, _story) = enclave("required").await;
    let mut connection = Connection::new(&host).await;
    for (start, body) in endpoints::requests() {
        for headers in ["", "x-chrysalis-job: 00112233445566778899aabbccddeeff\r\n"] {
            let asked = body.to_string();
            let answer = connection.post(start, headers, asked.as_bytes()).await;
            let error = &answer.json()["error"];
            assert_eq!(answer.status, 402, "{start}");
            assert_eq!(error["code"], "payment_required");
            let quote = error["quote"].as_str().unwrap().as_bytes();
            let quote = Quote::decode(&BASE64URL_NOPAD.decode(quote).unwrap()).unwrap();
            assert_eq!(quote.model, body["model"].as_str().unwrap());
            assert!(!answer.head.contains("receipt"));
        }
    }
    // What is free stays so.
    let answer = connection.post("POST /v1/tab", "", b"").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn who_may_pay_need_not() {
    let (host, _story) = enclave("optional").await;
    let mut connection = Connection::new(&host).await;
    let job = "x-chrysalis-job: 00112233445566778899aabbccddeeff\r\n";
    for headers in ["", job] {
        let body = chat("one").to_string();
        let answer = connection.post(CHAT, headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.head.contains("receipt"), !headers.is_empty());
    }
}

#[tokio::test]
async fn where_nobody_pays_caps_are_refused() {
    let (host, _story) = super::super::host::enclave().await;
    let mut connection = Connection::new(&host).await;
    let credential = Credential {
        tab: TabId {
            purse: [7; 32],
            lane: LANE,
            branch: 0,
        },
        cap: 9,
        signature: [0; 64],
    };
    let presence = presence(&credential, &connection, &connection.attested());
    let headers = headers([1; 16], [2; 32], &credential) + &presence;
    let body = chat("one").to_string();
    for answer in [
        connection.post(CHAT, &headers, body.as_bytes()).await,
        connection
            .post("POST /v1/tab", "", &credential.encode())
            .await,
    ] {
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["error"]["param"], "x-chrysalis-cap");
    }
}

#[tokio::test]
async fn an_unknown_quote_is_refused_with_the_current_one() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let credential = payer.credential();
    for digest in [[9; 32], payer.quote("embedding").digest()] {
        let headers = headers(payer.next(), digest, &credential) + &payer.presence();
        let body = chat("one").to_string();
        let answer = payer.connection.post(CHAT, &headers, body.as_bytes()).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status, &error["code"]),
            (409, &json!("quote_unknown"))
        );
        let quote = error["quote"].as_str().unwrap().as_bytes();
        let quote = Quote::decode(&BASE64URL_NOPAD.decode(quote).unwrap()).unwrap();
        assert_eq!(&quote, payer.quote("tiny"));
    }
    let job = payer.next();
    let headers = payer.headers(job, "embedding");
    let body = json!({"model": "embedding", "input": "a"}).to_string();
    let answer = payer
        .connection
        .post("POST /v1/embeddings", &headers, body.as_bytes());
    assert_eq!(answer.await.status, 200);
}

#[tokio::test]
async fn a_job_counts_once_on_its_tab_whichever_connection_brings_it() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    payer.paid(CHAT, &chat("one")).await;
    let mut other = payer.again(&host).await;
    other.jobs = 0;
    let refused = other.refused(CHAT, &chat("one")).await;
    assert_eq!(code(&refused), (409, "job_repeated"));
    // What was not let in used up no number.
    let cap = other.cap;
    other.cap = 1;
    let mut third = Payer::with(&host, 1, 1).await;
    let refused = third.refused(CHAT, &chat("one")).await;
    assert_eq!(code(&refused), (402, "cap_too_low"));
    (third.cap, third.jobs) = (cap, 0);
    third.paid(CHAT, &chat("one")).await;
}

#[tokio::test]
async fn headers_have_one_form_and_come_together() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let whole = payer.headers([1; 16], "tiny");
    let lines: Vec<&str> = whole.split_inclusive("\r\n").collect();
    let body = chat("one").to_string();
    for (headers, code, parameter) in [
        (
            lines[1..].concat(),
            "missing_required_parameter",
            "x-chrysalis-job",
        ),
        (
            [lines[0], lines[2]].concat(),
            "missing_required_parameter",
            "x-chrysalis-quote",
        ),
        (
            lines[..2].concat(),
            "missing_required_parameter",
            "x-chrysalis-cap",
        ),
        (
            whole.clone() + lines[1],
            "invalid_value",
            "x-chrysalis-quote",
        ),
        (whole.clone() + lines[2], "invalid_value", "x-chrysalis-cap"),
        (
            [lines[0], "x-chrysalis-quote: 00\r\n", lines[2]].concat(),
            "invalid_value",
            "x-chrysalis-quote",
        ),
        (
            [lines[0], lines[1], "x-chrysalis-cap: AAAA\r\n"].concat(),
            "invalid_value",
            "x-chrysalis-cap",
        ),
        (
            [lines[0], lines[1], "x-chrysalis-cap: é=\r\n"].concat(),
            "invalid_value",
            "x-chrysalis-cap",
        ),
    ] {
        let answer = payer.connection.post(CHAT, &headers, body.as_bytes()).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status, 400, "{headers}");
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!(code), &json!(parameter))
        );
    }
}

#[tokio::test]
async fn what_cannot_be_computed_is_refused() {
    let text = String::from_utf8(priced("required")).unwrap();
    let weights = text.replace("2000000, 1000000]", "1000000000000, 0]");
    let dear = |bank: &mut Bank| bank.floor = Some(u64::MAX);
    let (host, _story) = serving(weights.into_bytes(), dear, Bounds::default()).await;
    let mut payer = Payer::with(&host, 0, u64::MAX).await;
    let body = json!({"model": "tiny", "prompt": vec!["a"; 128], "n": 16, "max_tokens": -1});
    let refused = payer.refused("POST /v1/completions", &body).await;
    assert_eq!(code(&refused), (400, "amount_overflow"));
}
