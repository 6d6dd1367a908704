package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/TrilliantHealth/mops-go/k8s"
)

// jobFlags are the options of Jobs that people need often, as flags; for all others
// there is --file.
type jobFlags struct {
	clusterFlags
	set  []k8s.Option // in the order of the command line
	file string
}

func (f *jobFlags) define(flags *flag.FlagSet) {
	f.clusterFlags.define(flags)
	text := func(name, usage string, option func(string) (k8s.Option, error)) {
		flags.Func(name, usage, func(value string) error {
			o, err := option(value)
			if err == nil {
				f.set = append(f.set, o)
			}
			return err
		})
	}
	plain := func(option func(string) k8s.Option) func(string) (k8s.Option, error) {
		return func(value string) (k8s.Option, error) { return option(value), nil }
	}
	text("cpu", "how many CPUs, such as `2` or 500m", plain(k8s.CPU))
	text("memory", "how much memory, such as `4Gi`: request and limit", plain(k8s.Memory))
	text("env", "a variable for the program: `NAME=VALUE`, or NAME for its value here", environment)
	text("secret-env", "a variable from a Secret: `NAME=SECRET/KEY`", secretEnv)
	text("secret", "all of the Secret `NAME` as variables", plain(k8s.EnvFromSecret))
	text("service-account", "the service account of this `NAME`", plain(k8s.ServiceAccount))
	text("node-selector", "only nodes with the label `KEY=VALUE`", pair("KEY=VALUE", "=", k8s.NodeSelector))
	text("tolerate", "also nodes with a taint: `KEY[=VALUE]:EFFECT`", toleration)
	text("pull-secret", "the Secret `NAME` with credentials of the registry", plain(k8s.PullSecret))
	text("label", "a label for the Job and its pod: `KEY=VALUE`", pair("KEY=VALUE", "=", k8s.Label))
	text("ttl", "how long the Job stays after its end: `2h`; usually 1h", lasting(k8s.TTL))
	text("deadline", "how long the Job may take: `8h`", lasting(k8s.Deadline))
	flags.Func("gpu", "`N` GPUs of NVIDIA's", number1(f, k8s.GPU))
	flags.Func("retries", "try again `N` times; usually 0", number1(f, k8s.Retries))
	flags.BoolFunc("spot", "also nodes that the cloud may take back", func(string) error { f.set = append(f.set, k8s.Spot()); return nil })
	flags.StringVar(&f.file, "file", "", "what else the Job is to have: part of a Job as YAML in this `FILE`, merged into it")
}

// options are all that the flags say.
func (f *jobFlags) options() ([]k8s.Option, error) {
	options := append(f.clusterFlags.options(), f.set...)
	if f.file == "" {
		return options, nil
	}
	text, err := os.ReadFile(f.file)
	if err != nil {
		return nil, usageError{err.Error()}
	}
	part, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, usagef("%s: %v", f.file, err)
	}
	return append(options, k8s.Transform(func(job *batchv1.Job) error {
		if err := merge(job, part); err != nil {
			return fmt.Errorf("%s cannot be merged into the Job: %w", f.file, err)
		}
		return nil
	})), nil
}

// merge adds part of a Job to one, as kubectl patch does: lists of containers,
// volumes and variables by their names. What no Job has is refused.
func merge(job *batchv1.Job, part []byte) error {
	var strict batchv1.Job
	if err := yaml.UnmarshalStrict(part, &strict); err != nil {
		return err
	}
	if strict.Kind != "" && strict.Kind != "Job" {
		return fmt.Errorf("it is a %s, not a Job", strict.Kind)
	}
	if string(part) == "null" {
		return errors.New("it is empty")
	}
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

func pair(form, between string, option func(key, value string) k8s.Option) func(string) (k8s.Option, error) {
	return func(text string) (k8s.Option, error) {
		key, value, ok := strings.Cut(text, between)
		if !ok || key == "" {
			return nil, fmt.Errorf("write %s", form)
		}
		return option(key, value), nil
	}
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
	return func(text string) (k8s.Option, error) {
		var a age
		err := a.Set(text)
		return option(time.Duration(a)), err
	}
}

func number1(f *jobFlags, option func(int) k8s.Option) func(string) error {
	return func(text string) error {
		var n uint16
		if _, err := fmt.Sscan(text, &n); err != nil {
			return errors.New("it is no number")
		}
		f.set = append(f.set, option(int(n)))
		return nil
	}
}
