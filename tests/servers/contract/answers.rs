//! What is made of answers that no LiveKit server gives: those of proxies in front of it, or of something else at its address.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use roomkeeper::api::Reason;
use roomkeeper::backend::{Backend, LiveKit};
use roomkeeper::domain::FailureClass;
use tokio::net::TcpListener;

use super::every_call;
use crate::support::run;

const PAGE: &str = "<!doctype html><title>Welcome</title><p>There is a room, but not for you.";

/// Something that gives everybody the same answer.
async fn always(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> LiveKit {
    serve(Router::new().fallback(move || std::future::ready(answer.clone()))).await
}

async fn serve(app: Router) -> LiveKit {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    LiveKit::new(&url, None, "key", "secret").expect("usable settings")
}

/// Asserts that every call fails so that it is tried again.
async fn every_call_is_tried_again(backend: &LiveKit) {
    for (call, outcome) in every_call(backend).await {
        let failure = outcome.expect_err(call);
        assert_eq!((failure.class, failure.reason), (FailureClass::Transient { after: None }, Reason::Unreachable), "{call}: {failure}");
        assert!(!failure.message.contains("127.0.0.1") && !failure.message.contains("doctype"), "{call}: {failure}");
    }
}

#[test]
fn a_server_error_is_tried_again() {
    run(async {
        for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
            every_call_is_tried_again(&always((status, "no room at the moment")).await).await;
            every_call_is_tried_again(&always(status).await).await;
        }
    });
}

#[test]
fn a_web_page_says_nothing_about_livekit_whatever_its_status() {
    run(async {
        for status in [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY] {
            every_call_is_tried_again(&always((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE)).await).await;
        }
    });
}

#[test]
fn a_server_that_knows_no_such_path_is_not_taken_for_a_safe_livekit() {
    run(async {
        every_call_is_tried_again(&always((StatusCode::NOT_FOUND, "404 page not found\n")).await).await;
    });
}

#[test]
fn a_redirection_is_tried_again_and_the_probe_does_not_follow_it() {
    run(async {
        let elsewhere = (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]);
        every_call_is_tried_again(&always(elsewhere.clone()).await).await;
        let sound_elsewhere = Router::new()
            .route("/elsewhere", get((StatusCode::NOT_FOUND, "requested room does not exist")))
            .fallback(move || std::future::ready(elsewhere.clone()));
        let failure = serve(sound_elsewhere).await.probe().await.expect_err("not LiveKit itself");
        assert_eq!(failure.class, FailureClass::Transient { after: None });
    });
}

#[test]
fn a_server_that_accepts_and_never_answers_is_given_up_and_tried_again() {
    run(async {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", silent.local_addr().expect("an address"));
        let backend = LiveKit::new(&url, None, "key", "secret").expect("usable settings");
        let (probe, list) = tokio::join!(backend.probe(), backend.list_sessions(""));
        for failure in [probe.expect_err("no answer"), list.expect_err("no answer")] {
            assert_eq!((failure.class, failure.reason), (FailureClass::Transient { after: None }, Reason::Unreachable));
        }
    });
}
