//! The CRDs as they are installed: derived from the types, plus what the derive cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::room::Room;
use super::room_class::RoomClass;
use super::room_guest::RoomGuest;
use super::room_removal::RoomRemoval;

/// Longest name of a Room: invite Secrets carry it as the value of a label.
const MAX_ROOM_NAME: i64 = 63;
/// Longest name of a RoomGuest: with "guest-" before it, it is a label's value too.
const MAX_GUEST_NAME: i64 = 57;

/// The CRDs with the names of the files that `crds/` keeps them in.
pub struct Crds(Vec<(&'static str, CustomResourceDefinition)>);

/// The CRDs of this version.
#[must_use]
pub fn crds() -> Crds {
    let mut room = Room::crd();
    let mut class = RoomClass::crd();
    let mut guest = RoomGuest::crd();
    let mut removal = RoomRemoval::crd();
    for crd in [&mut room, &mut class, &mut guest, &mut removal] {
        root_schemas(crd).for_each(tidy);
        for schema in status_schemas(crd) {
            // One manager writes status. As one atomic value it has one managed-fields entry instead of one per field and
            // person, which is what makes a status write dear for the API server.
            schema.x_kubernetes_map_type = Some("atomic".into());
            atomic_lists(schema);
        }
    }
    name_schema(&mut room, MAX_ROOM_NAME, None);
    name_schema(&mut guest, MAX_GUEST_NAME, Some("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"));
    let waiting = json!([{
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "Waiting for the controller",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]);
    // Keeps kstatus from counting an object as ready before the controller has seen it, and shows a Room as Pending; costs no
    // write.
    let first_status = [
        (&mut room, json!({"phase": "Pending", "conditions": waiting})),
        (&mut class, json!({"conditions": waiting})),
        (&mut guest, json!({"conditions": waiting})),
    ];
    for (crd, status) in first_status {
        status_schemas(crd).for_each(|schema| schema.default = Some(JSON(status.clone())));
    }
    Crds(vec![
        ("roomkeeper.io_rooms.yaml", room),
        ("roomkeeper.io_roomclasses.yaml", class),
        ("roomkeeper.io_roomguests.yaml", guest),
        ("roomkeeper.io_roomremovals.yaml", removal),
    ])
}

/// Bounds the names of objects, which become values of labels on invite Secrets.
fn name_schema(crd: &mut CustomResourceDefinition, longest: i64, pattern: Option<&str>) {
    for schema in root_schemas(crd) {
        let name = JSONSchemaProps {
            description: Some(format!("At most {longest} characters: invite Secrets carry it as the value of a label.")),
            type_: Some("string".into()),
            max_length: Some(longest),
            pattern: pattern.map(str::to_owned),
            ..JSONSchemaProps::default()
        };
        // The API server allows rules for names here, and nothing else, not even a description.
        let metadata = JSONSchemaProps {
            type_: Some("object".into()),
            properties: Some([("name".to_owned(), name)].into()),
            ..JSONSchemaProps::default()
        };
        schema.properties.get_or_insert_default().insert("metadata".into(), metadata);
    }
}

impl Crds {
    /// The CRDs as objects, for clients that apply them.
    pub fn iter(&self) -> impl Iterator<Item = &CustomResourceDefinition> {
        self.0.iter().map(|(_, crd)| crd)
    }

    /// File name and YAML of each CRD.
    ///
    /// # Errors
    /// When a CRD cannot be written as YAML, which would be a fault of this build.
    pub fn files(&self) -> Result<Vec<(&'static str, String)>, serde_yaml::ser::Error> {
        self.0.iter().map(|(file, crd)| Ok((*file, serde_yaml::to_string(crd)?))).collect()
    }

    /// All CRDs as one YAML stream.
    ///
    /// # Errors
    /// As [`Crds::files`].
    pub fn yaml(&self) -> Result<String, serde_yaml::ser::Error> {
        Ok(self.files()?.into_iter().map(|(_, yaml)| yaml).collect::<Vec<_>>().join("---\n"))
    }
}

fn root_schemas(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut())
}

fn status_schemas(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    root_schemas(crd).filter_map(|schema| schema.properties.as_mut()?.get_mut("status"))
}

/// Takes out of a schema, and of all within it, what the derive puts in and manifests are better off without.
fn tidy(schema: &mut JSONSchemaProps) {
    // The API server drops a null where none is allowed, as it does for built-in kinds. Where one is allowed, rules see a
    // field that is there and has no value.
    schema.nullable = None;
    if let Some(names) = &mut schema.enum_ {
        names.retain(|name| !name.0.is_null());
    }
    // Absent means the default; a default that the API server writes is drift to GitOps tools, and ends in managed fields.
    schema.default = None;
    if let Some(description) = &mut schema.description {
        // kubectl explain breaks lines itself.
        *description = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

fn atomic_lists(schema: &mut JSONSchemaProps) {
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        if property.type_.as_deref() == Some("array") {
            property.x_kubernetes_list_type = Some("atomic".into());
        }
    }
}
