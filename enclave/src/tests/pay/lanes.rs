//! Lanes that may be used, and others.

use std::time::Duration;

use tokio::time::sleep;

use super::*;

fn credential(payer: &Payer, lane: u32) -> Credential {
    let mut payer = Credential {
        tab: TabId { lane, ..payer.id },
        ..payer.credential()
    };
    payer.signature = [0; 64];
    payer
}

#[tokio::test]
async fn each_lane_that_may_not_be_used_is_refused_by_name() {
    let lanes = |bank: &mut Bank| {
        bank.lanes.insert(10, Err("lane_closing"));
        bank.lanes.insert(11, Err("chain_unreachable"));
        bank.lanes.insert(12, Ok((vec![1; 31], 9)));
        bank.lanes.insert(13, Err("lane_too_small"));
        bank.lanes.insert(14, Err("lane_closes_too_soon"));
        bank.lanes.insert(15, Err("no"));
    };
    let (host, _story) = enclave_within("required", lanes, Bounds::default()).await;
    let mut payer = Payer::new(&host).await;
    for (lane, status, code) in [
        (0, 402, "lane_unknown"),
        (9, 402, "lane_unknown"),
        (10, 402, "lane_closing"),
        (11, 503, "chain_unreachable"),
        (12, 503, "chain_unreachable"),
        (13, 402, "lane_too_small"),
        (14, 402, "lane_closes_too_soon"),
        (15, 503, "chain_unreachable"),
    ] {
        sleep(Duration::from_millis(200)).await;
        let credential = credential(&payer, lane);
        let presence = payer.presence();
        let headers = headers([1; 16], payer.quote("tiny").digest(), &credential) + &presence;
        let asked = chat("one").to_string();
        for answer in [
            payer
                .connection
                .post("POST /v1/tab", &presence, &credential.encode())
                .await,
            payer
                .connection
                .post(CHAT, &headers, asked.as_bytes())
                .await,
        ] {
            assert_eq!(answer.status, status, "{lane}");
            assert_eq!(answer.json()["error"]["code"], code, "{lane}");
            let later = answer.head.contains("retry-after: 10");
            assert_eq!(later, status == 503, "{lane} {}", answer.head);
        }
    }
    // Each was asked about once, but for the one that no contract has.
    assert_eq!(host.bank.lock().unwrap().looked_up, 8);
}

#[tokio::test]
async fn invented_lanes_are_asked_about_five_times_a_second_at_most() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let began = std::time::Instant::now();
    let mut unreachable = 0;
    for lane in 100..200 {
        let credential = credential(&payer, lane).encode();
        let presence = payer.presence();
        let connection = &mut payer.connection;
        let answer = connection.post("POST /v1/tab", &presence, &credential);
        let code = answer.await.json()["error"]["code"].clone();
        unreachable += u32::from(code == "chain_unreachable");
    }
    let most = u32::try_from(began.elapsed().as_millis() / 200).unwrap() + 5;
    let asked = host.bank.lock().unwrap().looked_up;
    assert!(
        asked <= most && asked + unreachable >= 100,
        "{asked} {most}"
    );
    // The lane that is known works on.
    payer.paid(CHAT, &chat("one")).await;
}

#[tokio::test]
async fn a_cap_counts_by_its_lanes_key_and_for_one_enclave() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let good = payer.credential();
    let quote = payer.quote("tiny").digest();
    let mut other = good;
    other.cap += 1;
    let mut unsigned = good;
    unsigned.signature = [0; 64];
    // The same lane at another enclave, such as this one after a restart.
    let (second, _other_story) = enclave("required").await;
    let elsewhere = Payer::new(&second).await;
    for (credential, status) in [
        (other, 401),
        (unsigned, 401),
        (elsewhere.credential(), 401),
        (good, 200),
    ] {
        let number = payer.next();
        let presence = payer.presence();
        let headers = headers(number, quote, &credential) + &presence;
        let asked = chat("one").to_string();
        let opened = payer
            .connection
            .post("POST /v1/tab", &presence, &credential.encode())
            .await;
        let answer = payer
            .connection
            .post(CHAT, &headers, asked.as_bytes())
            .await;
        assert_eq!((opened.status, answer.status), (status, status));
        if status == 401 {
            assert_eq!(opened.json()["error"]["code"], "cap_signature");
            assert_eq!(answer.json()["error"]["code"], "cap_signature");
        }
    }
}

#[tokio::test]
async fn a_lane_has_so_many_tabs_and_no_more() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let body = json!({"model": "embedding", "input": "a"});
    let most = u16::try_from(chrysalis_settle::MAX_BRANCHES).unwrap();
    for branch in 0..most {
        payer.id.branch = branch;
        let (answer, _) = payer.ask("POST /v1/embeddings", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        payer.jobs = 0;
    }
    payer.id.branch += 1;
    let opened = payer.open().await;
    let (answer, _) = payer.ask("POST /v1/embeddings", &body).await;
    for answer in [opened, answer] {
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (503, &json!("tabs_full"))
        );
    }
    payer.id.branch = 0;
    payer.jobs = 1;
    let (answer, _) = payer.ask("POST /v1/embeddings", &body).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn who_has_a_cap_and_not_the_lanes_key_gets_nothing() {
    let (host, _story) = enclave("required").await;
    let payer = Payer::new(&host).await;
    let mut thief = Connection::new(&host).await;
    let (credential, asked) = (payer.credential(), chat("one").to_string());
    let stolen = payer.presence();
    let own = presence(&credential, &thief, &payer.attested);
    let none = String::new();
    let short = "x-chrysalis-presence: AAAA\r\n".to_owned();
    for (presence, status, code) in [
        (stolen, 401, "presence_signature"),
        (none, 400, "missing_required_parameter"),
        (short, 400, "invalid_value"),
        (own, 200, ""),
    ] {
        let quote = payer.quote("tiny").digest();
        let headers = headers([1; 16], quote, &credential) + &presence;
        let bytes = credential.encode();
        for answer in [
            thief.post("POST /v1/tab", &presence, &bytes).await,
            thief.post(CHAT, &headers, asked.as_bytes()).await,
        ] {
            assert_eq!(answer.status, status, "{presence}");
            if status != 200 {
                let error = &answer.json()["error"];
                assert_eq!(error["code"], code);
                assert_eq!(error["param"], "x-chrysalis-presence");
            }
        }
    }
}
