{{/* Labels of what the chart itself makes. */}}
{{- define "moorage.labels" -}}
{{ include "moorage.selectorLabels" . }}
app.kubernetes.io/part-of: moorage
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that choose the Pods. They must never change. */}}
{{- define "moorage.selectorLabels" -}}
app.kubernetes.io/name: moorage
app.kubernetes.io/component: operator
{{- end }}

{{- define "moorage.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The configuration file: the values, with what the chart sets. */}}
{{- define "moorage.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "namespace" .Release.Namespace -}}
{{- $_ := set $config "address" "0.0.0.0:8080" -}}
{{- $_ := set $config.fly "tokenFile" "/var/run/secrets/moorage/fly/token" -}}
{{- toYaml $config -}}
{{- end }}

{{/* The grace period, which must leave the drain time to end and the lease to be released. */}}
{{- define "moorage.gracePeriod" -}}
{{- $drain := int (dig "timing" "drainSeconds" 25 .Values.config) -}}
{{- $grace := int .Values.terminationGracePeriodSeconds -}}
{{- if lt $grace (add $drain 10 | int) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and must be at least %d: 10 more than config.timing.drainSeconds" $grace (add $drain 10)) -}}
{{- end -}}
{{- $grace -}}
{{- end }}
