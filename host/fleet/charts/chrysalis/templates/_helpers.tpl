{{/* What every pod of this chart may not do. */}}
{{- define "chrysalis.pod" -}}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  runAsGroup: {{ .Values.runAsGroup }}
  fsGroup: {{ .Values.runAsGroup }}
  {{- with .Values.supplementalGroups }}
  supplementalGroups: {{- toYaml . | nindent 4 }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* The same of every container. */}}
{{- define "chrysalis.container" -}}
image: {{ .Values.image.repository }}@{{ .Values.image.digest }}
imagePullPolicy: IfNotPresent
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "chrysalis.labels" -}}
app.kubernetes.io/part-of: chrysalis
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "chrysalis.select" -}}
app.kubernetes.io/part-of: chrysalis
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Grace, a minute for claims, and one to spare. */}}
{{- define "chrysalis.termination" -}}
{{ add .Values.graceSeconds 120 }}
{{- end }}
