//! The page as it is without its script: a summary's figures, and nothing verified. The script finds the same table and fills it anew.

use std::fmt::Write as _;

use serde_json::Value;

const PAGE: &str = include_str!("../../ledger/index.html");
pub(super) const SCRIPT: &str = include_str!("../../ledger/ledger.js");
pub(super) const STYLE: &str = include_str!("../../ledger/ledger.css");
/// What the page may do: load what its own server has, and nothing else.
pub(crate) const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
/// The most providers and operators in the page itself; the table has all of them.
const FEW: usize = 200;
const FEW_OPERATORS: usize = 20;
/// Rows that are laid out together.
const CHUNK: usize = 25;

/// `index.html`.
pub(super) fn page(summary: &Value) -> String {
    let mut page = PAGE.to_owned();
    let network = &summary["network"];
    for (mark, html) in [
        ("name", escape(text(&network["name"]))),
        ("bands", bands(network)),
        ("at", format!("As of {}.", when(number(&summary["at"])))),
        ("classes", classes(summary)),
        ("count", count_line(summary)),
        ("providers", providers(summary, FEW)),
        ("operators", operators(summary, FEW_OPERATORS)),
        ("log", log(&summary["log"])),
    ] {
        page = page.replacen(&format!("<!--{mark}-->"), &html, 1);
    }
    page
}

/// `v1/ledger/table.html`.
pub(super) fn table(summary: &Value) -> String {
    let name = escape(text(&summary["network"]["name"]));
    let heads = [
        "Checked",
        "Operator",
        "Model",
        "Region",
        "Platform",
        "Release",
        "Price",
        "In use",
        "First token",
        "Tokens/s",
        "Uptime",
    ];
    let heads = heads.map(|head| format!("<th role=\"columnheader\" scope=\"col\">{head}</th>"));
    let heads = heads.concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Providers of {name}</title>\n<link rel=\"stylesheet\" href=\"../../ledger.css\">\n</head>\n<body>\n{}<main>\n<h1>{name}</h1>\n\
         <p class=\"quiet\">{} Nothing here is verified. <a href=\"../../\">The ledger</a></p>\n\
         <table class=\"providers\" role=\"table\"><thead role=\"rowgroup\"><tr role=\"row\">{heads}</tr></thead>\n{}</table>\n</main>\n</body>\n</html>\n",
        bands(&summary["network"]),
        count_line(summary),
        providers(summary, usize::MAX),
    )
}

fn bands(network: &Value) -> String {
    let mut html = String::new();
    for (on, strong, rest) in [
        (
            &network["simulated"],
            "Simulated. ",
            "These enclaves run without confidential hardware: nothing sent to them is protected.",
        ),
        (
            &network["local_chain"],
            "Local chain. ",
            "Its coins are worth nothing.",
        ),
    ] {
        if on == &Value::Bool(true) {
            put(
                &mut html,
                format_args!("<p class=\"band\"><strong>{strong}</strong>{rest}</p>"),
            );
        }
    }
    html
}

fn classes(summary: &Value) -> String {
    let symbol = escape(text(&summary["network"]["symbol"]));
    let mut html = String::new();
    for class in list(&summary["classes"]) {
        let name = &class["name"];
        let mut concentration = list(&summary["concentration"]).iter();
        let row = concentration.find(|row| row["class"] == *name);
        let of = |field: &str| row.map_or(0, |row| number(&row[field]));
        let price = class["index"]
            .as_str()
            .map_or("–".to_owned(), |nano| coins(nano.parse().unwrap_or(0)));
        let prices = list(&class["history"]).iter();
        let prices: Vec<u64> = prices
            .filter_map(|point| point[1].as_str()?.parse().ok())
            .collect();
        let past = match (prices.iter().min(), prices.iter().max()) {
            (Some(low), Some(high)) => format!("low {} · high {}", coins(*low), coins(*high)),
            _ => "no history yet".to_owned(),
        };
        put(
            &mut html,
            format_args!(
                "<tr role=\"row\">{}<td role=\"cell\" class=\"n price\"><strong>{price}</strong><small>{symbol}</small></td>\
                 <td role=\"cell\" class=\"chart\"><small>{past}</small></td>{}{}{}</tr>",
                heading("", text(name)),
                cell("n", &percent(number(&class["utilisation"])), "in use"),
                cell("n", &percent(of("largest_share")), "largest"),
                cell("n", &count(of("hhi")), "HHI"),
            ),
        );
    }
    html
}

fn count_line(summary: &Value) -> String {
    let many = list(&summary["providers"]).len();
    format!(
        "{} provider{}. Prices in {} for a million; of chat, the dearer of prompt and answer.",
        count(i64::try_from(many).unwrap_or(i64::MAX)),
        if many == 1 { "" } else { "s" },
        escape(text(&summary["network"]["symbol"])),
    )
}

/// The cheapest of them, as the script sorts them at first.
fn providers(summary: &Value, most: usize) -> String {
    let mut rows: Vec<(u64, &str, &Value)> = list(&summary["providers"])
        .iter()
        .map(|row| (nano(&row["price"]), text(&row["id"]), row))
        .collect();
    rows.sort_unstable_by_key(|(price, id, _)| (*price, *id));
    rows.truncate(most);
    let mut html = String::new();
    for chunk in rows.chunks(CHUNK) {
        html.push_str("<tbody role=\"rowgroup\">");
        for (price, _, row) in chunk {
            provider(&mut html, *price, row);
        }
        html.push_str("</tbody>\n");
    }
    html
}

fn provider(html: &mut String, price: u64, row: &Value) {
    let gpus = match number(&row["gpus"]) {
        0 => String::new(),
        gpus => format!(", {gpus} GPU"),
    };
    let region = match text(&row["region"]) {
        "" => "–",
        region => region,
    };
    let first_token = match number(&row["first_token_ms"]) {
        0 => "–".to_owned(),
        ms => format!("{} ms", count(ms)),
    };
    put(
        html,
        format_args!(
            "<tr role=\"row\" data-state=\"unchecked\">{}{}{}{}{}{}{}{}{}{}{}</tr>",
            cell("state", "– no", ""),
            heading("key", text(&row["operator"])),
            cell("model", text(&row["class"]), ""),
            cell("region", region, ""),
            cell("platform", &format!("{}{gpus}", text(&row["platform"])), ""),
            cell("release", text(&row["release"]), ""),
            cell("n price-each", &coins(price), ""),
            cell("n", &percent(number(&row["load"])), "in use"),
            cell("n", &first_token, "first token"),
            cell("n", &count(number(&row["tokens_per_second"])), "tokens/s"),
            cell("n", &percent(number(&row["uptime"])), "up"),
        ),
    );
}

fn operators(summary: &Value, most: usize) -> String {
    let mut rows: Vec<&Value> = list(&summary["operators"]).iter().collect();
    rows.sort_by_key(|row| (-number(&row["capacity_share"]), text(&row["operator"])));
    rows.truncate(most);
    let mut html = String::new();
    for row in rows {
        let least = if row["paid_whole"] == false {
            "≥ "
        } else {
            ""
        };
        let paid = match row["paid"].as_str() {
            Some(_) => format!("{least}{}", coins(nano(&row["paid"]))),
            None => "not asked".to_owned(),
        };
        put(
            &mut html,
            format_args!(
                "<tr role=\"row\">{}{}{}{}{}{}</tr>",
                heading("key", text(&row["operator"])),
                cell("key", text(&row["payee"]), "paid to"),
                cell("n", &count(number(&row["providers"])), "enclaves"),
                cell("n", &percent(number(&row["capacity_share"])), "capacity"),
                cell("n", &coins(nano(&row["signed"])), "signed"),
                cell("n", &paid, "paid"),
            ),
        );
    }
    html
}

fn log(log: &Value) -> String {
    format!(
        "<dt>Origin</dt><dd>{}</dd><dt>Entries</dt><dd>{}</dd><dt>Root</dt><dd class=\"key\">{}</dd><dt>Key</dt><dd class=\"key\">{}</dd>",
        escape(text(&log["origin"])),
        count(number(&log["size"])),
        escape(text(&log["root"])),
        escape(text(&log["key"])),
    )
}

fn cell(kind: &str, text: &str, label: &str) -> String {
    let text = escape(text);
    match label {
        "" => format!("<td role=\"cell\" class=\"{kind}\">{text}</td>"),
        _ => format!("<td role=\"cell\" class=\"{kind}\" data-label=\"{label}\">{text}</td>"),
    }
}

fn heading(kind: &str, text: &str) -> String {
    format!(
        "<th role=\"rowheader\" scope=\"row\" class=\"{kind}\">{}</th>",
        escape(text)
    )
}

/// Text that is no markup, in an element or in quotes. Marks of the template are none either.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    html.write_fmt(what).expect("a string takes any text");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn nano(value: &Value) -> u64 {
    text(value).parse().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Nano as coins: six places, nine where six show nothing.
fn coins(nano: u64) -> String {
    let places: u32 = if nano > 0 && nano < 1000 { 9 } else { 6 };
    let unit = 10_u128.pow(9 - places);
    let rounded = (u128::from(nano) + unit / 2) / unit;
    let whole = 10_u128.pow(places);
    let places = usize::try_from(places).unwrap_or_default();
    format!("{}.{:0places$}", rounded / whole, rounded % whole)
}

fn percent(thousandths: i64) -> String {
    match thousandths {
        1000.. => format!("{} %", thousandths / 10),
        _ => format!("{}.{} %", thousandths / 10, thousandths % 10),
    }
}

/// Thousands are parted by commas.
fn count(number: i64) -> String {
    let digits = number.max(0).to_string();
    let mut parted = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            parted.push(',');
        }
        parted.push(digit);
    }
    parted
}

fn when(unix: i64) -> String {
    chrysalis_attestation::Time(unix).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_script() {
        let shown = [0, 1, 999, 1000, 17_912_345, 43_535_857_359].map(coins);
        let wanted = [
            "0.000000",
            "0.000000001",
            "0.000000999",
            "0.000001",
            "0.017912",
            "43.535857",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(coins(u64::MAX), "18446744073.709552");
        assert_eq!(
            [0, 5, 719, 1000].map(percent),
            ["0.0 %", "0.5 %", "71.9 %", "100 %"]
        );
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(when(1_796_126_400), "2026-12-01 12:00 UTC");
    }

    #[test]
    fn names_that_are_markup_are_text() {
        let hostile = "<img src=x onerror=alert(1)>\"'&<!--providers-->";
        let provider = json!({"id": hostile, "operator": hostile, "class": hostile, "region": hostile, "platform": hostile, "release": hostile,
            "price": "1", "gpus": 1});
        let summary = json!({"network": {"name": hostile, "symbol": hostile, "simulated": true}, "at": 0,
            "classes": [{"name": hostile, "index": hostile, "history": [[0, hostile]]}], "providers": [provider],
            "operators": [{"operator": hostile, "payee": hostile}], "log": {"origin": hostile, "root": hostile, "key": hostile}});
        for html in [page(&summary), table(&summary)] {
            assert!(html.contains(
                "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;&lt;!--providers--&gt;"
            ));
            assert!(!html.contains("<img") && !html.contains("<!--"), "{html}");
        }
    }
}
