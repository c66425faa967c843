//! Functions that the model may call, or must.

use serde_json::{Value, json};

use super::{
    error::{ApiError, quoted},
    messages::function_type,
    object::{Object, array, flag, given, object, text},
    schema::Schema,
};

/// The most functions, as at OpenAI.
const MAX_FUNCTIONS: usize = 128;
/// The most bytes of a function's name, as at OpenAI.
const MAX_NAME: usize = 64;
/// The most bytes of all descriptions and parameters together.
const MAX_FUNCTIONS_TEXT: usize = 256 * 1024;
/// The most calls in one answer: a small model goes on calling for as long as it may.
const MAX_CALLS: usize = 4;

/// A function.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) parameters: Schema,
}

/// The functions that an answer may call.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    /// At least one.
    pub(super) functions: Vec<Function>,
    /// Whether the answer may also be a text.
    pub(super) may_answer: bool,
    /// The most calls at once.
    pub(super) most: usize,
}

/// What the client wants to be called.
enum Choice {
    None,
    Auto,
    Required,
    /// One of these; the flag says whether one must be.
    Of(Vec<String>, bool),
}

impl Tools {
    /// Reads `tools`, `tool_choice` and `parallel_tool_calls`. None if nothing may be called.
    pub(super) fn parse(request: &Object) -> Result<Option<Self>, ApiError> {
        let functions = match given(request, "tools") {
            None => Vec::new(),
            Some(list) => functions(list)?,
        };
        let parallel = flag(request, "parallel_tool_calls", "parallel_tool_calls")?
            || given(request, "parallel_tool_calls").is_none();
        let choice = choice(request)?;
        let must = matches!(choice, Choice::Required | Choice::Of(_, true));
        if functions.is_empty() {
            return if must {
                let message = "tool_choice wants a function to be called, but tools is empty; send the functions in tools";
                Err(ApiError::invalid("tool_choice", message))
            } else {
                Ok(None)
            };
        }
        let functions = match choice {
            Choice::None => return Ok(None),
            Choice::Auto | Choice::Required => functions,
            Choice::Of(names, _) => chosen(functions, &names)?,
        };
        Ok(Some(Self {
            functions,
            may_answer: !must,
            most: if parallel { MAX_CALLS } else { 1 },
        }))
    }
}

fn functions(list: &Value) -> Result<Vec<Function>, ApiError> {
    let list = array(list, "tools", MAX_FUNCTIONS)?;
    let mut functions: Vec<Function> = Vec::with_capacity(list.len());
    let mut bytes = 0_usize;
    for (index, tool) in list.iter().enumerate() {
        let function = function(&format!("tools[{index}]"), tool)?;
        if functions.iter().any(|other| other.name == function.name) {
            let place = format!("tools[{index}].function.name");
            let message = format!("{place} is {:?}, as is an earlier one's", function.name);
            return Err(ApiError::invalid(place, message));
        }
        bytes = bytes
            .saturating_add(function.description.len())
            .saturating_add(function.parameters.bytes());
        functions.push(function);
    }
    if bytes > MAX_FUNCTIONS_TEXT {
        let message = format!(
            "tools has {bytes} bytes of descriptions and parameters; the limit is {MAX_FUNCTIONS_TEXT}: send fewer functions"
        );
        return Err(ApiError::invalid("tools", message));
    }
    Ok(functions)
}

fn function(place: &str, tool: &Value) -> Result<Function, ApiError> {
    let tool = object(tool, place)?;
    function_type(place, tool)?;
    let place = format!("{place}.function");
    let function = match given(tool, "function") {
        None => return Err(ApiError::missing(&place)),
        Some(function) => object(function, &place)?,
    };
    let strict = format!("{place}.strict");
    flag(function, "strict", &strict)?;
    let description = match given(function, "description") {
        None => "",
        Some(_) => text(function, "description", &format!("{place}.description"))?,
    };
    let parameters = format!("{place}.parameters");
    Ok(Function {
        name: name(&format!("{place}.name"), function)?,
        description: description.to_owned(),
        parameters: match given(function, "parameters") {
            None => Schema::compile(&parameters, &nothing())?,
            Some(schema) => object_schema(&parameters, schema)?,
        },
    })
}

/// Arguments are an object.
fn object_schema(place: &str, schema: &Value) -> Result<Schema, ApiError> {
    let table = object(schema, place)?;
    if table.is_empty() {
        return Schema::compile(place, &nothing());
    }
    match given(table, "type") {
        Some(kind) if kind != "object" => {
            let message = format!("{place}.type is not \"object\", which arguments are");
            Err(ApiError::invalid(format!("{place}.type"), message))
        }
        Some(_) => Schema::compile(place, schema),
        None => {
            let mut table = table.clone();
            table.insert("type".to_owned(), json!("object"));
            Schema::compile(place, &Value::Object(table))
        }
    }
}

/// The parameters of a function that takes none.
fn nothing() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

fn name(place: &str, function: &Object) -> Result<String, ApiError> {
    let name = text(function, "name", place)?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(letter) {
        return Ok(name.to_owned());
    }
    let message = format!(
        "{place} is {:?}; it takes 1 to {MAX_NAME} letters, digits, underscores and dashes",
        quoted(name)
    );
    Err(ApiError::invalid(place, message))
}

fn choice(request: &Object) -> Result<Choice, ApiError> {
    let wrong = || {
        ApiError::invalid(
            "tool_choice",
            "tool_choice is not none, auto, required, a function ({\"type\": \"function\", \"function\": {\"name\": …}}) or allowed_tools",
        )
    };
    match given(request, "tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            "required" => Ok(Choice::Required),
            _ => Err(wrong()),
        },
        Some(named) if named.get("type").is_some_and(|kind| kind == "function") => {
            let name = function_name(named).ok_or_else(wrong)?;
            Ok(Choice::Of(vec![name], true))
        }
        Some(allowed)
            if allowed
                .get("type")
                .is_some_and(|kind| kind == "allowed_tools") =>
        {
            allowed_tools(allowed).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn function_name(named: &Value) -> Option<String> {
    Some(named.get("function")?.get("name")?.as_str()?.to_owned())
}

fn allowed_tools(choice: &Value) -> Option<Choice> {
    let allowed = choice.get("allowed_tools")?;
    let must = match allowed.get("mode")?.as_str()? {
        "auto" => false,
        "required" => true,
        _ => return None,
    };
    let tools = allowed.get("tools")?.as_array()?;
    let names: Option<Vec<String>> = tools.iter().map(function_name).collect();
    let names = names.filter(|names| !names.is_empty() && names.len() <= MAX_FUNCTIONS)?;
    Some(Choice::Of(names, must))
}

fn chosen(functions: Vec<Function>, names: &[String]) -> Result<Vec<Function>, ApiError> {
    let unknown = names
        .iter()
        .find(|name| functions.iter().all(|function| function.name != **name));
    if let Some(name) = unknown {
        let message = format!(
            "tool_choice names {:?}, which is not in tools",
            quoted(name)
        );
        return Err(ApiError::invalid("tool_choice", message));
    }
    let chosen = functions.into_iter();
    Ok(chosen
        .filter(|function| names.contains(&function.name))
        .collect())
}
