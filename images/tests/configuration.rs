//! A configuration binds the disks that cards name, once each; what does not fit together is refused before anything is written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use chrysalis_image::{Error, assemble::configuration, digest::Sha256};
use tempfile::TempDir;

const RECIPE: &str = r#"
[[engine]]
card = "e"
threads = 2
memory_mib = 2048

[[model]]
card = "m"
engine = "e"
context = 2048
parallel = 4

[[model.known_answer]]
prompt = "?"
text = " !\n"

[serving]
queue = 8

[epoch]
seconds = 900

[gpu]
count = [1]
"#;

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let disk = |name: &str| {
            let root = Sha256::of(name.as_bytes());
            bench.write(&format!("{root}.img"), "");
            format!("disk = {{ root = \"{root}\", blocks = 3 }}\n")
        };
        let engine = format!(
            "[engine]\nname = \"e\"\nversion = \"1\"\nkinds = [\"chat\"]\n{}",
            disk("e")
        );
        let model = |name: &str, kind: &str| {
            format!(
                "[model]\nname = \"{name}\"\nkind = \"{kind}\"\nsize = 9000\nweights = \"{}\"\narchitecture = \"llama\"\n\
                 trained_context = 8192\nlicence = \"MIT\"\n{}",
                Sha256::of(b"weights"),
                disk(name)
            )
        };
        bench.write("e.toml", &engine);
        bench.write("m.toml", &model("m", "chat"));
        bench.write("speech.toml", &model("speech", "speech"));
        bench
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn build(&self, recipe: &str) -> Result<(Sha256, String), Error> {
        let folder = self.0.path();
        self.write("recipe", recipe);
        let out = folder.join("out/configuration.toml");
        let digest = configuration::build(&folder.join("recipe"), folder, &out)?;
        Ok((digest, fs::read_to_string(out).unwrap()))
    }

    fn refused(&self, from: &str, to: &str, wanted: &str) {
        assert!(RECIPE.contains(from), "the recipe has no {from}");
        match self.build(&RECIPE.replacen(from, to, 1)) {
            Err(Error::Value { key, problem, .. }) => assert_eq!(key, wanted, "{problem}"),
            other => panic!("{from} -> {to}: {other:?}"),
        }
        assert!(!self.0.path().join("out/configuration.toml").exists());
    }
}

#[test]
fn names_every_disk_with_what_cards_say() {
    let bench = Bench::new();
    let (digest, text) = bench.build(RECIPE).unwrap();
    assert_eq!(digest, Sha256::of(text.as_bytes()));
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["version"].as_integer(), Some(2));
    let (engine, model) = (&table["engine"][0], &table["model"][0]);
    let root = |name: &[u8]| Some(Sha256::of(name).to_string());
    assert_eq!(
        engine["disk"]["root"].as_str().map(str::to_owned),
        root(b"e")
    );
    assert_eq!(engine["devices"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        model["disk"]["root"].as_str().map(str::to_owned),
        root(b"m")
    );
    assert_eq!(model["disk"]["blocks"].as_integer(), Some(3));
    assert_eq!(
        (model["kind"].as_str(), model["size"].as_integer()),
        (Some("chat"), Some(9000))
    );
    assert_eq!(model["known_answer"][0]["text"].as_str(), Some(" !\n"));
    assert_eq!(table["serving"]["queue"].as_integer(), Some(8));
    assert_eq!(table["epoch"]["seconds"].as_integer(), Some(900));
    assert_eq!(table["gpu"]["count"][0].as_integer(), Some(1));
    assert!(!text.contains("card"));
}

#[test]
fn renames_what_the_api_shows() {
    let bench = Bench::new();
    let recipe = RECIPE.replace("card = \"e\"", "card = \"e\"\nname = \"first\"");
    let recipe = recipe.replace("card = \"m\"", "card = \"m\"\nname = \"shown\"");
    let (_, text) = bench
        .build(&recipe.replace("engine = \"e\"", "engine = \"first\""))
        .unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["engine"][0]["name"].as_str(), Some("first"));
    assert_eq!(table["model"][0]["name"].as_str(), Some("shown"));
    assert_eq!(table["model"][0]["engine"].as_str(), Some("first"));
}

#[test]
fn secrets_are_copied_and_say_who_has_them() {
    let bench = Bench::new();
    let secrets = "engine = \"e\"\nsecrets = [\"licence\"]";
    let recipe = RECIPE.replace("engine = \"e\"", secrets);
    let keys = "[keys]\naddress = \"keys.example:8700\"\n";
    let (_, text) = bench.build(&format!("{recipe}{keys}")).unwrap();
    assert!(text.contains("secrets = [\"licence\"]"), "{text}");
    let bench = Bench::new();
    bench.refused("engine = \"e\"", secrets, "keys");
    bench.refused("[gpu]", &format!("{keys}[gpu]"), "keys");
}

#[test]
fn refuses_cards_twice_or_missing() {
    let bench = Bench::new();
    let engine = "[[engine]]\ncard = \"e\"\nthreads = 2\nmemory_mib = 2048\n";
    bench.refused(engine, &format!("{engine}{engine}"), "engine.card");
    let model = "[[model]]\ncard = \"m\"\nengine = \"e\"\ncontext = 2048\nparallel = 4\n";
    bench.refused(model, &format!("{model}{model}"), "model.card");
    for (from, to, what) in [
        ("\"e\"\nthreads", "\"f\"\nthreads", "engine"),
        ("\"m\"", "\"n\"", "model"),
    ] {
        let error = bench.build(&RECIPE.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains("\nhint: "), "{error}");
        assert!(matches!(error, Error::NoCard { what: of, .. } if of == what));
    }
    let disk = bench.0.path().join(format!("{}.img", Sha256::of(b"m")));
    fs::remove_file(&disk).unwrap();
    let error = bench.build(RECIPE).unwrap_err();
    assert!(matches!(error, Error::NoCard { path, .. } if path == disk));
}

#[test]
fn refuses_a_model_that_its_engine_does_not_serve() {
    let bench = Bench::new();
    bench.refused("card = \"m\"", "card = \"speech\"", "model.engine");
    bench.refused("engine = \"e\"", "engine = \"f\"", "model.engine");
}

#[test]
fn refuses_numbers_that_cannot_be() {
    let bench = Bench::new();
    bench.refused("threads = 2", "threads = 0", "engine.threads");
    bench.refused("threads = 2", "threads = 257", "engine.threads");
    bench.refused("memory_mib = 2048", "memory_mib = 0", "engine.memory_mib");
    bench.refused("context = 2048", "context = 0", "model.context");
    bench.refused("context = 2048", "context = 8193", "model.context");
    bench.refused("parallel = 4", "parallel = 0", "model.parallel");
    bench.refused(
        "\"e\"\nthreads",
        "\"e\"\ndevices = [\"disk\"]\nthreads",
        "engine.devices",
    );
}

#[test]
fn an_engine_gets_no_gpu_that_nothing_verifies() {
    let bench = Bench::new();
    let wants = RECIPE.replace("\"e\"\nthreads", "\"e\"\ndevices = [\"nvidia\"]\nthreads");
    let (_, text) = bench.build(&wants).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["engine"][0]["devices"][0].as_str(), Some("nvidia"));
    let start = wants.find("[gpu]").unwrap();
    let refused = bench.build(&wants[..start]);
    assert!(matches!(refused, Err(Error::Value { key, .. }) if key == "engine.devices"));
}

#[test]
fn wants_a_model_and_an_answer_of_it() {
    let bench = Bench::new();
    let start = RECIPE.find("[[model.known_answer]]").unwrap();
    let end = RECIPE.find("[serving]").unwrap();
    bench.refused(&RECIPE[start..end], "", "model.known_answer");
    let start = RECIPE.find("[[model]]").unwrap();
    bench.refused(&RECIPE[start..end], "", "model");
    let second =
        "[[engine]]\ncard = \"e\"\nname = \"two\"\nthreads = 2\nmemory_mib = 2048\n[[engine]]\n";
    bench.write(
        "e2.toml",
        &fs::read_to_string(bench.0.path().join("e.toml")).unwrap(),
    );
    bench.refused("[[engine]]\n", &second.replace("\"e\"", "\"e2\""), "engine");
}

#[test]
fn committed_recipe_names_committed_recipes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = |path: &str| {
        let text = fs::read_to_string(folder.join(path)).unwrap();
        toml::from_str::<toml::Table>(&text).unwrap()
    };
    let demo = table("demo.toml");
    assert_eq!(
        demo["engine"][0]["card"],
        table("engines/llama-emulated.toml")["name"]
    );
    assert_eq!(
        demo["model"][0]["card"],
        table("models/smollm2.toml")["name"]
    );
}

#[test]
fn committed_recipe_for_gpus_names_a_committed_engine_and_verifies_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = |path: &str| {
        let text = fs::read_to_string(folder.join(path)).unwrap();
        toml::from_str::<toml::Table>(&text).unwrap()
    };
    let serving = table("h100-serving.toml");
    let engine = &serving["engine"][0];
    assert_eq!(engine["card"], table("engines/vllm-cuda.toml")["name"]);
    assert_eq!(engine["devices"][0].as_str(), Some("nvidia"));
    assert!(serving.contains_key("gpu"));
}
