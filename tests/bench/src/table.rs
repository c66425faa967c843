//! The table: every row beside its floor and beside this project's own.

use std::io::BufRead;

use crate::row::{Kind, Row, Subject};

/// What the client and the command line are built with: what others are compared with.
const CLIENTS: &str = "aws-lc-rs";

/// Reads rows, a line of JSON each, and prints them as one table in Markdown.
///
/// Of several rounds the fastest counts: a busy neighbour on the same core makes any of them slower, and none faster.
pub(crate) fn print(lines: impl BufRead) -> anyhow::Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.lines() {
        let row: Row = serde_json::from_str(&line?)?;
        match rows.iter_mut().find(|it| it.is_of(&row)) {
            Some(known) => known.keep_faster(row),
            None => rows.push(row),
        }
    }
    println!(
        "| evidence | verifier | signatures by | CPU ms | × its floor | × ours by {CLIENTS} |"
    );
    println!("|---|---|---|---:|---:|---:|");
    for subject in Subject::ALL {
        for kind in [Kind::Floor, Kind::Ours, Kind::Peer] {
            for row in rows
                .iter()
                .filter(|it| (it.subject, it.kind) == (subject, kind))
            {
                print_row(row, &rows);
            }
        }
    }
    Ok(())
}

fn print_row(row: &Row, rows: &[Row]) {
    let find = |kind, library: &str| {
        let found = rows
            .iter()
            .find(|it| (it.subject, it.kind) == (row.subject, kind) && it.library == library);
        found.and_then(|it| it.result.as_ref().ok().copied())
    };
    let evidence = match row.subject {
        Subject::Snp => "SNP",
        Subject::Tdx => "TDX",
        Subject::Gpu => "GPU, both RIMs",
        Subject::Composite => "bundle: SNP and GPU",
    };
    let verifier = match row.kind {
        Kind::Floor => format!("floor: {}", row.verifier),
        Kind::Ours => format!("**{}**", row.verifier),
        Kind::Peer => row.verifier.clone(),
    };
    let library = &row.library;
    let (own, floor, ours) = match &row.result {
        Ok(own) => {
            let ratio = |of: Option<f64>| of.map(|of| format!("{:.2}", own / of));
            let floor = (row.kind == Kind::Ours).then(|| ratio(find(Kind::Floor, library)));
            let ours = (row.kind == Kind::Peer).then(|| ratio(find(Kind::Ours, CLIENTS)));
            (format!("{own:.3}"), floor.flatten(), ours.flatten())
        }
        Err(why) => (why.clone(), None, None),
    };
    let (floor, ours) = (floor.unwrap_or_default(), ours.unwrap_or_default());
    println!("| {evidence} | {verifier} | {library} | {own} | {floor} | {ours} |");
}
