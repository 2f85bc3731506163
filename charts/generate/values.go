package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is a value of the chart.
type value struct {
	name string
	// description is its comment, and keywords what the comment adds to its schema.
	description string
	keywords    map[string]any
	// children are the values of a map, nil for a value that is set as a whole.
	children []*value
	// initial is the default of a value without children.
	initial any
}

// keywordsPrefix begins the line of a comment that adds to the schema.
const keywordsPrefix = "schema: "

// readValues reads values.yaml, with its comments.
func readValues(path string) (*value, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	root := &value{}
	if err := root.read(document.Content[0]); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return root, nil
}

func (v *value) read(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode || v.keywords != nil {
		return node.Decode(&v.initial)
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		child := &value{name: key.Value}
		if err := child.readComment(key.HeadComment); err != nil {
			return fmt.Errorf("the comment of %s: %w", key.Value, err)
		}
		if err := child.read(content); err != nil {
			return fmt.Errorf("%s: %w", key.Value, err)
		}
		if child.children == nil && child.description == "" {
			return fmt.Errorf("%s has no comment: write one, which is its description in the table", key.Value)
		}
		v.children = append(v.children, child)
	}
	return nil
}

// readComment reads the comment directly above a value.
func (v *value) readComment(comment string) error {
	if i := strings.LastIndex(comment, "\n\n"); i >= 0 {
		comment = comment[i+2:]
	}
	var sentences []string
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if keywords, ok := strings.CutPrefix(line, keywordsPrefix); ok {
			if err := json.Unmarshal([]byte(keywords), &v.keywords); err != nil {
				return err
			}
			continue
		}
		sentences = append(sentences, line)
	}
	v.description = strings.Join(sentences, " ")
	return nil
}
