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
{{- if or .Values.stripeKeys.secretName .Values.payappKeys.secretName -}}
{{- $_ := set $config "billing" (include "moorage.billing" . | fromYaml) -}}
{{- else if or (dig "billing" "stripe" nil $config) (dig "billing" "payapp" nil $config) -}}
{{- fail "config.billing names a payment provider without keys: set stripeKeys.secretName or payappKeys.secretName" -}}
{{- end -}}
{{- if include "moorage.answersChallenges" . -}}
{{- $_ := set $config.customDomains.acme.http01 "listen" "0.0.0.0:8082" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* Whether HTTP-01 challenges are answered here. */}}
{{- define "moorage.answersChallenges" -}}
{{- if dig "customDomains" "acme" "http01" nil .Values.config }}true{{ end -}}
{{- end }}

{{/* `billing` of the configuration file, with where the providers' keys are mounted. */}}
{{- define "moorage.billing" -}}
{{- $billing := deepCopy (.Values.config.billing | default dict) -}}
{{- $_ := set $billing "webhookAddress" "0.0.0.0:8081" -}}
{{- $stripe := $billing.stripe | default dict -}}
{{- $payapp := $billing.payapp | default dict -}}
{{- if .Values.stripeKeys.secretName -}}
{{- $_ := set $stripe "secretKeyFile" "/var/run/secrets/moorage/stripe/key" -}}
{{- $files := list -}}
{{- range $place, $_ := .Values.stripeKeys.webhookSecrets -}}
{{- $files = append $files (printf "/var/run/secrets/moorage/stripe/webhook-secret-%d" $place) -}}
{{- end -}}
{{- $_ := set $stripe "webhookSecretFiles" $files -}}
{{- $_ := set $billing "stripe" $stripe -}}
{{- else if $billing.stripe -}}
{{- fail "config.billing.stripe needs stripeKeys.secretName" -}}
{{- end -}}
{{- if .Values.payappKeys.secretName -}}
{{- $_ := set $payapp "linkKeyFile" "/var/run/secrets/moorage/payapp/linkkey" -}}
{{- $_ := set $payapp "linkValueFile" "/var/run/secrets/moorage/payapp/linkval" -}}
{{- $_ := set $billing "payapp" $payapp -}}
{{- else if $billing.payapp -}}
{{- fail "config.billing.payapp needs payappKeys.secretName" -}}
{{- end -}}
{{- toYaml $billing -}}
{{- end }}

{{/* Whether anybody takes payments. */}}
{{- define "moorage.hasProvider" -}}
{{- if or .Values.stripeKeys.secretName .Values.payappKeys.secretName }}true{{ end -}}
{{- end }}

{{/* The paths that payment providers send to. */}}
{{- define "moorage.webhookPaths" -}}
{{- if and .Values.stripeKeys.secretName .Values.stripeKeys.webhookSecrets }}
- /webhooks/stripe
{{- end }}
{{- if .Values.payappKeys.secretName }}
- /webhooks/payapp
{{- end }}
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
