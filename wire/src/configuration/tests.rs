use super::*;

fn sample() -> String {
    let root = "ab".repeat(32);
    let disk = |blocks| format!("disk = {{ root = \"{root}\", blocks = {blocks} }}");
    format!(
        "version = 2\n[[engine]]\nname = \"e\"\n{}\nthreads = 1\nmemory_mib = 512\n\
         [[model]]\nname = \"m\"\nkind = \"chat\"\nengine = \"e\"\n{}\nsize = 8193\nweights = \"{root}\"\n\
         context = 2048\nparallel = 4\nknown_answer = [{{ prompt = \"?\", text = \"!\" }}]\n\
         [serving]\nqueue = 8\ndefault_max_tokens = 256\n",
        disk(9),
        disk(3),
    )
}

fn refused(from: &str, to: &str) -> String {
    let text = sample();
    assert!(text.contains(from), "{from}");
    let error = Configuration::parse(text.replacen(from, to, 1).as_bytes());
    error.unwrap_err().to_string()
}

#[test]
fn reads_a_good_configuration() {
    let configuration = Configuration::parse(sample().as_bytes()).unwrap();
    let model = &configuration.models[0];
    assert_eq!(configuration.engine_of(model).unwrap().name, "e");
    assert_eq!(
        configuration.serving.recycle_idle(),
        Duration::from_secs(60)
    );
    assert_eq!(configuration.epoch.length(), Duration::from_secs(600));
    // Engine and model are on the same disk here.
    assert_eq!(configuration.open_disks().len(), 1);
    assert!(configuration.sealed_disks().is_empty());
}

#[test]
fn answers_are_padded_in_one_of_two_ways() {
    let padding = |line: &str| {
        let text = format!("{}{line}", sample());
        Configuration::parse(text.as_bytes()).map(|configuration| configuration.serving.padding)
    };
    assert_eq!(padding("").unwrap(), Padding::Bucket);
    assert_eq!(padding("padding = \"bucket\"\n").unwrap(), Padding::Bucket);
    assert_eq!(padding("padding = \"paced\"\n").unwrap(), Padding::Paced);
    let refused = padding("padding = \"none\"\n").unwrap_err().to_string();
    assert!(refused.contains("`bucket` or `paced`"), "{refused}");
}

#[test]
fn knows_the_size_of_a_disk_with_its_tree() {
    // As `veritysetup format --no-superblock` makes them.
    for (blocks, with_tree) in [(1, 1), (2, 3), (128, 129), (129, 132)] {
        let root = "ab".repeat(32);
        let disk = Disk { root, blocks };
        assert_eq!(disk.size(), with_tree * Disk::BLOCK);
    }
}

#[test]
fn a_serial_is_what_virtio_has_room_for() {
    let configuration = Configuration::parse(sample().as_bytes()).unwrap();
    assert_eq!(configuration.engines[0].disk.serial(), "ab".repeat(10));
}

/// The sample with its model sealed on a disk of its own, and these lines of `[keys]`.
fn sealed(keys: &str) -> Result<Configuration, ConfigurationError> {
    let (before, model) = sample().split_once("[[model]]").map_or_else(
        || panic!("no model"),
        |(before, model)| (before.to_owned(), model.to_owned()),
    );
    let model = model.replacen(&"ab".repeat(32), &"cd".repeat(32), 1);
    let model = model.replacen("size = 8193", "size = 8193\nsealed = true", 1);
    Configuration::parse(format!("{before}[[model]]{model}{keys}").as_bytes())
}

#[test]
fn a_sealed_model_has_a_key_server() {
    let digest = "ef".repeat(32);
    let keys = |address: &str| {
        sealed(&format!(
            "[keys]\naddress = \"{address}\"\ncertificate_sha256 = \"{digest}\"\n"
        ))
    };
    for address in ["keys.example:8700", "127.0.0.1:1", "[::1]:8700"] {
        let configuration = keys(address).unwrap();
        assert_eq!(configuration.open_disks().len(), 1, "the engine's");
        let sealed: Vec<_> = configuration.sealed_disks();
        assert_eq!(sealed.len(), 1);
        assert!(sealed[0].sealed_file().starts_with("cdcd"));
    }
    for address in [
        "",
        "keys.example",
        "keys.example:0",
        "a b:1",
        ":1",
        "[x]:1",
        "::1:8700",
    ] {
        let refused = keys(address).unwrap_err().to_string();
        assert!(
            refused.contains("keys.address is not HOST:PORT"),
            "{refused}"
        );
    }
    let refused = sealed("[keys]\naddress = \"a:1\"\ncertificate_sha256 = \"ab\"\n");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("keys.certificate_sha256")
    );
    let refused = sealed("").unwrap_err().to_string();
    assert!(refused.contains("[keys] is missing"), "{refused}");
}

#[test]
fn keys_without_a_sealed_model_and_a_disk_both_open_and_sealed_are_refused() {
    let keys = format!(
        "[keys]\naddress = \"a:1\"\ncertificate_sha256 = \"{}\"\n",
        "ef".repeat(32)
    );
    let refused = |text: String| {
        Configuration::parse(text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let none = refused(format!("{}{keys}", sample()));
    assert!(none.contains("no model is sealed or has secrets"), "{none}");
    // The engine's disk is the same, and open.
    let both = sample().replacen("size = 8193", "size = 8193\nsealed = true", 1);
    let both = refused(format!("{both}{keys}"));
    assert!(both.contains("model.sealed of m"), "{both}");
}

#[test]
fn names_an_unknown_key() {
    assert!(refused("queue", "qeue").contains("qeue"));
}

#[test]
fn names_the_field_out_of_range() {
    let upper = "AB".repeat(32);
    let lower = "ab".repeat(32);
    for (from, to, says) in [
        (
            "context = 2048",
            "context = 1",
            "model.context of m is not 64 to 16777216",
        ),
        (
            "parallel = 4",
            "parallel = 0",
            "model.parallel of m is not 1 to 1024",
        ),
        (
            "threads = 1",
            "threads = 0",
            "engine.threads of e is not 1 to 256",
        ),
        (
            "memory_mib = 512",
            "memory_mib = 1",
            "engine.memory_mib of e is not 64 to 4194304",
        ),
        ("queue = 8", "queue = 0", "serving.queue is not 1 to 4096"),
        (
            "size = 8193",
            "size = 1",
            "model.size of m does not fill the disk's blocks",
        ),
        ("size = 8193", "size = 0", "model.size of m is 0"),
        (
            "blocks = 9",
            "blocks = 0",
            "engine.disk.blocks of e is not 1 to 1073741824",
        ),
        (
            &lower,
            &upper,
            "engine.disk.root of e is not 64 hexadecimal digits in lower case",
        ),
        (
            "engine = \"e\"",
            "engine = \"f\"",
            "model.engine of m names f, which is no [[engine]]",
        ),
        (
            "name = \"m\"",
            "name = \"\"",
            "model.name is not a word of 1 to 128 printable characters",
        ),
        (
            "text = \"!\"",
            "text = \"\"",
            "model.known_answer of m has an empty text",
        ),
        (
            "known_answer = [{ prompt = \"?\", text = \"!\" }]",
            "",
            "model.known_answer of m is missing: a chat model has at least one",
        ),
    ] {
        assert_eq!(refused(from, to), says);
    }
}

#[test]
fn an_engine_gets_no_gpu_that_nothing_verifies() {
    let wants = "threads = 1\ndevices = [\"nvidia\"]";
    let problem =
        "engine.devices of e names GPUs, and there is no [gpu] that says which ones to trust";
    assert_eq!(refused("threads = 1", wants), problem);
    let text = sample().replacen("threads = 1", wants, 1);
    let verified = Configuration::parse(format!("{text}[gpu]\ncount = [1]\n").as_bytes());
    assert_eq!(verified.unwrap().engines[0].devices, [Device::Nvidia]);
}

#[test]
fn names_what_is_there_twice() {
    let text = sample();
    let engine = text.split("[[model]]").next().unwrap();
    let engine = engine.split_once('\n').unwrap().1;
    let error = Configuration::parse(format!("{text}{engine}").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "engine.name is e twice");
}

#[test]
fn an_epoch_lasts_from_a_minute_to_a_day() {
    let with = |seconds: u32| format!("{}[epoch]\nseconds = {seconds}\n", sample());
    for seconds in [60, 86_400] {
        let configuration = Configuration::parse(with(seconds).as_bytes()).unwrap();
        assert_eq!(configuration.epoch.seconds, seconds);
    }
    for seconds in [59, 86_401] {
        let error = Configuration::parse(with(seconds).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "epoch.seconds is not 60 to 86400");
    }
}

#[test]
fn prices_are_there_exactly_where_somebody_pays() {
    let parse = |payment: &str, price: &str| {
        let text = format!("{}{payment}{price}", sample());
        Configuration::parse(text.as_bytes()).map_err(|error| error.to_string())
    };
    let price = "[price]\nweights = [1000000, 100000, 3000000, 20]\n";
    let free = parse("", "").unwrap();
    assert_eq!((free.serving.payment, &free.price), (Payment::None, &None));
    for (word, payment) in [
        ("optional", Payment::Optional),
        ("required", Payment::Required),
    ] {
        let line = format!("payment = \"{word}\"\n");
        let configuration = parse(&line, price).unwrap();
        assert_eq!(configuration.serving.payment, payment);
        let prices = configuration.price.unwrap();
        assert_eq!(prices.weights, [1_000_000, 100_000, 3_000_000, 20]);
        assert_eq!(prices.epoch(), Duration::from_secs(60));
        let missing = "[price] is missing: serving.payment is not \"none\"";
        assert_eq!(parse(&line, "").unwrap_err(), missing);
    }
    let idle = "[price] is there, and nobody pays: serving.payment is \"none\"";
    assert_eq!(parse("", price).unwrap_err(), idle);
    assert_eq!(parse("payment = \"none\"\n", price).unwrap_err(), idle);
    let unknown = parse("payment = \"maybe\"\n", "").unwrap_err();
    assert!(
        unknown.contains("`none`, `optional`, `required`"),
        "{unknown}"
    );
}

#[test]
fn prices_are_within_what_can_be_computed() {
    let price = |lines: &str| {
        let text = format!("{}payment = \"required\"\n[price]\n{lines}\n", sample());
        let parsed = Configuration::parse(text.as_bytes());
        parsed.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(price("weights = [0, 0, 0, 1000000000000]"), Ok(()));
    assert_eq!(price("weights = [1, 1, 0, 0]\nepoch_seconds = 5"), Ok(()));
    for (lines, says) in [
        (
            "weights = [1, 0, 1000000000001, 0]",
            "price.weights are not 0 to 1000000000000",
        ),
        (
            "weights = [1, 2, 0, 0]",
            "price.weights make a cached prompt token dearer than one that is read",
        ),
        (
            "weights = [1, 1, 0, 0]\nepoch_seconds = 4",
            "price.epoch_seconds is not 5 to 3600",
        ),
    ] {
        assert_eq!(price(lines).unwrap_err(), says);
    }
    for lines in ["weights = [1, 1, 1]", "weights = [1, 1, 1, -1]", ""] {
        assert!(price(lines).is_err(), "{lines}");
    }
}

#[test]
fn refuses_another_version_whatever_its_fields() {
    let error = Configuration::parse(b"version = 1\n[model]\nname = \"m\"\n").unwrap_err();
    assert!(matches!(error, ConfigurationError::Version(1)));
}

/// The sample with these secrets, and who has them.
fn with_secrets(secrets: &str) -> Result<Configuration, ConfigurationError> {
    let digest = "ef".repeat(32);
    let keys = format!("[keys]\naddress = \"a:1\"\ncertificate_sha256 = \"{digest}\"\n");
    let secrets = format!("size = 8193\nsecrets = {secrets}");
    let text = sample().replacen("size = 8193", &secrets, 1);
    Configuration::parse(format!("{text}{keys}").as_bytes())
}

#[test]
fn an_engines_secrets_have_names_and_a_key_server() {
    let configuration = with_secrets("[\"licence\", \"chat_v2.jinja\"]").unwrap();
    let model = &configuration.models[0];
    assert_eq!(model.secrets, ["licence", "chat_v2.jinja"]);
    assert!(configuration.sealed_disks().is_empty());
    let lonely = refused("size = 8193", "size = 8193\nsecrets = [\"licence\"]");
    assert!(lonely.contains("[keys] is missing"), "{lonely}");
    let none = with_secrets("[]").unwrap_err().to_string();
    assert!(none.contains("no model is sealed or has secrets"), "{none}");
}

#[test]
fn a_secrets_name_is_a_plain_one_and_there_once() {
    for (secrets, says) in [
        ("[\"\"]", "has a name that is not"),
        ("[\"Licence\"]", "has a name that is not"),
        ("[\"../licence\"]", "has a name that is not"),
        ("[\".licence\"]", "has a name that is not"),
        ("[\"a/b\"]", "has a name that is not"),
        ("[\"licence\\u0000\"]", "has a name that is not"),
        ("[\"a\", \"b\", \"a\"]", "has a twice"),
    ] {
        let refused = with_secrets(secrets).unwrap_err().to_string();
        let said = refused.starts_with("model.secrets of m") && refused.contains(says);
        assert!(said, "{secrets}: {refused}");
    }
    assert!(is_secret_name(&"a".repeat(64)) && !is_secret_name(&"a".repeat(65)));
}

#[test]
fn there_are_at_most_sixteen_secrets_in_all() {
    let names = |count: usize| {
        format!(
            "{:?}",
            (0..count).map(|it| format!("s{it}")).collect::<Vec<_>>()
        )
    };
    assert!(with_secrets(&names(MAX_SECRETS)).is_ok());
    let many = with_secrets(&names(MAX_SECRETS + 1)).unwrap_err();
    assert_eq!(
        many.to_string(),
        "model.secrets are 17 in all, more than 16"
    );
}
