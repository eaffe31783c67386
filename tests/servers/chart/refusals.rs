//! Values that are wrong are refused before anything reaches the cluster, by a line that names the key.

use crate::support::helm::template;

/// What is set, and what the refusal has to say.
const REFUSED: &[(&[&str], &str)] = &[
    (&["--set", "controler.replicaCount=1"], "additional properties 'controler' not allowed"),
    (&["--set", "controller.replicaCoun=1"], "at '/controller': additional properties 'replicaCoun' not allowed"),
    (&["--set", "image.tags=v1"], "at '/image': additional properties 'tags' not allowed"),
    (&["--set", "gateway.service.ports=80"], "at '/gateway/service': additional properties 'ports' not allowed"),
    (&["--set", "gateway.ingress.host=a.example.org"], "at '/gateway/ingress': additional properties 'host' not allowed"),
    (&["--set", "gateway.resources.limit.memory=1Gi"], "at '/gateway/resources': additional properties 'limit' not allowed"),
    (&["--set", "livekit.rtc.port=7881"], "at '/livekit/rtc': additional properties 'port' not allowed"),
    (&["--set", "networkPolicy.enable=true"], "at '/networkPolicy': additional properties 'enable' not allowed"),
    (
        &["--set", "roomClass.spec.limits.maxParticipant=5"],
        "at '/roomClass/spec/limits': additional properties 'maxParticipant' not allowed",
    ),
    (&["--set", "roomClass.spec.limits.maxParticipants=500"], "at '/roomClass/spec/limits/maxParticipants': maximum"),
    (&["--set", "controller.replicaCount=two"], "at '/controller/replicaCount': got string, want integer"),
    (&["--set", "controller.replicaCount=0"], "at '/controller/replicaCount': minimum"),
    (&["--set", "controller.resync=hourly"], "at '/controller/resync'"),
    (&["--set", "crds.enabled=yes"], "at '/crds/enabled': got string, want boolean"),
    (&["--set", "gateway.url=meet.example.org"], "at '/gateway/url'"),
    (&["--set", "gateway.url=https://meet.example.org/?a=b"], "at '/gateway/url'"),
    (&["--set", "gateway.trustedProxies[0]=10.0.0.1"], "at '/gateway/trustedProxies/0'"),
    (&["--set", "gateway.frameAncestors[0]=*"], "at '/gateway/frameAncestors/0'"),
    (&["--set", "gateway.service.type=External"], "at '/gateway/service/type': value must be one of"),
    (&["--set", "gateway.service.externalTrafficPolicy=local"], "at '/gateway/service/externalTrafficPolicy': value must be one of"),
    (&["--set", "gateway.service.loadBalancerSourceRanges={203.0.113.1}"], "at '/gateway/service/loadBalancerSourceRanges/0'"),
    (&["--set", "gateway.service.ipFamilies={ipv4}"], "at '/gateway/service/ipFamilies/0': value must be one of"),
    (&["--set", "gateway.extraArgs[0]=debug"], "at '/gateway/extraArgs/0'"),
    (&["--set", "image.pullPolicy=Sometimes"], "at '/image/pullPolicy': value must be one of"),
    (&["--set", "image.digest=sha256:abc"], "at '/image/digest'"),
    (&["--set", "livekit.rtc.udpPort=70000"], "at '/livekit/rtc/udpPort': maximum"),
    (&["--set", "livekit.rtc.nodeIP=node.example.org"], "at '/livekit/rtc/nodeIP'"),
    (&["--set", "logs.format=xml"], "at '/logs/format': value must be one of"),
    (&["--set", "otlp.endpoint=collector:4318"], "at '/otlp/endpoint'"),
    (&["--set", "watchNamespaces=team-a"], "at '/watchNamespaces': got string, want array"),
    (&["--set", "watchNamespaces={team-a,team-a}"], "at '/watchNamespaces'"),
    (&["--set", "watchNamespaces={Team}"], "at '/watchNamespaces/0'"),
    (&["--set", "commonLabels.a=true"], "at '/commonLabels/a': got boolean, want string"),
    (&["--set", "commonLabels.app\\.kubernetes\\.io/name=mine"], "invalid propertyName 'app.kubernetes.io/name'"),
    (&["--set", "gateway.podLabels.helm\\.sh/chart=mine"], "invalid propertyName 'helm.sh/chart'"),
    (&["--set", "nameOverride=My App"], "at '/nameOverride'"),
    (&["--set", "fullnameOverride=1st"], "at '/fullnameOverride'"),
    (&["--set", "gateway.rateLimitPerAddress=0"], "at '/gateway/rateLimitPerAddress': minimum"),
    (&["--set", "gateway.rateLimitPerAddress=1000001"], "at '/gateway/rateLimitPerAddress': maximum"),
    (&["--set", "roomClass.spec.controllerName=example.org/a"], "at '/roomClass/spec': additional properties 'controllerName' not allowed"),
    (&["--set", "livekit=null"], "missing property 'livekit'"),
    (&["--set", "controller.replicaCount=null"], "at '/controller': missing property 'replicaCount'"),
    (&["--set", "admissionPolicy.enabled=null"], "at '/admissionPolicy': missing property 'enabled'"),
    // What takes two values to be wrong is refused by the templates.
    (
        &["--set", "controller.leaderElection.enabled=false"],
        "controller.replicaCount must be 1 while controller.leaderElection.enabled is false",
    ),
    (
        &["--set", "controller.leaderElection.enabled=false,controller.replicaCount=1,controller.shards=2"],
        "controller.shards must be 1 while controller.leaderElection.enabled is false",
    ),
    (&["--set", "controller.shards=3"], "controller.replicaCount must be at least controller.shards, which is 3"),
    (&["--set", "controller.shards=17"], "at '/controller/shards': maximum"),
    (&["--set", "livekit.enabled=false"], "roomClass.spec.backend must say where your LiveKit is while livekit.enabled is false"),
    (
        &["--set", "livekit.enabled=false,roomClass.spec.backend.liveKit.url=http://livekit"],
        "roomClass.spec.backend.liveKit.credentialsSecretRef.name must name the Secret",
    ),
    (
        &["--set", "roomClass.spec.backend.liveKit.signalling=Direct"],
        "roomClass.spec.backend.liveKit.signalling must be Proxied while livekit.enabled is true",
    ),
    (&["--set", "livekit.rtc.service.type=External"], "at '/livekit/rtc/service/type': value must be one of"),
    (
        &["--set", "livekit.rtc.service.perProtocol=true"],
        "livekit.rtc.service.perProtocol, loadBalancerClass and loadBalancerSourceRanges need",
    ),
    (&["--set", "livekit.rtc.service.type=ClusterIP"], "livekit.turnServers must name a TURN server that reaches the cluster's pods"),
    (&["--set", "livekit.replicaCount=2"], "livekit.redis.secretName must name the Secret of the Redis"),
    (
        &["--set", "livekit.replicaCount=2,livekit.redis.secretName=redis,livekit.rtc.service.type=LoadBalancer"],
        "livekit.replicaCount must be 1 while livekit.rtc.service.type is LoadBalancer",
    ),
    (&["--set", "livekit.turn.enabled=true"], "livekit.turn.domain must name the TURN server"),
    (&["--set", "livekit.turn.domain=203.0.113.9:443"], "at '/livekit/turn/domain'"),
    (
        &["--set", "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org"],
        "livekit.turn.secretName must name the Secret with the certificate",
    ),
    (
        &[
            "--set",
            "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.secretName=a,livekit.turn.externalTLS=true",
        ],
        "livekit.turn.secretName must be empty while livekit.turn.externalTLS is true",
    ),
    (
        &[
            "--set",
            "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.externalTLS=true,livekit.turn.issuerRef.name=a",
        ],
        "livekit.turn.secretName must name the Secret that cert-manager writes",
    ),
    (&["--set", "livekit.turnServers[0].host=turn.example.org"], "at '/livekit/turnServers/0': missing property 'secretName'"),
    (&["--set", "gateway.service.nodePort=30080"], "gateway.service.nodePort needs the type NodePort or LoadBalancer"),
    (&["--set", "gateway.service.externalTrafficPolicy=Local"], "gateway.service.externalTrafficPolicy needs the type NodePort or"),
    (
        &["--set", "gateway.service.type=NodePort,gateway.url=http://a,gateway.service.loadBalancerClass=a"],
        "gateway.service.loadBalancerClass and loadBalancerSourceRanges need the type LoadBalancer",
    ),
    (&["--set", "gateway.service.loadBalancerSourceRanges={203.0.113.0/24}"], "loadBalancerSourceRanges need the type LoadBalancer"),
    (&["--set", "gateway.ingress.enabled=true"], "gateway.ingress.hosts must name a host"),
    (&["--set", "gateway.ingress.enabled=true,gateway.ingress.hosts={*.example.org}"], "gateway.url must say where join links lead"),
    (
        &["--set", "gateway.httpRoute.enabled=true,gateway.httpRoute.hostnames={meet.example.org}"],
        "gateway.httpRoute.parentRefs must name a Gateway",
    ),
    (
        &["--set", "gateway.httpRoute.enabled=true,gateway.httpRoute.parentRefs[0].name=public"],
        "gateway.url must say where join links lead while gateway.httpRoute.hostnames is empty",
    ),
    (
        &["--set", "gateway.service.type=LoadBalancer"],
        "gateway.url must say where join links lead while gateway.service.type is LoadBalancer; set http://localhost:8080 until",
    ),
    (&["--set", "gateway.service.type=NodePort"], "gateway.url must say where join links lead while gateway.service.type is NodePort"),
    (&["--kube-version", "1.29.0"], "chart requires kubeVersion: >=1.30.0-0"),
];

#[test]
fn wrong_values_are_refused_by_a_line_that_names_the_key() {
    for (arguments, wanted) in REFUSED {
        let output = template(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} is accepted");
        assert!(errors.lines().any(|line| line.contains(wanted)), "{arguments:?} is refused without `{wanted}`: {errors}");
    }
}
