//! A kubelet whose containers are processes. Each pod has an address of its own in 127.0.0.0/8; deleting one sends SIGTERM, which a host takes
//! for `/drain`, and kills it when the pod's grace is over.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use super::{
    api::{Shared, phase},
    store::{Key, text},
};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(40);
/// How long a container that crashed stays down.
const CRASHED: Duration = Duration::from_millis(1500);

/// Addresses that pods had.
static ADDRESSES: AtomicU16 = AtomicU16::new(1);

struct Running {
    key: Key,
    address: String,
    child: Option<Child>,
    crashed: Option<Instant>,
    told: Option<Instant>,
    restarts: u64,
    is_ready: bool,
}

/// Runs what pods say, for as long as it is polled.
pub(crate) async fn run(api: Arc<Shared>) {
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    loop {
        let pods: Vec<(Key, Value)> = api.with(|store| {
            let pods = store.objects.iter().filter(|(key, _)| key.0 == "pods");
            pods.map(|(key, it)| (key.clone(), it.clone())).collect()
        });
        // Of a pod that is gone at once, the node's processes are gone, too.
        running.retain(|uid, _| {
            pods.iter()
                .any(|(_, pod)| text(pod, "/metadata/uid") == *uid)
        });
        for (key, pod) in pods {
            let uid = text(&pod, "/metadata/uid");
            if phase(&pod) == "Pending"
                && !running.contains_key(&uid)
                && pod["spec"]["nodeSelector"].is_null()
            {
                let it = start(key.clone(), &pod);
                tell(&api, &it, "Running");
                running.insert(uid, it);
            } else if let Some(it) = running.get_mut(&uid) {
                let is_ready = it.child.is_some() && probe(&it.address).await;
                if is_ready != it.is_ready && phase(&pod) == "Running" {
                    it.is_ready = is_ready;
                    tell(&api, it, "Running");
                }
                follow(&api, it, &pod);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The readiness probe.
async fn probe(address: &str) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(format!("{address}:9443")).await?;
        let request = format!("GET /ready HTTP/1.1\r\nhost: {address}:9443\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(status == *b"HTTP/1.1 200")
    };
    let answered = timeout(Duration::from_secs(1), asking).await;
    matches!(answered, Ok(Ok(true)))
}

fn start(key: Key, pod: &Value) -> Running {
    let number = ADDRESSES.fetch_add(1, Ordering::Relaxed);
    let [high, low] = number.to_be_bytes();
    // Several test programs may run at once.
    let address = format!(
        "127.{}.{high}.{}",
        20 + std::process::id() % 200,
        low.max(1)
    );
    let child = Some(spawn(&address, pod));
    Running {
        key,
        address,
        child,
        crashed: None,
        told: None,
        restarts: 0,
        is_ready: false,
    }
}

fn spawn(address: &str, pod: &Value) -> Child {
    let container = &pod["spec"]["containers"][0];
    let words = |field: &str| -> Vec<String> {
        serde_json::from_value(container[field].clone()).unwrap_or_default()
    };
    let environment = container["env"].as_array().cloned().unwrap_or_default();
    let environment = environment.iter().map(|it| {
        let value = match it
            .pointer("/valueFrom/fieldRef/fieldPath")
            .and_then(Value::as_str)
        {
            Some("status.podIP") => address.to_owned(),
            Some("metadata.name") => text(pod, "/metadata/name"),
            _ => text(it, "/value")
                .replace("$(POD_IP)", address)
                .replace("$(POD_NAME)", &text(pod, "/metadata/name")),
        };
        (text(it, "/name"), value)
    });
    let (command, args) = (words("command"), words("args"));
    Command::new(&command[0])
        .args(&command[1..])
        .args(args)
        .envs(environment)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn follow(api: &Shared, it: &mut Running, pod: &Value) {
    let grace = Duration::from_secs(
        pod["metadata"]["deletionGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(0),
    );
    let is_deleted = !pod["metadata"]["deletionTimestamp"].is_null();
    if is_deleted && it.told.is_none() {
        it.told = Some(Instant::now());
        signal(it, Signal::TERM);
    }
    if it.told.is_some_and(|told| told.elapsed() > grace) {
        signal(it, Signal::KILL);
    }
    let ended = it
        .child
        .as_mut()
        .and_then(|child| child.try_wait().unwrap());
    if let Some(status) = ended {
        it.child = None;
        match (status.success(), text(pod, "/spec/restartPolicy").as_str()) {
            _ if is_deleted => {}
            (true, "OnFailure" | "Never") => tell(api, it, "Succeeded"),
            (false, "Never") => tell(api, it, "Failed"),
            _ => {
                it.crashed = Some(Instant::now());
                it.is_ready = false;
                tell(api, it, "Running");
            }
        }
    }
    if is_deleted && it.child.is_none() {
        api.with(|store| store.remove(&it.key));
    } else if it
        .crashed
        .is_some_and(|crashed| crashed.elapsed() > CRASHED)
    {
        it.crashed = None;
        it.restarts += 1;
        it.child = Some(spawn(&it.address, pod));
        tell(api, it, "Running");
    }
}

fn signal(it: &Running, signal: Signal) {
    let process = it.child.as_ref().and_then(Child::id);
    let process = process.and_then(|it| Pid::from_raw(i32::try_from(it).unwrap()));
    if let Some(process) = process {
        kill_process(process, signal).ok();
    }
}

fn tell(api: &Shared, it: &Running, phase: &str) {
    let ready = phase == "Running" && it.is_ready;
    let status = json!({
        "phase": phase, "podIP": it.address, "hostIP": "127.0.0.1",
        "containerStatuses": [{"name": "host", "image": "", "imageID": "", "ready": ready, "restartCount": it.restarts}]
    });
    api.with(|store| {
        let conflicts = std::mem::take(&mut store.conflicts);
        store
            .replace_status(&it.key, &json!({"status": status}))
            .ok();
        store.conflicts = conflicts;
    });
}
