//! The same with real hosts and enclaves as processes, each with a real engine: what `make test` has built, or the test is skipped.

use std::{env, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};

use crate::{
    scene::{OLD, Scene, name},
    support::api::phase,
};

fn built(variable: &str, default: &str) -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    env::var_os(variable).map_or_else(|| workspace.join(default), PathBuf::from)
}

/// A fleet of real hosts, or nothing where they are not built.
fn fleet(scene: &Scene, replicas: u32) -> Option<Value> {
    let image = built("CHRYSALIS_IMAGE", "build/cpu");
    let enclave = built(
        "CHRYSALIS_BINARIES",
        "target/image/x86_64-unknown-linux-gnu/release",
    )
    .join("chrysalis-enclave");
    let host = built("CHRYSALIS_TOOLS", "target/debug").join("chrysalis-host");
    if !image.is_dir() || !enclave.is_file() || !host.is_file() {
        chrysalis_test_support::skip(
            "there is no image here, or no host: make image, cargo build -p chrysalis-host",
        );
        return None;
    }
    let mut fleet = scene.fleet(OLD, replicas);
    fleet["spec"]["platform"] = json!("simulated");
    let host = json!([host, "run"]);
    let container = &mut fleet["spec"]["template"]["spec"]["containers"][0];
    container["command"] = host;
    container["args"] = json!([]);
    let folder = |name: &str| format!("{}/$(POD_NAME)-{name}", scene.folder.path().display());
    let options = [
        ("IMAGE", image.display().to_string()),
        (
            "CONFIGURATION",
            built("CHRYSALIS_CONFIGURATION", "build/demo.toml")
                .display()
                .to_string(),
        ),
        (
            "DISKS",
            built("CHRYSALIS_DISKS", "build/disks")
                .display()
                .to_string(),
        ),
        ("WITHOUT_VM", enclave.display().to_string()),
        ("LISTEN", "$(POD_IP):8443".to_owned()),
        ("METRICS", "$(POD_IP):9443".to_owned()),
        ("STATE", folder("state")),
        ("LOG", "json".to_owned()),
    ];
    let environment = container["env"].as_array_mut().unwrap();
    environment.extend(
        options.map(
            |(option, value)| json!({"name": format!("CHRYSALIS_RUN_{option}"), "value": value}),
        ),
    );
    Some(fleet)
}

#[tokio::test]
async fn real_hosts_finish_a_stream_before_they_go() {
    let scene = Scene::open(&[OLD]).await;
    let Some(fleet) = fleet(&scene, 2) else {
        return;
    };
    scene.create(fleet);
    scene.until_as_wanted(2).await;
    let pod = scene.pods().remove(0);
    let busy = name(&pod);
    let question = json!({
        "model": "smollm2-135m-instruct", "max_tokens": 400, "stream": true, "temperature": 0.0,
        "messages": [{"role": "user", "content": "Count from one to a thousand, in words."}]
    });
    let address = format!(
        "https://{}:8443/v1/chat/completions",
        pod["status"]["podIP"].as_str().unwrap()
    );
    let mut client = Command::new("curl")
        .args(["-ksN", "--data", &question.to_string(), &address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answer = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        assert_ne!(
            answer.read_line(&mut line).await.unwrap(),
            0,
            "{}",
            scene.log()
        );
    }
    scene.edit(|spec| spec["replicas"] = json!(0));
    scene
        .until("drain", |it| it.log().contains(&format!("drains {busy}")))
        .await;
    let mut rest = String::new();
    answer.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("data: [DONE]"), "{rest}\n{}", scene.log());
    assert!(client.wait().await.unwrap().success());
    scene.until_as_wanted(0).await;
    let deletions = scene.api.shared().with(|store| store.deletions.clone());
    assert!(
        deletions.len() == 2 && deletions.iter().all(|it| it.phase == "Succeeded"),
        "{deletions:?}"
    );
    assert!(scene.pods().iter().all(|it| phase(it) == "Running"));
}
