//! Requests about Secrets, well-formed and not, as somebody sends them who has the token of an account and wants to see or change what is
//! not the account's.

use serde_json::{Value, json};

/// One request.
#[derive(Clone, Debug)]
pub struct Odd {
    pub method: &'static str,
    /// Path with its query.
    pub path: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Vec<u8>,
    /// The Secret that it is about.
    pub target: String,
    /// Whether the API server carries it out without a trace, if at all.
    pub is_dry: bool,
}

const JSON: &str = "application/json";
/// As the API server knows them, and some that it does not.
const CONTENT_TYPES: [&str; 12] = [
    JSON,
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/cbor",
    "application/json;stream=watch",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
    "application/octet-stream",
    "text/plain",
    "text/html; charset=utf-16",
    "///",
    "",
];
const PATCHES: [&str; 6] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
    JSON,
];
const ACCEPTS: [&str; 6] = [
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf",
    "application/cbor",
    "application/yaml",
    "text/html",
];
const QUERIES: [&str; 7] = [
    "dryRun=All",
    "dryRun=all",
    "dryRun=All&dryRun=All&fieldValidation=Strict",
    "fieldManager=roomkeeper&fieldValidation=Warn&pretty=true",
    "force=true&fieldManager=thief&dryRun=All",
    "watch=true&timeoutSeconds=1&resourceVersion=0",
    "orphanDependents=true&propagationPolicy=Foreground&gracePeriodSeconds=-1",
];

/// The objects that are sent to a Secret that has this name and UID.
fn objects(name: &str, uid: &str) -> Vec<Value> {
    let invite = "roomkeeper.io/invite";
    let with = |metadata: Value, more: Value| {
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
        object.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        object
    };
    let named = |more: Value| with(json!({"name": name}), more);
    let meta = |key: &str, value: Value| with(json!({"name": name, key: value}), json!({"type": invite}));
    let no_fields =
        json!([{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": 1}}]);
    vec![
        named(json!({"type": invite})),
        named(json!({"type": invite, "data": {"url": "bWluZQ=="}, "immutable": true})),
        named(json!({"type": invite, "data": null, "stringData": {"password": null}})),
        named(json!({"type": invite, "data": ["x"]})),
        named(json!({"type": invite, "data": {"password": "not base64"}})),
        named(json!({"type": invite, "data": {"password": {"$patch": "replace"}}})),
        named(json!({"type": invite, "stringData": "x"})),
        named(json!({"type": invite, "immutable": "x"})),
        named(json!({"type": ["x"]})),
        named(json!({"type": "kubernetes.io/service-account-token"})),
        named(json!({"type": invite, "unknown": {"data": "x"}})),
        named(json!({"kind": "Pod"})),
        named(json!({"kind": "SecretList", "items": [{"metadata": {"name": name}}]})),
        named(json!({"kind": "Status"})),
        named(json!({"apiVersion": "v2"})),
        named(json!({"apiVersion": "", "kind": ""})),
        with(json!({"name": "another", "namespace": "another"}), json!({"type": invite})),
        with(json!(null), json!({"type": invite})),
        with(json!("x"), json!({"type": invite})),
        with(json!({}), json!({"type": invite})),
        meta("uid", json!("00000000-0000-4000-8000-000000000000")),
        meta("uid", json!(uid)),
        meta("uid", json!(1)),
        meta("resourceVersion", json!("1")),
        meta("resourceVersion", json!("x")),
        meta("labels", json!("x")),
        meta("labels", json!({"roomkeeper.io/room-uid": "mine"})),
        meta("labels", json!({"a": 1})),
        meta("labels", json!({"-": "not a value!"})),
        meta("annotations", json!(["x"])),
        meta("annotations", json!({"a": null})),
        meta("finalizers", json!("x")),
        meta("finalizers", json!(["no domain", "roomkeeper.io/thief"])),
        meta("ownerReferences", json!([{"uid": 1}])),
        meta("ownerReferences", json!([{"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid, "controller": true}])),
        meta("managedFields", json!("x")),
        meta("managedFields", json!([{}])),
        meta("managedFields", no_fields),
        meta("creationTimestamp", json!("never")),
        meta("deletionTimestamp", json!("2030-01-01T00:00:00Z")),
        meta("generateName", json!("x".repeat(300))),
        meta("namespace", json!("kube-system")),
    ]
}

/// What is no object at all.
fn bytes() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = ["", "null", "[]", "{}", "x", "{", "0", "\"secret\"", "{\"metadata\":", "--- \n--- \n", "a: &a [*a, *a]"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    // The beginnings of protobuf and CBOR with nothing or nonsense after them, no UTF-8, and something deep.
    all.extend(
        [&b"k8s\0"[..], b"k8s\0\x0a\xff\xff\xff\xff", b"\xd9\xd9\xf7", b"\xd9\xd9\xf7\xa1\x44kind", b"\xff\xfe{}\0"].map(<[u8]>::to_vec),
    );
    all.push("[".repeat(20_000).into_bytes());
    all.push(r#"{"kind":"Secret","kind":"Pod","apiVersion":"v1","metadata":{"name":"a","name":"b"},"type":"a","type":"b"}"#.into());
    all
}

/// Patches that fail, or succeed, in some way that could show what they were applied to.
fn patches() -> Vec<Value> {
    vec![
        json!({}),
        json!({"metadata": {"labels": "x"}}),
        json!({"metadata": {"labels": null, "annotations": 1}}),
        json!({"data": null}),
        json!({"data": {"$retainKeys": ["x"], "$patch": "delete"}}),
        json!({"type": 1}),
        json!({"kind": "Pod"}),
        json!([]),
        json!([{"op": "copy", "from": "/data/password", "path": "/metadata/labels"}]),
        json!([{"op": "copy", "from": "/data", "path": "/metadata/annotations"}]),
        json!([{"op": "move", "from": "/data", "path": "/type"}]),
        json!([{"op": "test", "path": "/data/password", "value": "x"}]),
        json!([{"op": "remove", "path": "/metadata/name"}]),
        json!([{"op": "replace", "path": "", "value": null}]),
        json!([{"op": "x"}]),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"labels": {"a": "b"}}}),
    ]
}

/// Options of a deletion.
fn deletions(uid: &str) -> Vec<Value> {
    let options = |more: Value| {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        options.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        options
    };
    vec![
        options(json!({})),
        options(json!({"dryRun": ["All"]})),
        options(json!({"dryRun": "All"})),
        options(json!({"dryRun": ["x"]})),
        options(json!({"propagationPolicy": "Foreground"})),
        options(json!({"propagationPolicy": "Foreground", "dryRun": ["All"]})),
        options(json!({"propagationPolicy": "Orphan", "dryRun": ["All"]})),
        options(json!({"propagationPolicy": "Background", "dryRun": ["All"]})),
        options(json!({"propagationPolicy": "x"})),
        options(json!({"orphanDependents": true, "dryRun": ["All"]})),
        options(json!({"orphanDependents": true, "propagationPolicy": "Foreground"})),
        options(json!({"gracePeriodSeconds": -1})),
        options(json!({"gracePeriodSeconds": 1_000_000, "dryRun": ["All"]})),
        options(json!({"gracePeriodSeconds": "x"})),
        options(json!({"ignoreStoreReadErrorWithClusterBreakingPotential": true})),
        options(json!({"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}})),
        options(json!({"preconditions": {"uid": uid}})),
        options(json!({"preconditions": {"uid": uid, "resourceVersion": "1"}, "propagationPolicy": "Foreground"})),
        options(json!({"preconditions": {"uid": 1}})),
        options(json!({"preconditions": "x"})),
        options(json!({"kind": "Secret", "metadata": {"name": "x"}})),
        options(json!({"apiVersion": "meta.k8s.io/v1", "dryRun": ["All"], "propagationPolicy": "Foreground"})),
        options(json!({"apiVersion": "policy/v1", "kind": "Eviction"})),
    ]
}

/// Collects requests about Secrets of one namespace, whose names and UIDs are given in turn.
struct Collection<'a> {
    namespace: &'a str,
    targets: &'a [(String, String)],
    requests: Vec<Odd>,
}

impl Collection<'_> {
    /// The next Secret in turn.
    fn next(&self) -> (String, String) {
        self.targets[self.requests.len() % self.targets.len()].clone()
    }

    fn push(&mut self, method: &'static str, target: &str, suffix: &str, headers: &[(&'static str, &'static str)], body: Vec<u8>) {
        let (path, target) = (format!("/api/v1/namespaces/{}/secrets{suffix}", self.namespace), target.to_owned());
        let is_dry = suffix.contains("dryRun=All") || String::from_utf8_lossy(&body).contains(r#""dryRun":["All"]"#);
        self.requests.push(Odd { method, path, headers: headers.to_vec(), body, target, is_dry });
    }

    /// Writes in all forms, of every body with every content type, and with every query.
    fn writes(&mut self) {
        for method in ["POST", "PUT"] {
            let at = |name: &str| if method == "POST" { String::new() } else { format!("/{name}") };
            for kind in CONTENT_TYPES {
                for number in 0..objects("", "").len() + bytes().len() {
                    let (name, uid) = self.next();
                    let objects = objects(&name, &uid).into_iter().map(|object| object.to_string().into_bytes());
                    let body = objects.chain(bytes()).nth(number).expect("a body");
                    self.push(method, &name, &at(&name), &[("content-type", kind)], body);
                }
            }
            for query in QUERIES {
                for number in 0..objects("", "").len() {
                    let (name, uid) = self.next();
                    let body = objects(&name, &uid).swap_remove(number).to_string().into_bytes();
                    self.push(method, &name, &format!("{}?{query}", at(&name)), &[("content-type", JSON)], body);
                }
            }
            for accept in ACCEPTS {
                let (name, uid) = self.next();
                let body = objects(&name, &uid).swap_remove(0).to_string().into_bytes();
                self.push(method, &name, &format!("{}?dryRun=All", at(&name)), &[("content-type", JSON), ("accept", accept)], body);
            }
            // At the wrong place: a creation at a name, a replacement of all, and what Secrets do not have.
            for suffix in ["", "/NAME", "/NAME/status", "/NAME/token", "/NAME/scale", "/..%2fNAME", "/NAME%00", "//NAME"] {
                let (name, uid) = self.next();
                let body = objects(&name, &uid).swap_remove(0).to_string().into_bytes();
                self.push(method, &name, &suffix.replace("NAME", &name), &[("content-type", JSON)], body);
            }
        }
    }

    fn deletions(&mut self) {
        let number = deletions("").len();
        let one = |number: usize, uid: &str| deletions(uid).swap_remove(number).to_string().into_bytes();
        for number in 0..number {
            for kind in [JSON, "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", ""] {
                let (name, uid) = self.next();
                self.push("DELETE", &name, &format!("/{name}"), &[("content-type", kind)], one(number, &uid));
            }
        }
        for query in QUERIES.into_iter().chain(["dryRun=All&propagationPolicy=Foreground", "dryRun=All&propagationPolicy=Orphan"]) {
            for accept in [JSON].into_iter().chain(ACCEPTS) {
                let (name, _) = self.next();
                self.push("DELETE", &name, &format!("/{name}?{query}"), &[("accept", accept)], Vec::new());
            }
        }
        for body in bytes() {
            for kind in [JSON, "application/vnd.kubernetes.protobuf", "application/cbor"] {
                let (name, _) = self.next();
                self.push("DELETE", &name, &format!("/{name}"), &[("content-type", kind)], body.clone());
            }
        }
        for suffix in ["", "?dryRun=All", "?fieldSelector=metadata.name=NAME&dryRun=All", "?propagationPolicy=Foreground", "/NAME/status"] {
            let (name, _) = self.next();
            self.push("DELETE", &name, &suffix.replace("NAME", &name), &[], Vec::new());
        }
    }

    /// What no role of Roomkeeper allows in other namespaces.
    fn never_allowed(&mut self) {
        for kind in PATCHES {
            for patch in patches() {
                for query in ["", "?dryRun=All", "?fieldManager=thief&force=true"] {
                    let (name, _) = self.next();
                    self.push("PATCH", &name, &format!("/{name}{query}"), &[("content-type", kind)], patch.to_string().into_bytes());
                }
            }
        }
        for (name, _) in self.targets {
            for method in ["GET", "HEAD", "OPTIONS", "TRACE", "SEARCH"] {
                for suffix in ["", "?watch=true&timeoutSeconds=1", "/NAME", "/NAME?watch=true&timeoutSeconds=1", "/NAME/status"] {
                    self.push(method, name, &suffix.replace("NAME", name), &[], Vec::new());
                }
            }
            for accept in ACCEPTS {
                self.push("GET", name, &format!("/{name}"), &[("accept", accept)], Vec::new());
                self.push("GET", name, &format!("?fieldSelector=metadata.name%3D{name}"), &[("accept", accept)], Vec::new());
            }
            let disguises = [
                ("x-http-method-override", "GET"),
                ("impersonate-user", "admin"),
                ("impersonate-group", "system:masters"),
                ("x-remote-user", "admin"),
                ("x-remote-group", "system:masters"),
            ];
            for disguise in disguises {
                self.push("GET", name, &format!("/{name}"), &[disguise], Vec::new());
                self.push("POST", name, &format!("/{name}"), &[disguise, ("content-type", JSON)], b"{}".to_vec());
            }
        }
        for prefix in [
            "/api/v1/secrets",
            "/api/v1/watch/secrets",
            "/api/v1/watch/namespaces/NS/secrets/NAME",
            "/api/v1/proxy/namespaces/NS/secrets/NAME",
        ] {
            let (name, _) = self.next();
            let path = prefix.replace("NS", self.namespace).replace("NAME", &name);
            for method in ["GET", "POST", "DELETE"] {
                let headers = vec![("content-type", JSON)];
                self.requests.push(Odd { method, path: path.clone(), headers, body: b"{}".to_vec(), target: name.clone(), is_dry: false });
            }
        }
    }
}

/// All requests about these Secrets of a namespace, given by name and UID.
pub fn odd_requests(namespace: &str, targets: &[(String, String)]) -> Vec<Odd> {
    let mut collection = Collection { namespace, targets, requests: Vec::new() };
    collection.writes();
    collection.deletions();
    collection.never_allowed();
    collection.requests
}
