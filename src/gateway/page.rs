//! The join page: the files of `web/dist`, which are part of the binary, and the rules that browsers hold it to.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use crate::api::{RoomClass, Signalling};

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// The names of files hold a digest of their content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Dist;

/// Addresses, beside the gateway's own, that the page connects to.
pub type MediaServers = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the page is served from.
struct Page {
    files: HashMap<String, File>,
    frame_ancestors: String,
    media_servers: MediaServers,
}

/// A file of the page, compressed once, when the gateway starts.
struct File {
    plain: Bytes,
    /// Only where it is the smaller one.
    gzip: Option<Bytes>,
    media_type: &'static str,
    tag: String,
}

/// The page and its files. `frame_ancestors` says who may show it in a frame, in the words of a Content-Security-Policy.
///
/// What cannot stand in a header is left out of it, so that the rules are never laxer than meant.
pub fn routes(frame_ancestors: &str, media_servers: MediaServers) -> Router {
    let files = Dist::iter().filter_map(|path| Some((path.to_string(), File::new(&path, &Dist::get(&path)?))));
    let frame_ancestors = if is_source_list(frame_ancestors) { frame_ancestors } else { "'none'" };
    let page = Arc::new(Page { files: files.collect(), frame_ancestors: frame_ancestors.to_owned(), media_servers });
    Router::new()
        .route("/", get(index))
        .route("/start.js", get(start))
        .route("/assets/{file}", get(asset))
        .layer(middleware::map_response_with_state(page.clone(), guard))
        .with_state(page)
}

async fn index(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    page.answer("index.html", &headers, NO_STORE)
}

/// What loads the files of the page. It has one name in all versions: a page of another version finds it here, too.
async fn start(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    page.answer("start.js", &headers, NO_STORE)
}

async fn asset(State(page): State<Arc<Page>>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    page.answer(&format!("assets/{file}"), &headers, IMMUTABLE)
}

/// Sets the rules for browsers.
async fn guard(State(page): State<Arc<Page>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&page.content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    // Whoever opened the page in a window has no hold of that window any more: it could lead somebody out of a call.
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    let permissions = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), speaker-selection=(self), \
                       geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), clipboard-read=()";
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(permissions));
    response
}

impl Page {
    fn content_security_policy(&self) -> String {
        let mut connect = String::from("'self'");
        for server in (self.media_servers)() {
            // Beside the WebSocket, clients ask the media server over HTTP why it refused one.
            for address in [server.replacen("ws", "http", 1), server] {
                if is_source_list(&address) && !address.contains(' ') {
                    connect.push(' ');
                    connect.push_str(&address);
                }
            }
        }
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; media-src 'self' blob:; \
             base-uri 'none'; form-action 'none'; frame-ancestors {}",
            self.frame_ancestors
        )
    }

    fn answer(&self, path: &str, asked: &HeaderMap, cache: HeaderValue) -> Response {
        // An answer without a body becomes a problem like any other error.
        let Some(file) = self.files.get(path) else { return StatusCode::NOT_FOUND.into_response() };
        let gzip = file.gzip.as_ref().filter(|_| takes_gzip(asked));
        let tag = if gzip.is_some() { format!("\"{}-gzip\"", file.tag) } else { format!("\"{}\"", file.tag) };
        let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_known = known.map(str::trim).any(|known| known.strip_prefix("W/").unwrap_or(known) == tag);
        let mut response = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let body = gzip.unwrap_or(&file.plain).clone();
            ([(CONTENT_TYPE, HeaderValue::from_static(file.media_type))], body).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, cache);
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        if gzip.is_some() && !is_known {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

impl File {
    fn new(path: &str, embedded: &rust_embed::EmbeddedFile) -> Self {
        let plain = Bytes::copy_from_slice(&embedded.data);
        let gzip = compressed(&plain).filter(|gzip| gzip.len() < plain.len());
        let digest = embedded.metadata.sha256_hash();
        let tag = digest.iter().take(16).fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
        Self { plain, gzip, media_type: media_type(path), tag }
    }
}

/// Public addresses of those media servers of these classes that clients connect to themselves.
pub fn media_servers<'a>(classes: impl IntoIterator<Item = &'a RoomClass>) -> Vec<String> {
    let live_kits = classes.into_iter().filter_map(|class| class.spec.backend.live_kit.as_ref());
    let live_kits = live_kits.filter(|live_kit| live_kit.signalling == Some(Signalling::Direct));
    let mut addresses: Vec<String> = live_kits
        .map(|live_kit| live_kit.public_url.clone().unwrap_or_else(|| live_kit.url.replacen("http", "ws", 1)))
        .map(|address| address.trim_end_matches('/').to_owned())
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Whether text is a list of sources that cannot say more in a Content-Security-Policy than that.
fn is_source_list(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "'*:/.-_[] ".contains(c))
}

fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether a client takes gzip: named, and not with a quality of zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality: f32 = quality.trim().strip_prefix("q=").and_then(|quality| quality.parse().ok()).unwrap_or(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && quality > 0.0
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
