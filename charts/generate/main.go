package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes the generated files of the chart in a checkout, and removes templates whose
// manifest is gone.
func write(root string) error {
	files, err := chart(root)
	if err != nil {
		return err
	}
	for _, folder := range sources {
		if err := os.RemoveAll(filepath.Join(root, chartDir, "templates", folder.name)); err != nil {
			return err
		}
	}
	for name, content := range files {
		path := filepath.Join(root, chartDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// chart returns the generated files by their path in the chart.
func chart(root string) (map[string]string, error) {
	files, err := templates(root)
	if err != nil {
		return nil, err
	}
	tree, err := readValues(filepath.Join(root, chartDir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	if files["values.schema.json"], err = schemaOf(tree); err != nil {
		return nil, err
	}
	readme, err := os.ReadFile(filepath.Join(root, chartDir, "README.md"))
	if err != nil {
		return nil, err
	}
	files["README.md"], err = withTable(string(readme), tree)
	return files, err
}
