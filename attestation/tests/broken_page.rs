//! docs/reference/broken.md is generated from the table in the code. `UPDATE_DOCS=1 cargo test` regenerates it.

use std::{env, fmt::Write, fs, path::Path};

use chrysalis_attestation::snp::broken::{Broken, KNOWN};

const INTRODUCTION: &str = "\
# Hardware that is known to be broken

Product lines whose evidence no longer proves anything, and which no firmware update fixes. A verifier refuses them with `product_broken`, with or without a
policy. This page is generated from the table in `attestation/src/snp/broken.rs`, and a test keeps the two equal.

| product line | since | what is known | source |
|---|---|---|---|
";

const WHAT_TO_DO: &str = "
Ask your provider for a machine of another line. If you trust the owner of this particular machine with your prompts, for instance because you own it, your policy can accept the
line, for a reason that every verdict repeats; the verdict then says `BROKEN` instead of `genuine`:

```toml
[snp]
broken.milan = { unchecked = \"our own machine, in our own rack\" }
```

The line also needs a floor, such as `minimum_tcb.milan`. Without a policy, `chrysalis verify --accept-broken milan` checks whether the evidence is otherwise in order.

To add a line, add an entry to `KNOWN`; the refusal, the wording of verdicts and this page follow (`UPDATE_DOCS=1 cargo test -p chrysalis-attestation --test broken_page`). What an update fixes does
not belong here: raise the floors in `measurements/releases/minimum-tcb.toml` instead.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for broken in KNOWN {
        let Broken {
            product,
            known,
            since,
            source,
        } = broken;
        writeln!(page, "| {product} | {since} | {known} | {source} |")
            .expect("a string takes any text");
    }
    page + WHAT_TO_DO
}

#[test]
fn the_page_is_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/broken.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).expect("the page is there");
    assert!(
        found == page(),
        "docs/reference/broken.md is stale: UPDATE_DOCS=1 cargo test -p chrysalis-attestation --test broken_page"
    );
}

#[test]
fn the_guides_name_every_broken_line_and_lead_to_the_page() {
    for guide in ["verify.md", "provider.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
        let text = fs::read_to_string(path.join(guide)).expect("a guide");
        assert!(text.contains("(../reference/broken.md)"), "{guide}");
        for broken in KNOWN {
            assert!(text.contains(broken.product.name()), "{guide}: {broken}");
        }
    }
}

#[test]
fn no_broken_line_has_a_floor_in_the_next_release() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../measurements/releases/minimum-tcb.toml");
    let text = fs::read_to_string(path).expect("the floors");
    for broken in KNOWN {
        let line = broken.product.name().to_lowercase();
        let named = text.lines().any(|it| it.trim_start().starts_with(&line));
        assert!(!named, "{broken}");
    }
}
