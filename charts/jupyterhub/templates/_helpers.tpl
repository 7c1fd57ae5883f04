{{/* Prefix of the names of namespaced resources. */}}
{{- define "jupyterhub.prefix" -}}
{{- if kindIs "string" .Values.fullnameOverride -}}
{{- with .Values.fullnameOverride }}{{ . }}-{{ end -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- contains $name .Release.Name | ternary .Release.Name (print .Release.Name "-" $name) }}-
{{- end -}}
{{- end }}

{{/* Prefix of the names of cluster-wide resources: never empty. */}}
{{- define "jupyterhub.clusterPrefix" -}}
{{- include "jupyterhub.prefix" . | default (print .Release.Name "-") -}}
{{- end }}

{{/* Labels of a component's resources: (list root component). */}}
{{- define "jupyterhub.labels" -}}
{{- $root := index . 0 -}}
{{- $chart := print $root.Chart.Name "-" $root.Chart.Version | replace "+" "_" -}}
{{ include "jupyterhub.podLabels" . }}
chart: {{ $chart }}
heritage: {{ $root.Release.Service }}
helm.sh/chart: {{ $chart }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{/* Labels that do not change when the chart is upgraded: (list root component). */}}
{{- define "jupyterhub.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.selector" . }}
app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "jupyterhub.selector" -}}
{{- $root := index . 0 -}}
app: {{ $root.Values.nameOverride | default $root.Chart.Name }}
component: {{ index . 1 }}
release: {{ $root.Release.Name }}
{{- end }}

{{/* A secret of 64 hex digits: the given one, that of an earlier release, or a new one: (list root given key). */}}
{{- define "jupyterhub.secret" -}}
{{- $root := index . 0 -}}
{{- $there := lookup "v1" "Secret" $root.Release.Namespace (print (include "jupyterhub.prefix" $root) "hub") | default dict -}}
{{- $kept := dig "data" (index . 2) "" $there -}}
{{- if index . 1 }}{{ index . 1 }}
{{- else if $kept }}{{ $kept | b64dec }}
{{- else }}{{ randBytes 32 | b64dec | printf "%x" }}
{{- end -}}
{{- end }}

{{- define "jupyterhub.image" -}}
image: {{ .name }}:{{ .tag }}
{{- with .pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{/* Environment variables, from a list as in Kubernetes or a mapping of names to values or sources. */}}
{{- define "jupyterhub.env" -}}
{{- if kindIs "slice" . }}
{{- toYaml . }}
{{- else }}
{{- range $name, $value := . }}
- name: {{ $name | quote }}
{{- if kindIs "map" $value }}
  {{- omit $value "name" | toYaml | nindent 2 }}
{{- else }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Pod settings common to the hub, the proxy and the scheduler: (list root values-section). */}}
{{- define "jupyterhub.corePod" -}}
{{- $root := index . 0 -}}
{{- $of := index . 1 -}}
{{- $scheduling := $root.Values.scheduling -}}
{{- if $scheduling.podPriority.enabled }}
priorityClassName: {{ include "jupyterhub.clusterPrefix" $root }}default-priority
{{- end }}
{{- with $of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $scheduling.corePods.tolerations ($of.tolerations | default list) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "jupyterhub.nodePurpose" (list "core" $scheduling.corePods.nodeAffinity.matchNodePurpose) }}
{{- include "jupyterhub.pullSecrets" (list $root $of.image) }}
{{- end }}

{{/* Affinity to nodes reserved for a purpose, core or user: (list purpose prefer|require|ignore). */}}
{{- define "jupyterhub.nodePurpose" -}}
{{- $term := dict "matchExpressions" (list (dict "key" "hub.jupyter.org/node-purpose" "operator" "In" "values" (list (index . 0)))) -}}
{{- if eq (index . 1) "prefer" }}
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          {{- toYaml $term | nindent 10 }}
{{- else if eq (index . 1) "require" }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - {{- toYaml $term | nindent 10 }}
{{- end }}
{{- end }}

{{- define "jupyterhub.pullSecrets" -}}
{{- $values := (index . 0).Values -}}
{{- $names := concat (list) $values.imagePullSecrets ((index . 1).pullSecrets | default list) -}}
{{- if and $values.imagePullSecret.create $values.imagePullSecret.automaticReferenceInjection }}
{{- $names = append $names (print (include "jupyterhub.prefix" (index . 0)) "image-pull-secret") }}
{{- end }}
{{- with $names }}
imagePullSecrets:
{{- range . }}
  - name: {{ kindIs "string" . | ternary . (dig "name" "" (kindIs "string" . | ternary dict .)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Data of a Secret with extraFiles. */}}
{{- define "jupyterhub.files" -}}
{{- range $name, $file := . }}
{{- if $file.binaryData }}
{{ $name | quote }}: {{ nospace $file.binaryData }}
{{- else }}
{{ $name | quote }}: {{ include "jupyterhub.fileText" $file | b64enc }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jupyterhub.fileText" -}}
{{- $kind := ext .mountPath -}}
{{- if hasKey . "stringData" }}{{ .stringData }}
{{- else if has $kind (list ".yaml" ".yml") }}{{ toYaml .data }}
{{- else if eq $kind ".json" }}{{ toJson .data }}
{{- else if eq $kind ".toml" }}{{ toToml .data }}
{{- else }}{{ fail (print "extraFiles: data for " .mountPath " needs a path that ends in .yaml, .yml, .json or .toml; for other files use stringData") }}
{{- end }}
{{- end }}

{{- define "jupyterhub.httpProbe" -}}
initialDelaySeconds: {{ .initialDelaySeconds }}
periodSeconds: {{ .periodSeconds }}
timeoutSeconds: {{ .timeoutSeconds }}
failureThreshold: {{ .failureThreshold }}
{{- end }}

{{/* A Deployment's strategy. Without an explicit null, Kubernetes would keep the rollingUpdate of an earlier strategy. */}}
{{- define "jupyterhub.strategy" -}}
type: {{ .type | default "RollingUpdate" }}
rollingUpdate: {{ kindIs "map" .rollingUpdate | ternary (toJson .rollingUpdate) "null" }}
{{- end }}

{{- define "jupyterhub.history" -}}
{{- if not (kindIs "invalid" .) }}
  revisionHistoryLimit: {{ . }}
{{- end }}
{{- end }}

{{- define "jupyterhub.ipFamilies" -}}
{{- with .ipFamilyPolicy }}
  ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .ipFamilies }}
  ipFamilies: {{ toJson . }}
{{- end }}
{{- end }}

{{/* A PodDisruptionBudget: (list root component name pdb). */}}
{{- define "jupyterhub.pdb" -}}
{{- $root := index . 0 -}}
{{- with index . 3 }}
{{- if .enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ index $ 2 }}
  labels:
    {{- include "jupyterhub.labels" $ | nindent 4 }}
spec:
  {{- range $key := list "maxUnavailable" "minAvailable" }}
  {{- $value := index $ 3 $key }}
  {{- if not (kindIs "invalid" $value) }}
  {{ $key }}: {{ $value }}
  {{- end }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "jupyterhub.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty if Traefik, in front of the proxy, requests a certificate. */}}
{{- define "jupyterhub.requestsCertificate" -}}
{{- with .Values.proxy.https }}{{ if and .enabled (eq (.type | default "") "letsencrypt") }}true{{ end }}{{ end -}}
{{- end }}

{{/* The name of a ServiceAccount: (list name serviceAccount). */}}
{{- define "jupyterhub.account" -}}
{{- $of := index . 1 -}}
{{- $of.name | default ($of.create | ternary (index . 0) "default") -}}
{{- end }}

{{/* A ServiceAccount, unless it is the user's: (list root component name serviceAccount [annotations]). */}}
{{- define "jupyterhub.serviceAccount" -}}
{{- $of := index . 3 -}}
{{- if $of.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "jupyterhub.account" (list (index . 2) $of) }}
  labels:
    {{- include "jupyterhub.labels" . | nindent 4 }}
  {{- with merge (dict) ($of.annotations | default dict) (gt (len .) 4 | ternary (last .) dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
