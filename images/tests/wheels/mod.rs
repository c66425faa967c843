//! Engines of wheels: everything that a lock of their own pins, the same bytes everywhere.

use std::{fs, path::Path, process::Command};

use chrysalis_image::{Error, inputs::lock::Lock};

use crate::{Bench, RECIPE, workbench::deb};

const PYTHON: &str = r#"
[python]
version = "3.13"
suite = "trixie"
packages = ["interpreter"]
requirements = ["one==1"]
exclude = ["usr/share/"]
"#;

/// A bench with an interpreter and two wheels, which a lock of their own pins, in a folder of its own.
fn wheels(change: impl FnOnce(&mut Vec<(&str, &[u8])>)) -> (Bench, String) {
    let mut bench = Bench::new();
    let mut files: Vec<(&str, &[u8])> = vec![
        ("one/__init__.py", b"import two"),
        ("shared/__init__.py", b""),
        ("one-1.dist-info/RECORD", b"one/__init__.py,,"),
        ("one-1.data/scripts/one", b"#!python\n"),
        ("one/__pycache__/old.pyc", b"old"),
    ];
    change(&mut files);
    let before = bench.0.lock.input.len();
    let interpreter: [(&str, &[u8]); 2] = [
        ("./usr/lib/python3.13/os.py", b"os"),
        ("./usr/share/doc/a", b"a"),
    ];
    bench.0.publish("interpreter", &deb(&interpreter));
    bench.0.wheel("one", &files);
    bench
        .0
        .wheel("two", &[("shared/__init__.py", b""), ("two.py", b"2")]);
    let own = Lock {
        input: bench.0.lock.input.split_off(before),
    };
    bench
        .0
        .write("recipes/lock.toml", bench.0.lock.render().as_bytes());
    fs::create_dir_all(bench.0.path("recipes/engines")).unwrap();
    bench
        .0
        .write("recipes/engines/e.lock.toml", own.render().as_bytes());
    (
        bench,
        format!("{RECIPE}{PYTHON}").replace("{server}", "{one}"),
    )
}

#[test]
fn wheels_are_unpacked_beside_the_interpreter_with_their_bytecode() {
    let (bench, recipe) = wheels(|_| ());
    let card = bench.build(&recipe).unwrap().card;
    assert_eq!(card.engine.version, "engine 1-1");
    let tree = bench
        .0
        .path("disks")
        .join(card.engine.disk.root.to_string());
    let site = "usr/local/lib/python3.13/dist-packages";
    for (path, text) in [
        ("usr/lib/python3.13/os.py", "os"),
        ("usr/lib/python3.13/os.pyc", "os"),
        (format!("{site}/one/__init__.py").as_str(), "import two"),
        (format!("{site}/one/__init__.pyc").as_str(), "import two"),
        (
            format!("{site}/one-1.dist-info/RECORD").as_str(),
            "one/__init__.py,,",
        ),
        (format!("{site}/shared/__init__.py").as_str(), ""),
        (format!("{site}/two.py").as_str(), "2"),
        ("usr/local/bin/one", "#!/usr/bin/python3.13\n"),
    ] {
        assert_eq!(fs::read_to_string(tree.join(path)).unwrap(), text, "{path}");
    }
    assert!(!tree.join("usr/share").exists());
    assert!(!tree.join(format!("{site}/one/__pycache__")).exists());
}

/// As a process of its own, whose mask this changes.
#[test]
fn wheels_make_the_same_bytes_in_any_folder_and_under_any_mask() {
    let root = || {
        let (bench, recipe) = wheels(|_| ());
        bench.build(&recipe).unwrap().card.engine.disk.root
    };
    let first = root();
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let second = root();
    rustix::process::umask(before);
    assert_eq!(first, second);
    let (bench, recipe) = wheels(|files| files[0].1 = b"import three");
    assert_ne!(bench.build(&recipe).unwrap().card.engine.disk.root, first);
}

#[test]
fn wheels_that_are_not_what_is_pinned_or_lead_elsewhere_are_refused() {
    let (bench, recipe) = wheels(|files| files.push(("../../etc/passwd", b"root")));
    let refused = bench.build(&recipe);
    let named =
        |problem: &str| problem.contains("../../etc/passwd") && problem.contains("elsewhere");
    assert!(
        matches!(&refused, Err(Error::BadPackage { input, problem }) if input == "one" && named(problem)),
        "{refused:?}"
    );
    let (bench, recipe) = wheels(|files| files.push(("two.py", b"other")));
    let taken = bench.build(&recipe);
    assert!(matches!(taken, Err(Error::Taken { path }) if path.ends_with("/two.py")));
}

/// Where pip looks in the test below: set in a process of its own.
const LINKS: &str = "PIP_FIND_LINKS";

#[test]
fn a_wheel_with_another_byte_is_refused_wherever_it_comes_from() {
    let Some(links) =
        std::env::var_os(LINKS).filter(|_| std::env::var_os("CHRYSALIS_INNER").is_some())
    else {
        let folder = tempfile::tempdir().unwrap();
        let name = "wheels::a_wheel_with_another_byte_is_refused_wherever_it_comes_from";
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("PIP_NO_INDEX", "1")
            .env(LINKS, folder.path())
            .env("CHRYSALIS_INNER", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let (bench, recipe) = wheels(|_| ());
    let lock = fs::read_to_string(bench.0.path("recipes/engines/e.lock.toml")).unwrap();
    let pins: Lock = toml::from_str(&lock).unwrap();
    let pin = pins.input.iter().find(|pin| pin.name == "one").unwrap();
    let cached = bench.0.path("cache/inputs").join(pin.sha256.to_string());
    let published = Path::new(&links).join(&pin.path);
    let mut bytes = fs::read(&cached).unwrap();
    // What is in the cache is not believed; the right bytes come from the index.
    fs::write(&published, &bytes).unwrap();
    bytes[40] ^= 1;
    fs::write(&cached, &bytes).unwrap();
    bench.build(&recipe).unwrap();
    // The index itself has others.
    fs::write(&published, &bytes).unwrap();
    fs::write(&cached, &bytes).unwrap();
    let wrong = bench.build(&recipe);
    assert!(
        matches!(&wrong, Err(Error::WrongHash { what, .. }) if what.contains("one")),
        "{wrong:?}"
    );
    // It has it no more.
    fs::remove_file(&published).unwrap();
    let missing = bench.build(&recipe);
    assert!(matches!(missing, Err(Error::Missing { name, .. }) if name == "one"));
}
