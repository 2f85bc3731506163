package evidence

// redacted replaces a value that an archive must not contain.
const redacted = "<redacted by isolate>"

// lastApplied contains the whole object as it was applied, with the values of variables.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Redact removes the values of environment variables from all containers of a decoded JSON
// object. References to Secrets and ConfigMaps stay: they only name the object.
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
