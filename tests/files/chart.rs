//! What the chart holds in generated form: the CRDs, the schema of a class, and the table of values.

use std::collections::BTreeSet;
use std::fs;

use roomkeeper::api::crds;
use serde_json::{Value, json};

use crate::values::{chart, values};
use crate::{in_repository, is_update};

/// Compares a file of the chart with what it should be, or writes it.
fn assert_generated(file: &str, wanted: &str) {
    let path = chart().join(file);
    if is_update() {
        fs::write(&path, wanted).expect("a file of the chart");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == wanted, "{file} of the chart is not up to date: run `make chart`");
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).expect("the schema")).expect("JSON")
}

#[test]
fn the_crds_of_the_chart_are_those_of_the_code() {
    let files = crds().files().expect("the CRDs");
    for (file, yaml) in &files {
        assert!(!yaml.contains("{{"), "{file} would be taken for a template");
        let (before, after) = yaml.split_once("metadata:\n").expect("metadata");
        let metadata = "metadata:
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
  labels:
    {{- include \"roomkeeper.labels\" (list . \"crds\") | nindent 4 }}
";
        let template = format!("{{{{- if .Values.crds.enabled }}}}\n{before}{metadata}{after}{{{{- end }}}}\n");
        assert_generated(&format!("templates/crds/{file}"), &template);
    }
    let kept = fs::read_dir(chart().join("templates/crds")).expect("the CRDs of the chart");
    let kept: BTreeSet<String> = kept.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(kept, files.iter().map(|(file, _)| (*file).to_owned()).collect());
}

#[test]
fn the_schema_of_a_class_is_that_of_the_code() {
    let mut crd = crds().iter().map(|crd| json!(crd)).find(|crd| crd["spec"]["names"]["kind"] == "RoomClass").expect("the class");
    let mut class = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].take();
    values_of(&mut class);
    // The address and the credentials of the included LiveKit are the chart's to say, and so is whose the class is.
    class.as_object_mut().expect("a schema").remove("required");
    class["properties"]["backend"]["properties"]["liveKit"].as_object_mut().expect("a schema").remove("required");
    class["properties"].as_object_mut().expect("fields").remove("controllerName");
    let mut schema = schema();
    schema["$defs"]["roomClassSpec"] = class;
    assert_generated("values.schema.json", &format!("{schema:#}\n"));
}

/// Makes of a schema of the API one that refuses unknown keys, without what Helm does not know.
fn values_of(schema: &mut Value) {
    let Value::Object(keys) = schema else { return };
    keys.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "format" && key != "description");
    if keys.contains_key("properties") {
        keys.insert("additionalProperties".into(), false.into());
    }
    for (key, value) in keys.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(values_of),
            ("items" | "additionalProperties", value) => values_of(value),
            _ => {}
        }
    }
}

#[test]
fn the_table_of_values_says_what_values_yaml_says() {
    const START: &str = "<!-- The table is made from values.yaml by `make chart`. -->\n";
    let kept = fs::read_to_string(chart().join("README.md")).expect("README.md");
    let (before, _) = kept.split_once(START).expect("the place of the table");
    let rows = values().into_iter().map(|value| {
        let cell = |text: &str| text.replace('|', "\\|");
        format!("| `{}` | `{}` | {} |\n", value.key, cell(&value.default), cell(&value.description))
    });
    let table: String = rows.collect();
    assert_generated("README.md", &format!("{before}{START}\n| value | default | |\n| --- | --- | --- |\n{table}"));
}

#[test]
fn versions_and_images_are_the_same_wherever_they_are_named() {
    let yaml = |file: &str| -> Value {
        serde_yaml::from_str(&fs::read_to_string(chart().join(file)).expect("a file of the chart")).expect("YAML")
    };
    let (chart_yaml, values_yaml) = (yaml("Chart.yaml"), yaml("values.yaml"));
    assert_eq!(chart_yaml["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart_yaml["appVersion"], concat!("v", env!("CARGO_PKG_VERSION")));
    let images: Value = serde_yaml::from_str(chart_yaml["annotations"]["artifacthub.io/images"].as_str().expect("a list")).expect("YAML");
    let image = |values: &Value, tag: &Value| format!("{}:{}", values["repository"].as_str().expect("text"), tag.as_str().expect("text"));
    assert_eq!(images[0]["image"], image(&values_yaml["image"], &chart_yaml["appVersion"]));
    let livekit = &values_yaml["livekit"]["image"];
    assert_eq!(images[1]["image"], image(livekit, &livekit["tag"]));
    // The tests run against the version that people get.
    let pins = fs::read_to_string(in_repository("tools/livekit-server/go.mod")).expect("the pins");
    let pin = pins.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix("github.com/livekit/livekit-server "));
    assert_eq!(pin.and_then(|pin| pin.split(' ').next()), livekit["tag"].as_str());
    let crds: Value = serde_yaml::from_str(chart_yaml["annotations"]["artifacthub.io/crds"].as_str().expect("a list")).expect("YAML");
    let kinds: BTreeSet<&str> = crds.as_array().expect("a list").iter().filter_map(|crd| crd["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["Room", "RoomClass", "RoomGuest", "RoomRemoval"]));
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let schema = schema();
    let mut known = BTreeSet::new();
    leaves(&schema, &schema, "", &mut known);
    // Given to charts that are part of another, by Helm and by conditions.
    for given in ["global", "enabled"] {
        assert!(known.remove(given), "{given}");
    }
    let values: BTreeSet<String> = values().into_iter().map(|value| value.key).collect();
    assert_eq!(known, values);
}

/// The paths of the values that a schema describes; a class and a Kubernetes object count as one.
fn leaves(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some("#/$defs/roomClassSpec" | "#/$defs/resources") | None => schema,
        Some(name) => &root["$defs"][name.trim_start_matches("#/$defs/")],
    };
    let Some(properties) = schema["properties"].as_object() else {
        found.insert(path.to_owned());
        return;
    };
    for (name, property) in properties {
        leaves(root, property, format!("{path}.{name}").trim_start_matches('.'), found);
    }
}

/// Values that have a default, and that are left out if null.
const LEFT_OUT: [&str; 8] = [
    "controller.resources",
    "gateway.replicaCount",
    "gateway.resources",
    "grafanaDashboard.labels",
    "livekit.resources",
    "podSecurityContext",
    "selftest.resources",
    "uninstallHook.resources",
];
/// Of the values with which `tests/servers/chart` renders and applies the chart, those that are null.
const NULLS: &str = include_str!("../servers/chart/values/nulls.yaml");

#[test]
fn the_schema_lets_those_values_alone_be_null_that_can_be_empty_or_left_out() {
    let schema = schema();
    let nulls: Value = serde_yaml::from_str(NULLS).expect("YAML");
    for value in values() {
        let is_optional = ["\"\"", "[]", "{}", "null"].contains(&value.default.as_str()) || LEFT_OUT.contains(&value.key.as_str());
        let (mut at, mut is_required) = (&schema, true);
        for part in value.key.split('.') {
            if let Some(name) = at["$ref"].as_str() {
                at = &schema["$defs"][name.trim_start_matches("#/$defs/")];
            }
            is_required &= at["required"].as_array().is_some_and(|required| required.contains(&part.into()));
            at = &at["properties"][part];
        }
        // Helm takes what is null out of the values before it asks the schema.
        assert_eq!(is_required, !is_optional, "{}", value.key);
        let is_tried = nulls.pointer(&format!("/{}", value.key.replace('.', "/"))).is_some();
        assert!(is_tried || is_required, "{} is not tried", value.key);
    }
}

#[test]
fn the_schema_refuses_unknown_keys_everywhere() {
    let mut objects = 0;
    strict(&schema(), "", &mut objects);
    assert!(objects > 40, "only {objects} objects found");
}

fn strict(schema: &Value, path: &str, objects: &mut usize) {
    match schema {
        Value::Object(keys) => {
            if keys.get("type").is_some_and(|kind| kind == "object") {
                *objects += 1;
                match keys.get("additionalProperties") {
                    None => panic!("{path} lets unknown keys pass"),
                    Some(Value::Bool(true)) => assert!(keys.contains_key("description"), "{path} does not say who checks it"),
                    _ => {}
                }
            }
            keys.iter().for_each(|(key, value)| strict(value, &format!("{path}/{key}"), objects));
        }
        Value::Array(items) => items.iter().for_each(|item| strict(item, path, objects)),
        _ => {}
    }
}
