//! What kstatus, and with it Flux, and Argo CD say of objects in every state.
//!
//! `gitops/argo-cd` is laid out as Argo CD's own `resource_customizations`, and holds real dumps. To take them anew:
//! `UPDATE_GENERATED=1 cargo test --test servers gitops::health`.

use std::collections::BTreeSet;
use std::{env, fs};

use serde::Deserialize;
use serde_json::Value;

use super::states::{STATES, for_each_state};
use super::verdicts::{ConditionState, argo_cd, folder, kstatus, read};

/// Argo CD's form of a test.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HealthTest {
    health_status: ConditionState,
    input_path: String,
}

#[derive(Deserialize)]
struct HealthTests {
    tests: Vec<HealthTest>,
}

#[test]
#[allow(clippy::print_stdout)]
fn tools_say_of_an_object_in_every_state_what_people_would() {
    let update = env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1");
    let mut rows = Vec::new();
    for_each_state(|state, dump| {
        let object: Value = serde_yaml::from_str(dump).expect("YAML");
        let (by_kstatus, by_argo_cd) = (kstatus(&object), argo_cd(state.kind, dump));
        let told = (by_kstatus.status.as_str(), by_argo_cd.status.as_str());
        assert_eq!(told, (state.kstatus, state.argo_cd), "{} {}: {dump}", state.kind, state.name);
        let file = folder(state.kind).join("testdata").join(format!("{}.yaml", state.name));
        if update {
            fs::create_dir_all(file.parent().expect("a folder")).expect("the folder of dumps");
            fs::write(&file, dump).expect("the dump is written");
        }
        assert_eq!(conditions(&read(&file)), conditions(&object), "{} is not what Roomkeeper writes today", file.display());
        rows.push(format!("| {} | {} | {} | {}: {} |", state.kind, state.name, told.0, told.1, by_argo_cd.message));
    });
    assert_eq!(rows.len(), STATES.len(), "every state was looked at");
    println!("| kind | state | kstatus | Argo CD |\n| --- | --- | --- | --- |\n{}", rows.join("\n"));
}

#[test]
fn the_scripts_pass_the_tests_that_argo_cd_runs_on_them() {
    for kind in ["Room", "RoomClass", "RoomGuest"] {
        let tests: HealthTests = read(&folder(kind).join("health_test.yaml"));
        for HealthTest { health_status, input_path } in &tests.tests {
            let dump = fs::read_to_string(folder(kind).join(input_path)).expect("a dump");
            assert_eq!(argo_cd(kind, &dump), *health_status, "{kind} {input_path}");
        }
        let tested: BTreeSet<&str> = tests.tests.iter().map(|test| test.input_path.as_str()).collect();
        let states = STATES.iter().filter(|state| state.kind == kind).map(|state| format!("testdata/{}.yaml", state.name));
        assert_eq!(tested, states.collect::<BTreeSet<_>>().iter().map(String::as_str).collect(), "{kind}: all states, and no other");
        assert_eq!(tested.len(), fs::read_dir(folder(kind).join("testdata")).expect("the dumps").count(), "{kind}");
    }
}

/// Type, status and reason of each condition, and the phase.
fn conditions(object: &Value) -> Vec<String> {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    let conditions = all.map(|condition| format!("{} {} {}", condition["type"], condition["status"], condition["reason"]));
    conditions.chain([object["status"]["phase"].to_string()]).collect()
}
