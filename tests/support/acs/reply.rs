//! Answers.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

const ERROR_CODE: &str = "x-ms-error-code";

/// An answer. As an `Err` it is a refusal.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Reply {
    /// An answer with a body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// An answer that says that something is done.
    pub fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }

    /// A refusal with the body and the header of an error.
    pub fn refusal(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({"error": {"code": code, "message": message}})).header(ERROR_CODE, code)
    }

    /// A refusal of a request that is malformed or asks for what cannot be.
    pub fn bad_request(message: &str) -> Self {
        Self::refusal(400, "BadRequest", message)
    }

    /// The same, which says what part of the request it is for.
    pub fn bad_argument(target: &str, message: &str) -> Self {
        let mut reply = Self::bad_request("The request could not be understood by the server due to malformed syntax.");
        let details = json!([{"code": "BadArgument", "message": message, "target": target}]);
        if let Some(body) = &mut reply.body {
            body["error"]["details"] = details;
        }
        reply
    }

    /// The refusal for what does not exist.
    pub fn not_found() -> Self {
        Self::refusal(404, "NotFound", "The server cannot find the requested resource.")
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With the code of the error in the body alone.
    #[must_use]
    pub fn without_error_code(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != ERROR_CODE);
        self
    }

    /// A success in JSON of another shape; a refusal as it is.
    #[must_use]
    pub fn malformed(mut self) -> Self {
        if self.status < 300 {
            // A body would not be sent with 204.
            self.status = if self.status == 204 { 200 } else { self.status };
            self.body = Some(json!({"result": "done"}));
        }
        self
    }

    /// As HTTP.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let Some(body) = self.body else { return response.body(Body::empty()).expect("an answer") };
        response.header("content-type", "application/json; charset=utf-8").body(Body::from(body.to_string())).expect("an answer")
    }

    /// A web page in its place, with the same status.
    pub fn into_page(self) -> Response<Body> {
        let status = if self.status == 204 { 200 } else { self.status };
        let page = "<!doctype html><title>Welcome</title>";
        Response::builder().status(status).header("content-type", "text/html").body(Body::from(page)).expect("an answer")
    }
}
