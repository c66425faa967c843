//! Ten lines: a streamed answer through `chrysalis proxy`. OPENAI_BASE_URL is http://127.0.0.1:8080/v1, OPENAI_API_KEY is anything.
use async_openai::{Client, types::chat::*};
use futures_util::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::args().nth(1).ok_or("usage: chat MODEL")?;
    let question = ChatCompletionRequestUserMessage::from("What is a chrysalis?");
    let request = CreateChatCompletionRequestArgs::default().model(model).messages([question.into()]).build()?;
    let mut answer = Client::new().chat().create_stream(request).await?;
    while let Some(chunk) = answer.next().await {
        print!("{}", chunk?.choices.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or_default());
    }
    Ok(println!())
}
