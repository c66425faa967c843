//! The screen as text: made anew from numbers each time, so that a test can read it.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use chrysalis_wire::host::{FIRST_TOKEN_BOUNDS_MS, ModelLoad};

use crate::{
    guest::load::{Busy, Pace, Quantile},
    metrics::{counters::Counters, presence::Presence},
};

/// A guest that has said nothing for so long is worth a word.
const SILENT: Duration = Duration::from_secs(5);
/// What stands right of a model's name.
const COLUMNS: [(&str, usize); 9] = [
    ("running", 7),
    ("queued", 6),
    ("requests", 8),
    ("tokens/s", 8),
    ("p50", 7),
    ("p95", 7),
    ("429", 5),
    ("failed", 6),
    ("restarts", 8),
];
/// The fewest columns of a model's name.
const LEAST_NAME: usize = 8;

/// All that the screen says.
pub(super) struct Seen<'a> {
    pub(super) busy: Option<Busy>,
    pub(super) counters: &'a Counters,
    pub(super) presence: Option<&'a Presence>,
    pub(super) listen: SocketAddr,
    pub(super) platform: &'a str,
    pub(super) up: Duration,
}

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            columns: 80,
            rows: 24,
        }
    }
}

/// The screen's lines, each narrower than the terminal, and fewer than it has.
pub(super) fn screen(seen: &Seen<'_>, size: Size) -> Vec<String> {
    let mut lines = vec![
        format!("serving  https://{} for {}", seen.listen, duration(seen.up)),
        format!("on       {}", seen.platform),
    ];
    if let Some(busy) = &seen.busy {
        // Seven lines are not of models, or eight, and the cursor is on one of its own.
        let others = 7 + 1 + usize::from(seen.presence.is_some());
        let room = size.rows.saturating_sub(others);
        lines.push(String::new());
        lines.extend(models(busy, size.columns, room));
        lines.push(String::new());
        lines.push(guest(busy));
    }
    lines.push(clients(seen.counters));
    lines.extend(seen.presence.map(network));
    lines.push("Ctrl-C asks the guest to power off".to_owned());
    lines.truncate(size.rows.saturating_sub(1));
    for line in &mut lines {
        cut(line, size.columns.saturating_sub(1));
    }
    lines
}

/// All of it in one line, for a log. None before the guest has said anything.
pub(super) fn line(seen: &Seen<'_>) -> Option<String> {
    let busy = seen.busy.as_ref()?;
    let models = busy.load.models.iter().zip(&busy.pace);
    let models: Vec<_> = models
        .map(|(model, pace)| {
            format!(
                "{}: {}, {} queued, {} requests, {:.1} tokens/s, first token {} (p50) {} (p95), {} times 429, {} failed, {} restarts",
                model.name,
                running(model),
                model.queued,
                model.requests,
                pace.tokens_per_second,
                quantile(pace.first_token[0]),
                quantile(pace.first_token[1]),
                model.refused,
                model.failed,
                model.restarts,
            )
        })
        .collect();
    Some(format!(
        "load: {}; {} connections open",
        models.join("; "),
        seen.counters.open.read()
    ))
}

fn models(busy: &Busy, columns: usize, room: usize) -> Vec<String> {
    let fixed: usize = COLUMNS.iter().map(|(_, width)| width + 1).sum();
    let longest = busy
        .load
        .models
        .iter()
        .map(|model| model.name.chars().count())
        .max();
    let name = columns
        .saturating_sub(fixed + 1)
        .min(longest.unwrap_or(0))
        .max(LEAST_NAME);
    let heads = COLUMNS.map(|(head, _)| head.to_owned());
    let mut lines = vec![row("model", name, &heads)];
    let models = busy.load.models.iter().zip(&busy.pace);
    lines.extend(models.map(|(model, pace)| row(&model.name, name, &cells(model, *pace))));
    if lines.len() > room {
        let shown = room.saturating_sub(1);
        let left = lines.len().saturating_sub(shown);
        lines.truncate(shown);
        lines.push(format!("and {left} more"));
    }
    lines
}

fn cells(model: &ModelLoad, pace: Pace) -> [String; COLUMNS.len()] {
    [
        running(model),
        model.queued.to_string(),
        model.requests.to_string(),
        format!("{:.1}", pace.tokens_per_second),
        quantile(pace.first_token[0]),
        quantile(pace.first_token[1]),
        model.refused.to_string(),
        model.failed.to_string(),
        model.restarts.to_string(),
    ]
}

fn row(name: &str, width: usize, cells: &[String]) -> String {
    let mut line = name.to_owned();
    cut(&mut line, width);
    let mut line = format!("{line:<width$}");
    for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
        // Writing to a String cannot fail.
        let _ = write!(line, " {cell:>width$}");
    }
    line
}

fn running(model: &ModelLoad) -> String {
    if model.ready {
        format!("{}", model.running)
    } else {
        "down".to_owned()
    }
}

fn guest(busy: &Busy) -> String {
    let load = &busy.load;
    let used = load.memory_total_kib.saturating_sub(load.memory_free_kib);
    let silent = if busy.age >= SILENT {
        format!("silent for {}, ", duration(busy.age))
    } else {
        String::new()
    };
    format!(
        "guest    {silent}{} of {} MiB in use, attested {} ago",
        used >> 10,
        load.memory_total_kib >> 10,
        duration(busy.attestation_age())
    )
}

fn clients(counters: &Counters) -> String {
    format!(
        "clients  {} connections of {} so far, {} refused, {} broken, {} MiB in, {} MiB out",
        counters.open.read(),
        counters.total.read(),
        counters.refused.read(),
        counters.broken.read(),
        counters.to_guest.read() >> 20,
        counters.from_guest.read() >> 20
    )
}

fn network(presence: &Presence) -> String {
    format!(
        "network  listed in {} of {} directories, {} price reports wait",
        presence.listing.read(),
        presence.directories.read(),
        presence.waiting.read()
    )
}

fn quantile(quantile: Option<Quantile>) -> String {
    let seconds = |ms: u64| match ms {
        0..1000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    };
    match quantile {
        None => "-".to_owned(),
        Some(Quantile::Within(bound)) => seconds(bound),
        Some(Quantile::Beyond) => format!(
            ">{}",
            seconds(FIRST_TOKEN_BOUNDS_MS.last().copied().unwrap_or(0))
        ),
    }
}

/// In the two largest units.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Leaves at most so many characters.
fn cut(line: &mut String, limit: usize) {
    if let Some((end, _)) = line.char_indices().nth(limit) {
        line.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::load::{Loads, tests::load};
    use std::time::Instant;

    fn seen(counters: &Counters, busy: Option<Busy>) -> Seen<'_> {
        Seen {
            busy,
            counters,
            presence: None,
            listen: "127.0.0.1:8443".parse().unwrap(),
            platform: "simulated",
            up: Duration::from_mins(62),
        }
    }

    fn busy(models: &[&str], age: u64) -> Option<Busy> {
        let (loads, start) = (Loads::default(), Instant::now());
        for (at, requests) in [(0, 100), (10, 222)] {
            let mut all = load("m", requests);
            all.models = models
                .iter()
                .flat_map(|name| load(name, requests).models)
                .collect();
            loads.note(all, start + Duration::from_secs(at));
        }
        loads.busy(start + Duration::from_secs(10 + age))
    }

    #[test]
    fn the_screen_fits_a_terminal_of_80_columns() {
        let counters = Counters::default();
        counters.total.add(340);
        counters.refused.add(2);
        counters.from_guest.add(5 << 20);
        let mut busy = busy(&["smollm2-135m-instruct", "whisper"], 0).unwrap();
        busy.load.models[1].ready = false;
        let lines = screen(&seen(&counters, Some(busy)), Size::default());
        assert_eq!(
            lines,
            [
                "serving  https://127.0.0.1:8443 for 1 h 2 min",
                "on       simulated",
                "",
                "model    running queued requests tokens/s     p50     p95   429 failed restarts",
                "smollm2-       2      1      222    122.0   20 ms  200 ms     3      4        5",
                "whisper     down      1      222    122.0   20 ms  200 ms     3      4        5",
                "",
                "guest    1536 of 2048 MiB in use, attested 1 min 0 s ago",
                "clients  0 connections of 340 so far, 2 refused, 0 broken, 0 MiB in, 5 MiB out",
                "Ctrl-C asks the guest to power off",
            ]
        );
    }

    #[test]
    fn a_wide_terminal_shows_whole_names_and_a_low_one_counts_the_rest() {
        let counters = Counters::default();
        let names: Vec<_> = (0..30)
            .map(|number| format!("a-model-with-a-long-name-{number}"))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let wide = Size {
            columns: 160,
            rows: 24,
        };
        let lines = screen(&seen(&counters, busy(&names, 0)), wide);
        assert_eq!(lines.len(), 23);
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("a-model-with-a-long-name-13 "))
        );
        assert!(lines.contains(&"and 16 more".to_owned()), "{lines:#?}");
        let tiny = Size {
            columns: 5,
            rows: 3,
        };
        let lines = screen(&seen(&counters, busy(&names, 0)), tiny);
        assert!(lines.len() < 3 && lines.iter().all(|line| line.chars().count() < 5));
    }

    #[test]
    fn says_when_the_guest_has_said_nothing_yet_or_for_long() {
        let counters = Counters::default();
        let lines = screen(&seen(&counters, None), Size::default());
        assert_eq!(lines.len(), 4);
        assert_eq!(line(&seen(&counters, None)), None);
        let lines = screen(&seen(&counters, busy(&["m"], 75)), Size::default());
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("guest    silent for 1 min 15 s, ")),
            "{lines:#?}"
        );
    }

    #[test]
    fn says_how_many_directories_list_it() {
        let (counters, presence) = (Counters::default(), Presence::default());
        presence.directories.set(2);
        presence.listing.set(1);
        presence.waiting.set(3);
        let names: Vec<_> = (0..30).map(|number| format!("m{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut seen = seen(&counters, busy(&names, 0));
        seen.presence = Some(&presence);
        let lines = screen(&seen, Size::default());
        assert_eq!(lines.len(), 23);
        let line = "network  listed in 1 of 2 directories, 3 price reports wait";
        assert_eq!(lines[21], line);
    }

    #[test]
    fn a_log_gets_one_line() {
        let counters = Counters::default();
        assert_eq!(
            line(&seen(&counters, busy(&["m"], 0))).unwrap(),
            "load: m: 2, 1 queued, 222 requests, 122.0 tokens/s, first token 20 ms (p50) 200 ms (p95), 3 times 429, 4 failed, \
             5 restarts; 0 connections open"
        );
    }
}
