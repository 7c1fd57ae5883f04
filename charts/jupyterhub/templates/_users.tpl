{{/* Settings that place a pod on the same nodes as users' pods: (list root image [tolerations]). */}}
{{- define "jupyterhub.userPod" -}}
{{- $values := (index . 0).Values -}}
{{- $more := gt (len .) 2 | ternary (last .) list -}}
{{- with $values.singleuser.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $values.scheduling.userPods.tolerations $values.singleuser.extraTolerations $more }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "jupyterhub.nodePurpose" (list "user" $values.scheduling.userPods.nodeAffinity.matchNodePurpose) }}
{{- include "jupyterhub.pullSecrets" (list (index . 0) (index . 1)) }}
{{- end }}

{{/* Resource requests and limits of a user's server. */}}
{{- define "jupyterhub.userResources" -}}
{{- $user := .Values.singleuser -}}
{{- $requests := merge (dict) $user.extraResource.guarantees -}}
{{- $limits := merge (dict) $user.extraResource.limits -}}
{{- with $user.cpu.guarantee }}{{ $_ := set $requests "cpu" (toString .) }}{{ end -}}
{{- with $user.cpu.limit }}{{ $_ := set $limits "cpu" (toString .) }}{{ end -}}
{{- with $user.memory.guarantee }}{{ $_ := set $requests "memory" (toString .) }}{{ end -}}
{{- with $user.memory.limit }}{{ $_ := set $limits "memory" (toString .) }}{{ end -}}
{{- toYaml (dict "requests" $requests "limits" $limits) }}
{{- end }}

{{/* Every image that a user's pod can need, as a YAML list. */}}
{{- define "jupyterhub.userImages" -}}
{{- $user := .Values.singleuser -}}
{{- $images := list (print $user.image.name ":" $user.image.tag) -}}
{{- if $user.cloudMetadata.blockWithIptables }}
{{- $images = append $images (print $user.networkTools.image.name ":" $user.networkTools.image.tag) }}
{{- end }}
{{- range concat (list) $user.initContainers $user.extraContainers }}
{{- $images = append $images .image }}
{{- end }}
{{- if .Values.prePuller.pullProfileListImages }}
{{- range $profile := $user.profileList }}
{{- with dig "kubespawner_override" "image" "" $profile }}{{ $images = append $images . }}{{ end }}
{{- range $option := dig "profile_options" dict $profile }}
{{- range $choice := dig "choices" dict $option }}
{{- with dig "kubespawner_override" "image" "" $choice }}{{ $images = append $images . }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.prePuller.extraImages }}
{{- $images = append $images (print .name ":" .tag) }}
{{- end }}
{{- uniq $images | toYaml }}
{{- end }}
