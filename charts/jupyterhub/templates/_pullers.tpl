{{/* The DaemonSet that pulls users' images: (list root hook?). Running a container of an image pulls it to the node. */}}
{{- define "jupyterhub.puller" -}}
{{- $root := index . 0 -}}
{{- $puller := $root.Values.prePuller -}}
{{- $hook := index . 1 -}}
{{- $component := $hook | ternary "hook-image-puller" "continuous-image-puller" -}}
{{- $name := print (include "jupyterhub.prefix" $root) $component -}}
{{- $account := $hook | ternary $puller.hook.serviceAccountImagePuller $puller.continuous.serviceAccount -}}
{{- $annotations := $hook | ternary (include "jupyterhub.hook" "-10" | fromYaml) dict -}}
{{- include "jupyterhub.serviceAccount" (list $root $component $name $account $annotations) }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ $name }}
  labels:
    {{- include "jupyterhub.labels" (list $root $component) | nindent 4 }}
  {{- with merge $annotations ($hook | ternary $puller.hook.daemonsetAnnotations $puller.continuous.daemonsetAnnotations) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "jupyterhub.selector" (list $root $component) | nindent 6 }}
  updateStrategy:
    rollingUpdate: {maxUnavailable: 100%}
  {{- include "jupyterhub.history" $puller.revisionHistoryLimit }}
  template:
    metadata:
      labels:
        {{- include "jupyterhub.podLabels" (list $root $component) | nindent 8 }}
        {{- with $puller.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $puller.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "jupyterhub.account" (list $name $account) }}
      {{- include "jupyterhub.pullerPod" $root | nindent 6 }}
{{- end }}

{{- define "jupyterhub.pullerPod" -}}
{{- $puller := .Values.prePuller -}}
{{- if .Values.scheduling.podPriority.enabled -}}
priorityClassName: {{ include "jupyterhub.clusterPrefix" . }}image-puller-priority
{{ end -}}
automountServiceAccountToken: false
terminationGracePeriodSeconds: 0
{{- include "jupyterhub.userPod" (list . .Values.singleuser.image $puller.extraTolerations) }}
initContainers:
  {{- range $index, $image := include "jupyterhub.userImages" . | fromYamlArray }}
  - name: pull-{{ $index }}
    image: {{ $image }}
    command: [/bin/sh, -c, "exit 0"]
    {{- with $puller.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- toYaml $puller.containerSecurityContext | nindent 6 }}
  {{- end }}
containers:
  - name: pause
    {{- include "jupyterhub.image" $puller.pause.image | nindent 4 }}
    {{- with $puller.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- toYaml $puller.pause.containerSecurityContext | nindent 6 }}
{{- end }}

{{- define "jupyterhub.pullerChecksum" -}}
{{ include "jupyterhub.pullerPod" . | sha256sum }}
{{- end }}

{{/* Annotations of what exists only while Helm installs or upgrades the release, created in the order of the weights. */}}
{{- define "jupyterhub.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-weight: {{ quote . }}
{{- end }}
