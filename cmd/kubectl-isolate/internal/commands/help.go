package commands

// The output of --help for each command. It has to suffice without the documentation.

const longRoot = `Quarantine a misbehaving pod: take it out of every Service and away from its controller, which
starts a replacement, and keep it running for investigation. On a terminal, isolate first
shows what the quarantine would do, and asks. Then it waits until the pod is out and replaced.

isolate deletes the pod when its time is up: after 24 hours, unless --ttl, the namespace or a
later extend or hold says otherwise.

All of this uses your own permissions, and the cluster needs only isolate.`

const exitCodes = `Exit codes:
  0    done
  1    failed; the error says what to do
  3    refused by isolate, a policy or the API server; nothing was changed
  4    quarantined, but what --wait waits for did not happen within --timeout
  5    collected, but something was refused or cut: manifest.json in the archive names it
  130  interrupted, by Ctrl-C or SIGTERM`

const exampleRoot = `  # Quarantine a pod, after showing what that would do
  kubectl isolate web-57d9664db9-4cdsc

  # At once, keep it for two days, say why
  kubectl isolate web-57d9664db9-4cdsc --yes --ttl=2d --reason='logins hang'

  # See what is in quarantine, in all namespaces
  kubectl isolate list -A

  # Get a shell in it, once it is out of traffic
  kubectl isolate debug web-57d9664db9-4cdsc -it --image=busybox

  # Save the evidence before the pod is deleted
  kubectl isolate collect web-57d9664db9-4cdsc

  # Keep it for two more days; or end the quarantine, with its old labels
  kubectl isolate extend web-57d9664db9-4cdsc 2d
  kubectl isolate release web-57d9664db9-4cdsc`

const longList = `List the pods that isolate keeps in quarantine.

STATE is the first of these that applies:
  Terminating  the pod is being deleted
  Damaged      its record can't be read, so isolate never deletes it
  Implausible  its expiry can't be true, so isolate does not delete it: extend or release it
  Leaking      a Service selects it, or a controller owns it
  Expired      its time is up; if HOLD is true, it is deleted once the hold is gone
  Unowned      no controller owned it, so nothing replaces it
  Missing      its former controller has fewer available pods than it wants
  Replaced     its former controller has all the pods that it wants, or is gone
  Unknown      you may not read its former controller, or the Services
With --watch also: Released and Deleted.`

const exampleList = `  # The quarantined pods of this namespace
  kubectl isolate list

  # Of all namespaces, the next to be deleted first
  kubectl isolate list -A --sort-by='{.metadata.annotations.isolate\.example\.io/expires-at}'

  # With node, expiry and what each pod was detached from; then every change
  kubectl isolate list -o wide --watch`

const longStatus = `Show what isolate recorded of a quarantined pod, how its former controller is doing, the
pod's events, and what a release would do now: a dry run on the server, so it needs the
permission to patch the pod.`

const exampleStatus = `  kubectl isolate status web-57d9664db9-4cdsc

  # In another namespace
  kubectl isolate status -n shop web-57d9664db9-4cdsc`

const longPlan = `Show what a quarantine of the pod would do: a dry run on the server, so it needs the
permissions of a quarantine, to patch and to delete the pod. Nothing is changed.

Exit code 3: the quarantine would be refused.`

const examplePlan = `  kubectl isolate plan web-57d9664db9-4cdsc

  # As it would be stored
  kubectl isolate plan web-57d9664db9-4cdsc --ttl=2d -o yaml`

var textsExtend = [3]string{
	"Keep a quarantined pod longer",
	`Keep a quarantined pod at least this long from now: 90s, 30m, 36h, 7d, 1d12h. It never shortens
the time that is left. It needs the permission to patch the pod.`,
	`  kubectl isolate extend web-57d9664db9-4cdsc 2d`,
}

var textsHold = [3]string{
	"Keep a quarantined pod until the hold is removed",
	`Hold a quarantined pod: isolate does not delete it, even after its time is up, until the hold is
removed. It needs the permission to patch the pod.`,
	`  kubectl isolate hold web-57d9664db9-4cdsc`,
}

var textsUnhold = [3]string{
	"Remove the hold of a quarantined pod",
	`Remove the hold of a quarantined pod. If its time is up, isolate deletes the pod at once, so
this asks first. It needs the permissions to patch and to delete the pod.`,
	`  kubectl isolate unhold web-57d9664db9-4cdsc`,
}

var textsRelease = [3]string{
	"Release a pod: give it back its labels",
	`Release a pod: it gets back its labels, so its Services and its controller select it again. The
controller then has one pod too many and may delete this one, so this shows what the server
says of it, and asks first. It needs the permission to patch the pod.`,
	`  kubectl isolate release web-57d9664db9-4cdsc

  # Only see what a release would do
  kubectl isolate release web-57d9664db9-4cdsc --dry-run=server`,
}

const longDoctor = `Check, with your own permissions and without changing anything, whether a quarantine would work in
this namespace. What fails is followed by what to do.

Exit code 0: a quarantine would work, as far as you may see. WARNING and UNKNOWN don't
change it.`

const exampleDoctor = `  kubectl isolate doctor

  # May I quarantine pods in that namespace?
  kubectl isolate doctor -n shop`
