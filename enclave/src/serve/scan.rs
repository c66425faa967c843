//! Reads, piece by piece, the JSON in which a model calls functions: `{"calls": [{"name": …, "parameters": …}, …]}`, or
//! `{"answer": …}` if it may answer itself. What is found can be passed on before the rest has come.

use super::literal::{Extent, Text, Tracked};

/// Bytes of a name or key.
const MAX_NAME: usize = 256;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// More of the answer: characters of the text, or JSON as it stands.
    Answer(String),
    /// A call begins.
    Call(String),
    /// More of its arguments, as they stand.
    Arguments(String),
    /// It is complete.
    CallEnds,
}

/// It is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAsAsked;

/// The place in the JSON.
#[derive(Debug, Default)]
enum Place {
    /// Before the object.
    #[default]
    Start,
    /// Before a key, with what comes after it.
    Key(After),
    InKey(After, Text),
    Colon(After),
    /// Before the calls, before one, or after one.
    Calls,
    Call,
    CallEnded,
    NameValue,
    InName(Text),
    Comma,
    /// In the arguments.
    Parameters(Extent),
    ParametersEnded,
    /// In the answer.
    AnswerText,
    InAnswerText(Text),
    AnswerJson(Extent),
    /// Before the end of the object.
    Last,
    End,
}

/// What a key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// `calls` or `answer`.
    Start,
    Name,
    Parameters,
    Calls,
    Answer,
}

/// Reads it.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    /// Whether the answer is JSON of its own, not a text.
    json_answer: bool,
    found: Vec<Found>,
}

impl Scanner {
    pub(super) fn new(json_answer: bool) -> Self {
        Self {
            json_answer,
            ..Self::default()
        }
    }

    /// Reads the next piece.
    pub(super) fn read(&mut self, piece: &str) -> Result<Vec<Found>, NotAsAsked> {
        for character in piece.chars() {
            self.step(character)?;
        }
        Ok(std::mem::take(&mut self.found))
    }

    /// Whether all of it has come.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.place, Place::End)
    }

    fn step(&mut self, character: char) -> Result<(), NotAsAsked> {
        let place = std::mem::take(&mut self.place);
        self.place = self.next(place, character)?;
        Ok(())
    }

    fn next(&mut self, place: Place, character: char) -> Result<Place, NotAsAsked> {
        match place {
            // Everything in which white space counts, or which keeps it.
            Place::InKey(after, text) => key(after, text, character),
            Place::InName(text) => self.name(text, character),
            Place::InAnswerText(text) => self.answer_text(text, character),
            Place::Parameters(extent) => self.parameters(extent, character),
            Place::AnswerJson(extent) => self.answer_json(extent, character),
            place if matches!(character, ' ' | '\t' | '\n' | '\r') => Ok(place),
            place => match (place, character) {
                (Place::Start, '{') => Ok(Place::Key(After::Start)),
                (Place::Key(after), '"') => Ok(Place::InKey(after, Text::default())),
                (Place::Colon(After::Calls), ':') => Ok(Place::Calls),
                (Place::Colon(After::Name), ':') => Ok(Place::NameValue),
                (Place::Colon(After::Parameters), ':') => Ok(Place::Parameters(Extent::default())),
                (Place::Colon(After::Answer), ':') if self.json_answer => {
                    Ok(Place::AnswerJson(Extent::default()))
                }
                (Place::Colon(After::Answer), ':') => Ok(Place::AnswerText),
                (Place::Calls, '[') | (Place::CallEnded, ',') => Ok(Place::Call),
                (Place::Call, '{') => Ok(Place::Key(After::Name)),
                (Place::NameValue, '"') => Ok(Place::InName(Text::default())),
                (Place::Comma, ',') => Ok(Place::Key(After::Parameters)),
                (Place::ParametersEnded, '}') => {
                    self.found.push(Found::CallEnds);
                    Ok(Place::CallEnded)
                }
                (Place::CallEnded, ']') => Ok(Place::Last),
                (Place::AnswerText, '"') => Ok(Place::InAnswerText(Text::default())),
                (Place::Last, '}') => Ok(Place::End),
                _ => Err(NotAsAsked),
            },
        }
    }

    fn name(&mut self, mut text: Text, character: char) -> Result<Place, NotAsAsked> {
        match text.step(character).ok_or(NotAsAsked)? {
            Tracked::Ends => {
                self.found.push(Found::Call(text.take()));
                Ok(Place::Comma)
            }
            _ if text.len() > MAX_NAME => Err(NotAsAsked),
            _ => Ok(Place::InName(text)),
        }
    }

    fn answer_text(&mut self, mut text: Text, character: char) -> Result<Place, NotAsAsked> {
        let tracked = text.step(character).ok_or(NotAsAsked)?;
        let more = text.take();
        if !more.is_empty() {
            self.add(Found::Answer(more));
        }
        Ok(match tracked {
            Tracked::Ends => Place::Last,
            _ => Place::InAnswerText(text),
        })
    }

    fn parameters(&mut self, mut extent: Extent, character: char) -> Result<Place, NotAsAsked> {
        match extent.step(character).ok_or(NotAsAsked)? {
            Tracked::Before => Ok(Place::Parameters(extent)),
            Tracked::Inside => {
                self.add(Found::Arguments(character.into()));
                Ok(Place::Parameters(extent))
            }
            Tracked::Ends => {
                self.add(Found::Arguments(character.into()));
                Ok(Place::ParametersEnded)
            }
            Tracked::Ended => self.next(Place::ParametersEnded, character),
        }
    }

    fn answer_json(&mut self, mut extent: Extent, character: char) -> Result<Place, NotAsAsked> {
        match extent.step(character).ok_or(NotAsAsked)? {
            Tracked::Before => Ok(Place::AnswerJson(extent)),
            Tracked::Inside => {
                self.add(Found::Answer(character.into()));
                Ok(Place::AnswerJson(extent))
            }
            Tracked::Ends => {
                self.add(Found::Answer(character.into()));
                Ok(Place::Last)
            }
            Tracked::Ended => self.next(Place::Last, character),
        }
    }

    /// Adds to what was found last, if it is of the same kind.
    fn add(&mut self, more: Found) {
        match (self.found.last_mut(), more) {
            (Some(Found::Answer(text)), Found::Answer(more))
            | (Some(Found::Arguments(text)), Found::Arguments(more)) => text.push_str(&more),
            (_, more) => self.found.push(more),
        }
    }
}

fn key(after: After, mut text: Text, character: char) -> Result<Place, NotAsAsked> {
    match text.step(character).ok_or(NotAsAsked)? {
        Tracked::Ends => match (after, text.take().as_str()) {
            (After::Start, "calls") => Ok(Place::Colon(After::Calls)),
            (After::Start, "answer") => Ok(Place::Colon(After::Answer)),
            (After::Name, "name") => Ok(Place::Colon(After::Name)),
            (After::Parameters, "parameters") => Ok(Place::Colon(After::Parameters)),
            _ => Err(NotAsAsked),
        },
        _ if text.len() > MAX_NAME => Err(NotAsAsked),
        _ => Ok(Place::InKey(after, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn all(json_answer: bool, pieces: &[&str]) -> Result<Vec<Found>, NotAsAsked> {
        let mut scanner = Scanner::new(json_answer);
        let mut found = Vec::new();
        for piece in pieces {
            for more in scanner.read(piece)? {
                let found: &mut Vec<Found> = &mut found;
                match (found.last_mut(), more) {
                    (Some(Found::Answer(text)), Found::Answer(more))
                    | (Some(Found::Arguments(text)), Found::Arguments(more)) => {
                        text.push_str(&more);
                    }
                    (_, more) => found.push(more),
                }
            }
        }
        assert!(scanner.is_complete());
        Ok(found)
    }

    #[test]
    fn finds_calls() {
        let text = "{\"calls\": [{\"name\": \"f\", \"parameters\": {\"a\": \"]}\\\"\"}},\n {\"name\":\"g\",\"parameters\":{ }}] }\n";
        let found = all(false, &[text]).unwrap();
        assert_eq!(
            found,
            [
                Found::Call("f".into()),
                Found::Arguments("{\"a\": \"]}\\\"\"}".into()),
                Found::CallEnds,
                Found::Call("g".into()),
                Found::Arguments("{ }".into()),
                Found::CallEnds,
            ]
        );
    }

    #[test]
    fn finds_an_answer() {
        let text = r#"{"answer": "caf\u00e9 \ud83d\ude00\n\"ok\""}"#;
        let said = Found::Answer("café 😀\n\"ok\"".into());
        assert_eq!(all(false, &[text]).unwrap(), [said]);
        for (text, answer) in [
            (r#"{"answer": {"a": [1, "}"]} }"#, r#"{"a": [1, "}"]}"#),
            (r#"{"answer": 15}"#, "15"),
            (r#"{"answer":"a b"}"#, r#""a b""#),
        ] {
            let said = Found::Answer(answer.into());
            assert_eq!(all(true, &[text]).unwrap(), [said]);
        }
    }

    #[test]
    fn a_text_is_passed_on_before_its_end() {
        let mut scanner = Scanner::new(false);
        let found = scanner.read("{\"answer\": \"one tw").unwrap();
        assert_eq!(found, [Found::Answer("one tw".into())]);
        // Half of a character waits.
        assert_eq!(scanner.read("\\ud83d").unwrap(), []);
        let found = scanner.read("\\ude00").unwrap();
        assert_eq!(found, [Found::Answer("😀".into())]);
        assert!(!scanner.is_complete());
    }

    #[test]
    fn anything_else_is_not_as_asked() {
        for text in [
            "Sure!",
            "[",
            "{\"call\": ",
            "{\"calls\": {",
            "{\"calls\": [{\"parameters\"",
            "{\"calls\": [{\"name\": 5",
            "{\"calls\": [{\"name\": \"f\"}",
            "{\"calls\": [{\"name\": \"f\", \"parameters\": }",
            "{\"calls\": [] ]",
            "{\"answer\": 5",
            "{\"answer\": \"a\"}}",
            "{\"answer\": \"\\x",
            "{\"answer\": \"a\nb",
        ] {
            let mut scanner = Scanner::new(false);
            assert_eq!(scanner.read(text), Err(NotAsAsked), "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(value in "[a\"\\\\é😀\n}]{0,12}", cuts in proptest::collection::vec(0usize..80, 0..6)) {
            let arguments: Value = json!({"v": value, "n": [1, {"x": null}]});
            for text in [
                json!({"answer": value}).to_string(),
                format!("{{\"calls\": [{{\"name\": \"f\", \"parameters\": {arguments}}}]}}"),
            ] {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect();
                cuts.push(text.len());
                cuts.sort_unstable();
                let mut from = 0;
                let pieces: Vec<&str> = cuts.iter().map(|&to| { let piece = &text[from..to]; from = to; piece }).collect();
                let found = all(false, &pieces).unwrap();
                match &found[..] {
                    [Found::Answer(answer)] => prop_assert_eq!(answer, &value),
                    [] => prop_assert_eq!("", &value),
                    [Found::Call(_), Found::Arguments(found), Found::CallEnds] => prop_assert_eq!(found, &arguments.to_string()),
                    other => panic!("{other:?}"),
                }
            }
        }

        #[test]
        fn no_text_panics(text in r#"[\{\}\[\]",:a-c\\ud0-9]{0,40}"#, json_answer: bool) {
            let _ = Scanner::new(json_answer).read(&text);
            let _ = Scanner::new(json_answer).read(&format!("{{\"answer\": {text}"));
        }
    }
}
