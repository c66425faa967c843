//! `v1/ledger/summary.json`: docs/spec/ledger.schema.json.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrysalis_attestation::{Time, encoding::digest::Hex};
use chrysalis_network::{Asked, Class, ProviderId, SignedListing, index};
use chrysalis_settle::{Report, SignedReport};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Payouts, tally::Tally};
use crate::{
    Desk,
    publish::{COUNTS, thousandths},
    store::{Reported, StoreError},
};

/// What was read before, so that no signature is checked twice.
#[derive(Default)]
pub(super) struct Known {
    listings: BTreeMap<ProviderId, (u64, Arc<SignedListing>)>,
    reports: BTreeMap<([u8; 32], [u8; 32]), Arc<Read>>,
}

/// The newest report of an enclave, and the one before it.
struct Read {
    report: Report,
    last: Vec<u8>,
    before: Option<Vec<u8>>,
}

/// What there is now.
pub(super) struct Now {
    classes: Vec<(Class, Vec<Provider>)>,
    pub(super) refresh: i64,
}

struct Provider {
    id: ProviderId,
    listing: Arc<SignedListing>,
    read: Option<Arc<Read>>,
}

impl Known {
    pub(super) fn providers(&self) -> usize {
        self.listings.len()
    }

    /// Listings that have not ended, each with its enclave's newest report if that still counts.
    pub(super) fn read(&mut self, desk: &Desk, now: Time) -> Result<Now, StoreError> {
        let minute = now.0.div_euclid(60).saturating_sub(COUNTS);
        let network = &desk.directory().network;
        let mut classes = Vec::new();
        let (mut listings, mut reports) = (BTreeMap::new(), BTreeMap::new());
        for class in &network.classes {
            let weights = class.weights.0;
            let (listed, newest) = desk.store().change(|change| {
                let newest = change.newest_reports(&weights, minute)?;
                let mut read = Vec::with_capacity(newest.len());
                for it in newest {
                    let same = |known: &&Arc<Read>| known.last == it.bytes;
                    let known = self.reports.get(&(it.receipt_key, weights)).filter(same);
                    let known = known.filter(|it| it.before.is_some() || it.report.epoch == 0);
                    let before = match (known, it.epoch.checked_sub(1)) {
                        (None, Some(epoch)) => change.report(&it.receipt_key, &weights, epoch)?,
                        _ => None,
                    };
                    read.push((known.cloned(), it, before));
                }
                Ok::<_, StoreError>((change.listed(&weights, now.0)?, read))
            })?;
            for (known, newest, before) in newest {
                let key = (newest.receipt_key, weights);
                let read = known.map_or_else(|| Read::of(newest, before), Ok)?;
                reports.insert(key, read);
            }
            let mut providers = Vec::new();
            for it in listed {
                let known = self.listings.remove(&it.id);
                let known = known.filter(|(seq, _)| *seq == it.seq);
                let listing = if let Some((_, listing)) = known {
                    listing
                } else {
                    let read = SignedListing::verify(&it.bytes);
                    let read = read.map_err(|_| StoreError::unreadable("a listing that is none"));
                    Arc::new(read?)
                };
                listings.insert(it.id, (it.seq, Arc::clone(&listing)));
                providers.push(Provider {
                    id: it.id,
                    listing,
                    read: reports.get(&(it.receipt_key, weights)).cloned(),
                });
            }
            classes.push((class.clone(), providers));
        }
        (self.listings, self.reports) = (listings, reports);
        Ok(Now {
            classes,
            refresh: 0,
        })
    }
}

impl Read {
    fn of(newest: Reported, before: Option<Reported>) -> Result<Arc<Self>, StoreError> {
        let report = SignedReport::verify(&newest.bytes)
            .map_err(|_| StoreError::unreadable("a report that is none"))?;
        Ok(Arc::new(Self {
            report,
            last: newest.bytes,
            before: before.map(|it| it.bytes),
        }))
    }
}

impl Provider {
    fn json(&self, class: &Class, tally: &Tally, now: Time) -> Value {
        let (listing, offer) = (self.listing.listing(), self.listing.offer());
        let enclave = (offer.receipt_key, offer.weights);
        let (since, uptime) = tally.uptime(&enclave, now).unwrap_or((now.0, 1000));
        let report = self.read.as_ref().map(|read| &read.report);
        let price = report.map_or(0, |it| Asked::price_of(&offer.kind, &it.asked));
        let load = report.map_or(0, |it| share(it.load.used, it.load.capacity));
        let read = self.read.as_ref();
        json!({
            "id": self.id.to_string(), "operator": hex(&listing.operator), "receipt_key": hex(&offer.receipt_key), "class": class.name,
            "region": listing.region, "platform": offer.platform, "gpus": offer.gpus, "release": offer.release,
            "price": price.to_string(), "load": load,
            "first_token_ms": report.map_or(0, |it| it.first_token_ms),
            "tokens_per_second": report.map_or(0, |it| it.tokens_per_second),
            "since": since, "uptime": uptime,
            "reports": {
                "last": read.map(|it| BASE64.encode(&it.last)),
                "before": read.and_then(|it| it.before.as_ref()).map(|it| BASE64.encode(it)),
            },
        })
    }
}

/// The enclaves of a class that reported, each once and for the first operator that lists it.
fn reported(providers: &[Provider]) -> Vec<(&Provider, &Report)> {
    let mut seen = BTreeSet::new();
    let found = providers
        .iter()
        .filter_map(|it| Some((it, &it.read.as_ref()?.report)));
    found
        .filter(|(_, report)| seen.insert(report.receipt_key))
        .collect()
}

impl Now {
    /// What each class costs.
    pub(super) fn indexes(&self) -> BTreeMap<[u8; 32], u64> {
        let of = |(class, providers): &(Class, Vec<Provider>)| {
            Some((class.weights.0, cost(&reported(providers))?))
        };
        self.classes.iter().filter_map(of).collect()
    }

    pub(super) fn summary(
        &self,
        desk: &Desk,
        tally: &Tally,
        payouts: Option<&Payouts>,
        (head, key): (&[u8], &[u8; 32]),
        now: Time,
    ) -> Value {
        let network = &desk.directory().network;
        let all = || self.classes.iter().flat_map(|(_, providers)| providers);
        let simulated = all().any(|it| it.listing.offer().platform == "simulated");
        let classes = self.classes.iter();
        let providers = self.classes.iter().flat_map(|(class, providers)| {
            providers.iter().map(move |it| it.json(class, tally, now))
        });
        json!({
            "version": 1,
            "network": {
                "name": network.name, "symbol": network.chain.symbol, "simulated": simulated,
                "local_chain": network.chain.global_id == chrysalis_chain::LOCAL_ID,
            },
            "at": now.0, "refresh": self.refresh,
            "classes": classes.clone().map(|(class, providers)| class_json(class, providers, tally)).collect::<Vec<_>>(),
            "providers": providers.collect::<Vec<_>>(),
            "operators": self.operators(tally, payouts),
            "concentration": classes.map(|(class, providers)| concentration(class, providers)).collect::<Vec<_>>(),
            "log": log(head, key),
        })
    }

    fn operators(&self, tally: &Tally, payouts: Option<&Payouts>) -> Vec<Value> {
        let mut rows: BTreeMap<_, (u64, u128)> = tally
            .signed()
            .keys()
            .map(|owner| (*owner, Default::default()))
            .collect();
        let owner = |it: &Provider| (it.listing.listing().operator, it.listing.listing().payee);
        let mut whole = 0;
        for (_, providers) in &self.classes {
            for provider in providers {
                rows.entry(owner(provider)).or_default().0 += 1;
            }
            for (provider, report) in reported(providers) {
                let capacity = u128::from(report.load.capacity);
                rows.entry(owner(provider)).or_default().1 += capacity;
                whole += capacity;
            }
        }
        let row = |(owner, (providers, capacity)): (_, (u64, u128))| {
            let (operator, payee): &([u8; 32], [u8; 32]) = &owner;
            let paid = payouts.and_then(|it| it.of(payee));
            json!({
                "operator": hex(operator), "payee": hex(payee), "providers": providers,
                "capacity_share": thousandths(capacity, whole),
                "signed": tally.signed().get(&owner).copied().unwrap_or_default().to_string(),
                "paid": paid.map(|it| it.nano.to_string()), "paid_whole": paid.is_none_or(|it| it.whole),
            })
        };
        rows.into_iter().map(row).collect()
    }
}

fn class_json(class: &Class, providers: &[Provider], tally: &Tally) -> Value {
    let each = reported(providers);
    let sum =
        |of: fn(&Report) -> u64| -> u128 { each.iter().map(|(_, it)| u128::from(of(it))).sum() };
    let history = tally.history(&class.weights.0);
    json!({
        "name": class.name, "weights": class.weights.to_string(),
        "kind": providers.first().map_or("", |it| it.listing.offer().kind.as_str()),
        "index": cost(&each).map(|it| it.to_string()),
        "utilisation": thousandths(sum(|it| it.load.used), sum(|it| it.load.capacity)),
        "history": history.map(|(at, index)| json!([at, index.to_string()])).collect::<Vec<_>>(),
    })
}

fn cost(reported: &[(&Provider, &Report)]) -> Option<u64> {
    let asked = reported.iter().map(|(provider, report)| Asked {
        price: Asked::price_of(&provider.listing.offer().kind, &report.asked),
        capacity: report.load.capacity,
    });
    index(&asked.collect::<Vec<_>>())
}

/// The largest operator's share of a class in thousandths, and the sum of all squares: 10 000 is a monopoly.
fn concentration(class: &Class, providers: &[Provider]) -> Value {
    let mut each = BTreeMap::<_, u128>::new();
    for (provider, report) in reported(providers) {
        let capacity = u128::from(report.load.capacity);
        *each.entry(provider.listing.listing().operator).or_default() += capacity;
    }
    let all: u128 = each.values().sum();
    let largest = each.values().copied().max().unwrap_or_default();
    let squares = each
        .values()
        .fold(0_u128, |sum, it| sum.saturating_add(it.saturating_mul(*it)));
    let hhi = squares
        .saturating_mul(10_000)
        .checked_div(all.saturating_mul(all));
    json!({
        "class": class.name, "largest_share": thousandths(largest, all),
        "hhi": u64::try_from(hhi.unwrap_or_default()).unwrap_or(10_000),
    })
}

/// The newest head, by its own text, and the key that signs it.
fn log(head: &[u8], key: &[u8; 32]) -> Value {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let origin = lines.next().unwrap_or_default();
    let size = lines.next().and_then(|it| it.parse::<u64>().ok());
    let root = lines
        .next()
        .and_then(|it| BASE64.decode(it.as_bytes()).ok());
    let root = hex::encode(root.unwrap_or_default());
    json!({"origin": origin, "size": size.unwrap_or_default(), "root": root, "key": hex(key)})
}

fn hex(bytes: &[u8; 32]) -> String {
    Hex(*bytes).to_string()
}

fn share(used: u64, capacity: u64) -> u16 {
    thousandths(used.into(), capacity.into())
}
