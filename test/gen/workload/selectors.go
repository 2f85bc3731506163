package workload

import (
	"k8s.io/apimachinery/pkg/labels"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// Selectors returns an index with each app's Service and the ReplicaSet of its first
// revision.
func Selectors(apps ...App) quarantine.Selectors {
	index := selectors.NewIndex()
	for _, app := range apps {
		owner := app.Pod("").OwnerReferences[0]
		index.Set(app.Namespace, app.selecting())
		index.Set(app.Namespace, &quarantine.SelectingObject{
			Kind: quarantine.KindReplicaSet, Name: owner.Name, UID: owner.UID, Desired: podsAnApp, Available: podsAnApp,
			Requirements: requirements(app.ReplicaSet(1).Spec.Selector.MatchLabels),
		})
	}
	view, _ := index.Namespace(apps[0].Namespace) // Fails only for invalid selectors.
	return view
}

// Services returns an index with only the apps' Services.
func Services(apps ...App) quarantine.Selectors {
	index := selectors.NewIndex()
	for _, app := range apps {
		index.Set(app.Namespace, app.selecting())
	}
	view, _ := index.Namespace(apps[0].Namespace)
	return view
}

// selecting returns the app's Service as the index holds it.
func (a App) selecting() *quarantine.SelectingObject {
	return &quarantine.SelectingObject{Kind: quarantine.KindService, Name: a.Name(), Requirements: requirements(a.Service().Spec.Selector)}
}

func requirements(selector map[string]string) labels.Requirements {
	list, _ := labels.SelectorFromValidatedSet(selector).Requirements()
	return list
}
