package doctor

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// This file has every message of the checks.

const install = "To install isolate: kubectl apply --server-side -k manifests/overlays/default"

func server(version string) Result {
	return Result{OK, "The API server answers: " + version, ""}
}

func noServer(err error) Result {
	return Result{Failed, fmt.Sprintf("The API server does not answer: %v", err), "To see which one is asked: kubectl config view --minify"}
}

func unreadable(what string, err error) Result {
	return Result{Unknown, fmt.Sprintf("Can't tell %s: %v", what, err), ""}
}

func installed(namespace string) Result {
	return Result{OK, "isolate is installed in namespace " + namespace, ""}
}

func notInstalled() Result {
	return Result{Failed, "isolate is not installed: there is no MutatingWebhookConfiguration isolate", install}
}

func noDeployment(namespace string) Result {
	return Result{Unknown, "Can't tell which version runs: there is no Deployment isolate-webhook in namespace " + namespace, ""}
}

func version(namespace, image string, ready, wanted int32) Result {
	text := fmt.Sprintf("The webhook is %s: %d of %d replicas are ready", image, ready, wanted)
	if ready < wanted {
		return Result{Warning, text, fmt.Sprintf("To see why: kubectl get pods -n %s, and kubectl describe -n %s deployment/isolate-webhook", namespace, namespace)}
	}
	return Result{OK, text, ""}
}

func policiesBound(names []string) Result {
	return Result{OK, "The policies are bound: " + strings.Join(names, ", "), ""}
}

func policiesMissing(names []string) Result {
	return Result{Failed, "Without these ValidatingAdmissionPolicies, or their bindings, isolate is not safe: " + strings.Join(names, ", "), install}
}

func noAuthority() Result {
	return Result{Failed, "The webhook configuration has no CA bundle, so the API server trusts no certificate of the webhook",
		"To see what keeps it away: kubectl get events -A --field-selector=reportingComponent=isolate.example.io/sweeper"}
}

func authorityExpired(namespace string, end time.Time) Result {
	return Result{Failed, "The CA of the webhook's certificate has expired at " + stamp(end),
		fmt.Sprintf("To have a new one made: kubectl delete secret -n %s isolate-ca", namespace)}
}

func servingUnread(authority time.Time, err error) Result {
	return Result{OK, fmt.Sprintf("The CA of the webhook's certificate is valid until %s; its certificate was not checked: %v", stamp(authority), err), ""}
}

func servingExpired(namespace string) Result {
	return Result{Failed, "The webhook's certificate has expired, or can't be read", renew(namespace)}
}

func servingEnding(namespace string, end time.Time, left time.Duration) Result {
	return Result{Warning, fmt.Sprintf("The webhook's certificate was not renewed: it is valid until %s, for %s", stamp(end), duration.HumanDuration(left)), renew(namespace)}
}

func renew(namespace string) string {
	return fmt.Sprintf("To see why it is not renewed: kubectl get events -n %s. To have a new one made: kubectl delete secret -n %s %s", namespace, namespace, servingSecret)
}

func certificateValid(serving, authority time.Time, left time.Duration) Result {
	return Result{OK, fmt.Sprintf("The webhook's certificate is valid until %s, for %s; its CA until %s", stamp(serving), duration.HumanDuration(left), stamp(authority)), ""}
}

func may(namespace string) Result {
	return Result{OK, "You may quarantine pods in namespace " + namespace, ""}
}

func mayNot(namespace string, missing []string) Result {
	return Result{Failed, fmt.Sprintf("You may not quarantine pods in namespace %s: it takes the permissions to get, patch and delete pods, and you may not %s", namespace, strings.Join(missing, ", ")),
		"Ask who administers the namespace for a Role with them"}
}

func answered(pod *corev1.Pod) Result {
	return Result{OK, fmt.Sprintf("The webhook answers: a dry run quarantined pod/%s in namespace %s", pod.Name, pod.Namespace), ""}
}

func refused(pod *corev1.Pod, err error) Result {
	return Result{OK, fmt.Sprintf("The webhook answers: a dry run for pod/%s in namespace %s was refused by isolate itself: %v", pod.Name, pod.Namespace, err), ""}
}

func notAsked(pod *corev1.Pod) Result {
	return Result{Failed, fmt.Sprintf("The webhook is not asked: a dry run left pod/%s in namespace %s as it was", pod.Name, pod.Namespace), install}
}

func notAnswered(namespace string, err error) Result {
	return Result{Failed, fmt.Sprintf("The webhook does not answer: %v", err),
		fmt.Sprintf("To see its replicas: kubectl get pods -n %s. Its log: kubectl logs -n %s deployment/isolate-webhook", namespace, namespace)}
}

func noCandidate(namespace string) Result {
	return Result{Unknown, fmt.Sprintf("Can't tell whether the webhook answers: no pod in namespace %s to ask for as a dry run", namespace), ""}
}

func networkClosed(namespace, policy string) Result {
	return Result{OK, fmt.Sprintf("Quarantined pods in namespace %s have no network: NetworkPolicy/%s denies ingress and egress", namespace, policy), ""}
}

func networkOpen(namespace string) Result {
	return Result{Warning, fmt.Sprintf("Quarantined pods in namespace %s may have more network access than before: no NetworkPolicy selects all of them", namespace),
		"To deny their ingress and egress: the component manifests/components/network-isolation"}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
