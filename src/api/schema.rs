//! Pieces of schema that several fields share.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Rule of a duration: Kubernetes' notation in hours, minutes, seconds and milliseconds, more than 0, at most 180 days.
///
/// The pattern bounds the digits, so that no sum of them overflows, neither here nor in the types that read it.
pub(super) const DURATION_RULE: &str = r"self.matches('^([0-9]{1,5}([.][0-9]{1,9})?h|[0-9]{1,7}([.][0-9]{1,9})?m|[0-9]{1,9}([.][0-9]{1,9})?(s|ms))+$') && duration(self) > duration('0s') && duration(self) <= duration('4320h')";

/// A moment as RFC 3339 time.
///
/// The format alone lets leap seconds and offsets of days pass, which neither rules nor the types can read.
pub(super) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "pattern": r"T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    })
}

/// Makes an enum the plain list of its names: the derive puts the comment of each name beside it, and kubectl explain would
/// show those in place of the comment of the field.
pub(super) fn plain_enum(schema: &mut Schema) {
    let names: Vec<Value> =
        schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(|one| one.get("const").cloned()).collect();
    *schema = json_schema!({"type": "string", "enum": json!(names)});
}
