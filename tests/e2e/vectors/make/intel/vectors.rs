//! Each lie of [`LIES`], and what is accepted.

use chrysalis_attestation::encoding::digest::sha384;
use chrysalis_simulate::intel::QuoteVersion;
use serde_json::json;

use super::{
    ASKED, Arrived, KIND,
    Lie::{Altered, Signed},
    MRTD, SEPARATOR, Scene,
    lies::LIES,
};
use crate::{
    make::NOW,
    vector::{Common, Vector},
    wishes::list,
};

/// Files that are refused for their length alone: the option, and how many zeros stand in for it.
const TOO_LARGE: [(&str, &str, &str, u64); 3] = [
    (
        "quote_too_large",
        "the quote has a byte too many",
        "quote",
        64 * 1024 + 1,
    ),
    (
        "tdx_collateral_too_large",
        "the collateral has a byte too many",
        "collateral",
        512 * 1024 + 1,
    ),
    (
        "event_log_too_large",
        "the event log has a byte too many",
        "event_log",
        1024 * 1024 + 1,
    ),
];

pub(in crate::make) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    let Arrived { quote, collateral } = honest.arrived();
    common.insert("tdx/quote.bin".to_owned(), quote);
    let collateral = collateral.to_string().into_bytes();
    common.insert("tdx/collateral.json".to_owned(), collateral);
    let wanted = honest.wishes.as_ref().expect("wishes").text();
    common.insert("tdx/policy.toml".to_owned(), wanted.into());
    let mut vectors = accepted();
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        if let Signed(change) = lie {
            change(&mut scene);
        }
        let mut arrived = scene.arrived();
        if let Altered(change) = lie {
            change(&mut arrived);
        }
        let vector = arrived.add(Vector::rejected(KIND, code, shows, NOW));
        vectors.push(scene.around(vector));
    }
    for (code, shows, key, zeros) in TOO_LARGE {
        let scene = Scene::honest();
        let vector = scene
            .arrived()
            .add(Vector::rejected(KIND, code, shows, NOW));
        vectors.push(scene.around(vector.zeros(key, zeros)));
    }
    vectors
}

fn accepted() -> Vec<Vector> {
    let claims = |version: u16| {
        json!({
            "measurement": hex::encode(MRTD), "report_data": hex::encode(ASKED), "version": version,
            "status": "UpToDate", "evaluation": 17, "fmspc": "90c06f000000",
        })
    };
    let accepted = |name, shows, version, scene: Scene| {
        let outcome = ("trusted", json!({"cpu": claims(version)}));
        let vector = Vector::accepted(KIND, name, shows, NOW, outcome);
        let vector = scene.arrived().add(vector);
        scene.around(vector)
    };
    let mut older = Scene::honest();
    older.td.version = QuoteVersion::V4;
    let mut logged = Scene::honest();
    logged.logged();
    let mut extended = Scene::honest();
    extended.td.version = QuoteVersion::V5Extended;
    // A partition and the TD's name bind nobody.
    extended.td.extension[..33].fill(3);
    let mut two_nuls = Scene::honest();
    two_nuls.td.chain_end = vec![0; 2];
    let mut crlf = Scene::honest();
    crlf.td.line_end = "\r\n";
    let mut pinned = Scene::honest();
    pinned.logged();
    pinned.td.rtmrs[3] = [7; 48];
    pinned.want("rtmr3", &list(&[[7_u8; 48]]));
    let mut one_by_one = Scene::honest();
    one_by_one.logged();
    one_by_one.wish(|wishes| wishes.unset("tdx", "rtmr0"));
    one_by_one.want("rtmr0_events", &list(&[sha384(&[SEPARATOR])]));
    vec![
        accepted(
            "honest",
            "nobody lies, in a quote of version 5",
            5,
            Scene::honest(),
        ),
        accepted(
            "honest-version-4",
            "nobody lies, in a quote of version 4",
            4,
            older,
        ),
        accepted(
            "events-one-by-one",
            "the policy wants each event of RTMR0",
            5,
            one_by_one,
        ),
        accepted("event-log", "an event log makes the registers", 5, logged),
        accepted(
            "event-log-rtmr3-pinned",
            "the log makes RTMR0 to 2, and the policy pins RTMR3, which the guest extended itself",
            5,
            pinned,
        ),
        accepted(
            "honest-extended",
            "nobody lies, in a quote of version 5 with an extended body (type 4)",
            5,
            extended,
        ),
        accepted(
            "chain-two-nuls",
            "two NULs lie behind the text of the PCK's chain",
            5,
            two_nuls,
        ),
        accepted(
            "chain-crlf",
            "lines of the PCK's chain end in CRLF",
            5,
            crlf,
        ),
    ]
}
