//! Errors of a chat completion in the words of the API that was translated into one.

use super::error::ApiError;

/// Puts the request's own names for the chat completion's, in the parameter and in the message.
pub(super) fn renamed(mut error: ApiError, names: &[(&str, &str)]) -> ApiError {
    for (chat, own) in names {
        let Some(parameter) = &error.parameter else {
            break;
        };
        if parameter.contains(chat) {
            error.parameter = Some(parameter.replace(chat, own));
            error.message = error.message.replace(chat, own);
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_renamed() {
        let names = [("max_completion_tokens", "max_tokens"), (".function.", ".")];
        let error = ApiError::invalid("tools[0].function.name", "tools[0].function.name is long");
        let error = renamed(error, &names);
        assert_eq!(error.parameter.as_deref(), Some("tools[0].name"));
        assert_eq!(error.message, "tools[0].name is long");
        let error = renamed(ApiError::malformed("max_completion_tokens"), &names);
        assert_eq!(error.message, "max_completion_tokens");
    }
}
