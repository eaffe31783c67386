//! Names that YAML takes for numbers, booleans, dates or nothing, unless they are in quotes. Kubernetes allows them all.

use std::path::Path;

use serde_json::{Deserializer, Value};

use super::install::of_kind;
use super::releases::{cluster, kubectl, on, typed};
use crate::docs::pages::page;
use crate::support::cluster::kubectl as kubectl_with;
use crate::support::helm::{chart, helm, said};
use crate::support::run;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helm");

/// What the chart renders for a release, its namespace, two others, and everything else that has a name, as kubectl reads it: its YAML is
/// older than that of the tests, and takes more for something else than text.
fn rendered(names: [&str; 5]) -> Vec<Value> {
    let [release, namespace, tenant, other, thing] = names;
    let everything = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/everything.yaml");
    let mut values = vec![format!("watchNamespaces={{{tenant},{other}}}")];
    for key in [
        "caBundle.configMap",
        "caBundle.key",
        "commonLabels.thing",
        "gateway.ingress.className",
        "gateway.service.annotations.thing",
        "imagePullSecrets[0].name",
        "nameOverride",
        "roomClass.name",
    ] {
        values.push(format!("{key}={thing}"));
    }
    for role in ["controller", "gateway", "livekit"] {
        for key in ["nodeSelector.thing", "podAnnotations.thing", "podLabels.other", "priorityClassName", "serviceAccount.name"] {
            values.push(format!("{role}.{key}={thing}"));
        }
    }
    let (chart, values) = (chart().display().to_string(), values.join(","));
    let template = ["template", release, &chart, "--namespace", namespace, "--values", everything, "--set-string", &values];
    let manifests = said(&helm(None, &[&template[..], &["--set", "crds.enabled=false"]].concat()));
    as_kubectl_reads(&manifests)
}

fn as_kubectl_reads(manifests: &str) -> Vec<Value> {
    // It asks no server.
    let read = kubectl_with(Path::new("/dev/null"), &["label", "--local", "-f", "-", "example.org/read=yes", "-o", "json"], manifests);
    let objects = Deserializer::from_str(&said(&read)).into_iter().collect::<Result<Vec<Value>, _>>().expect("JSON");
    assert!(!objects.is_empty());
    objects
}

/// The objects as text, but for what is made of the text of a file.
fn text(objects: &[Value]) -> String {
    let lines = serde_json::to_string_pretty(objects).expect("JSON");
    lines.lines().filter(|line| !line.contains("checksum/")).fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_name_is_rendered_as_text_whatever_it_looks_like() {
    const PLAIN: [&str; 5] = ["zzrelease", "zzspace", "zztenant", "zzother", "zzthing"];
    let plain = text(&rendered(PLAIN));
    for odd in [["on", "20270115", "1e3", "2027-01-15", "true"], ["null", "0x1f", "4711", "0o17", "y"], ["yes", "1e3", "on", "no", "off"]] {
        let wanted = PLAIN.iter().zip(odd).fold(plain.clone(), |text, (plain, odd)| text.replace(plain, odd));
        let seen = text(&rendered(odd));
        let different = seen.lines().zip(wanted.lines()).find(|(seen, wanted)| seen != wanted);
        assert_eq!((different, seen.len()), (None, wanted.len()), "{odd:?}");
    }
}

#[test]
fn names_begin_with_a_letter_where_that_of_the_release_does_not() {
    let chart = chart().display().to_string();
    for (release, wanted) in
        [("4711", "roomkeeper-4711-gateway"), ("1roomkeeper", "roomkeeper-1roomkeeper-gateway"), ("a1", "a1-roomkeeper-gateway")]
    {
        let objects = as_kubectl_reads(&said(&helm(None, &["template", release, &chart, "--set", "crds.enabled=false"])));
        let services: Vec<&Value> = of_kind(&objects, "Service").into_iter().map(|service| &service["metadata"]["name"]).collect();
        assert!(services.iter().any(|name| **name == wanted), "{services:?}");
        let is_label = |name: &&Value| name.as_str().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(services.iter().all(is_label), "{services:?}");
    }
}

#[test]
fn release_example_and_backup_work_where_all_names_look_like_something_else() {
    run(async {
        let cluster = cluster().await;
        for namespace in ["20270115", "1e3"] {
            kubectl(&cluster, &["create", "namespace", namespace], "");
        }
        let chart = chart().display().to_string();
        let watched = ["--set-json", r#"watchNamespaces=["1e3"]"#];
        on(&cluster, &[&["install", "4711", &chart, "--namespace", "20270115"], &watched[..]].concat()).expect("installed");
        let calls = r#"calls={"01-15": {"displayName": "true", "duration": "1h", "people": {"4711": "Attendee", "on": "Presenter", "1e3": "Consumer"}}}"#;
        on(&cluster, &["install", "2027", EXAMPLE, "--namespace", "1e3", "--set-json", calls]).expect("installed");
        let people = || {
            kubectl(
                &cluster,
                &["get", "rooms", "-n", "1e3", "-o", "jsonpath={range .items[*]}{.metadata.name} {.spec.participants[*].name}{end}"],
                "",
            )
        };
        assert_eq!(people(), "2027-01-15 1e3 4711 on");

        // As the page says, which has to bring the Room back.
        let page = page("docs/guides/backup.md");
        let save = page.blocks.iter().find(|block| block.text.starts_with("save()")).expect("the function");
        typed(&cluster, &format!("{}\nkubectl delete room 2027-01-15 --namespace 1e3\nkubectl apply -f rooms.yaml", save.text));
        assert_eq!(people(), "2027-01-15 1e3 4711 on");
    });
}
