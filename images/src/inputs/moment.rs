//! Moments, as archives of old versions name their snapshots: `20261129T000000Z`, in UTC.

use std::{fmt, str::FromStr, time::SystemTime};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A second of the years 0 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(OffsetDateTime);

/// What does not read as a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no moment such as 20261129T000000Z")]
pub struct NoMoment(String);

impl Moment {
    /// The same time of the next day.
    #[must_use]
    pub fn next_day(&self) -> Self {
        Self(self.0.saturating_add(Duration::DAY))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let time = OffsetDateTime::from(time);
        Self(time.replace_nanosecond(0).unwrap_or(time))
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let no_moment = || NoMoment(text.to_owned());
        let part = |range| text.get(range).unwrap_or_default();
        let [year, month, day] = [0..4, 4..6, 6..8].map(part);
        let [hour, minute, second] = [9..11, 11..13, 13..15].map(part);
        let same = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
        let time = OffsetDateTime::parse(&same, &Rfc3339).map_err(|_| no_moment())?;
        let moment = Self(time);
        // There is one way to write each.
        (moment.to_string() == text)
            .then_some(moment)
            .ok_or_else(no_moment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        let (hour, minute, second) = self.0.to_hms();
        let month = u8::from(month);
        write!(
            formatter,
            "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
        )
    }
}

impl TryFrom<String> for Moment {
    type Error = NoMoment;

    fn try_from(text: String) -> Result<Self, NoMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn reads_what_it_writes_and_counts_days_over_a_year() {
        let moment: Moment = "20261231T235959Z".parse().unwrap();
        assert_eq!(moment.to_string(), "20261231T235959Z");
        assert_eq!(moment.next_day().to_string(), "20270101T235959Z");
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_910_400_700);
        assert_eq!(Moment::from(time).to_string(), "20261129T000000Z");
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "20261129",
            "20261129T000000",
            "2026-11-29T00:00:00Z",
            "20261301T000000Z",
            "20261129T240000Z",
            "20261231T235960Z",
            "20261129t000000Z",
            "20261129T000000Z/../..",
            "+0261129T000000Z",
            "2026112９T000000Z",
        ] {
            let refused = text.parse::<Moment>();
            assert_eq!(refused, Err(NoMoment(text.to_owned())), "{text}");
        }
    }
}
