//! Both ends of the bot, faked on loopback, and the bot between them: the real program, started as its owner starts it.

pub(crate) mod openai;
pub(crate) mod telegram;

use std::{
    fs::File,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use axum::Router;
use openai::{OpenAi, Reply};
use rustix::process::{Pid, Signal, kill_process};
use telegram::{TOKEN, Telegram};
use tempfile::TempDir;

/// Serves `app` on a free port, until the test ends.
pub(crate) async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// A bot that runs, and what it talks to.
pub(crate) struct Scene {
    pub(crate) telegram: Telegram,
    pub(crate) openai: OpenAi,
    bot: Bot,
}

/// The program.
pub(crate) struct Bot {
    pub(crate) child: Child,
    folder: TempDir,
}

/// What every bot is told, unless a test says otherwise.
pub(crate) const USUAL: [&str; 5] = [
    "--allow-everyone",
    "--model",
    "smol",
    "--voice-model",
    "whisper",
];

impl Scene {
    /// A bot with the usual options and `more`, in front of a model that follows `script`.
    pub(crate) async fn start(
        more: &[&str],
        script: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(&[&USUAL[..], more].concat(), script).await
    }

    /// A bot with these options alone.
    pub(crate) async fn with(
        options: &[&str],
        script: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let telegram = Telegram::start().await;
        let openai = OpenAi::start(script).await;
        let servers = ["--api-url", &telegram.url, "--proxy", &openai.url];
        let bot = Bot::start(&[options, &servers].concat());
        Self {
            telegram,
            openai,
            bot,
        }
    }

    /// Asks the bot to end.
    pub(crate) fn terminate(&self) {
        self.bot.terminate();
    }

    /// Waits until the bot has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.bot.ended().await
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.telegram.broken(), Vec::<String>::new());
        }
    }
}

impl Bot {
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_telegram-bot"))
            .args(options)
            .env_clear()
            .env("TELEGRAM_BOT_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "it does not end: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Nothing secret may be in any test's log.
impl Drop for Bot {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("{log}");
            return;
        }
        let (_, secret) = TOKEN.split_once(':').unwrap();
        for word in [secret, "chrysalis?", "canary", "Ada"] {
            assert!(!log.contains(word), "{word} is in the log: {log}");
        }
    }
}
