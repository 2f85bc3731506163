package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// tableStart is the line of README.md after which the table follows, up to the end.
const tableStart = "<!-- Made of values.yaml by `make chart`. -->\n"

// withTable returns the text with the table of all values.
func withTable(text string, root *value) (string, error) {
	before, _, found := strings.Cut(text, tableStart)
	if !found {
		return "", fmt.Errorf("README.md of the chart needs the line %q, after which the table of values follows", tableStart)
	}
	table := strings.Builder{}
	table.WriteString(before + tableStart + "\n| value | default | meaning |\n|---|---|---|\n")
	rows, err := root.rows("")
	return table.String() + rows, err
}

func (v *value) rows(prefix string) (string, error) {
	var rows strings.Builder
	for _, child := range v.children {
		path := prefix + child.name
		if child.children != nil {
			more, err := child.rows(path + ".")
			if err != nil {
				return "", err
			}
			rows.WriteString(more)
			continue
		}
		initial, err := json.Marshal(child.initial)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&rows, "| `%s` | `%s` | %s |\n", path, initial, strings.ReplaceAll(child.description, "|", `\|`))
	}
	return rows.String(), nil
}
