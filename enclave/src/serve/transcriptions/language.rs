//! The languages that Whisper knows: what a client calls them, and what the engine does.

/// A language: its code (ISO 639-1, where there is one) and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Language {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
}

impl Language {
    /// The language of a code, as a request has it.
    pub(super) fn of(code: &str) -> Option<Self> {
        // Whisper's code for Javanese is a withdrawn one.
        let code = if code == "jv" { "jw" } else { code };
        let (code, name) = LANGUAGES.iter().find(|(known, _)| *known == code)?;
        Some(Self { code, name })
    }

    /// The language that an engine heard or was told: by name, or by code.
    pub(super) fn said(word: &str) -> Option<Self> {
        Self::named(word).or_else(|| Self::of(word))
    }

    /// The language of an English name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (code, name) = LANGUAGES.iter().find(|(_, known)| *known == name)?;
        Some(Self { code, name })
    }
}

/// The 99 languages of the first multilingual Whisper models. Cantonese (`yue`) came with large-v3 alone: other models would
/// take its number for another word.
const LANGUAGES: [(&str, &str); 99] = [
    ("en", "english"),
    ("zh", "chinese"),
    ("de", "german"),
    ("es", "spanish"),
    ("ru", "russian"),
    ("ko", "korean"),
    ("fr", "french"),
    ("ja", "japanese"),
    ("pt", "portuguese"),
    ("tr", "turkish"),
    ("pl", "polish"),
    ("ca", "catalan"),
    ("nl", "dutch"),
    ("ar", "arabic"),
    ("sv", "swedish"),
    ("it", "italian"),
    ("id", "indonesian"),
    ("hi", "hindi"),
    ("fi", "finnish"),
    ("vi", "vietnamese"),
    ("he", "hebrew"),
    ("uk", "ukrainian"),
    ("el", "greek"),
    ("ms", "malay"),
    ("cs", "czech"),
    ("ro", "romanian"),
    ("da", "danish"),
    ("hu", "hungarian"),
    ("ta", "tamil"),
    ("no", "norwegian"),
    ("th", "thai"),
    ("ur", "urdu"),
    ("hr", "croatian"),
    ("bg", "bulgarian"),
    ("lt", "lithuanian"),
    ("la", "latin"),
    ("mi", "maori"),
    ("ml", "malayalam"),
    ("cy", "welsh"),
    ("sk", "slovak"),
    ("te", "telugu"),
    ("fa", "persian"),
    ("lv", "latvian"),
    ("bn", "bengali"),
    ("sr", "serbian"),
    ("az", "azerbaijani"),
    ("sl", "slovenian"),
    ("kn", "kannada"),
    ("et", "estonian"),
    ("mk", "macedonian"),
    ("br", "breton"),
    ("eu", "basque"),
    ("is", "icelandic"),
    ("hy", "armenian"),
    ("ne", "nepali"),
    ("mn", "mongolian"),
    ("bs", "bosnian"),
    ("kk", "kazakh"),
    ("sq", "albanian"),
    ("sw", "swahili"),
    ("gl", "galician"),
    ("mr", "marathi"),
    ("pa", "punjabi"),
    ("si", "sinhala"),
    ("km", "khmer"),
    ("sn", "shona"),
    ("yo", "yoruba"),
    ("so", "somali"),
    ("af", "afrikaans"),
    ("oc", "occitan"),
    ("ka", "georgian"),
    ("be", "belarusian"),
    ("tg", "tajik"),
    ("sd", "sindhi"),
    ("gu", "gujarati"),
    ("am", "amharic"),
    ("yi", "yiddish"),
    ("lo", "lao"),
    ("uz", "uzbek"),
    ("fo", "faroese"),
    ("ht", "haitian creole"),
    ("ps", "pashto"),
    ("tk", "turkmen"),
    ("nn", "nynorsk"),
    ("mt", "maltese"),
    ("sa", "sanskrit"),
    ("lb", "luxembourgish"),
    ("my", "myanmar"),
    ("bo", "tibetan"),
    ("tl", "tagalog"),
    ("mg", "malagasy"),
    ("as", "assamese"),
    ("tt", "tatar"),
    ("haw", "hawaiian"),
    ("ln", "lingala"),
    ("ha", "hausa"),
    ("ba", "bashkir"),
    ("jw", "javanese"),
    ("su", "sundanese"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_language_has_one_code_and_one_name() {
        let codes: HashSet<_> = LANGUAGES.iter().map(|(code, _)| code).collect();
        let names: HashSet<_> = LANGUAGES.iter().map(|(_, name)| name).collect();
        assert_eq!((codes.len(), names.len()), (99, 99));
        assert!(codes.is_disjoint(&names));
    }

    #[test]
    fn a_language_goes_by_its_code_and_is_said_by_name() {
        assert_eq!(Language::of("de").unwrap().name, "german");
        assert_eq!(Language::of("jv"), Language::of("jw"));
        assert_eq!(Language::said("german"), Language::of("de"));
        assert_eq!(Language::said("de"), Language::of("de"));
        for unknown in ["german", "DE", "de-DE", "yue", "xx", "", "auto"] {
            assert_eq!(Language::of(unknown), None, "{unknown}");
        }
    }
}
