//! The loaded model: what stays the same from one generation to the next.

use std::fs::File;
use std::num::NonZeroU32;

use anyhow::{Context, anyhow, ensure};
use chrysalis_engine_llama::{gguf, template::Template};
use chrysalis_wire::engine::FromEngine;
use llama_cpp_2::context::{LlamaContext, params::LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::{LlamaModel, params::LlamaModelParams};
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};

/// Prompt tokens that are computed at once. A cancelled generation ends between two batches, so this bounds how long that
/// takes. A model's answers depend on it, so it is not a setting.
pub(crate) const BATCH: u32 = 16;

/// A model, ready to answer.
pub(crate) struct Engine {
    backend: LlamaBackend,
    pub(crate) model: LlamaModel,
    pub(crate) template: Template,
    /// Tokens of context.
    pub(crate) context: u32,
    threads: i32,
}

impl Engine {
    /// Loads the weights and makes sure that a full context fits into memory.
    pub(crate) fn load(path: &str, context: u32, threads: u32) -> anyhow::Result<Self> {
        gguf::check(
            &mut File::open(path).with_context(|| format!("cannot open the weights at {path}"))?,
        )?;
        // llama.cpp would log what it is working on.
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
        let backend = LlamaBackend::init()?;
        let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())
            .map_err(|_| {
                anyhow!("llama.cpp cannot load the weights; compare the file with its SHA-256")
            })?;
        let trained = model.n_ctx_train();
        ensure!(
            context <= trained,
            "the model was trained for {trained} tokens of context; {context} are requested"
        );

        let template = chat_template(&model)?;
        let threads = i32::try_from(threads).context("too many threads")?;
        let engine = Self {
            backend,
            model,
            template,
            context,
            threads,
        };
        engine
            .fresh_context(context)
            .context("a context of this size does not fit into memory")?;
        Ok(engine)
    }

    /// What the worker tells the enclave about the model.
    pub(crate) fn description(&self) -> FromEngine {
        FromEngine::Loaded {
            engine: "llama.cpp (llama-cpp-2 0.1.160)".to_owned(),
            model: self.model.meta_val_str("general.name").unwrap_or_default(),
            trained_context: self.model.n_ctx_train(),
            template_sha256: self.template.sha256().to_owned(),
        }
    }

    /// Memory for one generation of up to `tokens` tokens, zeroed; dropping it gives all of it back.
    pub(crate) fn fresh_context(&self, tokens: u32) -> anyhow::Result<LlamaContext<'_>> {
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(BATCH)
            .with_n_ubatch(BATCH)
            .with_n_threads(self.threads)
            .with_n_threads_batch(self.threads)
            .with_no_perf(true);
        Ok(self.model.new_context(&self.backend, parameters)?)
    }
}

fn chat_template(model: &LlamaModel) -> anyhow::Result<Template> {
    let source = model.meta_val_str("tokenizer.chat_template").map_err(|_| {
        anyhow!("the weights contain no chat template; use an instruction-tuned model")
    })?;
    let vocabulary = model.vocab();
    // For a vocabulary without the token this is -1, which llama.cpp would look up.
    let text = |token: LlamaToken| match token {
        LlamaToken(0..) => vocabulary
            .text(token)
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default(),
        LlamaToken(_) => String::new(),
    };
    Ok(Template::new(
        source,
        text(vocabulary.bos()),
        text(vocabulary.eos()),
    )?)
}
