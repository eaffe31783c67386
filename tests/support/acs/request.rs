//! Requests, as they are received.

use std::io;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::reply::Reply;

/// Largest body, in bytes: far more than a roster of 350 needs.
const LARGEST: usize = 1 << 20;

/// A request with all of its body.
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query as they were sent, which is how they are signed.
    pub target: String,
    /// The parts of the path, decoded.
    pub path: Vec<String>,
    /// The body.
    pub body: Bytes,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Received {
    /// Reads all of a request.
    pub async fn read(request: Request<Incoming>) -> io::Result<Self> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), LARGEST).await.map_err(io::Error::other)?;
        let path = parts.uri.path().trim_start_matches('/').split('/').map(decoded).collect();
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Ok(Self { method: parts.method.to_string(), target: parts.uri.to_string(), path, body, query, headers: parts.headers })
    }

    /// A header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// The decoded path.
    pub fn plain_path(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    /// The path with `{id}` for ids.
    pub fn path_without_ids(&self) -> String {
        let mut path = self.path.clone();
        if let [collection, id, ..] = path.as_mut_slice()
            && matches!(collection.as_str(), "rooms" | "identities")
        {
            "{id}".clone_into(id);
        }
        format!("/{}", path.join("/"))
    }

    /// Refuses a query that is not the version of the API and, where it may be, the place in a list; that place.
    pub fn query(&self, version: &str, is_list: bool) -> Result<Option<String>, Reply> {
        let values =
            |wanted: &str| self.query.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect::<Vec<_>>();
        if values("api-version") != [version] {
            let message = format!("The HTTP resource that matches the request URI does not support the API version: it is {version}.");
            return Err(Reply::refusal(400, "UnsupportedApiVersion", &message));
        }
        let mut places = values("nextLink");
        if self.query.len() != places.len() + 1 || places.len() > usize::from(is_list) {
            return Err(Reply::bad_request("The query has parameters that this operation does not have."));
        }
        Ok(places.pop())
    }

    /// Refuses a body.
    pub fn no_body(&self) -> Result<(), Reply> {
        if self.body.is_empty() { Ok(()) } else { Err(Reply::bad_request("This operation has no body.")) }
    }

    /// The body of this type.
    pub fn json<T: DeserializeOwned>(&self, content_type: &str) -> Result<T, Reply> {
        let sent = self.header("content-type").unwrap_or_default();
        if sent.split(';').next().is_none_or(|essence| essence.trim() != content_type) {
            return Err(Reply::refusal(415, "UnsupportedMediaType", &format!("The content type must be {content_type}.")));
        }
        serde_json::from_slice(&self.body).map_err(|error| Reply::bad_argument("$", &error.to_string()))
    }
}

/// A part of a path without its percent-encoding.
fn decoded(part: &str) -> String {
    // As the value of a form, in which these two mean something else than in a path.
    let form = format!("={}", part.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
