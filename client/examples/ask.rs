//! Asks a verified enclave one question, and prints its answer as it comes.
//!
//! cargo run --example ask -- https://HOST:PORT policy.toml QUESTION

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
};

use chrysalis_attestation::{Verdict, policy::Policy};
use chrysalis_client::{AttestedConnection, RelyingParty, Target};
use http_body_util::BodyExt;
use hyper::{Request, header::CONTENT_TYPE};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, policy, question] = &arguments[..] else {
        return Err("usage: ask https://HOST:PORT POLICY.toml QUESTION".into());
    };
    let target: Target = target.parse()?;
    let relying_party = RelyingParty::new(Policy::parse(&fs::read_to_string(policy)?)?);
    let mut enclave = AttestedConnection::connect(&target, &relying_party).await?;
    eprintln!("{}", Verdict::from(enclave.trusted()));

    let message = json!({ "role": "user", "content": question });
    let model = enclave.trusted().claims().first_of_kind("chat");
    let model = &model.ok_or("the enclave serves no model for chat")?.name;
    let body = json!({ "model": model, "messages": [message] });
    let request = Request::post("/v1/chat/completions").header(CONTENT_TYPE, "application/json");
    let answer = enclave.send(request.body(body.to_string().into())?).await?;
    let mut answer = answer.into_body();
    while let Some(frame) = answer.frame().await {
        if let Ok(piece) = frame?.into_data() {
            io::stdout().write_all(&piece)?;
        }
    }
    Ok(())
}
