//! The reference of the API, written from the CRDs.

use std::fmt::Write as _;
use std::fs;

use roomkeeper::api::crds;
use serde_json::Value;

use crate::{in_repository, is_update};

const PATH: &str = "docs/reference/api.md";

const HEAD: &str = "# API reference

Group `roomkeeper.io`, version `v1alpha1`. Written from the CustomResourceDefinitions by `make crds`; do not edit. The same is shown by
`kubectl explain room.spec`. [The fields of a Room](rooms.md) says which of them may change when.
";

#[test]
fn the_reference_is_what_the_crds_say() {
    let reference = reference();
    let path = in_repository(PATH);
    if is_update() {
        fs::write(&path, &reference).expect("the reference is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == reference, "{PATH} is not what src/api says: run `make crds`");
}

fn reference() -> String {
    let mut text = HEAD.to_owned();
    for crd in crds().iter() {
        let crd = serde_json::to_value(crd).expect("JSON");
        let names = &crd["spec"]["names"];
        let of = |key: &str| names[key].as_str().unwrap_or_default();
        let version = &crd["spec"]["versions"][0];
        let schema = &version["schema"]["openAPIV3Schema"];
        let scope = crd["spec"]["scope"].as_str().unwrap_or_default().to_lowercase();
        let short = names["shortNames"][0].as_str().unwrap_or_default();
        let _ = write!(text, "\n## {}\n{}\n\n", of("kind"), prose(&schema["description"]));
        let _ = writeln!(text, "`kubectl get {}`, short `{short}`, {scope}.", of("plural"));
        for part in ["spec", "status"] {
            let schema = &schema["properties"][part];
            let _ = write!(text, "\n### {} {part}\n{}\n\n", of("kind"), prose(&schema["description"]));
            text += "| field | type | |\n| --- | --- | --- |\n";
            fields(part, schema, &mut text);
            rules(schema, &mut text);
        }
    }
    text
}

/// One row for each field, and for all below it.
fn fields(path: &str, schema: &Value, text: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let must = if required.contains(&name.as_str()) { "Required. " } else { "" };
        let _ = writeln!(text, "| `{path}` | {} | {must}{} |", kind(property), cell(property));
        let (inner, path) = if property["items"].is_object() { (&property["items"], format!("{path}[]")) } else { (property, path) };
        // Conditions and selectors are Kubernetes' own.
        if !path.ends_with("conditions[]") && !path.ends_with("selector") {
            fields(&path, inner, text);
        }
    }
}

/// What the API server refuses beyond types and limits.
fn rules(schema: &Value, text: &mut String) {
    let messages: Vec<&str> =
        schema["x-kubernetes-validations"].as_array().into_iter().flatten().filter_map(|rule| rule["message"].as_str()).collect();
    if !messages.is_empty() {
        text.push('\n');
    }
    for message in messages {
        let _ = writeln!(text, "- {}", message.replace('|', "\\|"));
    }
}

fn kind(schema: &Value) -> String {
    let name = |schema: &Value| schema["type"].as_str().unwrap_or("any").to_owned();
    match schema["type"].as_str() {
        Some("array") => format!("list of {}s", name(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => format!("map of {}s", name(&schema["additionalProperties"])),
        _ if schema["format"] == "date-time" => "time".to_owned(),
        _ => name(schema),
    }
}

fn cell(schema: &Value) -> String {
    let names: Vec<String> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
    let one_of = if names.is_empty() { String::new() } else { format!(" One of {}.", names.join(", ")) };
    format!("{}{one_of}", prose(&schema["description"]))
}

/// A description as it may stand in Markdown.
fn prose(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default().replace("\n\n", " ");
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}
