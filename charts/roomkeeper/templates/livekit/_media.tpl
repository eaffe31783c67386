{{- /* How media reach LiveKit, and what LiveKit has to know of it. */ -}}

{{- /* Refuses what cannot work together. */ -}}
{{- define "roomkeeper.checkMedia" -}}
{{- $rtc := .Values.livekit.rtc -}}
{{- $turn := .Values.livekit.turn -}}
{{- if and (ne $rtc.service.type "LoadBalancer") (or $rtc.service.perProtocol $rtc.service.loadBalancerClass $rtc.service.loadBalancerSourceRanges) -}}
{{- fail "livekit.rtc.service.perProtocol, loadBalancerClass and loadBalancerSourceRanges need the type LoadBalancer in livekit.rtc.service.type" -}}
{{- end -}}
{{- if and (include "roomkeeper.mediaAtPod" .) (not .Values.livekit.turnServers) -}}
{{- fail "livekit.turnServers must name a TURN server that reaches the cluster's pods while livekit.rtc.service.type is ClusterIP; or say in livekit.rtc.nodeIP at which address people reach the media ports" -}}
{{- end -}}
{{- if gt (int .Values.livekit.replicaCount) 1 -}}
{{- if not .Values.livekit.redis.secretName -}}
{{- fail "livekit.redis.secretName must name the Secret of the Redis by which the servers find each other while livekit.replicaCount is more than 1" -}}
{{- end -}}
{{- if or (eq $rtc.service.type "LoadBalancer") $rtc.nodeIP -}}
{{- fail "livekit.replicaCount must be 1 while livekit.rtc.service.type is LoadBalancer or livekit.rtc.nodeIP is set: people go to the server that has their call, and all servers would tell them one address" -}}
{{- end -}}
{{- end -}}
{{- if $turn.enabled -}}
{{- if not $turn.domain -}}
{{- fail "livekit.turn.domain must name the TURN server while livekit.turn.enabled is true, such as turn.example.org" -}}
{{- end -}}
{{- if and (not $turn.secretName) (not $turn.externalTLS) -}}
{{- fail "livekit.turn.secretName must name the Secret with the certificate while livekit.turn.enabled is true; or set livekit.turn.externalTLS where the load balancer ends TLS" -}}
{{- end -}}
{{- if and $turn.secretName $turn.externalTLS -}}
{{- fail "livekit.turn.secretName must be empty while livekit.turn.externalTLS is true: the load balancer has the certificate" -}}
{{- end -}}
{{- if and $turn.issuerRef (not $turn.secretName) -}}
{{- fail "livekit.turn.secretName must name the Secret that cert-manager writes while livekit.turn.issuerRef is set" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Not empty where the controller learns the address of the media from the load balancer. */ -}}
{{- define "roomkeeper.learnsMediaAddress" -}}
{{- if and .Values.livekit.enabled (eq .Values.livekit.rtc.service.type "LoadBalancer") (not .Values.livekit.rtc.nodeIP) -}}
yes
{{- end -}}
{{- end -}}

{{- /* Not empty where media go to the pod's own address, by way of a TURN server in the cluster. */ -}}
{{- define "roomkeeper.mediaAtPod" -}}
{{- if and (eq .Values.livekit.rtc.service.type "ClusterIP") (not .Values.livekit.hostNetwork) (not .Values.livekit.rtc.nodeIP) -}}
yes
{{- end -}}
{{- end -}}

{{- /* Names of the Services that lead to the media. */ -}}
{{- define "roomkeeper.mediaServices" -}}
{{- $name := printf "%s-livekit-media" (include "roomkeeper.fullname" .) -}}
{{- if .Values.livekit.rtc.service.perProtocol -}}
{{- printf "%s,%s-tcp" $name $name -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- /* What the TURN server has from the address of the media: what it listens at, which is of the same family, for it fails without an address of that one;
and the networks of this address alone. Of an address that only the pod knows, nobody knows the family before: LiveKit passes over a network that is
none, which is the first of two for IPv6, and the second for IPv4. */ -}}
{{- define "roomkeeper.turnAddresses" -}}
{{- $given := first (splitList "," (.Values.livekit.rtc.nodeIP | default "")) -}}
{{- $bind := "$(POD_IP)" -}}
{{- $own := ternary "$(POD_IP)" "$(HOST_IP)" (not (empty (include "roomkeeper.mediaAtPod" .))) -}}
{{- $networks := list (printf "::ffff:%s/128" $own) (printf "%s/128" $own) -}}
{{- if include "roomkeeper.learnsMediaAddress" . -}}
{{- $bind = "$(TURN_BIND)" -}}
{{- $networks = list "$(NODE_CIDR)" -}}
{{- else if $given -}}
{{- $bind = ternary "::0" "0.0.0.0" (contains ":" $given) -}}
{{- $networks = list (printf "%s/%d" $given (ternary 128 32 (contains ":" $given))) -}}
{{- end -}}
bind_addresses: {{ list $bind | toJson }}
# It relays to itself, at an address that is private in many clusters.
allow_restricted_peer_cidrs: {{ $networks | toJson }}
{{- end -}}

{{- /* Secret with the certificate of the TURN server; empty where LiveKit needs none. */ -}}
{{- define "roomkeeper.turnSecretName" -}}
{{- with .Values.livekit.turn -}}
{{- if and .enabled (not .externalTLS) -}}
{{- .secretName -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* LiveKit's configuration, before what `livekit.config` says. */ -}}
{{- define "roomkeeper.livekitConfig" -}}
{{- $rtc := .Values.livekit.rtc -}}
{{- $turn := .Values.livekit.turn -}}
port: 7880
rtc:
  udp_port: {{ $rtc.udpPort }}
  tcp_port: {{ $rtc.tcpPort }}
  use_external_ip: false
  {{- if .Values.livekit.hostNetwork }}
  # LiveKit listens at each address by itself, and nodes may have one at several interfaces, which fails.
  ips:
    includes: ["$(HOST_IP)/32"]
  {{- end }}
  {{- if not .Values.livekit.turnServers }}
  # Unset, it would have clients ask public servers. Nobody has to be asked: LiveKit is at an address that people reach. Names that end in .invalid lead
  # nowhere (RFC 6761), on networks of either family.
  stun_servers: ["stun.invalid:3478"]
  {{- end }}
  {{- with .Values.livekit.turnServers }}
  turn_servers:
    {{- range $index, $server := . }}
    - host: {{ $server.host | quote }}
      port: {{ $server.port | default (ternary 5349 3478 (eq "tls" ($server.protocol | default "udp"))) }}
      protocol: {{ $server.protocol | default "udp" }}
      secret_file: /etc/livekit-turn-servers/{{ $index }}/secret
      # As long as a media token is good: a client asks for its relay when it connects.
      ttl: 60
    {{- end }}
  {{- end }}
{{- if and .Values.livekit.redis.secretName .Values.livekit.redis.tls }}
redis:
  use_tls: true
{{- end }}
{{- if $turn.enabled }}
turn:
  enabled: true
  domain: {{ $turn.domain | quote }}
  tls_port: 5349
  {{- if $turn.externalTLS }}
  external_tls: true
  {{- else }}
  cert_file: /etc/livekit-turn/tls.crt
  key_file: /etc/livekit-turn/tls.key
  {{- end }}
  ttl_seconds: 60
  {{- include "roomkeeper.turnAddresses" . | nindent 2 }}
{{- end }}
room:
  # Rooms are made by Roomkeeper alone.
  auto_create: false
{{- end -}}
