package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/test/gen/workload"
)

const (
	// revisions is how many ReplicaSets a Deployment has: the current one, and the default
	// history of ten.
	revisions = 11
	// podsEach is the number of pods of an app.
	podsEach = 15

	// The numbers in the samples. A copy has others, with as many digits.
	sampleApp, samplePod = 99999, 88888
)

// population fills a cluster with copies of samples, straight in etcd: the API server
// would take a quarter of an hour. Each sample was created by the API server, so the copies
// have its defaults, its managed fields and its encoding.
type population struct {
	cluster *cluster
	etcd    etcd

	// app is what each app has once, and policies what each second app has.
	app, policies    []sample
	pod, quarantined sample
}

// sample is an object in etcd.
type sample struct {
	stored
	uid types.UID
}

// copy returns the sample for another app and pod. In a protobuf message, text can be
// replaced by text of the same length.
func (p *population) copy(s sample, app, pod int) stored {
	pairs := []string{fmt.Sprintf("%05d", sampleApp), fmt.Sprintf("%05d", app), fmt.Sprintf("%05d", samplePod), fmt.Sprintf("%05d", pod)}
	for _, of := range p.app {
		pairs = append(pairs, string(of.uid), uidOf(of.uid, app, 0))
	}
	pairs = append(pairs, string(s.uid), uidOf(s.uid, app, pod))
	r := strings.NewReplacer(pairs...)
	return stored{Key: []byte(r.Replace(string(s.Key))), Value: []byte(r.Replace(string(s.Value)))}
}

// uidOf returns another UID than the sample's.
func uidOf(sample types.UID, app, pod int) string {
	const digits = 10
	return fmt.Sprintf("%s%05d%05d", sample[:len(sample)-digits], app, pod)
}

// podName returns the name of a pod.
func podName(app, pod int) string { return fmt.Sprintf("pod-%05d-%05d", app, pod) }

// newPopulation creates the samples. isolate must not be installed, because one of the pods
// has a record.
func (b *bench) newPopulation(c *cluster) (*population, error) {
	p := &population{cluster: c, etcd: etcd{url: c.EtcdURL()}}
	app := workload.App{Namespace: namespace, Number: sampleApp}
	service, err := c.client.CoreV1().Services(namespace).Create(b.ctx, app.Service(), metav1.CreateOptions{})
	if err := p.add(b.ctx, &p.app, "services/specs", service, err); err != nil {
		return nil, err
	}
	for revision := 1; revision <= revisions; revision++ {
		if err := p.addReplicaSet(b.ctx, app, revision); err != nil {
			return nil, err
		}
	}
	policy, err := c.client.NetworkingV1().NetworkPolicies(namespace).Create(b.ctx, app.NetworkPolicy(), metav1.CreateOptions{})
	if err := p.add(b.ctx, &p.policies, "networkpolicies", policy, err); err != nil {
		return nil, err
	}
	budget, err := c.client.PolicyV1().PodDisruptionBudgets(namespace).Create(b.ctx, app.PodDisruptionBudget(), metav1.CreateOptions{})
	if err := p.add(b.ctx, &p.policies, "poddisruptionbudgets", budget, err); err != nil {
		return nil, err
	}
	pod := app.Pod(podName(sampleApp, samplePod))
	pod.OwnerReferences[0].UID = p.app[1].uid
	if p.pod, err = p.runningPod(b.ctx, pod); err != nil {
		return nil, err
	}
	out := quarantined(app.Pod("quarantined-"+podName(sampleApp, samplePod)), time.Now().Add(24*time.Hour))
	p.quarantined, err = p.runningPod(b.ctx, out)
	return p, err
}

// addReplicaSet adds a revision. The first is the current one and has pods.
func (p *population) addReplicaSet(ctx context.Context, app workload.App, revision int) error {
	api := p.cluster.client.AppsV1().ReplicaSets(namespace)
	set := app.ReplicaSet(revision)
	if revision == 1 {
		set.Spec.Replicas = new(int32(podsEach))
	}
	set, err := api.Create(ctx, set, metav1.CreateOptions{})
	if err == nil && revision == 1 {
		status := &set.Status
		status.Replicas, status.ReadyReplicas, status.AvailableReplicas = podsEach, podsEach, podsEach
		set, err = api.UpdateStatus(ctx, set, metav1.UpdateOptions{})
	}
	return p.add(ctx, &p.app, "replicasets", set, err)
}

func (p *population) runningPod(ctx context.Context, pod *corev1.Pod) (sample, error) {
	api := p.cluster.client.CoreV1().Pods(namespace)
	created, err := api.Create(ctx, pod, metav1.CreateOptions{})
	if err == nil {
		created, err = api.UpdateStatus(ctx, workload.Run(created), metav1.UpdateOptions{})
	}
	var pods []sample
	if err := p.add(ctx, &pods, "pods", created, err); err != nil {
		return sample{}, err
	}
	return pods[0], nil
}

// add reads a created object from etcd.
func (p *population) add(ctx context.Context, to *[]sample, resource string, created metav1.Object, err error) error {
	if err != nil {
		return err
	}
	s, err := p.etcd.get(ctx, fmt.Sprintf("/registry/%s/%s/%s", resource, namespace, created.GetName()))
	*to = append(*to, sample{stored: s, uid: created.GetUID()})
	return err
}

// fill writes the objects of apps 1 to n, and quarantined pods of the first apps. The API
// server is down meanwhile, and reads everything when it starts again.
func (p *population) fill(ctx context.Context, apps, out int) error {
	p.cluster.Process("kube-apiserver").Kill()
	err := many(ctx, loaders, apps, func(ctx context.Context, i int) error {
		app := i + 1
		var objects []stored
		for _, s := range p.app {
			objects = append(objects, p.copy(s, app, 0))
		}
		if app%2 == 0 {
			for _, s := range p.policies {
				objects = append(objects, p.copy(s, app, 0))
			}
		}
		for pod := range podsEach {
			objects = append(objects, p.copy(p.pod, app, pod))
		}
		if i < out {
			objects = append(objects, p.copy(p.quarantined, app, podsEach))
		}
		return p.etcd.put(ctx, objects)
	})
	if err != nil {
		return err
	}
	// Otherwise the API server takes 18 GiB, and the programs compete with it for memory.
	return withVariable("GOGC", "40", func() error { return p.cluster.Restart(ctx, "kube-apiserver") })
}
