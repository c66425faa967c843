//! A sealed model, and one whose engine has secrets, through the whole enclave: with what it needs it is served, without it nothing is, and
//! what is taken back takes the model out of service.

use std::{fs, time::Duration};

use chrysalis_attestation::evidence::{Evidence, binding::host_data, claims::Claims};
use chrysalis_wire::keys::WantedSecret;
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    PATIENCE,
    client::{CHAT, ask, connect, request},
    host::{FakeHost, attested, configuration},
    owner::Script,
};
use crate::{
    engine::{CARD, fake},
    failure::Failure,
    serve::Bounds,
};

const SEALED: &str = "cd";

/// A host with a sealed model, and its owner's key server, which plays this.
fn host(script: Script) -> FakeHost {
    host_of(script, "sealed = true\n")
}

/// A host with an open model whose engine has secrets.
fn host_with_secrets(script: Script) -> FakeHost {
    host_of(script, "secrets = [\"licence\", \"token\"]\n")
}

/// A host with a model on a disk of its own, of which the configuration says this.
fn host_of(script: Script, says: &str) -> FakeHost {
    // The owner's certificate is known only once there is a host.
    let owner = super::owner::Owner::default();
    owner.plays(script);
    let root = SEALED.repeat(32);
    let (engine, model) = String::from_utf8(configuration())
        .map(|text| {
            text.split_once("[[model]]")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        })
        .unwrap()
        .unwrap();
    let model = model.replacen(
        &format!("disk = {{ root = \"{}\"", "ab".repeat(32)),
        &format!("{says}disk = {{ root = \"{root}\""),
        1,
    );
    let text = format!(
        "{engine}[[model]]{model}[keys]\naddress = \"keys.example:8700\"\ncertificate_sha256 = \"{}\"\n",
        owner.certificate()
    );
    let configuration = text.into_bytes();
    let digest = host_data(&configuration);
    let host = FakeHost::owned(configuration, digest, owner);
    let folder = host.folder.path();
    fs::write(folder.join("ab".repeat(32)).join("engine.toml"), CARD).unwrap();
    let open = folder.join(format!("{}.img", "ab".repeat(32)));
    fs::copy(open, folder.join(format!("{root}.img"))).unwrap();
    host
}

/// Whether it came to serve, or how it ended.
async fn ends(script: Script) -> Result<(), Failure> {
    let host = host(script);
    attested(host.words(), fake::echo).await.map(drop)
}

#[tokio::test]
async fn a_model_is_served_once_its_owner_gave_the_key() {
    let host = host(Script::Gives);
    let attested = attested(host.words(), fake::echo).await.unwrap();
    assert_eq!(host.owner.asked(), [[SEALED.repeat(32)]]);
    let story = tokio::spawn(attested.serve_within(Bounds::default()));
    host.serves(&story).await;
    assert_eq!(said(&host).await, 200);
}

#[tokio::test]
async fn without_a_key_nothing_is_served() {
    for (script, code) in [
        (Script::Refuses, "keys_refused"),
        (Script::HangsUp, "keys_unreachable"),
        (Script::Gone, "keys_unreachable"),
        (Script::OtherCertificate, "keys_unreachable"),
        (Script::Babbles, "keys_misspoke"),
        (Script::Withholds, "keys_misspoke"),
        (Script::Cuts, "keys_misspoke"),
    ] {
        let refused = ends(script).await.unwrap_err();
        assert_eq!(refused.code(), code, "{script:?}: {refused}");
    }
    let refused = ends(Script::Refuses).await.unwrap_err().to_string();
    assert!(refused.contains("it is not listed (measurement_unlisted)"));
}

/// One that serves and turns its epochs quickly.
async fn serves() -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    serves_on(host(Script::Gives)).await
}

async fn serves_on(host: FakeHost) -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    let attested = attested(host.words(), fake::echo).await.unwrap();
    let bounds = Bounds {
        epoch: Some(Duration::from_millis(500)),
        ..Bounds::default()
    };
    let story = tokio::spawn(attested.serve_within(bounds));
    host.serves(&story).await;
    (host, story)
}

async fn said(host: &FakeHost) -> u16 {
    let asked = json!({"model": "tiny", "messages": [{"role": "user", "content": "hello"}]});
    let answer = request(host, CHAT, &asked).await;
    if answer.status != 200 {
        assert_eq!(answer.json()["error"]["code"], "model_withdrawn");
    }
    answer.status
}

async fn models(host: &FakeHost) -> usize {
    let mut stream = connect(host.folder.path()).await;
    let nonce = format!("GET /v1/attestation?nonce={}", "5a".repeat(32));
    let answer = ask(&mut stream, &nonce, b"").await;
    let evidence = Evidence::decode(&answer.body).unwrap();
    Claims::decode(&evidence.claims).unwrap().models.len()
}

#[tokio::test]
async fn a_key_is_asked_for_in_each_epoch() {
    let (host, _story) = serves().await;
    let several = async {
        while host.owner.asked().len() < 4 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, several).await.unwrap();
    assert_eq!(said(&host).await, 200);
    assert_eq!(models(&host).await, 1);
}

#[tokio::test]
async fn a_key_that_is_taken_back_takes_the_model_out_of_service_and_the_claims() {
    let (host, story) = serves().await;
    assert_eq!(said(&host).await, 200);
    host.owner.plays(Script::Refuses);
    let gone = async {
        while said(&host).await == 200 || models(&host).await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    // For good, and the enclave goes on without it.
    host.owner.plays(Script::Gives);
    let asked = host.owner.asked().len();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(said(&host).await, 503);
    assert_eq!(host.owner.asked().len(), asked);
    assert!(!story.is_finished());
}

#[tokio::test]
async fn an_owner_who_does_not_answer_says_no() {
    let (host, _story) = serves().await;
    host.owner.plays(Script::Gone);
    let gone = async {
        while said(&host).await == 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    // It is asked three times, five seconds apart.
    timeout(Duration::from_mins(1), gone).await.unwrap();
}

#[tokio::test]
async fn an_engines_secrets_are_asked_for_by_the_name_of_its_model() {
    let host = host_with_secrets(Script::Gives);
    let attested = attested(host.words(), fake::echo).await.unwrap();
    let wanted = |name: &str| WantedSecret {
        model: "tiny".to_owned(),
        name: name.to_owned(),
    };
    let secrets = host.owner.asked_for_secrets();
    assert_eq!(secrets, [wanted("licence"), wanted("token")]);
    assert_eq!(host.owner.asked(), [Vec::<String>::new()], "no key");
    let story = tokio::spawn(attested.serve_within(Bounds::default()));
    host.serves(&story).await;
    assert_eq!(said(&host).await, 200);
}

#[tokio::test]
async fn a_sealed_models_key_and_its_engines_secrets_come_together() {
    let host = host_of(Script::Gives, "sealed = true\nsecrets = [\"licence\"]\n");
    attested(host.words(), fake::echo).await.unwrap();
    assert_eq!(host.owner.asked(), [[SEALED.repeat(32)]]);
    assert_eq!(host.owner.asked_for_secrets().len(), 1);
}

#[tokio::test]
async fn without_its_secrets_nothing_is_served() {
    for (script, code) in [
        (Script::Refuses, "keys_refused"),
        (Script::Gone, "keys_unreachable"),
        (Script::WithholdsSecret, "keys_misspoke"),
        (Script::GivesNothing, "keys_misspoke"),
        (Script::Old, "keys_misspoke"),
    ] {
        let host = host_with_secrets(script);
        let refused = attested(host.words(), fake::echo).await.map(drop);
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), code, "{script:?}: {refused}");
    }
}

#[tokio::test]
async fn a_server_that_knows_no_secrets_still_gives_keys() {
    assert!(ends(Script::Old).await.is_ok());
}

#[tokio::test]
async fn a_secret_that_is_taken_back_takes_the_model_out_of_service() {
    let (host, story) = serves_on(host_with_secrets(Script::Gives)).await;
    assert_eq!(said(&host).await, 200);
    host.owner.plays(Script::Refuses);
    let gone = async {
        while said(&host).await == 200 || models(&host).await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    assert!(!story.is_finished());
}

#[tokio::test]
async fn a_model_whose_secret_changes_stays_in_service() {
    let (host, story) = serves_on(host_with_secrets(Script::Gives)).await;
    host.owner.plays(Script::GivesOther);
    let asked = host.owner.asked().len();
    let renewed = async {
        while host.owner.asked().len() < asked + 3 {
            assert_eq!(said(&host).await, 200);
        }
    };
    timeout(PATIENCE, renewed).await.unwrap();
    assert!(!story.is_finished());
}
