//! What is counted of being listed in a network's directories.

use super::{counters::Counter, page::Page};

/// Of all directories together.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Directories that the network has.
    pub(crate) directories: Counter,
    /// Those that list all that is served here.
    pub(crate) listing: Counter,
    /// Price reports that wait for a directory.
    pub(crate) waiting: Counter,
    /// Price reports that a directory did not get.
    pub(crate) dropped: Counter,
    /// Attempts that a directory refused, or did not answer.
    pub(crate) troubled: Counter,
}

impl Presence {
    /// Adds all of it to the page.
    pub(super) fn publish(&self, page: &mut Page) {
        for (name, kind, counter, help) in [
            (
                "network_directories",
                "gauge",
                &self.directories,
                "Directories of the network.",
            ),
            (
                "network_directories_listing",
                "gauge",
                &self.listing,
                "Directories that list all that is served here.",
            ),
            (
                "network_reports_waiting",
                "gauge",
                &self.waiting,
                "Price reports that wait for a directory.",
            ),
            (
                "network_reports_dropped_total",
                "counter",
                &self.dropped,
                "Price reports that a directory did not get.",
            ),
            (
                "network_attempts_failed_total",
                "counter",
                &self.troubled,
                "Attempts that a directory refused or did not answer.",
            ),
        ] {
            page.one(name, kind, help, counter.read());
        }
    }
}
