//! What selects whom and who reaches whom, as the rendered objects have it: policies, Services and what leads to them, and the spread
//! over nodes. Evaluated here, because the network of no test knows policies.

use serde_json::{Value, json};

use super::install::{of_kind, rendered, variants};
use crate::support::cluster::OPERATOR_NAMESPACE;

/// Values with which only some namespaces reach the gateway and the metrics.
const RESTRICTED: [&str; 4] = [
    "--set-json",
    r#"networkPolicy.gatewayFrom=[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ingress"}}}]"#,
    "--set-json",
    r#"networkPolicy.metricsFrom=[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}]"#,
];

/// A pod, of the chart or of somebody else.
struct Pod {
    namespace: String,
    labels: Value,
    ports: Vec<Value>,
    /// Whether it is one of a Deployment, and not of a hook.
    stays: bool,
}

impl Pod {
    /// One of somebody else.
    fn other(namespace: &str, labels: Value) -> Self {
        Self { namespace: namespace.to_owned(), labels, ports: Vec::new(), stays: false }
    }

    fn component(&self) -> &str {
        self.labels["app.kubernetes.io/component"].as_str().unwrap_or_default()
    }

    fn port(&self, name: &str) -> &Value {
        let port = self.ports.iter().find(|port| port["name"] == name);
        port.unwrap_or_else(|| panic!("{} has no port {name}", self.component()))
    }
}

/// The pods of the chart: one of each Deployment, and those of the hooks.
fn pods(objects: &[Value]) -> Vec<Pod> {
    let pods = objects.iter().filter_map(|object| {
        let pod = match object["kind"].as_str()? {
            "Deployment" | "Job" => &object["spec"]["template"],
            "Pod" => object,
            _ => return None,
        };
        let containers = pod["spec"]["containers"].as_array().expect("containers");
        Some(Pod {
            namespace: object["metadata"]["namespace"].as_str().expect("a namespace").to_owned(),
            labels: pod["metadata"]["labels"].clone(),
            ports: containers.iter().flat_map(|container| container["ports"].as_array().into_iter().flatten()).cloned().collect(),
            stays: object["kind"] == "Deployment",
        })
    });
    pods.collect()
}

/// Whether a selector takes these labels. It may say no more than what is evaluated here.
fn takes(selector: &Value, labels: &Value) -> bool {
    let parts = selector.as_object().expect("a selector");
    assert!(parts.keys().all(|key| ["matchLabels", "matchExpressions"].contains(&key.as_str())), "{selector}");
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let among = selector["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
        assert_eq!(expression["operator"], "In", "{selector}");
        let values = expression["values"].as_array().expect("values");
        labels.get(expression["key"].as_str().expect("a key")).is_some_and(|value| values.contains(value))
    });
    equal && among
}

/// Whether a peer of a policy is this pod.
fn is_peer(peer: &Value, pod: &Pod) -> bool {
    let parts = peer.as_object().expect("a peer");
    assert!(!parts.is_empty() && parts.keys().all(|key| ["podSelector", "namespaceSelector"].contains(&key.as_str())), "{peer}");
    let there = match peer.get("namespaceSelector") {
        // The label that Kubernetes gives to every namespace.
        Some(selector) => takes(selector, &json!({"kubernetes.io/metadata.name": &pod.namespace})),
        None => pod.namespace == OPERATOR_NAMESPACE,
    };
    there && peer.get("podSelector").is_none_or(|selector| takes(selector, &pod.labels))
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

/// Whether what a policy or a Service says of a port, by `key`, is this port of a container.
fn is_port(said: &Value, key: &str, port: &Value) -> bool {
    let same = match &said[key] {
        Value::Null => true,
        Value::String(name) => port["name"] == name.as_str(),
        number => port["containerPort"] == *number,
    };
    assert!(said["endPort"].is_null(), "{said}");
    same && protocol(said) == protocol(port)
}

/// Whether one of the list fits. No list in a rule, or an empty one, means that everything does.
fn any(list: &Value, fits: impl FnMut(&Value) -> bool) -> bool {
    assert!(list.is_null() || list.is_array(), "{list}");
    list.as_array().is_none_or(|list| list.is_empty() || list.iter().any(fits))
}

/// A release as the network has it.
struct Network {
    policies: Vec<Value>,
    pods: Vec<Pod>,
}

impl Network {
    fn of(arguments: &[&str]) -> Self {
        let objects = rendered(OPERATOR_NAMESPACE, arguments);
        let policies: Vec<Value> = of_kind(&objects, "NetworkPolicy").into_iter().cloned().collect();
        for policy in &policies {
            assert_eq!(policy["metadata"]["namespace"], OPERATOR_NAMESPACE);
            assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]), "nobody is kept from what they reach out for");
        }
        let pods = pods(&objects);
        assert!(pods.iter().all(|pod| pod.namespace == OPERATOR_NAMESPACE), "a pod is where no policy is");
        Self { policies, pods }
    }

    /// The pod of a component.
    fn pod(&self, component: &str) -> &Pod {
        let found: Vec<&Pod> = self.pods.iter().filter(|pod| pod.component() == component).collect();
        assert_eq!(found.len(), 1, "pods of {component}");
        found[0]
    }

    /// The policies that select a pod.
    fn policies_of(&self, pod: &Pod) -> Vec<&Value> {
        self.policies.iter().filter(|policy| takes(&policy["spec"]["podSelector"], &pod.labels)).collect()
    }

    /// Whether somebody reaches a port of a component. A pod that no policy selects is open to everybody.
    fn reaches(&self, source: &Pod, component: &str, port: &str) -> bool {
        let target = self.pod(component);
        let port = target.port(port);
        let policies = self.policies_of(target);
        let mut rules = policies.iter().flat_map(|policy| policy["spec"]["ingress"].as_array().into_iter().flatten());
        let lets_in =
            |rule: &Value| any(&rule["ports"], |said| is_port(said, "port", port)) && any(&rule["from"], |peer| is_peer(peer, source));
        policies.is_empty() || rules.any(lets_in)
    }

    /// Pods that are none of the release's: elsewhere, elsewhere with the labels of ours, in our namespace, and there of another release.
    fn others(&self) -> Vec<Pod> {
        let ours = &self.pod("controller").labels;
        let mut of_another = ours.clone();
        of_another["app.kubernetes.io/instance"] = "another".into();
        vec![
            Pod::other("default", json!({})),
            Pod::other("default", ours.clone()),
            Pod::other(OPERATOR_NAMESPACE, json!({})),
            Pod::other(OPERATOR_NAMESPACE, of_another),
        ]
    }
}

#[test]
fn controller_and_gateway_alone_reach_the_api_of_livekit() {
    for arguments in [&[][..], &RESTRICTED] {
        let network = Network::of(arguments);
        assert_eq!(network.pod("selftest").namespace, OPERATOR_NAMESPACE, "who tests is one of those who are asked");
        let mut inside: Vec<&str> = network.pods.iter().filter(|pod| network.reaches(pod, "livekit", "http")).map(Pod::component).collect();
        inside.sort_unstable();
        assert_eq!(inside, ["controller", "gateway"], "{arguments:?}");
        let elsewhere = [Pod::other("ingress", json!({})), Pod::other("monitoring", json!({}))];
        for other in network.others().iter().chain(&elsewhere) {
            assert!(!network.reaches(other, "livekit", "http"), "{} {}", other.namespace, other.labels);
        }
    }
}

#[test]
fn everybody_reaches_the_gateway_the_media_and_the_metrics() {
    let network = Network::of(&[]);
    let livekit = network.pod("livekit");
    assert_eq!(["rtc-udp", "rtc-tcp"].map(|name| protocol(livekit.port(name))), ["UDP", "TCP"]);
    for source in network.others().iter().chain(&network.pods) {
        for (component, port) in
            [("gateway", "http"), ("livekit", "rtc-udp"), ("livekit", "rtc-tcp"), ("controller", "metrics"), ("gateway", "metrics")]
        {
            let whose = format!("{} {}", source.namespace, source.labels);
            assert!(network.reaches(source, component, port), "{whose} does not reach {port} of the {component}");
        }
    }
}

#[test]
fn who_is_named_reaches_gateway_and_metrics_and_so_do_the_webhooks_and_the_test_of_the_release() {
    let network = Network::of(&RESTRICTED);
    let (ingress, monitoring) = (Pod::other("ingress", json!({})), Pod::other("monitoring", json!({})));
    for source in [&ingress, network.pod("livekit"), network.pod("selftest")] {
        assert!(network.reaches(source, "gateway", "http"), "{} {}", source.namespace, source.labels);
    }
    for component in ["controller", "gateway"] {
        assert!(network.reaches(&monitoring, component, "metrics"), "the metrics of the {component}");
        for source in network.others().iter().chain(&network.pods).chain([&ingress]) {
            let whose = format!("{} {}", source.namespace, source.labels);
            assert!(!network.reaches(source, component, "metrics"), "{whose} reaches the metrics of the {component}");
        }
    }
    for source in network.others().iter().chain([&monitoring]) {
        assert!(!network.reaches(source, "gateway", "http"), "{} {}", source.namespace, source.labels);
        assert!(network.reaches(source, "livekit", "rtc-udp") && network.reaches(source, "livekit", "rtc-tcp"), "media are for everybody");
    }
}

#[test]
fn every_pod_that_stays_is_selected_by_one_policy_whose_ports_it_has() {
    let mut seen = 0;
    for file in variants() {
        let network = Network::of(&["--values", &file.display().to_string()]);
        if network.policies.is_empty() {
            continue;
        }
        seen += 1;
        assert_eq!(network.policies.len(), network.pods.iter().filter(|pod| pod.stays).count(), "{}", file.display());
        for pod in &network.pods {
            let policies = network.policies_of(pod);
            assert_eq!(policies.len(), usize::from(pod.stays), "{}: policies of the {}", file.display(), pod.component());
            let rules = policies.iter().flat_map(|policy| policy["spec"]["ingress"].as_array().expect("rules"));
            for said in rules.flat_map(|rule| rule["ports"].as_array().expect("ports")) {
                assert!(pod.ports.iter().any(|port| is_port(said, "port", port)), "the {} has no port {said}", pod.component());
            }
        }
    }
    assert!(seen >= 4, "only {seen} kinds of values with policies");
}

/// Where a Service beside `object` leads by one of its ports: to which component, and to which port of its pods.
fn destination(objects: &[Value], object: &Value, service: &Value, port: &Value) -> (String, String) {
    let beside =
        |found: &&Value| found["metadata"]["name"] == *service && found["metadata"]["namespace"] == object["metadata"]["namespace"];
    let found = of_kind(objects, "Service").into_iter().find(beside).unwrap_or_else(|| panic!("there is no Service {service}"));
    let ports = found["spec"]["ports"].as_array().expect("ports");
    let said = ports.iter().find(|said| said["name"] == *port || said["port"] == *port);
    let said = said.unwrap_or_else(|| panic!("the Service {service} has no port {port}"));
    assert!(!said["targetPort"].is_null(), "{said}");
    let selector = json!({"matchLabels": &found["spec"]["selector"]});
    let pods: Vec<Pod> = pods(objects).into_iter().filter(|pod| takes(&selector, &pod.labels)).collect();
    assert_eq!(pods.len(), 1, "kinds of pods behind the Service {service}");
    let target = pods[0].ports.iter().find(|port| is_port(said, "targetPort", port));
    let target = target.unwrap_or_else(|| panic!("the pods of the Service {service} have no port {said}"));
    (pods[0].component().to_owned(), target["name"].as_str().expect("a name").to_owned())
}

#[test]
fn ingress_and_route_lead_their_hosts_to_the_gateway() {
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/everything.yaml");
    // Under another name and port than the usual ones, so that both have to come from the values.
    let objects = rendered(OPERATOR_NAMESPACE, &["--values", values, "--set", "fullnameOverride=calls,gateway.service.port=8443"]);
    let gateway = ("gateway".to_owned(), "http".to_owned());
    let (ingresses, routes) = (of_kind(&objects, "Ingress"), of_kind(&objects, "HTTPRoute"));
    assert_eq!((ingresses.len(), routes.len()), (1, 1));

    let rules = ingresses[0]["spec"]["rules"].as_array().expect("rules");
    let hosts: Vec<&Value> = rules.iter().map(|rule| &rule["host"]).collect();
    assert_eq!(json!(hosts), json!(["meet.example.org", "treffen.example.org"]));
    for rule in rules {
        let paths = rule["http"]["paths"].as_array().expect("paths");
        assert_eq!(paths.len(), 1, "{rule}");
        assert_eq!((&paths[0]["path"], &paths[0]["pathType"]), (&json!("/"), &json!("Prefix")));
        let service = &paths[0]["backend"]["service"];
        let port = if service["port"]["name"].is_null() { &service["port"]["number"] } else { &service["port"]["name"] };
        assert_eq!(destination(&objects, ingresses[0], &service["name"], port), gateway, "{rule}");
    }

    assert_eq!(routes[0]["spec"]["hostnames"], json!(["meet.example.org"]));
    let rules = routes[0]["spec"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 1);
    let backends = rules[0]["backendRefs"].as_array().expect("backends");
    assert_eq!(backends.len(), 1);
    // A route names ports by their numbers alone.
    assert_eq!(backends[0]["port"], 8443);
    assert_eq!(destination(&objects, routes[0], &backends[0]["name"], &backends[0]["port"]), gateway);
}

#[test]
fn ingress_and_route_have_the_path_of_the_gateways_address() {
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/everything.yaml");
    for (url, path) in [("https://example.org/calls/", "/calls"), ("https://example.org/a/b", "/a/b"), ("https://meet.example.org/", "/")] {
        let objects = rendered(OPERATOR_NAMESPACE, &["--values", values, "--set", &format!("gateway.url={url}")]);
        let (ingress, route) = (of_kind(&objects, "Ingress")[0], of_kind(&objects, "HTTPRoute")[0]);
        for rule in ingress["spec"]["rules"].as_array().expect("rules") {
            assert_eq!(rule["http"]["paths"][0]["path"], path, "{url}");
        }
        assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"], json!({"type": "PathPrefix", "value": path}), "{url}");
    }
}

#[test]
fn every_port_of_a_service_is_one_of_its_pods() {
    for file in variants() {
        let objects = rendered(OPERATOR_NAMESPACE, &["--values", &file.display().to_string()]);
        let services = of_kind(&objects, "Service");
        assert!(!services.is_empty(), "{}", file.display());
        for service in services {
            for port in service["spec"]["ports"].as_array().expect("ports") {
                let (component, target) = destination(&objects, service, &service["metadata"]["name"], &port["name"]);
                assert_eq!(port["name"], target, "{}: the {component}", file.display());
            }
        }
    }
}

#[test]
fn pods_are_spread_over_nodes_by_labels_that_they_alone_have() {
    let objects = rendered(OPERATOR_NAMESPACE, &[]);
    let pods = pods(&objects);
    for component in ["controller", "gateway"] {
        let name = format!("roomkeeper-{component}");
        let deployment = of_kind(&objects, "Deployment").into_iter().find(|object| object["metadata"]["name"] == name.as_str());
        let spec = &deployment.expect("the Deployment")["spec"]["template"]["spec"];
        let constraints = spec["topologySpreadConstraints"].as_array().expect("constraints");
        assert!(!constraints.is_empty(), "the {component} is not spread");
        for constraint in constraints {
            assert_eq!(constraint["topologyKey"], "kubernetes.io/hostname");
            let counted: Vec<&str> =
                pods.iter().filter(|pod| takes(&constraint["labelSelector"], &pod.labels)).map(Pod::component).collect();
            assert_eq!(counted, [component], "{constraint}");
        }
    }
}

#[test]
fn the_service_of_the_gateway_is_as_the_values_say() {
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/own-livekit.yaml");
    let service = |arguments: &[&str]| {
        let objects = rendered(OPERATOR_NAMESPACE, arguments);
        let mut found = objects.into_iter().find(|object| object["kind"] == "Service" && object["spec"]["ports"][0]["name"] == "http");
        let mut spec = found.as_mut().expect("the Service")["spec"].take();
        spec.as_object_mut().expect("a spec").remove("selector");
        spec
    };
    let plain = service(&["--set", "livekit.enabled=false,roomClass.create=false"]);
    assert_eq!(plain, json!({"type": "ClusterIP", "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}));
    assert_eq!(
        service(&["--values", values]),
        json!({
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "example.org/lb",
            "loadBalancerSourceRanges": ["203.0.113.0/24", "2001:db8::/32"],
            "ipFamilyPolicy": "PreferDualStack",
            "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 443, "targetPort": "http", "nodePort": 32443}],
        })
    );
}
