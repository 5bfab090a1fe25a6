{{- define "penstock.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, with the chart's behind it unless it is in it already. */}}
{{- define "penstock.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "penstock.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "penstock.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "penstock.selector" -}}
app.kubernetes.io/name: {{ include "penstock.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels that the objects of every part have. */}}
{{- define "penstock.common" -}}
app.kubernetes.io/part-of: penstock
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "penstock.labels" -}}
{{ include "penstock.selector" . }}
{{ include "penstock.common" . }}
{{- end }}

{{/* The storage service's pods have a name of their own, so that no selector of the controller's finds
them. */}}
{{- define "penstock.storage.selector" -}}
app.kubernetes.io/name: {{ include "penstock.name" . | trunc 55 | trimSuffix "-" }}-storage
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "penstock.storage.labels" -}}
{{ include "penstock.storage.selector" . }}
{{ include "penstock.common" . }}
{{- end }}

{{- define "penstock.storage.serviceAccount" -}}
{{- default (printf "%s-storage" (include "penstock.serviceAccount" .)) .Values.serviceAccount.storageName }}
{{- end }}

{{/* Whence each part has its image, and on which nodes it may run. */}}
{{- define "penstock.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.controller.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.controller.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.controller.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The controller and the storage service share a volume that only one node has at a time: both have
this label, and look for the node of whoever has it. */}}
{{- define "penstock.together.labels" -}}
{{- with include "penstock.storageClaim" . }}
penstock.dev/volume: {{ . | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "penstock.together" -}}
{{- $root := index . 0 }}
{{- $affinity := deepCopy (default dict (index . 1)) }}
{{- with include "penstock.together.labels" $root }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (fromYaml .)) }}
{{- $pods := default dict $affinity.podAffinity }}
{{- $required := append (default list $pods.requiredDuringSchedulingIgnoredDuringExecution) $term }}
{{- $_ := set $pods "requiredDuringSchedulingIgnoredDuringExecution" $required }}
{{- $_ := set $affinity "podAffinity" $pods }}
{{- end }}
{{- with $affinity }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* The names of the Services, which the controller may read: that is how it finds their addresses. */}}
{{- define "penstock.ownServices" -}}
{{- $name := include "penstock.fullname" . }}
{{- $name }}-storage {{ $name }}-git{{ if .Values.settings.gateway.enabled }} {{ $name }}-gateway{{ end }}
{{- if .Values.metrics.service.enabled }} {{ $name }}-metrics{{ end }}
{{- end }}

{{/* The Secrets that the controller makes and reads, and no others: the CA, the certificates of the services,
and what the gateway needs to let files of triggers in. */}}
{{- define "penstock.certificates" -}}
{{- $name := include "penstock.fullname" . }}
{{- $name }}-ca {{ $name }}-storage-tls {{ $name }}-git-tls
{{- end }}

{{- define "penstock.ownSecrets" -}}
{{- include "penstock.certificates" . }}{{ if .Values.settings.gateway.enabled }} {{ include "penstock.arrivals" . }}{{ end }}
{{- end }}

{{- define "penstock.arrivals" -}}
{{- include "penstock.fullname" . }}-gateway-arrivals
{{- end }}

{{/* Whether there are listeners: without the gateway they reach nobody. */}}
{{- define "penstock.hasListeners" -}}
{{- if and .Values.settings.gateway.enabled .Values.settings.listener.enabled }}true{{ end }}
{{- end }}

{{- define "penstock.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "penstock.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "penstock.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/* The image of listeners: that of the pods of core tasks. */}}
{{- define "penstock.listenerImage" -}}
{{- default (include "penstock.image" .) (default dict .Values.settings.jobs).image }}
{{- end }}

{{/* The claim that the storage lies on; nothing where there is none. */}}
{{- define "penstock.storageClaim" -}}
{{- $persistence := .Values.storage.persistence }}
{{- if $persistence.enabled }}
{{- default (printf "%s-storage" (include "penstock.fullname" .)) $persistence.existingClaim }}
{{- end }}
{{- end }}

{{/* The settings file: the values as they are, and the image for the pods of core tasks. */}}
{{- define "penstock.settings" -}}
{{- $image := dict "imagePullPolicy" .Values.image.pullPolicy "imagePullSecrets" .Values.image.pullSecrets }}
{{- $settings := deepCopy .Values.settings }}
{{- $jobs := merge (default dict $settings.jobs) $image }}
{{- /* Helm takes a value of null away; here it has a meaning of its own. */}}
{{- if not (hasKey $jobs "scriptUser") }}
{{- $_ := set $jobs "scriptUser" nil }}
{{- end }}
{{- $_ := set $settings "jobs" $jobs }}
{{- toYaml $settings }}
{{- end }}

{{/* What the storage service may do there: it looks whether the Job of a grant runs. It lists and writes
nothing, and reads nothing else: what a task may use stands in its grant. */}}
{{- define "penstock.storage.rules" -}}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get]
{{- end }}

{{/* What the controller may do in the namespaces that it serves. It reads no Secret there. */}}
{{- define "penstock.rules" -}}
# Flows are applied and pruned as Git says.
- apiGroups: [penstock.dev]
  resources: [flows]
  verbs: [get, list, watch, create, patch, delete]
# Executions are started by schedules and by tasks of other executions, which restart, resume and
# kill them by their spec; they are deleted when they are old.
- apiGroups: [penstock.dev]
  resources: [executions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [penstock.dev]
  resources: [gitsources]
  verbs: [get, list, watch]
# Key-value pairs are changed as the results of tasks say, and deleted when their time is over.
- apiGroups: [penstock.dev]
  resources: [keyvalues]
  verbs: [get, list, watch, create, update, delete]
# One for each trigger of a Flow; deleted with the trigger. Toggle tasks change the spec.
- apiGroups: [penstock.dev]
  resources: [triggerstates]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [penstock.dev]
  resources: [flows/status, executions/status, gitsources/status, triggerstates/status]
  verbs: [update]
# One Job for each attempt of a task; its pod tells how it went.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# The tasks of a WorkingDirectory come into its pod one after the other.
- apiGroups: [""]
  resources: [pods/ephemeralcontainers]
  verbs: [patch]
# Outputs and files that are too long for an Execution or a Job. Never listed, never deleted: those
# of an Execution go with it. They are immutable.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
# The values of an execution's inputs of type SECRET: written once, never read.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- if include "penstock.hasListeners" . }}
# The listener of each namespace that has triggers for one.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
# The revisions of flows.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, delete]
# The uid of a namespace tells it from another one that has its name later, which must not see the files
# of the first. No other object of a namespace has it.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
# Listed only where a Job gets no pod: nothing but an Event says why.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list]
{{- end }}
