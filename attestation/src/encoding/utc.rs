//! Time as an argument: this library has no clock.

use std::{fmt, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Unix seconds, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

/// A vendor object's own statement of when it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it was made.
    pub from: Time,
    /// When the next one is due, or the first certificate that it rests on expires.
    pub until: Time,
    /// Counts up from one to the next, for kinds that have such a number: a CRL's number, Intel's evaluation number.
    pub number: Option<u64>,
}

/// A moment of the caller's clock. Before 1970 no certificate is valid yet, so nothing is trusted.
impl From<SystemTime> for Time {
    fn from(moment: SystemTime) -> Self {
        let since = moment.duration_since(SystemTime::UNIX_EPOCH);
        Self(since.map_or(i64::MIN, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        }))
    }
}

/// `2026-12-01 12:00 UTC`: verdicts need no seconds.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OffsetDateTime::from_unix_timestamp(self.0) {
            Ok(date) => {
                let (year, month, day) = date.to_calendar_date();
                let (hour, minute, _) = date.to_hms();
                write!(
                    f,
                    "{year:04}-{:02}-{day:02} {hour:02}:{minute:02} UTC",
                    u8::from(month)
                )
            }
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

/// RFC 3339, for programs.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|date| date.format(&Rfc3339).ok());
        text.serialize(serializer)
    }
}

/// RFC 3339 in whole seconds of UTC, ending in `Z`: what [`Serialize`] writes.
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .ok()
            .filter(|date| text.ends_with('Z') && date.nanosecond() == 0)
            .map(|date| Self(date.unix_timestamp()))
            .ok_or_else(|| serde::de::Error::custom("a time is not as in 2026-12-01T12:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_minutes_and_utc() {
        assert_eq!(Time(1_796_126_400).to_string(), "2026-12-01 12:00 UTC");
        assert_eq!(
            Time(i64::MAX).to_string(),
            "9223372036854775807 s after 1970"
        );
    }

    #[test]
    fn a_clock_before_1970_trusts_nothing() {
        let second = std::time::Duration::from_secs(1);
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(Time::from(epoch + second), Time(1));
        assert_eq!(Time::from(epoch - second), Time(i64::MIN));
    }

    #[test]
    fn reads_what_it_writes_and_no_other_spelling() {
        let moment = Time(1_796_126_400);
        let text = serde_json::to_string(&moment).expect("a time");
        assert_eq!(text, "\"2026-12-01T12:00:00Z\"");
        assert_eq!(serde_json::from_str::<Time>(&text).expect("a time"), moment);
        for other in [
            "\"2026-12-01T13:00:00+01:00\"",
            "\"2026-12-01T12:00:00.5Z\"",
            "\"2026-12-01\"",
            "1796126400",
        ] {
            assert!(serde_json::from_str::<Time>(other).is_err(), "{other}");
        }
    }
}
