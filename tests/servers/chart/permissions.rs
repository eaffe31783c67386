//! Which permissions are rendered, and where: with a list of namespaces, and when none are wanted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::install::{of_kind, rendered};

/// Namespace of the release, which is none of those with Rooms.
const OWN: &str = "ops";
/// The namespaces with Rooms.
const TEAMS: [&str; 2] = ["team-a", "team-b"];

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("text")).collect()
}

/// What a role grants something of, as `group/resource`, each with its rule.
fn grants(role: &Value) -> Vec<(String, &Value)> {
    let mut grants = Vec::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(&rule["apiGroups"]) {
            grants.extend(texts(&rule["resources"]).into_iter().map(|resource| (format!("{group}/{resource}"), rule)));
        }
    }
    grants
}

fn for_teams() -> Vec<Value> {
    rendered(OWN, &["--set", "watchNamespaces={team-a,team-b}"])
}

#[test]
fn with_a_list_of_namespaces_accounts_have_classes_and_named_namespaces_of_the_whole_cluster() {
    let objects = for_teams();
    let (tenants, roles): (Vec<&Value>, Vec<&Value>) = of_kind(&objects, "ClusterRole")
        .into_iter()
        .partition(|role| role["metadata"]["labels"]["app.kubernetes.io/component"] == "tenants");
    let name = |role: &&Value| role["metadata"]["name"].as_str().expect("a name").to_owned();
    let of_tenants = ["ops-roomkeeper-edit", "ops-roomkeeper-view"].map(str::to_owned);
    assert_eq!(tenants.iter().map(name).collect::<BTreeSet<_>>(), BTreeSet::from(of_tenants));
    assert!(roles.len() >= 2, "only {} roles of accounts", roles.len());
    for role in &roles {
        for (resource, rule) in grants(role) {
            match resource.as_str() {
                "roomkeeper.io/roomclasses" | "roomkeeper.io/roomclasses/status" => {}
                "/namespaces" => {
                    let names = texts(&rule["resourceNames"]);
                    assert!(!names.is_empty() && names.iter().all(|name| *name == OWN || TEAMS.contains(name)), "{rule}");
                }
                _ => panic!("{} grants {resource} in all namespaces", role["metadata"]["name"]),
            }
        }
    }
    let checked: Vec<String> = roles.iter().map(name).collect();
    let bindings = of_kind(&objects, "ClusterRoleBinding");
    assert_eq!(bindings.len(), checked.len());
    for binding in bindings {
        let role = binding["roleRef"]["name"].as_str().expect("a name").to_owned();
        assert!(checked.contains(&role), "{binding} binds another role");
    }
}

#[test]
fn with_shards_the_controller_and_the_end_of_an_uninstallation_may_use_a_lease_for_each_and_are_told_how_many_there_are() {
    let objects = rendered(OWN, &["--set", "controller.shards=3,controller.replicaCount=4"]);
    let wanted = ["roomkeeper-controller", "roomkeeper-controller-1", "roomkeeper-controller-2"];
    let granted: Vec<Vec<&str>> = of_kind(&objects, "Role")
        .into_iter()
        .flat_map(|role| role["rules"].as_array().expect("rules"))
        .filter(|rule| rule["resources"] == json!(["leases"]) && rule["verbs"] != json!(["create"]))
        .map(|rule| texts(&rule["resourceNames"]))
        .collect();
    assert_eq!(granted, [wanted, wanted]);
    let arguments = ["Deployment", "Job"].into_iter().flat_map(|kind| of_kind(&objects, kind));
    let told =
        arguments.filter(|object| object["spec"]["template"]["spec"]["containers"][0]["args"].to_string().contains("\"--shards=3\""));
    assert_eq!(told.count(), 2);
}

#[test]
fn the_finalizer_of_rooms_is_set_by_a_policy_where_the_cluster_has_such_policies_and_in_the_namespaces_of_the_release_alone() {
    let policies = |more: &[&str]| -> Vec<Value> {
        let wanted = ["--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy", "--set", "finalizerPolicy.enabled=true"];
        let all = rendered(OWN, &[&wanted, more].concat());
        of_kind(&all, "MutatingAdmissionPolicy").into_iter().cloned().collect()
    };
    let older = rendered(OWN, &["--set", "finalizerPolicy.enabled=true"]);
    assert!(of_kind(&older, "MutatingAdmissionPolicy").is_empty(), "older clusters have none");
    assert!(policies(&["--set", "finalizerPolicy.enabled=false"]).is_empty());
    let [everywhere] = policies(&[]).try_into().expect("one");
    assert!(everywhere["spec"]["matchConstraints"]["namespaceSelector"].is_null());
    let [of_teams] = policies(&["--set", "watchNamespaces={team-a,team-b}"]).try_into().expect("one");
    assert_eq!(of_teams["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"][0]["values"], json!(TEAMS));
}

#[test]
fn with_a_list_of_namespaces_rooms_invites_and_events_are_granted_there_alone() {
    let objects = for_teams();
    let roles = of_kind(&objects, "Role");
    let mut places: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for role in &roles {
        let namespace = role["metadata"]["namespace"].as_str().expect("a namespace");
        for (resource, _) in grants(role) {
            places.entry(resource).or_default().insert(namespace);
        }
    }
    let teams = BTreeSet::from(TEAMS);
    for resource in ["rooms", "rooms/status", "roomguests", "roomguests/status", "roomremovals"] {
        assert_eq!(places.remove(&format!("roomkeeper.io/{resource}")), Some(teams.clone()), "{resource}");
    }
    assert_eq!(places.remove("events.k8s.io/events"), Some(teams.clone()));
    // Of the release's own Secrets there are keys and credentials.
    assert_eq!(places.remove("/secrets"), Some(&teams | &BTreeSet::from([OWN])));
    assert!(places.values().all(|places| *places == BTreeSet::from([OWN])), "{places:?}");

    for binding in of_kind(&objects, "RoleBinding") {
        assert_eq!(binding["roleRef"]["kind"], "Role", "{binding}");
        let is_bound = |role: &&Value| {
            role["metadata"]["name"] == binding["roleRef"]["name"] && role["metadata"]["namespace"] == binding["metadata"]["namespace"]
        };
        assert!(roles.iter().any(is_bound), "{binding} binds a role that is not rendered");
    }
}

#[test]
fn without_rbac_not_even_the_hooks_bring_a_permission() {
    let everything = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/everything.yaml");
    let variants: [&[&str]; 4] =
        [&[], &["--values", everything], &["--set", "watchNamespaces={team-a,team-b}"], &["--set", "crds.keep=false"]];
    for more in variants {
        let objects = rendered(OWN, &[more, &["--set", "rbac.create=false"]].concat());
        assert_eq!(of_kind(&objects, "Deployment").len(), 3, "{more:?}");
        for kind in ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"] {
            let found: Vec<&Value> = of_kind(&objects, kind).into_iter().map(|object| &object["metadata"]["name"]).collect();
            assert!(found.is_empty(), "{more:?}: {kind} {found:?}");
        }
    }
}
