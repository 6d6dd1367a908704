package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	flag "github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// JobFlags are the options of Jobs that people need often, as flags; for all others
// there is --file.
type JobFlags struct {
	ClusterFlags
	set  []k8s.Option // in the order of the command line
	file string
}

// DefineUsual defines what all have that make a Job.
func (f *JobFlags) DefineUsual(flags *flag.FlagSet) {
	f.ClusterFlags.define(flags)
	f.option(flags, "env", "a variable for the program: `NAME=VALUE`, or NAME for its value here", environment)
	f.option(flags, "secret-env", "a variable from a Secret: `NAME=SECRET/KEY`", secretEnv)
	f.option(flags, "secret", "all of the Secret `NAME` as variables", plain(k8s.EnvFromSecret))
	f.option(flags, "service-account", "the service account of this `NAME`", plain(k8s.ServiceAccount))
	f.option(flags, "pull-secret", "the Secret `NAME` with credentials of the registry", plain(k8s.PullSecret))
	flags.StringVar(&f.file, "file", "", "what else the Job is to have: part of it as YAML in this `FILE`")
}

func (f *JobFlags) define(flags *flag.FlagSet) {
	f.DefineUsual(flags)
	f.option(flags, "cpu", "so many CPUs: `2`, 500m", plain(k8s.CPU))
	f.option(flags, "memory", "so much memory: `4Gi`; request and limit", plain(k8s.Memory))
	f.option(flags, "gpu", "`N` GPUs of NVIDIA's", amount(k8s.GPU))
	f.option(flags, "gpu-resource", "GPUs of another kind: `NAME=N`, such as amd.com/gpu=1", pair(gpuResource))
	f.option(flags, "claim", "mount the volume of a PersistentVolumeClaim: `PATH=CLAIM`", pair(plainPair(k8s.Claim)))
	f.option(flags, "queue", "wait in this LocalQueue of Kueue: `NAME`", plain(k8s.Queue))
	f.option(flags, "priority-class", "the priority class of this `NAME`", plain(k8s.PriorityClass))
	f.option(flags, "node-selector", "only nodes with the label `KEY=VALUE`", pair(plainPair(k8s.NodeSelector)))
	f.option(flags, "tolerate", "also nodes with the taint `KEY[=VALUE]:EFFECT`", toleration)
	f.option(flags, "label", "the label `KEY=VALUE` for the Job and its pod", pair(plainPair(k8s.Label)))
	f.option(flags, "ttl", "how long the Job stays after its end: `2h`; usually 1h", lasting(k8s.TTL))
	f.option(flags, "deadline", "how long the Job may take: `8h`", lasting(k8s.Deadline))
	f.option(flags, "retries", "try again `N` times; usually 0", amount(k8s.Retries))
	flags.BoolFunc("spot", "also nodes that the cloud may take back", func(string) error { f.set = append(f.set, k8s.Spot()); return nil })
}

// option defines a flag that sets an option.
func (f *JobFlags) option(flags *flag.FlagSet, name, usage string, option func(string) (k8s.Option, error)) {
	flags.Func(name, usage, func(value string) error {
		o, err := option(value)
		if err == nil {
			f.set = append(f.set, o)
		}
		return err
	})
}

func plain(option func(string) k8s.Option) func(string) (k8s.Option, error) {
	return func(value string) (k8s.Option, error) { return option(value), nil }
}

// Options are all that the flags say.
func (f *JobFlags) Options() ([]k8s.Option, error) {
	options := append(f.ClusterFlags.options(), f.set...)
	if f.file == "" {
		return options, nil
	}
	text, err := openfile.ReadAll(f.file, maxJob)
	if err != nil {
		return nil, cli.Usage(err)
	}
	if len(text) > maxJob {
		return nil, cli.Usagef("%s is too long for a part of a Job: %d bytes are the most", f.file, maxJob)
	}
	part, err := partOfJob(text)
	if err != nil {
		return nil, cli.Usagef("%s is no part of a Job: %v", f.file, err)
	}
	return append(options, k8s.Transform(func(job *batchv1.Job) error {
		if err := merge(job, part); err != nil {
			return fmt.Errorf("%s cannot be merged into the Job: %w", f.file, err)
		}
		return nil
	})), nil
}

const maxJob = 1 << 20 // bytes; what etcd takes, and so a cluster

// partOfJob is YAML as JSON. What no Job has is refused.
func partOfJob(text []byte) ([]byte, error) {
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return nil, err
	}
	if job.Kind != "" && job.Kind != "Job" {
		return nil, fmt.Errorf("it is a %s", job.Kind)
	}
	part, err := yaml.YAMLToJSON(text)
	if string(part) == "null" {
		return nil, errors.New("it is empty")
	}
	return part, err
}

// merge adds part of a Job to one, as kubectl patch does: lists of containers,
// volumes and variables by their names.
func merge(job *batchv1.Job, part []byte) error {
	whole, err := json.Marshal(job)
	if err != nil {
		return err
	}
	merged, err := strategicpatch.StrategicMergePatch(whole, part, batchv1.Job{})
	if err != nil {
		return err
	}
	*job = batchv1.Job{}
	return json.Unmarshal(merged, job)
}

// environment is NAME=VALUE, or NAME, as docker has it.
func environment(text string) (k8s.Option, error) {
	name, value, given := strings.Cut(text, "=")
	if !given {
		if value, given = os.LookupEnv(name); !given {
			return nil, fmt.Errorf("%s is not set here: write %s=VALUE", name, name)
		}
	}
	return k8s.Env(name, value), nil
}

func secretEnv(text string) (k8s.Option, error) {
	name, from, ok := strings.Cut(text, "=")
	secret, key, also := strings.Cut(from, "/")
	if !ok || !also {
		return nil, errors.New("write NAME=SECRET/KEY")
	}
	return k8s.SecretEnv(name, secret, key), nil
}

func pair(option func(key, value string) (k8s.Option, error)) func(string) (k8s.Option, error) {
	return func(text string) (k8s.Option, error) {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errors.New("write KEY=VALUE")
		}
		return option(key, value)
	}
}

func plainPair(option func(key, value string) k8s.Option) func(key, value string) (k8s.Option, error) {
	return func(key, value string) (k8s.Option, error) { return option(key, value), nil }
}

func gpuResource(name, text string) (k8s.Option, error) {
	return amount(func(n int) k8s.Option { return k8s.GPUResource(name, n) })(text)
}

func toleration(text string) (k8s.Option, error) {
	taint, effect, ok := strings.Cut(text, ":")
	key, value, _ := strings.Cut(taint, "=")
	switch corev1.TaintEffect(effect) {
	case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		ok = false
	}
	if !ok || key == "" {
		return nil, errors.New("write KEY[=VALUE]:EFFECT, as kubectl taint does; effects are NoSchedule, PreferNoSchedule and NoExecute")
	}
	return k8s.Tolerate(key, value, corev1.TaintEffect(effect)), nil
}

func lasting(option func(time.Duration) k8s.Option) func(string) (k8s.Option, error) {
	return func(value string) (k8s.Option, error) {
		var a text.Age
		err := a.Set(value)
		return option(time.Duration(a)), err
	}
}

func amount(option func(int) k8s.Option) func(string) (k8s.Option, error) {
	return func(text string) (k8s.Option, error) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, errors.New("write a number from 0 to 65535")
		}
		return option(int(n)), nil
	}
}
