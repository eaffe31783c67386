//! The join page as browsers get it.

use std::io::Read;
use std::sync::Arc;

use axum::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use flate2::read::GzDecoder;

use super::super::page::{media_servers, routes};
use super::*;

async fn ask(router: &Router, path: &str, headers: &[(axum::http::HeaderName, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    received(router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

/// Address of the page's script.
async fn script(router: &Router) -> String {
    let html = String::from_utf8(ask(router, "/", &[]).await.body.to_vec()).unwrap();
    format!("/{}", html.split('"').find(|part| part.starts_with("assets/app-")).expect("a script"))
}

/// The parts of a Content-Security-Policy.
fn policy(answer: &Answer) -> Vec<String> {
    answer.header("content-security-policy").expect("a policy").split("; ").map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_is_never_stored_and_its_files_are_kept_for_good() {
    let router = Fixture::new().await.router;
    let page = ask(&router, "/", &[]).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let start = ask(&router, "/start.js", &[]).await;
    assert_eq!((start.status, start.header("cache-control")), (StatusCode::OK, Some("no-store")), "it has one name in all versions");
    let file = ask(&router, &script(&router).await, &[]).await;
    assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
    for answer in [page, file] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert!(answer.header("permissions-policy").unwrap().contains("camera=(self)"));
        assert!(policy(&answer).contains(&"frame-ancestors 'none'".to_owned()));
    }
}

#[tokio::test]
async fn files_come_compressed_to_whoever_takes_that() {
    let router = Fixture::new().await.router;
    let path = script(&router).await;
    let plain = ask(&router, &path, &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    for (accepted, compressed) in [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("identity", false)] {
        let answer = ask(&router, &path, &[(ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(answer.header("content-encoding"), compressed.then_some("gzip"), "{accepted}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        if compressed {
            let mut unpacked = Vec::new();
            GzDecoder::new(answer.body.as_ref()).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain.body, "{accepted}");
            assert!(answer.body.len() * 2 < plain.body.len());
        }
    }
}

#[tokio::test]
async fn a_file_that_is_known_is_not_sent_again() {
    let router = Fixture::new().await.router;
    let path = script(&router).await;
    let tag = ask(&router, &path, &[]).await.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let answer = ask(&router, &path, &[(IF_NONE_MATCH, &known)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
    }
    let gzip = ask(&router, &path, &[(IF_NONE_MATCH, &tag), (ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(gzip.status, StatusCode::OK, "another form of the file has another tag");
    assert_eq!(ask(&router, &path, &[(IF_NONE_MATCH, "\"other\"")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_rules_name_who_may_frame_the_page_and_where_it_connects_to() {
    let servers = || vec!["wss://media.example.org".to_owned(), "ws://127.0.0.1:7880".to_owned()];
    let page = ask(&routes("https://intranet.example.org", Arc::new(servers)), "/", &[]).await;
    let rules = policy(&page);
    assert!(rules.contains(&"frame-ancestors https://intranet.example.org".to_owned()), "{rules:?}");
    let connect = "connect-src 'self' https://media.example.org wss://media.example.org http://127.0.0.1:7880 ws://127.0.0.1:7880";
    assert!(rules.contains(&connect.to_owned()), "{rules:?}");
}

#[tokio::test]
async fn what_would_loosen_the_rules_is_left_out_of_them() {
    let servers = || ["wss://a; script-src *", "wss://b, x", "ws://c d", "ws://good"].map(str::to_owned).to_vec();
    let page = ask(&routes("* ; script-src *", Arc::new(servers)), "/", &[]).await;
    let rules = policy(&page);
    assert!(rules.contains(&"frame-ancestors 'none'".to_owned()), "{rules:?}");
    assert!(rules.contains(&"connect-src 'self' http://good ws://good".to_owned()), "{rules:?}");
    assert!(rules.contains(&"script-src 'self'".to_owned()), "{rules:?}");
    assert_eq!(rules.iter().filter(|rule| rule.starts_with("script-src")).count(), 1);
}

#[test]
fn the_addresses_of_media_servers_are_those_that_clients_connect_to_themselves() {
    let class = |mut live_kit: Value| -> RoomClass {
        live_kit["credentialsSecretRef"] = json!({"name": "credentials"});
        serde_json::from_value(json!({"metadata": {"name": "class"}, "spec": {"backend": {"liveKit": live_kit}}})).unwrap()
    };
    let classes = [
        class(json!({"url": "http://livekit.svc:7880", "publicURL": "wss://media.example.org/", "signalling": "Direct"})),
        class(json!({"url": "https://livekit.example.org", "signalling": "Direct"})),
        class(json!({"url": "https://livekit.example.org/", "signalling": "Direct"})),
        class(json!({"url": "https://proxied.example.org", "signalling": "Proxied"})),
        class(json!({"url": "https://default.example.org"})),
    ];
    assert_eq!(media_servers(&classes), ["wss://livekit.example.org", "wss://media.example.org"]);
    assert!(media_servers(&[]).is_empty());
}
