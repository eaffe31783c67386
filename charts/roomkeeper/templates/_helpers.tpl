{{- define "roomkeeper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Begins with a letter, as the names of Services have to before Kubernetes 1.34; those of releases may begin with a digit. */ -}}
{{- define "roomkeeper.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if regexMatch "^[0-9]" .Release.Name -}}
{{- printf "%s-%s" (include "roomkeeper.name" .) .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "roomkeeper.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "roomkeeper.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Name of cluster-scoped objects. Fixed where a release keeps the Rooms of the whole cluster, so that Helm refuses a second one. */ -}}
{{- define "roomkeeper.clusterName" -}}
{{- if .Values.watchNamespaces -}}
{{- printf "%s-%s" .Release.Namespace (include "roomkeeper.fullname" .) -}}
{{- else -}}
roomkeeper
{{- end -}}
{{- end -}}

{{- /* Takes (list CONTEXT COMPONENT). */ -}}
{{- define "roomkeeper.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "roomkeeper.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* Takes (list CONTEXT COMPONENT). */ -}}
{{- define "roomkeeper.labels" -}}
{{- $root := index . 0 -}}
{{ include "roomkeeper.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: roomkeeper
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes (list CONTEXT COMPONENT). */ -}}
{{- define "roomkeeper.serviceAccountName" -}}
{{- $root := index . 0 -}}
{{- $account := (index $root.Values (index . 1)).serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "roomkeeper.fullname" $root) (index . 1)) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{- define "roomkeeper.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Address of the gateway as people reach it; empty if nobody said it. */ -}}
{{- define "roomkeeper.knownGatewayURL" -}}
{{- $gateway := .Values.gateway -}}
{{- if $gateway.url -}}
{{- $gateway.url | trimSuffix "/" -}}
{{- else if and $gateway.ingress.enabled $gateway.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty $gateway.ingress.tls))) (first $gateway.ingress.hosts) -}}
{{- else if and $gateway.httpRoute.enabled $gateway.httpRoute.hostnames -}}
{{- printf "https://%s" (first $gateway.httpRoute.hostnames) -}}
{{- end -}}
{{- end -}}

{{- /* Path of that address, which the gateway takes off itself. */ -}}
{{- define "roomkeeper.gatewayPath" -}}
{{- (urlParse .Values.gateway.url).path | trimSuffix "/" | default "/" -}}
{{- end -}}

{{- /* What join links begin with. */ -}}
{{- define "roomkeeper.gatewayURL" -}}
{{- if hasPrefix "*" (include "roomkeeper.knownGatewayURL" . | trimPrefix "https://" | trimPrefix "http://") -}}
{{- fail "gateway.url must say where join links lead while the first host of the Ingress or the HTTPRoute begins with an asterisk" -}}
{{- end -}}
{{- if not (include "roomkeeper.knownGatewayURL" .) -}}
{{- /* Whoever opens the gateway to others does not mean links to their own machine, and invites may be sent before anybody looks at one. */ -}}
{{- if .Values.gateway.httpRoute.enabled -}}
{{- fail "gateway.url must say where join links lead while gateway.httpRoute.hostnames is empty" -}}
{{- else if ne .Values.gateway.service.type "ClusterIP" -}}
{{- fail (printf "gateway.url must say where join links lead while gateway.service.type is %s; set http://localhost:8080 until its address is known" .Values.gateway.service.type) -}}
{{- end -}}
{{- end -}}
{{- include "roomkeeper.knownGatewayURL" . | default "http://localhost:8080" -}}
{{- end -}}

{{- /* Which RoomClasses belong to this release; empty for those that say nothing. */ -}}
{{- define "roomkeeper.controllerName" -}}
{{- if .Values.controllerName -}}
{{- .Values.controllerName -}}
{{- else if .Values.watchNamespaces -}}
roomkeeper.io/{{ include "roomkeeper.clusterName" . }}
{{- end -}}
{{- end -}}

{{- /* Names of the Leases by which controllers agree on who works on which shard. */ -}}
{{- define "roomkeeper.leases" -}}
[roomkeeper-controller
{{- range untilStep 1 (int .Values.controller.shards) 1 -}}
, roomkeeper-controller-{{ . }}
{{- end -}}
]
{{- end -}}

{{- define "roomkeeper.roomClassName" -}}
{{- if .Values.roomClass.name -}}
{{- .Values.roomClass.name -}}
{{- else if .Values.watchNamespaces -}}
{{- include "roomkeeper.clusterName" . }}-livekit
{{- else -}}
livekit
{{- end -}}
{{- end -}}

{{- /* Namespace of the Room that `helm test` makes. */ -}}
{{- define "roomkeeper.testNamespace" -}}
{{- if .Values.watchNamespaces -}}{{ first .Values.watchNamespaces }}{{- else -}}{{ .Release.Namespace }}{{- end -}}
{{- end -}}
