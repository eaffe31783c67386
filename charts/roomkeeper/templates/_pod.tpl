{{- /* What the pods of controller and gateway have in common. Takes (list CONTEXT COMPONENT). */ -}}

{{- define "roomkeeper.podLabels" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{ include "roomkeeper.labels" . }}
{{- with $values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "roomkeeper.podPlacement" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "roomkeeper.podSpread" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
topologySpreadConstraints:
{{- with $values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "roomkeeper.selectorLabels" . | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "roomkeeper.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "roomkeeper.serviceAccountName" . | quote }}
# Variables of Services would begin like those of Roomkeeper's own settings.
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "roomkeeper.podSecurity" $root }}
{{ . }}
{{- end }}
{{- end -}}

{{- /* Fields that are empty are left out: null, with which Helm takes a field away, does nothing in the values of a parent chart. */ -}}
{{- define "roomkeeper.podSecurity" -}}
{{- $context := dict -}}
{{- range $field, $value := .Values.podSecurityContext -}}
{{- if not (or (kindIs "invalid" $value) (eq "" (toString $value))) -}}
{{- $_ := set $context $field $value -}}
{{- end -}}
{{- end -}}
{{- with $context -}}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "roomkeeper.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "roomkeeper.commonArgs" -}}
{{- $root := index . 0 -}}
- --operator-namespace={{ $root.Release.Namespace }}
{{- with $root.Values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
{{- with include "roomkeeper.controllerName" $root }}
- --controller-name={{ . }}
{{- end }}
- {{ printf "--log=%s" $root.Values.logs.level | quote }}
- --log-format={{ $root.Values.logs.format }}
{{- with $root.Values.otlp.endpoint }}
- {{ printf "--otlp-endpoint=%s" . | quote }}
{{- end }}
{{- end -}}

{{- define "roomkeeper.probes" -}}
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  periodSeconds: 3
  timeoutSeconds: 3
{{- end -}}

{{- /* More authorities than the image has, for controller and gateway. */ -}}
{{- define "roomkeeper.caBundleVolume" -}}
- name: ca-bundle
  configMap:
    name: {{ .Values.caBundle.configMap | quote }}
    items:
      - key: {{ .Values.caBundle.key | quote }}
        path: ca.crt
{{- end -}}

{{- define "roomkeeper.caBundleMount" -}}
- name: ca-bundle
  mountPath: /etc/roomkeeper-ca
  readOnly: true
{{- end -}}

{{- /* Takes (list CONTEXT COMPONENT). */ -}}
{{- define "roomkeeper.env" -}}
{{- $root := index . 0 -}}
{{- $extra := (index $root.Values (index . 1)).extraEnv -}}
{{- $elects := eq (index . 1) "controller" -}}
{{- if or $root.Values.caBundle.configMap $extra $elects -}}
env:
{{- if $elects }}
  # By it a container that is started again leads on at once.
  - name: ROOMKEEPER_POD_UID
    valueFrom:
      fieldRef:
        fieldPath: metadata.uid
{{- end }}
{{- if $root.Values.caBundle.configMap }}
  # It replaces the default, so the directory of the image is named again.
  - name: SSL_CERT_DIR
    value: /etc/ssl/certs:/etc/roomkeeper-ca
{{- end }}
{{- with $extra }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}
