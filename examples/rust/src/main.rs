//! A streamed answer through `chrysalis proxy`: cargo run -p chat -- MODEL.

use async_openai::{Client, config::OpenAIConfig};
use futures_util::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::args().nth(1).ok_or("usage: chat MODEL")?;
    // The proxy takes any key. Named here, so that no prompt goes anywhere else by default.
    let proxy = std::env::var("OPENAI_BASE_URL").unwrap_or("http://127.0.0.1:8080/v1".into());
    let client = Client::with_config(
        OpenAIConfig::new()
            .with_api_base(proxy)
            .with_api_key("none"),
    );
    let question = serde_json::json!([{"role": "user", "content": "What is a chrysalis?"}]);
    let request = serde_json::json!({"model": model, "messages": question});
    let request = serde_json::from_value(request)?;
    let mut answer = client.chat().create_stream(request).await?;
    while let Some(chunk) = answer.next().await {
        for choice in chunk?.choices {
            print!("{}", choice.delta.content.unwrap_or_default());
        }
    }
    println!();
    Ok(())
}
