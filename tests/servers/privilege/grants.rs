//! What ServiceAccounts are granted, as the API server has it, and what they asked for, as its audit log has it.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::support::cluster::OPERATOR_NAMESPACE;

/// One verb on one resource.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The ServiceAccount.
    pub account: String,
    /// Where it holds; everywhere if `None`.
    pub namespace: Option<String>,
    /// API group, empty for the core.
    pub group: String,
    /// Resource, with its subresource if it is of one.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// For which name; for all if `None`.
    pub name: Option<String>,
}

/// All that is granted to Roomkeeper's ServiceAccounts.
pub async fn granted(admin: &Client) -> BTreeSet<Grant> {
    let everything = ListParams::default();
    let mut grants = BTreeSet::new();
    let bindings = Api::<ClusterRoleBinding>::all(admin.clone()).list(&everything).await.expect("the bindings");
    for binding in bindings.items {
        for account in accounts(binding.subjects.as_deref()) {
            let role = Api::<ClusterRole>::all(admin.clone()).get(&binding.role_ref.name).await.expect("the role");
            grants.extend(verbs(&account, None, role.rules.as_deref()));
        }
    }
    let bindings = Api::<RoleBinding>::all(admin.clone()).list(&everything).await.expect("the bindings");
    for binding in bindings.items {
        let namespace = binding.namespace().expect("a namespace");
        for account in accounts(binding.subjects.as_deref()) {
            let role = Api::<Role>::namespaced(admin.clone(), &namespace).get(&binding.role_ref.name).await.expect("the role");
            grants.extend(verbs(&account, Some(&namespace), role.rules.as_deref()));
        }
    }
    grants
}

fn accounts(subjects: Option<&[Subject]>) -> Vec<String> {
    let ours = |subject: &&Subject| subject.kind == "ServiceAccount" && subject.namespace.as_deref() == Some(OPERATOR_NAMESPACE);
    subjects.unwrap_or_default().iter().filter(ours).map(|subject| subject.name.clone()).collect()
}

fn verbs(account: &str, namespace: Option<&str>, rules: Option<&[PolicyRule]>) -> Vec<Grant> {
    let mut grants = Vec::new();
    for rule in rules.unwrap_or_default() {
        assert!(rule.non_resource_urls.as_ref().is_none_or(Vec::is_empty), "{rule:?}");
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let names: Vec<Option<String>> = match &rule.resource_names {
                    Some(names) => names.iter().cloned().map(Some).collect(),
                    None => vec![None],
                };
                for (verb, name) in rule.verbs.iter().flat_map(|verb| names.iter().map(move |name| (verb, name))) {
                    assert!(![group, resource, verb].contains(&&"*".to_owned()), "{account} may do everything: {rule:?}");
                    grants.push(Grant {
                        account: account.to_owned(),
                        namespace: namespace.map(str::to_owned),
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        name: name.clone(),
                    });
                }
            }
        }
    }
    grants
}

/// One request of one of the accounts.
#[derive(Debug)]
pub struct Request(Value);

/// The requests of Roomkeeper's ServiceAccounts in the audit log.
pub fn requests(audit: Vec<Value>) -> Vec<Request> {
    audit.into_iter().map(Request).filter(|request| request.account().is_some()).collect()
}

impl Request {
    fn account(&self) -> Option<&str> {
        self.0["user"]["username"].as_str()?.strip_prefix("system:serviceaccount:roomkeeper-system:")
    }

    fn text(&self, key: &str) -> &str {
        self.0["objectRef"][key].as_str().unwrap_or_default()
    }

    /// Whether the API server refused it for want of a permission.
    pub fn is_forbidden(&self) -> bool {
        self.0["responseStatus"]["code"] == 403
    }

    /// Whether it needed the grant. A patch that made the object needed the right to create it, too.
    pub fn uses(&self, grant: &Grant) -> bool {
        let resource = match self.text("subresource") {
            "" => self.text("resource").to_owned(),
            subresource => format!("{}/{subresource}", self.text("resource")),
        };
        let verb = self.0["verb"].as_str().unwrap_or_default();
        let made = verb == "patch" && self.0["responseStatus"]["code"] == 201;
        let place = match &grant.namespace {
            Some(namespace) => self.text("namespace") == namespace,
            // What is needed in the operator's namespace alone is to be granted there alone.
            None => self.text("namespace") != OPERATOR_NAMESPACE,
        };
        self.account() == Some(grant.account.as_str())
            && self.text("apiGroup") == grant.group
            && resource == grant.resource
            && (verb == grant.verb || made && grant.verb == "create")
            && place
            && grant.name.as_deref().is_none_or(|name| name == self.text("name"))
    }
}
