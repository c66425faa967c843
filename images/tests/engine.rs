//! An engine's disk is what its recipe and lock say, with /engine.toml in it, or there is an error that names the thing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod wheels;
mod workbench;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use chrysalis_image::{
    Error,
    assemble::{
        card::EngineCard,
        engine::{self, Made},
    },
    compile::binaries::Binaries,
    inputs::{
        engine::EngineRecipe,
        lock::{Kind, Lock, LockFile},
        python::lock_of,
    },
    models::ModelKind,
};
use workbench::{Workbench, deb, package};

/// Gives every module in a folder the name of its bytecode.
fn rename_all(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rename_all(&path);
        } else {
            fs::rename(&path, path.with_extension("pyc")).unwrap();
        }
    }
}

const RECIPE: &str = r#"
name = "e"

[engine]
version = "engine {server}"
api = "llama.cpp"
program = "/usr/bin/server"
directory = "/usr/lib"
walls = "native"
ready = "/health"
arguments = ["--model", "{model}", "--grammar", '{"a": 1}']

[engine.kinds]
chat = ["--threads={threads}"]
speech = []

[[file]]
input = "server"
from = "usr/bin/serv*"
to = "usr/bin/server"
mode = 0o755

[[package]]
input = "libraries"
include = ["usr/lib/"]
exclude = ["usr/lib/doc"]

[[link]]
path = "lib64"
to = "usr/lib"
"#;

struct Bench(Workbench);

impl Bench {
    fn new() -> Self {
        let mut bench = Workbench::new();
        bench.publish("server", &deb(&[("./usr/bin/server", b"program")]));
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode) in [
            ("./usr/lib/a.so.1", 0o644),
            ("./usr/lib/tool", 0o755),
            ("./usr/lib/doc/a", 0o644),
            ("./etc/a", 0o644),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(mode);
            tar.append_data(&mut header, path, &b"data"[..]).unwrap();
        }
        for (kind, path, to) in [
            (tar::EntryType::Symlink, "./usr/lib/a.so", "a.so.1"),
            (tar::EntryType::Link, "./usr/lib/same", "./usr/lib/tool"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_mode(0o777);
            header.set_entry_type(kind);
            tar.append_link(&mut header, path, to).unwrap();
        }
        bench.publish("libraries", &package(tar));
        Self(bench)
    }

    fn build(&self, recipe: &str) -> Result<Made<EngineCard>, Error> {
        let bench = &self.0;
        fs::create_dir_all(bench.path("recipes/engines")).unwrap();
        bench.write("recipes/engines/e.toml", recipe.as_bytes());
        engine::build(
            &bench.path("recipes/engines/e.toml"),
            &bench.path("disks"),
            true,
            &bench.fetcher(),
            |_| Binaries::given(&bench.path("binaries")),
            |program, pin| Ok(format!("{} of {}", program.target, pin.version).into_bytes()),
            |order| {
                // A compiler that copies.
                let made = bench.path("bytecode");
                let _ = fs::remove_dir_all(&made);
                fs::create_dir_all(&made).unwrap();
                (order.sources)(&made)?;
                rename_all(&made);
                Ok(made)
            },
        )
    }

    /// Builds with one thing replaced, which must be refused for this key.
    fn refused(&self, from: &str, to: &str, wanted: &str) {
        assert!(RECIPE.contains(from), "the recipe has no {from}");
        match self.build(&RECIPE.replacen(from, to, 1)) {
            Err(Error::Value { key, problem, .. }) => assert_eq!(key, wanted, "{problem}"),
            other => panic!("{from} -> {to}: {other:?}"),
        }
        let disks = fs::read_dir(self.0.path("disks"));
        assert_eq!(disks.map_or(0, Iterator::count), 0, "a disk in spite of it");
    }
}

#[test]
fn holds_what_the_recipe_lists_with_modes_and_links() {
    let bench = Bench::new();
    let made = bench.build(RECIPE).unwrap();
    let facts = &made.card.engine;
    assert_eq!(
        (facts.name.as_str(), facts.version.as_str()),
        ("e", "engine 1-1")
    );
    assert_eq!(facts.kinds, [ModelKind::Chat, ModelKind::Speech]);
    let root = facts.disk.root.to_string();
    let tree = bench.0.path("disks").join(&root);
    let permissions =
        |path: &str| fs::metadata(tree.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (permissions("usr/bin/server"), permissions("usr/lib/a.so.1")),
        (0o755, 0o644)
    );
    assert_eq!(
        (permissions("usr/lib/tool"), permissions("usr/lib/same")),
        (0o755, 0o755)
    );
    assert_eq!(
        fs::read_link(tree.join("lib64")).unwrap(),
        Path::new("usr/lib")
    );
    assert_eq!(
        fs::read_link(tree.join("usr/lib/a.so")).unwrap(),
        Path::new("a.so.1")
    );
    assert!(!tree.join("usr/lib/doc").exists() && !tree.join("etc").exists());
    let disk = fs::metadata(tree.with_extension("img")).unwrap().len();
    assert!(disk.is_multiple_of(4096) && disk / 4096 >= facts.disk.blocks);
    let card: EngineCard = toml::from_str(&fs::read_to_string(made.path).unwrap()).unwrap();
    assert_eq!(card, made.card);
}

#[test]
fn says_on_the_disk_how_the_engine_is_started() {
    let bench = Bench::new();
    let made = bench.build(RECIPE).unwrap();
    let root = made.card.engine.disk.root.to_string();
    let text = fs::read_to_string(bench.0.path("disks").join(root).join("engine.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["name"].as_str(), Some("e"));
    assert_eq!(table["version"].as_str(), Some("engine 1-1"));
    assert_eq!(table["api"].as_str(), Some("llama.cpp"));
    assert_eq!(
        table["kinds"]["chat"][0].as_str(),
        Some("--threads={threads}")
    );
    assert_eq!(table["arguments"][1].as_str(), Some("{model}"));
}

#[test]
fn is_the_same_bytes_every_time() {
    let bench = Bench::new();
    let first = bench.build(RECIPE).unwrap().card;
    assert_eq!(bench.build(RECIPE).unwrap().card, first);
    let other = bench.build(&RECIPE.replace("/health", "/ready")).unwrap();
    assert_ne!(other.card.engine.disk.root, first.engine.disk.root);
}

#[test]
fn refuses_an_engine_that_could_not_start() {
    let bench = Bench::new();
    bench.refused("mode = 0o755", "mode = 0o644", "engine.program");
    bench.refused("/usr/bin/server", "/usr/bin/other", "engine.program");
    bench.refused("/usr/bin/server", "usr/bin/server", "engine.program");
    bench.refused("\"/usr/lib\"", "\"/usr/lib/none\"", "engine.directory");
    bench.refused(
        "walls =",
        "prepare = \"/usr/lib/a.so.1\"\nwalls =",
        "engine.prepare",
    );
    bench.refused("{model}", "{weights}", "engine.arguments");
    bench.refused("{threads}", "{cores}", "engine.arguments");
    bench.refused("{server}", "{other}", "engine.version");
    bench.refused(
        "chat = [\"--threads={threads}\"]\nspeech = []\n",
        "",
        "engine.kinds",
    );
}

#[test]
fn refuses_names_and_paths_that_lead_elsewhere() {
    let bench = Bench::new();
    bench.refused("name = \"e\"", "name = \"../e\"", "name");
    bench.refused("to = \"usr/bin/server\"", "to = \"../server\"", "a path");
    bench.refused("path = \"lib64\"", "path = \"/lib64\"", "a path");
    bench.refused("mode = 0o755", "mode = 0o4755", "file.mode");
    bench.refused("\"/health\"", "\"health\"", "engine.ready");
    bench.refused("walls =", "port = 0\nwalls =", "engine.port");
}

#[test]
fn refuses_what_inputs_and_disk_do_not_have() {
    let bench = Bench::new();
    let taken = RECIPE.replace("path = \"lib64\"", "path = \"usr/bin/server\"");
    assert!(matches!(bench.build(&taken), Err(Error::Taken { path }) if path == "usr/bin/server"));
    let none = RECIPE.replace("include = [\"usr/lib/\"]", "include = [\"opt/\"]");
    assert!(matches!(
        bench.build(&none),
        Err(Error::NotOneFile { found: 0, .. })
    ));
    let unknown = RECIPE.replace("input = \"libraries\"", "input = \"other\"");
    assert!(
        matches!(bench.build(&unknown), Err(Error::NotLocked { input, .. }) if input == "other")
    );
    let typo = RECIPE.replace("walls = \"native\"", "walls = \"native\"\nreddy = 1");
    assert!(matches!(bench.build(&typo), Err(Error::Malformed { .. })));
}

#[test]
fn takes_programs_of_this_workspace() {
    let bench = Bench::new();
    let recipe = format!("{RECIPE}\n[[binary]]\npackage = \"worker\"\npath = \"usr/bin/worker\"\n");
    let root = bench.build(&recipe).unwrap().card.engine.disk.root;
    let tree = bench.0.path("disks").join(root.to_string());
    assert_eq!(
        fs::read(tree.join("usr/bin/worker")).unwrap(),
        b"the worker"
    );
}

const COMPILE: &str = r#"
[[compile]]
input = "sources"
folder = "engine"
options = ["FAST=ON"]
target = "tool"
from = "bin/tool"
to = "usr/bin/tool"
"#;

#[test]
fn compiles_programs_of_pinned_sources() {
    let mut bench = Bench::new();
    bench
        .0
        .pin("sources", Kind::Sdist, "sources-1.tar.gz", b"sources");
    let recipe = format!("{RECIPE}{COMPILE}").replace("{server}", "{sources}");
    let card = bench.build(&recipe).unwrap().card;
    let tree = bench
        .0
        .path("disks")
        .join(card.engine.disk.root.to_string());
    let program = tree.join("usr/bin/tool");
    assert_eq!(fs::read(&program).unwrap(), b"tool of 1-1");
    let mode = fs::metadata(program).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(card.engine.version, "engine 1-1");
}

#[test]
fn refuses_sources_that_are_not_pinned_as_such() {
    let bench = Bench::new();
    let recipe = format!("{RECIPE}{COMPILE}");
    let missing = bench.build(&recipe);
    assert!(matches!(missing, Err(Error::NotLocked { input, .. }) if input == "sources"));
    let deb = bench.build(&recipe.replace("\"sources\"", "\"libraries\""));
    assert!(matches!(
        deb,
        Err(Error::WrongKind {
            wanted: "sdist",
            ..
        })
    ));
    for (from, to) in [
        ("\"engine\"", "\"../engine\""),
        ("\"bin/tool\"", "\"/etc/passwd\""),
        ("\"usr/bin/tool\"", "\"/usr/bin/tool\""),
    ] {
        let outside = bench.build(&recipe.replace(from, to));
        assert!(
            matches!(outside, Err(Error::Value { key, .. }) if key == "a path"),
            "{to}"
        );
    }
}

#[test]
fn refuses_the_name_of_a_model() {
    let bench = Bench::new();
    fs::create_dir(bench.0.path("disks")).unwrap();
    bench.0.write("disks/e.toml", b"[model]\n");
    assert!(matches!(bench.build(RECIPE), Err(Error::Value { key, .. }) if key == "the card"));
}

#[test]
fn a_recipe_may_say_only_how_it_differs_from_another() {
    let bench = Bench::new();
    fs::create_dir_all(bench.0.path("recipes/engines")).unwrap();
    let base = RECIPE.replacen("name = \"e\"", "name = \"base\"", 1);
    bench.0.write("recipes/engines/base.toml", base.as_bytes());
    let differs = "[[package]]\ninput = \"libraries\"\ninclude = [\"usr/lib/a\"]\n";
    let whole = RECIPE.replacen(
        "include = [\"usr/lib/\"]\nexclude = [\"usr/lib/doc\"]",
        "include = [\"usr/lib/a\"]",
        1,
    );
    let root = |recipe: &str| bench.build(recipe).unwrap().card.engine.disk.root;
    let like = format!("name = \"e\"\nlike = \"base.toml\"\n{differs}");
    assert_eq!(root(&like), root(&whole));
    assert_ne!(root(&like), root(RECIPE));
    for wrong in ["../engines/base.toml", "", "e.toml"] {
        let refused = bench.build(&format!("name = \"e\"\nlike = \"{wrong}\"\n"));
        assert!(
            matches!(&refused, Err(Error::Value { key, .. }) if key == "like"),
            "{wrong}: {refused:?}"
        );
    }
    let refused = bench.build("name = \"e\"\nlike = \"base.toml\"\ncolour = \"red\"\n");
    assert!(
        matches!(refused, Err(Error::Malformed { .. })),
        "{refused:?}"
    );
}

#[test]
fn committed_recipes_take_locked_inputs() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/engines"));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".lock.toml") {
            continue;
        }
        let recipe = EngineRecipe::read(&path).unwrap();
        if let Some(python) = &recipe.python {
            let pins = Lock::read(&lock_of(&path)).unwrap();
            assert_eq!(
                pins.render(),
                fs::read_to_string(lock_of(&path)).unwrap(),
                "{}",
                path.display()
            );
            let has = |name: &String| pins.input.iter().any(|pin| pin.package == *name);
            assert!(python.packages.iter().all(has), "{}", path.display());
            assert!(!python.without.iter().any(has), "{}", path.display());
        }
        let lock = LockFile::beside(&path).unwrap();
        let files = recipe.file.iter().map(|file| &file.input);
        for input in files.chain(recipe.package.iter().map(|package| &package.input)) {
            lock.input(input, Kind::Deb).unwrap();
        }
        for program in &recipe.compile {
            lock.input(&program.input, Kind::Sdist).unwrap();
        }
    }
}
