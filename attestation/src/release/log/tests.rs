//! Trees of every small size by RFC 6962's own definitions, and logs that lie.

use data_encoding::BASE64;
use proptest::prelude::*;

use super::{super::tests::Signer, *};
use crate::{
    Rejection,
    encoding::digest::{Hex, sha256},
};

const ORIGIN: &str = "log.example/releases";

/// RFC 6962 §2.1: the largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

fn root(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => sha256(&[]),
        [entry] => leaf_hash(entry),
        _ => {
            let (left, right) = entries.split_at(split(entries.len()));
            sha256(&[&[1], &root(left), &root(right)])
        }
    }
}

fn path(index: usize, entries: &[Vec<u8>]) -> Vec<Hash> {
    if entries.len() <= 1 {
        return Vec::new();
    }
    let at = split(entries.len());
    let (left, right) = entries.split_at(at);
    let (mut path, sibling) = if index < at {
        (path(index, left), root(right))
    } else {
        (path(index - at, right), root(left))
    };
    path.push(sibling);
    path
}

fn growth(first: usize, entries: &[Vec<u8>], whole: bool) -> Vec<Hash> {
    if first == entries.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(entries)]
        };
    }
    let at = split(entries.len());
    let (left, right) = entries.split_at(at);
    let (mut path, sibling) = if first <= at {
        (growth(first, left, whole), root(right))
    } else {
        (growth(first - at, right, false), root(left))
    };
    path.push(sibling);
    path
}

fn entries(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number]).collect()
}

fn checkpoint(entries: &[Vec<u8>]) -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size: entries.len() as u64,
        root: Hex(root(entries)),
    }
}

fn note(checkpoint: &Checkpoint, signer: &Signer) -> String {
    let signature = signer.sign(checkpoint.to_be_signed().as_bytes());
    checkpoint.note(&signer.key(), &signature).expect("a note")
}

fn inclusion(index: usize, entries: &[Vec<u8>], signer: &Signer) -> Inclusion {
    Inclusion {
        index: index as u64,
        path: path(index, entries),
        checkpoint: note(&checkpoint(entries), signer),
    }
}

fn grown(first: usize, entries: &[Vec<u8>], signer: &Signer) -> Growth {
    Growth {
        old: first as u64,
        path: growth(first, entries, true),
        checkpoint: note(&checkpoint(entries), signer),
    }
}

#[test]
fn the_tree_is_that_of_certificate_transparency() {
    // The eight leaves that the reference implementation tests with, and the root over all of them.
    let leaves: Vec<Vec<u8>> = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .map(|leaf| hex::decode(leaf).expect("hex"))
    .to_vec();
    let expected = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
    assert_eq!(hex::encode(root(&leaves)), expected);
}

#[test]
fn every_entry_of_every_small_tree_is_shown_and_no_other() {
    let signer = Signer::new(1);
    let key = signer.key();
    for count in 1..=17 {
        let entries = entries(count);
        for index in 0..usize::from(count) {
            let proof = inclusion(index, &entries, &signer);
            let text = proof.to_text();
            assert_eq!(
                verify_inclusion(&entries[index], text.as_bytes(), &key),
                Ok(checkpoint(&entries)),
                "{index} of {count}"
            );
            let mismatch = |index| Rejection::LogProofMismatch {
                index,
                size: u64::from(count),
            };
            let other = verify_inclusion(b"another", text.as_bytes(), &key);
            assert_eq!(other, Err(mismatch(index as u64)));
            for elsewhere in (0..=u64::from(count)).filter(|it| *it != index as u64) {
                let moved = Inclusion {
                    index: elsewhere,
                    ..proof.clone()
                };
                assert_eq!(
                    verify_inclusion(&entries[index], moved.to_text().as_bytes(), &key),
                    Err(mismatch(elsewhere))
                );
            }
            let mut longer = proof.clone();
            longer.path.push([0; 32]);
            let longer = verify_inclusion(&entries[index], longer.to_text().as_bytes(), &key);
            assert_eq!(longer, Err(mismatch(index as u64)));
        }
    }
}

#[test]
fn a_log_that_grew_is_followed_from_every_size() {
    let signer = Signer::new(1);
    for second in 1..=17 {
        let entries = entries(second);
        let next = checkpoint(&entries);
        for first in 0..=usize::from(second) {
            let head = checkpoint(&entries[..first]).head();
            let proof = match first {
                0 => Growth {
                    path: Vec::new(),
                    ..grown(1, &entries, &signer)
                },
                _ => grown(first, &entries, &signer),
            };
            let proof = Growth {
                old: first as u64,
                ..proof
            };
            let text = proof.to_text();
            let step = head.grew_into(&next, Some(text.as_bytes()));
            assert_eq!(step, Ok(()), "{first} to {second}");
        }
    }
}

#[test]
fn rejects_a_log_that_forks_shrinks_or_does_not_show_how_it_grew() {
    let signer = Signer::new(1);
    let honest = entries(9);
    let mut rewritten = honest.clone();
    rewritten[2] = b"rewritten".to_vec();
    for first in 3..=9_usize {
        let head = checkpoint(&honest[..first]).head();
        let size = first as u64;
        let forked = Err(Rejection::LogForked { size });
        let next = checkpoint(&rewritten);
        for proof in [
            grown(first, &rewritten, &signer),
            grown(first, &honest, &signer),
        ] {
            let text = proof.to_text();
            assert_eq!(head.grew_into(&next, Some(text.as_bytes())), forked);
        }
        let same_size = checkpoint(&rewritten[..first]);
        assert_eq!(head.grew_into(&same_size, None), forked);
        // A log that only says that it grew, from a whole tree or not.
        let inflated = Checkpoint {
            size: 2 * size,
            ..checkpoint(&honest[..first])
        };
        let nothing = Growth {
            path: Vec::new(),
            ..grown(first, &honest, &signer)
        };
        let text = nothing.to_text();
        assert_eq!(head.grew_into(&inflated, Some(text.as_bytes())), forked);
        let elsewhere = Checkpoint {
            origin: "another.example".to_owned(),
            ..checkpoint(&honest)
        };
        assert_eq!(head.grew_into(&elsewhere, None), forked);
        if first < 9 {
            let missing = Err(Rejection::LogGrowthMissing { from: size });
            let next = checkpoint(&honest);
            assert_eq!(head.grew_into(&next, None), missing);
            let other = grown(first - 1, &honest, &signer).to_text();
            assert_eq!(head.grew_into(&next, Some(other.as_bytes())), missing);
            let mut cut = grown(first, &honest, &signer);
            cut.path.pop();
            let cut = cut.to_text();
            assert_eq!(
                head.grew_into(&next, Some(cut.as_bytes())),
                Err(Rejection::LogForked { size })
            );
        }
        let shrunk = checkpoint(&honest[..first - 1]);
        assert_eq!(
            head.grew_into(&shrunk, None),
            Err(Rejection::LogShrunk {
                found: size - 1,
                seen: size
            })
        );
    }
}

#[test]
fn rejects_a_checkpoint_of_another_key_or_with_a_wrong_signature() {
    let (signer, other) = (Signer::new(1), Signer::new(2));
    let key = signer.key();
    let checkpoint = checkpoint(&entries(3));
    let note = note(&checkpoint, &signer);
    assert_eq!(
        Checkpoint::verify(note.as_bytes(), &key),
        Ok(checkpoint.clone())
    );
    let wanted = other.key().id();
    assert_eq!(
        Checkpoint::verify(note.as_bytes(), &other.key()),
        Err(Rejection::CheckpointUnsigned { wanted })
    );
    let changed = note.replacen("\n3\n", "\n4\n", 1);
    assert_eq!(
        Checkpoint::verify(changed.as_bytes(), &key),
        Err(Rejection::CheckpointSignature { key: key.id() })
    );
    // The log's key, under a name that is not the log's.
    let named = |name: &str| format!("\u{2014} {name} ");
    let renamed = note.replacen(&named(ORIGIN), &named("another.example"), 1);
    assert_ne!(renamed, note);
    assert_eq!(
        Checkpoint::verify(renamed.as_bytes(), &key),
        Err(Rejection::CheckpointUnsigned { wanted: key.id() })
    );
    // A witness's line next to it is not the log's, and does no harm.
    let witness = format!("\u{2014} witness.example {}\n", BASE64.encode(&[7; 76]));
    let witnessed = format!("{note}{witness}");
    assert_eq!(
        Checkpoint::verify(witnessed.as_bytes(), &key),
        Ok(checkpoint.clone())
    );
    let alone = format!("{}\n{witness}", checkpoint.to_be_signed());
    assert_eq!(
        Checkpoint::verify(alone.as_bytes(), &key),
        Err(Rejection::CheckpointUnsigned { wanted: key.id() })
    );
}

#[test]
fn rejects_notes_and_proofs_that_are_malformed() {
    let signer = Signer::new(1);
    let key = signer.key();
    let entries = entries(3);
    let note = note(&checkpoint(&entries), &signer);
    let root = BASE64.encode(&root(&entries));
    for (bad, what) in [
        ("x".repeat(MAX_TEXT + 1), "it is too long"),
        (note.replace('3', "\u{7}"), "it has control characters"),
        (
            note.replace("\n\n", "\n"),
            "no empty line before the signatures",
        ),
        (
            note.replacen("\n3\n", "\n", 1),
            "not three lines: origin, size and root",
        ),
        (note.replacen(ORIGIN, "a b", 1), "its origin"),
        (note.replacen("\n3\n", "\n03\n", 1), "its size"),
        (note.replacen("\n3\n", "\n+3\n", 1), "its size"),
        (note.replacen(&root, "AAAA", 1), "its root"),
        (note.replacen('\u{2014}', "-", 1), "a signature line"),
        (note.trim_end().to_owned(), "its last line has no end"),
    ] {
        assert_eq!(
            Checkpoint::verify(bad.as_bytes(), &key),
            Err(Rejection::CheckpointMalformed { what }),
            "{bad:?}"
        );
    }
    let proof = inclusion(1, &entries, &signer).to_text();
    let leaf = leaf_hash(&entries[0]);
    let hash = BASE64.encode(&leaf);
    // The same bytes, written as two base64 texts in a row.
    let joined = BASE64.encode(&leaf[..1]) + &BASE64.encode(&leaf[1..]);
    for (bad, what) in [
        ("x".repeat(MAX_TEXT + 1), "it is too long"),
        (proof.replacen("@v1", "@v2", 1), "its first line"),
        (
            proof.replacen("index 1", "extra AAAA\nindex 1", 1),
            "its number",
        ),
        (proof.replacen("index 1", "index 01", 1), "its number"),
        (proof.replacen(&hash, "AAAA", 1), "a hash"),
        (proof.replacen(&hash, &joined, 1), "a hash"),
        (
            proof.replace("\n\n", "\n"),
            "no empty line before the checkpoint",
        ),
        (
            proof.replacen(&hash, &[hash.as_str(); 66].join("\n"), 1),
            "more hashes than any tree has",
        ),
    ] {
        assert_eq!(
            verify_inclusion(&entries[1], bad.as_bytes(), &key),
            Err(Rejection::LogProofMalformed { what }),
            "{bad:?}"
        );
    }
    assert_eq!(
        Inclusion::parse(&[0xff]),
        Err(Rejection::LogProofMalformed {
            what: "it is not UTF-8"
        })
    );
    assert_eq!(
        Growth::parse(b"new 3\n\n"),
        Err(Rejection::LogProofMalformed { what: "its number" })
    );
}

proptest! {
    #[test]
    fn arbitrary_texts_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let key = Signer::new(1).key();
        prop_assert!(Checkpoint::verify(&bytes, &key).is_err());
        prop_assert!(verify_inclusion(&[], &bytes, &key).is_err());
        prop_assert!(Growth::parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_numbers_and_paths_never_panic(
        first in any::<u64>(),
        second in any::<u64>(),
        path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let head = |size| Checkpoint { origin: ORIGIN.to_owned(), size, root: Hex([1; 32]) };
        let growth = Growth { old: first, path, checkpoint: String::new() };
        let step = head(first).head().grew_into(&head(second), Some(growth.to_text().as_bytes()));
        prop_assert!(step.is_err() || first == second);
    }
}
