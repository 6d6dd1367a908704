// Package k8s is the executor that runs each function as a Job on a Kubernetes
// cluster. The worker is the entry point of an image that holds the program;
// the environment tells it that it is a worker, so an image needs nothing else.
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
// The namespace is named after the user's account, and created if it is absent;
// in a pod it is the pod's. [Context], [Kubeconfig] and [Namespace] say
// otherwise, for each executor by itself: several clusters in one program are
// fine. The config file and variables may set these and most other options for all
// programs of a team: docs/configuration.md.
//
// # What a Job is like
//
// A Job has one pod, which never restarts in place. Exit codes by which a
// worker says that trying again is no use end the Job at once; a disruption of
// the node (a drain, a preemption) does not count, up to [Disruptions]; after
// anything else the Job tries again, [Retries] times, unless the worker crashed
// twice in the same way. Pods satisfy the restricted Pod Security Standard and
// get no token of the cluster's API without [ServiceAccount]. A finished Job
// stays for an hour ([TTL]), for people to look at. [Transform] may change all
// of it.
//
// A Job of many calls (see [Pack]) is an Indexed Job with several pods. Each takes calls
// from one list until there are no more; it finds its number in MOPS_WORKER_INDEX.
// Where a pod dies, another goes on in its place, [Retries] times in each place; an exit
// code ends the Job only if it says that the program is another version or cannot run.
// If some pods find no room, the others do the work, and the Job is deleted when nothing
// is left for those that wait. A program that dies each time within seconds of its
// start, in the same way, is not started again.
//
// A pod may have containers beside the worker's: sidecars that Transform or a
// webhook added. What counts is the worker's container. Sidecars that are init
// containers with the restart policy Always end with it, by the cluster's own
// doing. Ordinary containers would keep the pod, and all that it holds: once
// the worker has ended, mops deletes the Job, or, if the worker crashed, the
// pod, so that the Job goes on with another. The sidecars get SIGTERM, and
// SIGKILL after [StopGrace]. The call does not wait for that.
//
// Jobs and pods are labelled mops.trilliant.health/user (the account's name, or
// MOPS_K8S_USER), /pipeline, /program, /function, /run-id, /attempt and /program-run. [Label]
// may give other values to the first three.
//
// A worker finds in its environment, beside the variables that options add:
//
//	MOPS_K8S_JOB, MOPS_K8S_NAMESPACE, MOPS_K8S_POD, MOPS_K8S_NODE
//	MOPS_K8S_CPU_REQUEST, MOPS_K8S_CPU_LIMIT        thousandths of a CPU
//	MOPS_K8S_MEMORY_REQUEST, MOPS_K8S_MEMORY_LIMIT  bytes
//	MOPS_K8S_GPU_REQUEST                            devices; not there if none
//	MOPS_K8S_ON_SPOT                                true, if it may run on spot nodes only
//	MOPS_K8S_IMAGE                                  its own, which Jobs that it makes get, too
//	MOPS_K8S_IMAGE_PLATFORMS                        what that runs on, if it is known
//	MOPS_K8S_FUNCTION                               which it computes
//	MOPS_K8S_USER                                   for whom it works
//	MOPS_K8S_STOP_GRACE                             seconds between SIGTERM and SIGKILL
//	GOMEMLIMIT                                      nine tenths of the memory limit
//	MOPS_CACHE                                      a folder that is gone with the pod
//
// The Go runtime follows the CPU limit by itself (GOMAXPROCS). Without a limit,
// the variables hold the node's resources.
//
// Values of the environment stand in the Job, and everybody who may read Jobs
// reads them, too. Secrets belong in a Secret of the cluster: [SecretEnv],
// [EnvFromSecret].
//
// # What it asks of the cluster
//
// A call takes one request, which creates the Job, and one more if its log is
// shown. Stopping a worker takes one, attaching to one takes one, and so does
// ending sidecars. For each
// namespace a process has two watches, of Jobs and pods, and a list before
// each. It asks for events if a Job has no pod after 3 s, or if a pod does not
// get ready within 10 s: once in 10 s while others go on, else for at most 20
// workers in a second. The client has no limit but 32 requests at once that
// change something: the server throttles, and the client heeds its Retry-After.
//
// A worker ends with its container if the exit code is final. The Job's own
// status comes some two seconds later; only a Job that may try again makes the
// executor wait for it.
//
// # What goes wrong
//
// The death of a worker is an [executor.Error] with the cluster's own words. An
// executor does not wait for ever for workers that cannot start: because an
// image cannot be pulled or a Secret is missing ([StartGrace]); because a pod
// fits on no node or a quota is used up ([RoomGrace]). A worker that ran out of
// memory is tried again with twice as much, up to [MemoryMax]. Each pod that
// failed or was taken away, and that another follows, is one warning; if many
// are alike, they share it.
package k8s
