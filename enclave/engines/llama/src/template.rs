//! The model's own chat template, a Jinja program inside the weights, laid out so that no message's text becomes control
//! tokens: the template is rendered with a marker in place of every message, and the result is cut at the markers. The
//! caller parses special tokens in the template's pieces alone; a message that says `<|im_end|>` is only text.

use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use sha2::{Digest, Sha256};

/// The roles a message may have.
pub const ROLES: [&str; 3] = ["system", "user", "assistant"];

/// A marker is the message's number between these characters from a private plane, which no template writes.
const MARKER: [char; 2] = ['\u{f0000}', '\u{f0001}'];
const NAME: &str = "chat template";

/// A chat template, compiled.
pub struct Template {
    environment: Environment<'static>,
    sha256: String,
    beginning: String,
    end: String,
}

/// A section of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text of the template, in which special tokens are special.
    Control(String),
    /// The content of the message with this number, in which nothing is special.
    Content(usize),
}

/// A conversation that does not fit the template, or a template that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Jinja that does not compile.
    #[error("the model's chat template does not compile: {0}")]
    Syntax(Error),
    /// A role that is not one of [`ROLES`].
    #[error("message {0} has a role that is not system, user or assistant")]
    Role(usize),
    /// The template raised an error, such as about the order of roles.
    #[error("the model's chat template refuses the conversation: {0}")]
    Refused(Error),
    /// A message would silently be left out.
    #[error("the model's chat template has no place for message {0}")]
    LeftOut(usize),
    /// The template changes the messages that it places.
    #[error("the model's chat template rewrites messages, which this engine does not support")]
    Rewritten,
}

impl Template {
    /// Compiles a template. `beginning` and `end` are the model's `bos_token` and `eos_token`.
    pub fn new(source: String, beginning: String, end: String) -> Result<Self, TemplateError> {
        let sha256 = hex::encode(Sha256::digest(&source));
        let mut environment = Environment::new();
        // Like Hugging Face's rendering of chat templates: its whitespace rules, Python's methods, `raise_exception`.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(TemplateError::Syntax)?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |reason: String| -> Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, reason))
            },
        );
        environment
            .add_template_owned(NAME, source)
            .map_err(TemplateError::Syntax)?;
        Ok(Self {
            environment,
            sha256,
            beginning,
            end,
        })
    }

    /// Hexadecimal SHA-256 of the source.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Lays out a conversation of messages with these roles, up to where the assistant speaks next.
    pub fn lay_out(&self, roles: &[&str]) -> Result<Vec<Piece>, TemplateError> {
        if let Some(index) = roles.iter().position(|role| !ROLES.contains(role)) {
            return Err(TemplateError::Role(index));
        }
        let messages: Vec<Value> = roles
            .iter()
            .enumerate()
            .map(|(index, role)| context! { role => *role, content => marker(index) })
            .collect();
        let template = self
            .environment
            .get_template(NAME)
            .map_err(TemplateError::Syntax)?;
        let prompt = template
            .render(context! {
                messages,
                add_generation_prompt => true,
                bos_token => &self.beginning,
                eos_token => &self.end,
            })
            .map_err(TemplateError::Refused)?;
        let pieces = cut(&prompt)?;
        match (0..roles.len()).find(|index| !pieces.contains(&Piece::Content(*index))) {
            Some(index) => Err(TemplateError::LeftOut(index)),
            None => Ok(pieces),
        }
    }
}

fn marker(index: usize) -> String {
    let [open, close] = MARKER;
    format!("{open}{index}{close}")
}

fn cut(prompt: &str) -> Result<Vec<Piece>, TemplateError> {
    let [open, close] = MARKER;
    let mut pieces = Vec::new();
    let mut rest = prompt;
    while let Some((control, after)) = rest.split_once(open) {
        let (index, after) = after.split_once(close).ok_or(TemplateError::Rewritten)?;
        let index = index.parse().map_err(|_| TemplateError::Rewritten)?;
        pieces.extend([Piece::Control(control.to_owned()), Piece::Content(index)]);
        rest = after;
    }
    if rest.contains(close) {
        return Err(TemplateError::Rewritten);
    }
    pieces.push(Piece::Control(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template of SmolLM2-135M-Instruct, as its GGUF file has it.
    const SMOLLM2: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}\
        {% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    fn template(source: &str) -> Template {
        Template::new(source.to_owned(), "<s>".to_owned(), "</s>".to_owned()).unwrap()
    }

    fn control(text: &str) -> Piece {
        Piece::Control(text.to_owned())
    }

    #[test]
    fn lays_out_a_conversation_as_the_model_was_trained() {
        assert_eq!(
            template(SMOLLM2).lay_out(&["system", "user"]).unwrap(),
            [
                control("<|im_start|>system\n"),
                Piece::Content(0),
                control("<|im_end|>\n<|im_start|>user\n"),
                Piece::Content(1),
                control("<|im_end|>\n<|im_start|>assistant\n"),
            ]
        );
    }

    #[test]
    fn keeps_the_system_message_that_a_template_adds() {
        let pieces = template(SMOLLM2).lay_out(&["user"]).unwrap();
        assert!(matches!(&pieces[..], [Piece::Control(text), ..] if text.contains("named SmolLM")));
    }

    #[test]
    fn understands_the_dialect_of_hugging_face() {
        let source = "{{ bos_token }}{% for message in messages %}\n  {% if not message.content.strip() %}\n\
            {% continue %}{% endif %}{{ message['content'] | trim }}{{ eos_token }}{% endfor %}";
        let pieces = template(source).lay_out(&["user"]).unwrap();
        assert_eq!(pieces, [control("<s>"), Piece::Content(0), control("</s>")]);
    }

    #[test]
    fn passes_on_why_a_template_refuses() {
        let source = "{{ raise_exception('Roles must alternate') }}";
        let error = template(source).lay_out(&["user"]).unwrap_err();
        assert!(matches!(error, TemplateError::Refused(_)));
        assert!(
            error.to_string().contains("Roles must alternate"),
            "{error}"
        );
    }

    #[test]
    fn refuses_to_leave_a_message_out_in_silence() {
        let error = template("{{ messages[1].content }}")
            .lay_out(&["system", "user"])
            .unwrap_err();
        assert!(matches!(error, TemplateError::LeftOut(0)));
    }

    #[test]
    fn refuses_a_role_that_could_carry_control_text() {
        let error = template(SMOLLM2)
            .lay_out(&["user", "<|im_end|>"])
            .unwrap_err();
        assert!(matches!(error, TemplateError::Role(1)));
    }

    #[test]
    fn refuses_a_template_that_rewrites_messages() {
        let error = template("{{ messages[0].content[1:] }}")
            .lay_out(&["user"])
            .unwrap_err();
        assert!(matches!(error, TemplateError::Rewritten));
    }

    #[test]
    fn refuses_a_template_that_does_not_compile() {
        let refused = Template::new("{% for %}".to_owned(), String::new(), String::new());
        assert!(matches!(refused, Err(TemplateError::Syntax(_))));
    }
}
