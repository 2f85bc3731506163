package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	chartDir = "charts/isolate"

	// namespace is the one that the manifests install isolate into.
	namespace = "isolate-system"

	// localConfig is the annotation of objects that only kustomize reads.
	localConfig = `config.kubernetes.io/local-config: "true"`
)

// source is a kustomization whose resources become templates.
type source struct {
	// name is the folder of the templates, and folder that of the kustomization.
	name, folder string
	// condition is the value that the templates depend on, if any.
	condition string
}

var sources = []source{
	{name: "base", folder: "manifests/base"},
	{name: "self-signed", folder: "manifests/components/self-signed", condition: "not .Values.certManager"},
	{name: "cert-manager", folder: "manifests/components/cert-manager", condition: ".Values.certManager"},
	{name: "monitoring", folder: "manifests/components/monitoring"},
	{name: "alert-receiver", folder: "manifests/components/alert-receiver", condition: ".Values.alertReceiver.enabled"},
	{name: "network-isolation", folder: "manifests/components/network-isolation", condition: ".Values.networkIsolation"},
}

// templates returns the templates made of manifests.
func templates(root string) (map[string]string, error) {
	files := map[string]string{}
	used := map[string]bool{}
	for _, s := range sources {
		names, err := resources(filepath.Join(root, s.folder, "kustomization.yaml"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			path := filepath.Join(s.folder, name)
			manifest, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(manifest), localConfig) {
				continue
			}
			used[path] = true
			text, err := template(path, string(manifest), s.condition)
			if err != nil {
				return nil, err
			}
			files[filepath.Join("templates", s.name, name)] = text
		}
	}
	for path := range edits {
		if !used[path] {
			return nil, fmt.Errorf("charts/generate/edits.go edits %s, which no kustomization lists: remove the edits, or correct the path", path)
		}
	}
	return files, nil
}

// kustomization has the fields of a kustomization.yaml that add objects.
type kustomization struct {
	Resources          []string `json:"resources"`
	ConfigMapGenerator []any    `json:"configMapGenerator"`
	SecretGenerator    []any    `json:"secretGenerator"`
}

func resources(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var k kustomization
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(k.ConfigMapGenerator)+len(k.SecretGenerator) > 0 {
		return nil, fmt.Errorf("%s has a generator, which no template can be made of: write the object into a file and list it in resources", path)
	}
	return k.Resources, nil
}

var delimiters = regexp.MustCompile(`\{\{.*?\}\}`)

// template returns the template made of a manifest.
func template(path, manifest, condition string) (string, error) {
	// What the manifest has in the template's delimiters is not the template's.
	text := delimiters.ReplaceAllStringFunc(manifest, func(s string) string { return "{{ `" + s + "` }}" })
	for _, edit := range edits[path] {
		if n := strings.Count(text, edit.old); n == 0 || n > 1 && !edit.everywhere {
			return "", fmt.Errorf("%s has %d times what charts/generate/edits.go edits in it, and must have it once: %q", path, n, edit.old)
		}
		text = strings.ReplaceAll(text, edit.old, edit.new)
	}
	text = withCommonLabels(strings.ReplaceAll(text, namespace, "{{ .Release.Namespace }}"))
	if own, ok := conditions[path]; ok {
		condition = own
	}
	text = "# Made of " + path + " by `make chart`.\n" + text
	if condition != "" {
		text = "{{- if " + condition + " }}\n" + text + "{{- end }}\n"
	}
	return text, nil
}

var (
	name   = regexp.MustCompile(`(?m)^metadata:\n(?:  .*\n)*?  name: .*\n`)
	labels = regexp.MustCompile(`(?m)^metadata:\n(?:  .*\n)*?  labels:\n`)
)

// withCommonLabels adds the labels that every object gets.
func withCommonLabels(text string) string {
	switch {
	case strings.Contains(text, monitoringLabels.new[len(monitoringLabels.old):]):
		return text
	case labels.MatchString(text):
		return labels.ReplaceAllString(text, "${0}"+strings.ReplaceAll(commonLabels(4), "$", "$$"))
	}
	return name.ReplaceAllString(text, `${0}  {{- with $$.Values.commonLabels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
`)
}
