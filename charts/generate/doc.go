// Command generate writes the Helm chart charts/isolate from manifests. `make chart` runs
// it.
//
// A template of the chart is a manifest with a few edits (edits.go), so the chart is not a
// second source: changing a manifest changes the chart. An edit whose text is no
// longer in the manifest is an error. Of the chart, people write Chart.yaml, values.yaml,
// README.md without its table, and the templates that have no manifest: NOTES.txt,
// _helpers.tpl, alert-receiver-rolebinding.yaml and tests/.
package main
