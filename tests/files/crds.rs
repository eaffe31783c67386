//! What the repository holds in generated form is what the code says now, and reads like a manual.

use std::fs;
use std::path::PathBuf;

use roomkeeper::api::crds;
use serde_json::{Value, json};

use crate::{in_repository, is_update};

#[test]
fn the_crd_files_are_those_of_the_code() {
    let directory = in_repository("crds");
    let files = crds().files().unwrap();
    if is_update() {
        fs::create_dir_all(&directory).unwrap();
        for (file, yaml) in &files {
            fs::write(directory.join(file), yaml).unwrap();
        }
    }
    for (file, yaml) in &files {
        let kept = fs::read_to_string(directory.join(file)).unwrap_or_default();
        assert!(kept == *yaml, "crds/{file} is not what src/api says: run `make crds`");
    }
    let mut kept: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    let mut expected: Vec<PathBuf> = files.iter().map(|(file, _)| directory.join(file)).collect();
    expected.sort();
    assert_eq!(kept, expected, "crds/ holds what was generated, and nothing else");
}

#[test]
fn every_field_has_a_description_in_flowing_text() {
    let mut fields = 0;
    for_each_schema(|path, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            fields += 1;
            // Described by the API server, which lets nobody else do it.
            if name == "metadata" && !path.contains('.') {
                continue;
            }
            let description = property["description"].as_str().unwrap_or_default();
            assert!(!description.trim().is_empty(), "{path}.{name} has no description");
            assert!(!description.replace("\n\n", "").contains('\n'), "{path}.{name} breaks lines, which kubectl explain does itself");
            assert!(!description.contains('`'), "{path}.{name} has backticks, which kubectl explain does not render");
        }
    });
    assert!(fields > 60, "only {fields} fields were looked at");
}

#[test]
fn enums_are_plain_lists_that_the_description_explains() {
    let mut enums = 0;
    for_each_schema(|path, schema| {
        for keyword in ["oneOf", "anyOf", "allOf", "const", "$ref"] {
            assert!(schema.get(keyword).is_none(), "{path} uses {keyword}, which kubectl explain does not show");
        }
        let Some(names) = schema["enum"].as_array() else { return };
        enums += 1;
        assert_eq!(schema["type"], "string", "{path}");
        // The ledger repeats what the spec explains.
        if path.ends_with("status.participants[].role") {
            return;
        }
        for name in names {
            let named = format!("{}:", name.as_str().unwrap());
            assert!(schema["description"].as_str().unwrap().contains(&named), "the description of {path} does not say what {named} means");
        }
    });
    assert_eq!(
        enums, 11,
        "of people, links, guests and the ledger the role; joinPolicy; provision twice; phase; from; signalling; videoCodec"
    );
}

#[test]
fn manifests_are_kept_as_they_are_written() {
    for_each_schema(|path, schema| {
        let default = schema.get("default");
        assert!(
            default.is_none() || !path.contains('[') && path.ends_with(".status"),
            "{path} has the default {default:?}, which GitOps tools see as drift"
        );
        assert!(schema.get("nullable").is_none(), "{path} allows null, which rules take for a value");
        assert!(schema.get("x-kubernetes-preserve-unknown-fields").is_none(), "{path} lets unknown fields pass");
    });
}

#[test]
fn numbers_have_formats_that_kubernetes_knows() {
    for_each_schema(|path, schema| {
        if schema["type"] == "integer" {
            assert!(["int32", "int64"].map(Value::from).contains(&schema["format"]), "{path} has the format {}", schema["format"]);
        }
    });
}

#[test]
fn participants_merge_by_name_and_status_is_one_value() {
    let mut lists = 0;
    for_each_schema(|path, schema| {
        if path == "Room.spec.participants" {
            assert_eq!(schema["x-kubernetes-list-type"], "map");
            assert_eq!(schema["x-kubernetes-list-map-keys"], json!(["name"]));
            lists += 1;
        } else {
            assert!(schema.get("x-kubernetes-list-map-keys").is_none(), "{path} is not meant to merge");
        }
        if ["Room.status", "RoomClass.status"].contains(&path) {
            assert_eq!(schema["x-kubernetes-map-type"], "atomic", "{path}");
            lists += 1;
        }
    });
    assert_eq!(lists, 3, "participants, and the status of both kinds");
}

/// Shows `look` every schema of both CRDs with its path, such as `Room.spec.participants[].name`.
fn for_each_schema(mut look: impl FnMut(&str, &Value)) {
    for crd in crds().iter() {
        let crd = serde_json::to_value(crd).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        for version in crd["spec"]["versions"].as_array().unwrap() {
            descend(kind, &version["schema"]["openAPIV3Schema"], &mut look);
        }
    }
}

fn descend(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        descend(&format!("{path}.{name}"), property, look);
    }
    if schema["items"].is_object() {
        descend(&format!("{path}[]"), &schema["items"], look);
    }
    if schema["additionalProperties"].is_object() {
        descend(&format!("{path}.*"), &schema["additionalProperties"], look);
    }
}
