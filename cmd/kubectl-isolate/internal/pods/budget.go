package pods

import (
	"context"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/doctor"
	"isolate.example.io/quarantine"
)

// Budget is how many pods are quarantined already, and how many may be.
type Budget struct {
	// Owner is the controller for which the pod counts, nil if it has none.
	Owner *quarantine.BudgetOwner

	// OfOwner and OfNamespace are how many other pods are quarantined now.
	OfOwner, OfNamespace int

	// Limits is nil if the caller may not read what they depend on.
	Limits *Limits
}

// Limits are the budgets of a controller and of a namespace; 0 is no limit.
type Limits struct{ Controller, Namespace int }

// BudgetFor counts the pods that count against the same budgets as a pod with this record.
func (c *Cluster) BudgetFor(ctx context.Context, namespace, pod string, record *quarantine.Record) (*Budget, error) {
	list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: quarantine.QuarantinedLabel})
	if err != nil {
		return nil, err
	}
	budget := &Budget{Owner: record.BudgetOwner, Limits: c.limits(ctx, namespace)}
	for i := range list.Items {
		if list.Items[i].Name == pod {
			continue
		}
		budget.OfNamespace++
		other := quarantine.StatusOf(list.Items[i].Labels, list.Items[i].Annotations).Record.BudgetOwner
		if other != nil && budget.Owner != nil && other.UID == budget.Owner.UID {
			budget.OfOwner++
		}
	}
	return budget, nil
}

// limits reads the webhook's flags, and the namespace's settings, which override them.
func (c *Cluster) limits(ctx context.Context, namespace string) *Limits {
	config := quarantine.DefaultConfig()
	set, err := c.Client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	installation := doctor.FindInstallation(ctx, c.Client)
	_, ownController := set.Annotations[quarantine.ControllerBudgetKey]
	_, ownNamespace := set.Annotations[quarantine.NamespaceBudgetKey]
	if deployment, err := c.Client.AppsV1().Deployments(installation.Namespace).Get(ctx, doctor.WebhookDeployment, metav1.GetOptions{}); err == nil {
		for _, container := range deployment.Spec.Template.Spec.Containers {
			readFlag(container.Args, "--controller-budget=", &config.ControllerBudget)
			readFlag(container.Args, "--namespace-budget=", &config.NamespaceBudget)
		}
	} else if !ownController || !ownNamespace {
		return nil
	}
	config, _ = config.ForNamespace(set.Annotations)
	return &Limits{Controller: config.ControllerBudget, Namespace: config.NamespaceBudget}
}

func readFlag(args []string, prefix string, into *int) {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, prefix); ok {
			if n, err := strconv.Atoi(value); err == nil {
				*into = n
			}
		}
	}
}
