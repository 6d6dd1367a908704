// Package k8s is the executor that runs each function as a Job on a Kubernetes
// cluster. The worker is the entry point of an image that holds the program; the
// environment tells it that it is a worker, so an image needs nothing else.
//
//	cluster := k8s.New(
//		k8s.Image("registry.example.com/forecast:1.4"),
//		k8s.CPU("2"), k8s.Memory("4Gi"),
//	)
//	var train = mops.Define("train", fit, mops.On(cluster))
//
// # Where
//
// The cluster is that of the kubeconfig's current context, as for kubectl
// (KUBECONFIG, else ~/.kube/config), or the one that this process is a pod of.
// The namespace is named after the user's account and created when it is absent;
// in a pod it is the pod's. [Context], [Kubeconfig] and [Namespace] say otherwise,
// for each executor by itself: several clusters in one program are fine.
//
// # What a Job is like
//
// One pod, never restarted in place. The exit codes by which workers say that
// trying again is no use end the Job at once, a disruption of the node (a drain, a
// preemption) does not count, and anything else is tried again, [Retries] times.
// Pods satisfy the restricted Pod Security Standard and get no token of the
// cluster's API unless [ServiceAccount] is given. A finished Job stays for an hour
// ([TTL]), for people to look at. [Transform] may change all of it.
//
// What a worker finds in its environment, beside what the options add:
//
//	MOPS_K8S_JOB, MOPS_K8S_NAMESPACE, MOPS_K8S_POD, MOPS_K8S_NODE
//	MOPS_K8S_CPU_REQUEST, MOPS_K8S_CPU_LIMIT        thousandths of a CPU
//	MOPS_K8S_MEMORY_REQUEST, MOPS_K8S_MEMORY_LIMIT  bytes
//	MOPS_K8S_STOP_GRACE                             seconds between SIGTERM and SIGKILL
//	GOMEMLIMIT                                      nine tenths of the memory limit
//	MOPS_CACHE                                      a folder that is gone with the pod
//
// The Go runtime follows the CPU limit by itself (GOMAXPROCS). Where no limit is
// set, the variables hold what the node has.
//
// Values of the environment stand in the Job, where whoever may read Jobs reads
// them, too. Secrets belong in a Secret of the cluster: [SecretEnv], [EnvFromSecret].
//
// # What it asks of the cluster
//
// One request for a call, which creates the Job; one more where its log is shown.
// To stop a worker takes one, to attach to one takes one. For each namespace a
// process has two watches, of Jobs and pods, which a list precedes. Events are asked
// for where a Job has no pod after 3 s, or a pod does not get ready within 10 s:
// once in 10 s while others go on, else for at most 20 workers in a second. There
// is no limit on the client's side but 32 requests that change something at once:
// the server throttles, and its Retry-After is kept to.
//
// A worker's end is that of its container, where its exit code is final. The Job's
// own word comes some two seconds later, and is waited for only where the Job may
// try again.
//
// # What goes wrong
//
// A worker's death is an [executor.Error] with the cluster's own words. What cannot
// start is not waited for: an image that cannot be pulled, a Secret that is
// missing ([StartGrace]); a pod that fits on no node, a quota that is used up
// ([RoomGrace]). A worker that ran out of memory is tried again with twice as
// much, up to [MemoryMax].
package k8s
