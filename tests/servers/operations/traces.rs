//! Traces, as a receiver of OTLP gets them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use roomkeeper::api::Phase;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, ask};
use crate::support::{eventually, run};

/// Spans by the service that sent them.
pub type Spans = Arc<Mutex<Vec<(String, Span)>>>;

/// A receiver of OTLP over HTTP, and what it got.
pub async fn receiver() -> (String, Spans) {
    let spans = Spans::default();
    let router = Router::new().route("/v1/traces", post(receive)).with_state(spans.clone());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, spans)
}

async fn receive(State(spans): State<Spans>, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body).expect("an export request");
    let mut known = spans.lock().expect("unharmed");
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let name = attributes.iter().find(|attribute| attribute.key == "service.name").map(|found| format!("{:?}", found.value));
        let name = name.unwrap_or_default();
        let service = if name.contains("roomkeeper-controller") { "controller" } else { "gateway" };
        known.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| (service.to_owned(), span)));
    }
    Vec::new()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A span of this service and name, once it has come.
async fn span(spans: &Spans, service: &str, name: &str, wanted: impl Fn(&Span) -> bool) -> Span {
    eventually(PATIENCE, async || {
        let spans = spans.lock().expect("unharmed");
        let found = spans.iter().find(|(from, span)| from == service && span.name == name && wanted(span));
        found
            .map(|(_, span)| span.clone())
            .ok_or_else(|| format!("{:?}", spans.iter().map(|(from, span)| (from, &span.name)).collect::<Vec<_>>()))
    })
    .await
}

#[test]
fn the_life_of_a_room_is_one_trace_that_its_uid_names_and_joins_link_to_it() {
    run(async {
        let (url, spans) = receiver().await;
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let controller = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let gateway = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let otlp = format!("--otlp-endpoint={url}");
        let mut gateway = Role::gateway_with(&gateway, free_port(), &[&otlp, "--trusted-proxies=127.0.0.0/8"]).await;
        let mut controller = Role::controller_with(&controller, "http://127.0.0.1", &["--leader-elect=false", &otlp]).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let room = place.until_phase("call", Phase::Open).await;
        let trace = room.metadata.uid.expect("a UID").replace('-', "");
        let in_room = |span: &Span| hex(&span.trace_id) == trace;
        let pass = span(&spans, "controller", "reconcile", in_room).await;
        let ensure = span(&spans, "controller", "ensure", in_room).await;
        assert_eq!(ensure.parent_span_id, pass.span_id, "the session was made in the pass");
        let invite = place.invite("call", "ada").await;
        let answer = ask(gateway.port, "POST", "/v1/join", &invite, None).await.expect("an answer");
        assert_eq!(answer.status, 200);
        let join = span(&spans, "gateway", "POST /v1/join", |_| true).await;
        let links: Vec<String> = join.links.iter().map(|link| hex(&link.trace_id)).collect();
        assert_eq!(links, std::slice::from_ref(&trace));
        let observe = span(&spans, "gateway", "observe", |span| span.trace_id == join.trace_id).await;
        assert_eq!(observe.parent_span_id, join.span_id);
        place.delete("call").await;
        span(&spans, "controller", "close", in_room).await;
        // What has not been sent yet is sent at the end.
        for role in [&mut controller, &mut gateway] {
            role.process.signal("TERM");
            role.process.ended(PATIENCE).await;
        }
        // Neither invites nor media tokens are in any of it.
        let all = format!("{:?}", spans.lock().expect("unharmed"));
        let token = answer.credentials().token;
        assert!(!all.contains(&invite) && !all.contains(&token));
    });
}

#[test]
fn a_receiver_of_traces_that_is_gone_disturbs_nothing() {
    run(async {
        let stage = Stage::shared().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let otlp = format!("--otlp-endpoint=http://127.0.0.1:{}", free_port());
        let mut gateway = Role::gateway_with(&account, free_port(), &[&otlp]).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        assert_eq!(ask(gateway.port, "POST", "/v1/join", &invite, None).await.expect("an answer").status, 200);
        gateway.process.signal("TERM");
        let status = gateway.process.ended(PATIENCE).await;
        assert!(status.success(), "{status}");
    });
}
