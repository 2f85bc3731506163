package evidence

// redacted stands for a value that an archive must not have.
const redacted = "<redacted by isolate>"

// lastApplied has the whole object as it was applied, values of variables included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Redact takes the values of environment variables out of an object as JSON has it,
// wherever it has containers. References to Secrets and ConfigMaps stay: they name an
// object and have nothing of it.
func Redact(object any) {
	switch value := object.(type) {
	case map[string]any:
		if variables, ok := value["env"].([]any); ok {
			redactVariables(variables)
		}
		if annotations, ok := value["annotations"].(map[string]any); ok && annotations[lastApplied] != nil {
			annotations[lastApplied] = redacted
		}
		for _, field := range value {
			Redact(field)
		}
	case []any:
		for _, item := range value {
			Redact(item)
		}
	}
}

func redactVariables(variables []any) {
	for _, variable := range variables {
		if v, ok := variable.(map[string]any); ok && v["value"] != nil {
			v["value"] = redacted
		}
	}
}
