//! What the chart renders for each way by which media reach people.

use serde_json::{Value, json};

use super::install::{of_kind, rendered};

/// LiveKit's own TURN server.
const TURN: &str = "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.secretName=turn";
/// How long ingress-nginx waits for something from the gateway.
const READ: &str = "nginx.ingress.kubernetes.io/proxy-read-timeout";

fn with(values: &str) -> Vec<Value> {
    rendered("calls", &["--set", values])
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name)
}

/// The ports of a Service, each with what it leads to.
fn ports(service: &Value) -> Vec<(i64, &str)> {
    let ports = service["spec"]["ports"].as_array().expect("ports");
    ports.iter().map(|port| (port["port"].as_i64().expect("a port"), port["targetPort"].as_str().expect("a name"))).collect()
}

fn livekit(objects: &[Value]) -> &Value {
    &named(objects, "Deployment", "roomkeeper-livekit").expect("LiveKit")["spec"]
}

#[test]
fn a_load_balancer_of_the_media_has_the_port_of_turn_too_and_the_controller_learns_its_address() {
    let objects = with(&format!("livekit.rtc.service.type=LoadBalancer,{TURN}"));
    let media = named(&objects, "Service", "roomkeeper-livekit-media").expect("the media");
    assert_eq!(ports(media), [(30082, "rtc-udp"), (30081, "rtc-tcp"), (443, "turn-tls")]);
    assert!(named(&objects, "Service", "roomkeeper-livekit-turn").is_none());
    let controller = named(&objects, "Deployment", "roomkeeper-controller").expect("the controller").to_string();
    assert!(controller.contains("--livekit-media-services=roomkeeper-livekit-media\""), "{controller}");
    let from = &livekit(&objects)["template"]["spec"]["containers"][0]["env"][0];
    assert_eq!(from["valueFrom"]["configMapKeyRef"], json!({"name": "roomkeeper-livekit", "key": "nodeIP"}));

    let objects = with(&format!("livekit.rtc.service.type=LoadBalancer,livekit.rtc.service.perProtocol=true,{TURN}"));
    let of = |name| ports(named(&objects, "Service", name).expect("a Service"));
    assert_eq!(of("roomkeeper-livekit-media"), [(30082, "rtc-udp")]);
    assert_eq!(of("roomkeeper-livekit-media-tcp"), [(30081, "rtc-tcp"), (443, "turn-tls")]);

    // Who says the address themselves needs nothing of that.
    let objects = with("livekit.rtc.service.type=LoadBalancer,livekit.rtc.nodeIP=203.0.113.9");
    assert!(!Value::from(objects).to_string().contains("livekit-media-services"));
}

#[test]
fn the_turn_server_listens_at_the_family_of_the_address_of_the_media_and_relays_to_that_address_alone() {
    let ways = [
        ("livekit.rtc.service.type=NodePort", "$(POD_IP)", vec!["::ffff:$(HOST_IP)/128", "$(HOST_IP)/128"]),
        ("livekit.rtc.service.type=LoadBalancer", "$(TURN_BIND)", vec!["$(NODE_CIDR)"]),
        ("livekit.rtc.nodeIP=203.0.113.9\\,2001:db8::9", "0.0.0.0", vec!["203.0.113.9/32"]),
        ("livekit.rtc.nodeIP=2001:db8::9", "::0", vec!["2001:db8::9/128"]),
    ];
    for (way, listens, relays_to) in ways {
        let objects = with(&format!("{way},{TURN}"));
        let container = &livekit(&objects)["template"]["spec"]["containers"][0];
        let env = container["env"].as_array().expect("an environment");
        let config = env.iter().find(|variable| variable["name"] == "LIVEKIT_CONFIG").and_then(|config| config["value"].as_str());
        let config: Value = serde_yaml::from_str(config.expect("a configuration")).expect("YAML");
        assert_eq!(config["turn"]["bind_addresses"], json!([listens]), "{way}");
        assert_eq!(config["turn"]["allow_restricted_peer_cidrs"], json!(relays_to), "{way}");
        for variable in ["HOST_IP", "POD_IP", "NODE_CIDR", "TURN_BIND"] {
            let is_used = config["turn"].to_string().contains(&format!("$({variable})"));
            assert!(!is_used || env.iter().any(|known| known["name"] == variable), "{way}: nobody says what {variable} is");
        }
    }
}

#[test]
fn node_ports_of_the_media_have_both_families_where_the_cluster_has_them() {
    let objects = with("livekit.rtc.service.type=NodePort");
    let media = named(&objects, "Service", "roomkeeper-livekit-media").expect("the media");
    assert_eq!(media["spec"]["ipFamilyPolicy"], "PreferDualStack");
}

#[test]
fn without_a_load_balancer_for_the_media_turn_has_a_service_and_with_cert_manager_a_certificate() {
    let turn =
        "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.secretName=turn-tls,livekit.turn.issuerRef.name=ours";
    for way in ["livekit.rtc.service.type=NodePort", "livekit.hostNetwork=true"] {
        let objects = with(&format!("{way},{turn}"));
        let service = named(&objects, "Service", "roomkeeper-livekit-turn").expect("a Service");
        assert_eq!((ports(service), &service["spec"]["type"]), (vec![(443, "turn-tls")], &json!("LoadBalancer")));
        let certificate = &of_kind(&objects, "Certificate")[0]["spec"];
        assert_eq!(certificate, &json!({"secretName": "turn-tls", "dnsNames": ["turn.example.org"], "issuerRef": {"name": "ours"}}));
    }
}

#[test]
fn in_the_network_of_its_node_livekit_has_no_service_for_media() {
    let objects = with("livekit.hostNetwork=true");
    assert!(named(&objects, "Service", "roomkeeper-livekit-media").is_none());
    let pod = &livekit(&objects)["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("ClusterFirstWithHostNet")));
}

#[test]
fn several_servers_are_on_different_nodes_unless_people_reach_their_pods_and_one_at_a_time_may_go() {
    let several = "livekit.replicaCount=3,livekit.redis.secretName=redis";
    let objects = with(several);
    let spec = livekit(&objects);
    assert_eq!((&spec["replicas"], &spec["strategy"]["rollingUpdate"]["maxSurge"]), (&json!(3), &json!(0)));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["terminationGracePeriodSeconds"], 18000);
    let apart = &pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(apart["topologyKey"], "kubernetes.io/hostname");
    let budget = named(&objects, "PodDisruptionBudget", "roomkeeper-livekit").expect("a budget");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);

    let by_turn = "livekit.rtc.service.type=ClusterIP,livekit.turnServers[0].host=a,livekit.turnServers[0].secretName=b";
    assert_eq!(livekit(&with(&format!("{several},{by_turn}")))["template"]["spec"]["affinity"], Value::Null);
    let one = with("livekit.redis.secretName=redis");
    assert!(named(&one, "PodDisruptionBudget", "roomkeeper-livekit").is_none());
    assert_eq!((&livekit(&one)["strategy"]["type"], &livekit(&one)["replicas"]), (&json!("Recreate"), &json!(1)));
}

#[test]
fn an_ingress_of_nginx_has_time_outs_that_calls_can_live_with_and_says_what_is_said() {
    let annotations = |more: &str| {
        let objects = with(&format!("gateway.ingress.enabled=true,gateway.ingress.hosts={{meet.example.org}}{more}"));
        of_kind(&objects, "Ingress")[0]["metadata"]["annotations"].clone()
    };
    assert_eq!(annotations(""), Value::Null);
    assert_eq!(annotations(",gateway.ingress.className=nginx")[READ], "3600");
    let own =
        r",gateway.ingress.className=nginx-internal,gateway.ingress.annotations.nginx\.ingress\.kubernetes\.io/proxy-read-timeout=7200s";
    assert_eq!(annotations(own)[READ], "7200s");
}
