package main

import (
	"fmt"
	"strings"
)

// edit replaces a text of a manifest, which must be there exactly once unless it is
// replaced everywhere.
type edit struct {
	old, new   string
	everywhere bool
}

// after returns an edit that adds lines after a line.
func after(line, lines string) edit { return edit{old: line + "\n", new: line + "\n" + lines} }

// conditions are the values on which single templates depend.
var conditions = map[string]string{
	"manifests/base/namespace.yaml":                                ".Values.namespace.create",
	"manifests/base/resourcequota.yaml":                            ".Values.priorityClassName",
	"manifests/components/monitoring/prometheusrule.yaml":          ".Values.monitoring.rules",
	"manifests/components/monitoring/dashboard.yaml":               ".Values.monitoring.dashboard",
	"manifests/components/monitoring/webhook-metrics-service.yaml": ".Values.monitoring.serviceMonitors",
	"manifests/components/monitoring/webhook-servicemonitor.yaml":  ".Values.monitoring.serviceMonitors",
	"manifests/components/monitoring/sweeper-metrics-service.yaml": ".Values.monitoring.serviceMonitors",
	"manifests/components/monitoring/sweeper-servicemonitor.yaml":  ".Values.monitoring.serviceMonitors",
}

// edits are those of each manifest. Every object also gets the release's namespace and the
// common labels.
var edits = map[string][]edit{
	"manifests/base/namespace.yaml": {
		{old: "restricted", new: "{{ if .Values.hostNetwork }}privileged{{ else }}restricted{{ end }}", everywhere: true},
	},
	"manifests/base/resourcequota.yaml": {
		{old: "[system-cluster-critical]", new: "[{{ .Values.priorityClassName }}]"},
	},
	"manifests/base/webhook-configuration.yaml":            {injected},
	"manifests/base/webhook-configuration-validating.yaml": {injected},
	"manifests/base/webhook-deployment.yaml":               append(pods("webhook", "50m", "96Mi", "256Mi"), append(critical, hostNetwork...)...),
	"manifests/base/sweeper-deployment.yaml": append(pods("sweeper", "10m", "96Mi", "256Mi"), append(critical,
		after("        - --metrics-address=:8080", selfSigned+extraArgs("sweeper")),
	)...),
	"manifests/components/alert-receiver/deployment.yaml": append(pods("alertReceiver", "10m", "32Mi", "128Mi"),
		after("        - --metrics-address=:8080", repeated("allowed-namespace", "namespaces")+repeated("allowed-alert", "alerts")+extraArgs("alertReceiver")),
	),
	"manifests/components/monitoring/prometheusrule.yaml": {
		monitoringLabels,
		{old: "# The kustomization puts the address of docs.yaml before the # of each runbook_url.\n"},
		{old: `runbook_url: "#`, new: `runbook_url: "{{ .Values.monitoring.runbook }}#`, everywhere: true},
	},
	"manifests/components/monitoring/webhook-servicemonitor.yaml": {monitoringLabels},
	"manifests/components/monitoring/sweeper-servicemonitor.yaml": {monitoringLabels},
	"manifests/components/network-isolation/networkpolicy.yaml":   networkIsolation,
}

// injected has cert-manager's CA injector write the caBundle.
var injected = after("  name: isolate", `  {{- if .Values.certManager }}
  annotations:
    cert-manager.io/inject-ca-from: isolate-system/isolate-ca
  {{- end }}
`)

// pods returns the edits that all Deployments share. The requests and limits are those of
// the manifest.
func pods(program, cpu, memory, limit string) []edit {
	values := ".Values." + program
	return []edit{
		{old: "  replicas: 2\n", new: "  replicas: {{ " + values + ".replicas }}\n"},
		after("      labels:", commonLabels(8)),
		after("      enableServiceLinks: false",
			optional("imagePullSecrets")+optional("nodeSelector")+optional("tolerations")+optional("affinity")),
		{old: "image: isolate.example.io/isolate:dev\n", new: `image: {{ include "isolate.image" . }}
        {{- with .Values.image.pullPolicy }}
        imagePullPolicy: {{ . }}
        {{- end }}
`},
		{old: `          requests:
            cpu: ` + cpu + `
            memory: ` + memory + `
          limits:
            memory: ` + limit + `
`, new: "          {{- toYaml " + values + ".resources | nindent 10 }}\n"},
	}
}

// critical are the edits of what must run when nodes are full.
var critical = []edit{{old: "      priorityClassName: system-cluster-critical\n", new: optional("priorityClassName")}}

// repeated returns the lines of a flag for each item of a value of the alert receiver.
func repeated(flag, value string) string {
	return "        {{- range .Values.alertReceiver." + value + ` }}
        - --` + flag + `={{ . }}
        {{- end }}
`
}

// commonLabels returns the lines of the common labels in a map of labels.
func commonLabels(indent int) string {
	return strings.ReplaceAll(fmt.Sprintf(`    {{- with $.Values.commonLabels }}
    {{- toYaml . | nindent %d }}
    {{- end }}
`, indent), "    {{", strings.Repeat(" ", indent)+"{{")
}

// optional returns the lines of a pod's field that is set by the value of the same name.
func optional(field string) string {
	return `      {{- with .Values.` + field + ` }}
      ` + field + `: {{ toJson . }}
      {{- end }}
`
}

// flag returns the lines of a flag that is set if the value is not null.
func flag(name, value string) string {
	return `        {{- if ne .Values.` + value + ` nil }}
        - --` + name + `={{ .Values.` + value + ` | toJson | trimAll "\"" }}
        {{- end }}
`
}

const selfSigned = `        {{- if not .Values.certManager }}
        - --self-signed
        {{- end }}
`

func extraArgs(program string) string {
	return "        {{- range .Values." + program + `.extraArgs }}
        - {{ . | quote }}
        {{- end }}
`
}

// hostNetwork are the edits of the webhook's Deployment for the component host-network; its
// flags come first, because those of the values are the user's.
var hostNetwork = []edit{
	{old: "      maxUnavailable: 0\n", new: "      maxUnavailable: {{ if .Values.hostNetwork }}1{{ else }}0{{ end }}\n"},
	{old: "      maxSurge: 1\n", new: "      maxSurge: {{ if .Values.hostNetwork }}0{{ else }}1{{ end }}\n"},
	after("      serviceAccountName: isolate-webhook", `      {{- if .Values.hostNetwork }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
`),
	after("        - --metrics-address=:8080", `        {{- if .Values.hostNetwork }}
        - --port=10260
        - --health-address=:10261
        - --metrics-address=:10262
        {{- end }}
`+flag("default-ttl", "quarantine.defaultTTL")+flag("max-ttl", "quarantine.maxTTL")+
		flag("controller-budget", "quarantine.controllerBudget")+flag("namespace-budget", "quarantine.namespaceBudget")+
		extraArgs("webhook")),
	{old: "containerPort: 10250", new: "containerPort: {{ if .Values.hostNetwork }}10260{{ else }}10250{{ end }}"},
	{old: "containerPort: 8081", new: "containerPort: {{ if .Values.hostNetwork }}10261{{ else }}8081{{ end }}"},
	{old: "containerPort: 8080", new: "containerPort: {{ if .Values.hostNetwork }}10262{{ else }}8080{{ end }}"},
}

// monitoringLabels are those by which a Prometheus selects its ServiceMonitors and rules.
var monitoringLabels = after("  namespace: isolate-system", `  {{- with merge (dict) .Values.monitoring.labels $.Values.commonLabels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
`)

// networkIsolation makes one NetworkPolicy for each namespace.
var networkIsolation = []edit{
	{old: "apiVersion: ", new: "{{- range .Values.networkIsolation }}\n---\napiVersion: "},
	after("  name: isolate-quarantined", "  namespace: {{ . }}\n"),
	after("  policyTypes: [Ingress, Egress]", "{{- end }}\n"),
}
