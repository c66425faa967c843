//! `network list`, `show` and `price`.

use std::fmt::Write as _;

use anyhow::bail;
use chrysalis_attestation::Time;
use chrysalis_chain::amount;
use chrysalis_client::{
    network::{Directories, Listed, Trouble},
    system_time,
};
use chrysalis_network::{Class, ProviderId};
use clap::Args;
use serde_json::{Value, json};

use super::{open::Opened, options::Named};
use crate::{
    options::Format,
    outcome::Outcome,
    printable::{print, printable},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis network list --network network.json --network-key network.pub"
)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) which: Named,
    /// Only this model; may be repeated
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::default())]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis network show 3f2a --network network.json --network-key network.pub"
)]
pub(crate) struct ShowArguments {
    /// The provider, or the beginning of its id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) which: Named,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::default())]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis network price smollm2-135m-instruct --network network.json --network-key network.pub"
)]
pub(crate) struct PriceArguments {
    /// The model, as the network calls it
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) which: Named,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::default())]
    pub(crate) format: Format,
}

pub(super) async fn list(arguments: ListArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::of(&arguments.which).await?;
    let models = opened.models(&arguments.models)?;
    let directories = asked(&opened, &models).await?;
    let told = match arguments.format {
        Format::Json => format!("{:#}\n", json_of(&opened, &directories, &models)),
        Format::Text => text_of(&opened, &directories, &models),
    };
    print(&told)?;
    Ok(Outcome::Yes)
}

pub(super) async fn show(arguments: ShowArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::of(&arguments.which).await?;
    let models = opened.models(&[])?;
    let directories = asked(&opened, &models).await?;
    let mut found = Vec::new();
    for class in classes(&opened, &models) {
        let view = directories.class(&class.weights.0);
        let listed = view.listed.iter();
        let named = listed.filter(|(id, _)| id.to_string().starts_with(&arguments.id));
        let named =
            named.map(|(id, it): (&ProviderId, &Listed)| (class.name.clone(), *id, it.clone()));
        found.extend(named.collect::<Vec<(String, ProviderId, Listed)>>());
    }
    let [(class, id, listed)] = &found[..] else {
        bail!(
            "{} providers are listed whose id begins with {}\nhint: `chrysalis network list` shows them",
            found.len(),
            printable(&arguments.id)
        );
    };
    let value = provider(class, *id, listed);
    let told = match (arguments.format, &value) {
        (Format::Json, value) => format!("{value:#}\n"),
        (Format::Text, Value::Object(fields)) => {
            let line = |(name, value): (&String, &Value)| match value {
                Value::String(text) => format!("{name:<18} {text}\n"),
                value => format!("{name:<18} {value}\n"),
            };
            fields.iter().map(line).collect()
        }
        (Format::Text, value) => value.to_string(),
    };
    print(&printable(&told))?;
    Ok(Outcome::Yes)
}

pub(super) async fn price(arguments: PriceArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::of(&arguments.which).await?;
    let models = opened.models(std::slice::from_ref(&arguments.model))?;
    let directories = asked(&opened, &models).await?;
    for class in classes(&opened, &models) {
        let view = directories.class(&class.weights.0);
        let mut prices: Vec<_> = view
            .listed
            .values()
            .filter_map(|it| Some(it.entry?.price))
            .collect();
        prices.sort_unstable();
        let told = match arguments.format {
            Format::Json => {
                let value = json!({"model": class.name, "index": view.index, "prices": prices});
                format!("{value:#}\n")
            }
            Format::Text => {
                let symbol = &opened.descriptor.chain.symbol;
                let coin = |nano: Option<u64>| nano.map_or("unknown".to_owned(), amount::write);
                format!(
                    "index    {}\ncheapest {}\ndearest  {}\n{symbol} a million units, at {} of {} providers\n",
                    coin(view.index),
                    coin(prices.first().copied()),
                    coin(prices.last().copied()),
                    prices.len(),
                    view.listed.len()
                )
            }
        };
        print(&told)?;
    }
    Ok(Outcome::Yes)
}

/// What directories list, once they were asked; an error if none of them is of any use and nothing was kept.
async fn asked(opened: &Opened, models: &[String]) -> anyhow::Result<Directories> {
    let directories = opened.directories(models).await?;
    for status in directories.status() {
        if let Some(trouble) = &status.trouble {
            eprintln!("{}", printable(&warning(&status.url, trouble)));
        }
    }
    let listed =
        classes(opened, models).any(|it| !directories.class(&it.weights.0).listed.is_empty());
    if !listed
        && directories
            .status()
            .iter()
            .all(|it| it.trouble.is_some() || !it.asked)
    {
        bail!(
            "none of the network's directories answered\nhint: check this machine's network and clock"
        );
    }
    Ok(directories)
}

/// A directory's trouble in a line.
pub(crate) fn warning(url: &str, trouble: &Trouble) -> String {
    format!(
        "warning: {url}: {trouble} ({}); hint: {}",
        trouble.code(),
        trouble.hint()
    )
}

fn classes<'a>(opened: &'a Opened, models: &'a [String]) -> impl Iterator<Item = &'a Class> {
    models
        .iter()
        .filter_map(|name| opened.descriptor.class(name))
}

fn text_of(opened: &Opened, directories: &Directories, models: &[String]) -> String {
    let mut told = format!(
        "network {}, version {}\n",
        opened.descriptor.name, opened.descriptor.version
    );
    for class in classes(opened, models) {
        let view = directories.class(&class.weights.0);
        let index = view.index.map_or("unknown".to_owned(), amount::write);
        let _ = writeln!(
            told,
            "\n{}  {} listed, index {index}",
            class.name,
            view.listed.len()
        );
        for (id, Listed { listing, entry }) in &view.listed {
            let price = entry.map_or("-".to_owned(), |it| amount::write(it.price));
            let load = entry.map_or("-".to_owned(), |it| format!("{} %", it.load / 10));
            let (offer, said) = (listing.offer(), listing.listing());
            let at = said
                .endpoints
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            let _ = writeln!(
                told,
                "{id}  {price:>12}  {load:>5}  {:<9} {:<12} {at}",
                offer.platform, said.region
            );
        }
    }
    printable(&told)
}

fn json_of(opened: &Opened, directories: &Directories, models: &[String]) -> Value {
    let class = |class: &Class| {
        let view = directories.class(&class.weights.0);
        let listed = view
            .listed
            .iter()
            .map(|(id, it)| provider(&class.name, *id, it));
        json!({
            "name": class.name,
            "weights": class.weights.to_string(),
            "index": view.index,
            "providers": listed.collect::<Vec<_>>(),
        })
    };
    let status = directories.status();
    let status = status
        .iter()
        .map(|it| json!({"url": it.url, "code": it.trouble.as_ref().map(Trouble::code)}));
    json!({
        "network": opened.descriptor.name,
        "version": opened.descriptor.version,
        "expires": opened.descriptor.expires.0,
        "directories": status.collect::<Vec<_>>(),
        "models": classes(opened, models).map(class).collect::<Vec<_>>(),
    })
}

fn provider(model: &str, id: ProviderId, listed: &Listed) -> Value {
    let (offer, said) = (listed.listing.offer(), listed.listing.listing());
    let endpoints = said.endpoints.iter().map(ToString::to_string);
    json!({
        "id": id.to_string(),
        "model": model,
        "price": listed.entry.map(|it| it.price),
        "load": listed.entry.map(|it| it.load),
        "operator": hex::encode(said.operator),
        "payee": format!("0:{}", hex::encode(said.payee)),
        "lane_min": said.lane_min,
        "delay_min": said.delay_min,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "region": said.region,
        "seq": said.seq,
        "until": said.until,
        "is_over": system_time() >= Time(said.until),
        "receipt_key": hex::encode(offer.receipt_key),
        "release": offer.release,
        "platform": offer.platform,
        "gpus": offer.gpus,
        "kind": offer.kind,
        "context": offer.context,
        "slots": offer.slots,
        "tokens_per_second": offer.tokens_per_second,
    })
}
