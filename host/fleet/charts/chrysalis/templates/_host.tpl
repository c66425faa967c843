{{/* The pod of one machine, whoever makes it: root, component, fleet. */}}
{{- define "chrysalis.host" -}}
{{- $root := .root }}
{{- $component := .component }}
{{- $fleet := .fleet }}
{{- with .fleet }}
metadata:
  labels: {{- include "chrysalis.select" (dict "root" $root "component" $component) | nindent 4 }}
spec:
  {{- include "chrysalis.pod" $root | nindent 2 }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ include "chrysalis.termination" $root }}
  {{- with .nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "chrysalis.select" (dict "root" $root "component" $component) | nindent 10 }}
  containers:
    - name: host
      {{- include "chrysalis.container" $root | nindent 6 }}
      args: [run]
      env:
        - name: CHRYSALIS_RUN_IMAGE
          value: /artifacts/{{ .artifacts.image }}
        - name: CHRYSALIS_RUN_DISKS
          value: /artifacts/{{ .artifacts.disks }}
        - name: CHRYSALIS_RUN_CONFIGURATION
          value: /artifacts/{{ .artifacts.configuration }}
        - name: CHRYSALIS_RUN_PLATFORM
          value: {{ .platform }}
        - name: CHRYSALIS_RUN_VCPUS
          value: {{ .vcpus | default 2 | quote }}
        - name: CHRYSALIS_RUN_MEMORY
          value: {{ .memoryMiB | quote }}
        {{- with .gpus }}
        - name: CHRYSALIS_RUN_GPU
          value: {{ join " " . | quote }}
        {{- end }}
        - name: CHRYSALIS_RUN_STATE
          value: /state
        - name: CHRYSALIS_RUN_LISTEN
          value: 0.0.0.0:8443
        # The kubelet asks at the pod's own address.
        - name: CHRYSALIS_RUN_METRICS
          value: 0.0.0.0:9443
        - name: CHRYSALIS_RUN_GRACE
          value: {{ $root.Values.graceSeconds | quote }}
        - name: CHRYSALIS_RUN_LOG
          value: json
        {{- with .payee }}
        - name: CHRYSALIS_RUN_PAYEE
          value: {{ . | quote }}
        - name: CHRYSALIS_RUN_FLOOR
          value: {{ $fleet.floor | default 0 | int64 | quote }}
        {{- if $root.Values.cashier.enabled }}
        - name: CHRYSALIS_RUN_FLEET_CASHIER
          value: {{ $root.Release.Name }}-cashier:9444
        - name: CHRYSALIS_RUN_FLEET_SECRET_FILE
          value: /secret/secret
        {{- end }}
        {{- end }}
        {{- range $option, $value := .options }}
        - name: CHRYSALIS_RUN_{{ $option | upper | replace "-" "_" }}
          value: {{ $value | quote }}
        {{- end }}
      ports:
        - name: clients
          containerPort: 8443
          {{- with .hostPort }}
          hostPort: {{ . }}
          {{- end }}
        - name: metrics
          containerPort: 9443
      # A boot takes as long as its models are large.
      startupProbe:
        httpGet: {path: /ready, port: metrics}
        periodSeconds: 5
        failureThreshold: 240
      readinessProbe:
        httpGet: {path: /ready, port: metrics}
        periodSeconds: 5
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        failureThreshold: 3
      lifecycle:
        preStop:
          exec:
            command: [/usr/bin/chrysalis-host, drain, "127.0.0.1:9443"]
      resources:
        requests:
          cpu: {{ $root.Values.overhead.cpu }}
          memory: {{ add .memoryMiB $root.Values.overhead.memoryMiB }}Mi
        limits:
          memory: {{ add .memoryMiB $root.Values.overhead.memoryMiB }}Mi
          {{- with .resources }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
      volumeMounts:
        - {name: artifacts, mountPath: /artifacts, readOnly: true}
        - {name: state, mountPath: /state}
        - {name: tmp, mountPath: /tmp}
        {{- if and .payee $root.Values.cashier.enabled }}
        - {name: secret, mountPath: /secret, readOnly: true}
        {{- end }}
  volumes:
    - name: artifacts
      {{- if .artifacts.claim }}
      persistentVolumeClaim:
        claimName: {{ .artifacts.claim }}
        readOnly: true
      {{- else }}
      hostPath:
        path: {{ .artifacts.hostPath }}
        type: Directory
      {{- end }}
    - name: tmp
      emptyDir: {}
    {{- if and .payee $root.Values.cashier.enabled }}
    - name: secret
      secret:
        secretName: {{ $root.Values.cashier.secretName }}
        items: [{key: secret, path: secret}]
        defaultMode: 0440
    {{- end }}
    {{- if or (not .payee) $root.Values.cashier.enabled }}
    - name: state
      emptyDir: {}
    {{- end }}
{{- end }}
{{- end }}
