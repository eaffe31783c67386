//! The address that serves metrics and probes.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::bind::bind;
use crate::observability::health::Health;
use crate::observability::metrics::Metrics;

/// Serves `/metrics`, `/healthz` and `/readyz`.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, metrics: Metrics, health: Health) -> io::Result<()> {
    let readiness = health.clone();
    let router = Router::new()
        .route("/metrics", get(async move || scraped(&metrics)))
        .route("/healthz", get(async move || alive(health.watchdog().stalled())))
        .route("/readyz", get(async move || ready(readiness.is_ready())));
    let named = |error: io::Error| io::Error::new(error.kind(), format!("--metrics-addr: {address} cannot be listened on: {error}"));
    axum::serve(bind(address).await.map_err(named)?, router).await
}

fn scraped(metrics: &Metrics) -> impl IntoResponse + use<> {
    let (status, text) = metrics.encode().map_or((StatusCode::INTERNAL_SERVER_ERROR, String::new()), |text| (StatusCode::OK, text));
    (status, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

fn ready(ready: bool) -> (StatusCode, &'static str) {
    if ready { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") }
}

/// What the liveness probe answers while this work has not moved.
fn alive(stalled: Option<String>) -> (StatusCode, String) {
    match stalled {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(work) => {
            tracing::error!(work, "work has not moved for too long, and the liveness probe fails");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("stalled: {work}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_liveness_probe_fails_and_names_the_work_that_does_not_move() {
        assert_eq!(alive(None).0, StatusCode::OK);
        let (status, text) = alive(Some("the reconciliation of team/call".into()));
        assert_eq!((status, text.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "stalled: the reconciliation of team/call\n"));
    }
}
