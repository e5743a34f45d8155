//! What a page says, by its status. Nothing internal, ever.

use std::borrow::Cow;

use http::StatusCode;

/// The status in words.
pub(super) fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// `BAD_GATEWAY`: what programs compare.
pub(super) fn code(status: StatusCode) -> Cow<'static, str> {
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        // what the error handlers of Express apps say by custom
        return Cow::Borrowed("INTERNAL_ERROR");
    }
    let code = title(status)
        .to_ascii_uppercase()
        .replace([' ', '-'], "_")
        .replace('\'', "");
    Cow::Owned(code)
}

/// A sentence for whoever asked.
pub(super) fn message(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "The request could not be understood.",
        401 => "Please say who you are.",
        403 => "This is not allowed.",
        404 => "There is nothing here.",
        405 => "This method is not allowed here.",
        406 => "There is no answer in a form that was asked for.",
        408 => "The request took too long to arrive.",
        409 => "The request does not fit what is there now.",
        410 => "This is no longer here.",
        411 => "The request must say how long it is.",
        413 => "The request is too large.",
        414 => "The address is too long.",
        415 => "This media type is not understood here.",
        417 => "The expectation cannot be met.",
        421 => "This host is not served here.",
        426 => "This needs another protocol.",
        429 => "Too many requests. Please try again later.",
        431 => "The request's headers are too large.",
        // byte for byte what the error handlers of Express apps say by custom
        500 => "An unexpected error occurred",
        501 => "The request asks for something that is not supported.",
        502 => "The application did not answer properly. Please try again.",
        503 => "The service is not available right now. Please try again in a moment.",
        504 => "The application took too long to answer. Please try again.",
        505 => "This version of HTTP is not supported.",
        507 => "There is no room for this right now.",
        508 => "The request came back to where it had been.",
        _ => "The request could not be served.",
    }
}
