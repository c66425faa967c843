//! A cluster, an operator, and a fleet that a test looks at.

use std::{
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use chrysalis_attestation::{encoding::digest::sha256, release::PublicKey};
use chrysalis_network::Descriptor;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::support::{
    api::{Api, phase},
    kubelet,
    store::FLEETS,
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_chrysalis-fleet");
const PATIENCE: Duration = Duration::from_mins(3);
/// The images of these tests, as policies and resources name them.
pub(crate) const OLD: &str = "aa";
pub(crate) const NEW: &str = "bb";

pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) folder: tempfile::TempDir,
    operator: Option<Child>,
    kubelet: tokio::task::JoinHandle<()>,
    version: u64,
}

impl Scene {
    /// A cluster in which images are accepted, and an operator.
    pub(crate) async fn open(accepted: &[&str]) -> Self {
        let api = Api::start("127.0.0.1:0".parse().unwrap()).await;
        let folder = tempfile::tempdir().unwrap();
        let kubelet = tokio::spawn(kubelet::run(api.shared()));
        let mut scene = Self {
            api,
            folder,
            operator: None,
            kubelet,
            version: 4,
        };
        let server = format!("http://{}", scene.api.address);
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "clusters": [{"name": "a", "cluster": {"server": server}}], "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "default"}}]
        });
        fs::write(scene.path("kubeconfig"), kubeconfig.to_string()).unwrap();
        fs::write(scene.path("drain.secret"), "5".repeat(64)).unwrap();
        fs::write(scene.path("network.pub"), public(1).spki()).unwrap();
        scene.publish(accepted);
        scene.start_operator();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The network publishes a policy that has these images, and a descriptor that names it.
    pub(crate) fn publish(&mut self, accepted: &[&str]) {
        self.version += 1;
        self.publish_as(accepted, self.version, 1);
    }

    pub(crate) fn publish_as(&self, accepted: &[&str], version: u64, signer: u8) {
        let digests: Vec<_> = accepted.iter().map(|it| it.repeat(48)).collect();
        let policy = format!(
            "version = 1\n[snp]\nlaunch_digest = {digests:?}\nminimum_tcb.genoa = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
             [configuration]\nsha256 = {{ unchecked = \"any model will do\" }}\n\
             [simulation]\nroots = [\"{zeros}\"]\n",
            zeros = "0".repeat(64),
        );
        let text = format!(
            "name = \"network.example\"\nversion = {version}\nexpires = \"2099-01-01T00:00:00Z\"\npolicy = \"{}\"\n\
             [chain]\nglobal_id = -3\npurse = \"{zeros}\"\n[[directory]]\nurl = \"https://directory.example\"\nkey = \"{zeros}\"\n\
             [[class]]\nname = \"smollm2\"\nweights = \"{zeros}\"\n",
            hex::encode(sha256(&[policy.as_bytes()])),
            zeros = "0".repeat(64),
        );
        let envelope = Descriptor::envelope(text.into_bytes()).unwrap();
        let signature = key(signer).sign(&envelope.to_be_signed());
        let envelope = envelope.with_signature(&public(signer), signature.as_ref().to_vec());
        // The operator may look between the two, and then waits for the next look.
        fs::write(self.path("policy.toml"), policy).unwrap();
        fs::write(self.path("network.json"), envelope.to_json()).unwrap();
    }

    /// The operator's words, for any of its commands.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(OPERATOR);
        command
            .arg(verb)
            .env("KUBECONFIG", self.path("kubeconfig"))
            .kill_on_drop(true);
        for (option, file) in [
            ("policy", "policy.toml"),
            ("network", "network.json"),
            ("network-key", "network.pub"),
            ("drain-secret-file", "drain.secret"),
        ] {
            command.arg(format!("--{option}")).arg(self.path(file));
        }
        command.args(["--backoff", "2"]);
        command
    }

    pub(crate) fn start_operator(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let operator = self
            .command("run")
            .args(["--interval", "1"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        self.operator = Some(operator.unwrap());
    }

    /// Sends the operator this signal, and waits for its end.
    pub(crate) async fn end_operator(&mut self, signal: Signal) -> ExitStatus {
        let mut operator = self.operator.take().unwrap();
        let process = Pid::from_raw(i32::try_from(operator.id().unwrap()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
        tokio::time::timeout(PATIENCE, operator.wait())
            .await
            .unwrap()
            .unwrap()
    }

    /// A fleet of stand-ins.
    pub(crate) fn fleet(&self, image: &str, replicas: u32) -> Value {
        let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
        let program = std::env::current_exe().unwrap();
        let container = json!({
            "name": "host", "image": "chrysalis-host", "command": [program], "args": ["--ignored", "--exact", "machine"],
            "ports": [{"name": "metrics", "containerPort": 9443}],
            "env": [
                {"name": "POD_IP", "valueFrom": field("status.podIP")}, {"name": "POD_NAME", "valueFrom": field("metadata.name")},
                {"name": "STAND_IN_JOURNAL", "value": self.path("journal")}
            ]
        });
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"terminationGracePeriodSeconds": 60, "containers": [container]}});
        json!({
            "metadata": {"name": "small", "namespace": "default"},
            "spec": {"model": "smollm2", "platform": "snp", "replicas": replicas, "image": {"launchDigest": image.repeat(48)}, "template": template}
        })
    }

    pub(crate) fn create(&self, fleet: Value) {
        self.api
            .shared()
            .with(|store| store.create(FLEETS, "default", fleet).unwrap());
    }

    /// Changes the wish.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        self.api.shared().with(|store| {
            let key = ("chrysalisfleets", "default".to_owned(), "small".to_owned());
            let mut fleet = store.get(&key).unwrap().clone();
            change(&mut fleet["spec"]);
            store.replace(&key, fleet).unwrap();
        });
    }

    pub(crate) fn roll(&self, image: &str) {
        self.edit(|spec| spec["image"] = json!({"launchDigest": image.repeat(48)}));
    }

    pub(crate) fn pods(&self) -> Vec<Value> {
        self.api.shared().with(|store| {
            let pods = store.objects.iter().filter(|(key, _)| key.0 == "pods");
            pods.map(|(_, it)| it.clone()).collect()
        })
    }

    pub(crate) fn status(&self) -> Value {
        let key = ("chrysalisfleets", "default".to_owned(), "small".to_owned());
        self.api
            .shared()
            .with(|store| store.get(&key).unwrap()["status"].clone())
    }

    pub(crate) fn message(&self) -> String {
        self.status()["conditions"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// What the stand-ins did, in order.
    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn is_in_journal(&self, line: &str) -> bool {
        self.journal().iter().any(|it| it == line)
    }

    /// Waits for something, and watches that something else holds all the while.
    pub(crate) async fn until(&self, what: &str, mut is: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            let pods: Vec<_> = self
                .pods()
                .iter()
                .map(|pod| format!("{} {}", name(pod), phase(pod)))
                .collect();
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what}: {pods:?}\n{}\n{}\n{:?}",
                self.status(),
                self.log(),
                self.journal()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many machines serve, all of them what is wanted, and no other is there.
    pub(crate) async fn until_as_wanted(&self, replicas: usize) {
        let what = format!("fleet of {replicas}");
        self.until(&what, |it| it.is_as_wanted(replicas)).await;
    }

    pub(crate) fn is_as_wanted(&self, replicas: usize) -> bool {
        let status = self.status();
        let is = |field: &str, count: usize| status[field] == json!(count);
        status["conditions"][0]["status"] == "True"
            && is("serving", replicas)
            && is("updated", replicas)
            && self.pods().len() == replicas
    }

    /// Gives a machine so many jobs; with 0 it has finished.
    pub(crate) async fn jobs(&self, pod: &str, jobs: u64) {
        let address = self
            .pods()
            .iter()
            .find(|it| name(it) == pod)
            .map(|it| it["status"]["podIP"].as_str().unwrap().to_owned());
        let address = format!("{}:9443", address.unwrap());
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "POST /jobs/{jobs} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Each pod that was deleted had ended by then.
    pub(crate) fn every_deletion_was_of_what_had_ended(&self) {
        let deletions = self.api.shared().with(|store| store.deletions.clone());
        for it in &deletions {
            assert_eq!(it.phase, "Succeeded", "{it:?}\n{}", self.log());
            assert!(
                self.is_in_journal(&format!("{} finished", it.name)),
                "{it:?}\n{:?}",
                self.journal()
            );
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.kubelet.abort();
    }
}

pub(crate) fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}

pub(crate) fn runs(pod: &Value, image: &str) -> bool {
    let measured = pod["metadata"]["annotations"]["chrysalis.example/image"].as_str();
    measured.is_some_and(|it| it.contains(&image.repeat(48)))
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from_ed25519(key(seed).public_key().as_ref().try_into().unwrap()).unwrap()
}
