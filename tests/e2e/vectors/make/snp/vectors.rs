//! Each lie of [`LIES`], and what is accepted.

use chrysalis_attestation::evidence::binding::host_data;
use chrysalis_simulate::TCB;
use chrysalis_tests::scene::{CONFIGURATION, LAUNCH_DIGEST};
use serde_json::json;

use super::{ASKED, KIND, Scene, lies::LIES, wishes};
use crate::{
    make::NOW,
    vector::{Common, Vector},
};

pub(in crate::make) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    for (name, der) in &honest.certificates {
        common.insert(format!("snp/{name}"), der.clone());
    }
    common.insert("snp/crl.der".to_owned(), honest.lists.concat());
    common.insert("snp/report.bin".to_owned(), honest.report());
    common.insert("snp/policy.toml".to_owned(), wishes().text().into());
    let claims = json!({
        "product": "genoa", "version": 5, "status": "not_revoked", "vmpl": 0,
        "measurement": hex::encode(LAUNCH_DIGEST), "report_data": hex::encode(ASKED),
        "host_data": hex::encode(host_data(CONFIGURATION)), "tcb": hex::encode(TCB.encode().0),
    });
    let shows = "nobody lies";
    let vector = Vector::accepted(
        KIND,
        "honest",
        shows,
        NOW,
        ("trusted", json!({"cpu": claims})),
    );
    let vector = vector.file("report", "report.bin", honest.report());
    let mut vectors = vec![honest.around(vector), of_a_broken_line(), endorsed()];
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        lie(&mut scene);
        let vector = Vector::rejected(KIND, code, shows, NOW);
        let vector = vector.file("report", "report.bin", scene.report());
        vectors.push(scene.around(vector));
    }
    vectors
}

/// What its publisher still stands by.
fn endorsed() -> Vector {
    let mut scene = Scene::honest();
    scene.endorsed(|_| ());
    let shows = "the publisher endorsed the image a day ago, and the policy wants that";
    let outcome = ("trusted", json!({}));
    let vector = Vector::accepted(KIND, "endorsed", shows, NOW, outcome);
    let vector = vector.file("report", "report.bin", scene.report());
    scene.around(vector)
}

/// What the policy accepts for a reason, and says so.
fn of_a_broken_line() -> Vector {
    let mut scene = Scene::of_milan();
    scene.want("broken", "{ milan = { unchecked = \"a vector\" } }");
    let claims = json!({
        "product": "milan",
        "broken": { "product": "milan", "since": "2026-05-13", "source": "arXiv:2605.12990" },
    });
    let shows = "the product line is known to be broken, and the policy accepts that";
    let outcome = ("trusted", json!({"cpu": claims}));
    let vector = Vector::accepted(KIND, "broken-and-accepted", shows, NOW, outcome);
    let vector = vector.file("report", "report.bin", scene.report());
    scene.around(vector)
}
