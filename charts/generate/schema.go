package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// schemaOf returns the chart's JSON schema. A map takes the values of values.yaml only, so
// that a misspelt one is refused.
func schemaOf(root *value) (string, error) {
	schema, err := root.schema()
	if err != nil {
		return "", err
	}
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	// Helm adds the values of subcharts.
	schema["properties"].(map[string]any)["global"] = map[string]any{"type": "object"}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(schema)
	return text.String(), err
}

func (v *value) schema() (map[string]any, error) {
	if v.children == nil {
		return v.leafSchema()
	}
	properties := map[string]any{}
	for _, child := range v.children {
		schema, err := child.schema()
		if err != nil {
			return nil, err
		}
		properties[child.name] = schema
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}, nil
}

func (v *value) leafSchema() (map[string]any, error) {
	schema := map[string]any{"description": v.description}
	switch v.initial.(type) {
	case string:
		schema["type"] = "string"
	case bool:
		schema["type"] = "boolean"
	case int:
		schema["type"] = "integer"
	case []any:
		schema["type"] = "array"
	case map[string]any:
		schema["type"] = "object"
	case nil:
		if v.keywords["type"] == nil {
			return nil, fmt.Errorf(`%s is null, so its comment needs a line such as: schema: {"type": ["string", "null"]}`, v.name)
		}
	default:
		return nil, fmt.Errorf("%s is %T, and the generator knows no schema for that", v.name, v.initial)
	}
	maps.Copy(schema, v.keywords)
	return schema, nil
}
