package k8s

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// preset is a setting of the config file or of a variable, as an option.
type preset struct {
	key    string
	option func(values []string) Option
}

// presets are all of them, in the order in which they apply. Package config says which
// values they may have.
var presets = []preset{
	{kube.KubeconfigKey, one(Kubeconfig)},
	{kube.ContextKey, one(Context)},
	{kube.NamespaceKey, one(Namespace)},
	{"create_namespace", parsed("CreateNamespace", strconv.ParseBool, CreateNamespace)},
	{"name_prefix", one(NamePrefix)},

	{"image", one(usualImage)},
	{"platforms", func(platforms []string) Option { return func(s *settings) { s.usualPlatforms = platforms } }},
	{"registry", one(Registry)},
	{"pull_policy", one(func(policy string) Option { return PullPolicy(corev1.PullPolicy(policy)) })},
	{"pull_secrets", each(PullSecret)},

	{"cpu", one(CPU)},
	{"cpu_limit", one(CPULimit)},
	{"memory", one(Memory)},
	{"memory_request", one(MemoryRequest)},
	{"memory_max", one(MemoryMax)},
	{"gpu", parsed("GPU", strconv.Atoi, GPU)},
	{"gpu_resources", pairs(func(name, n string) Option {
		return parsed("GPUResource", strconv.Atoi, func(n int) Option { return GPUResource(name, n) })([]string{n})
	})},
	{"resources", pairs(Resource)},
	{"env", pairs(Env)},
	{"secret_env", pairs(func(name, from string) Option {
		secret, key, _ := strings.Cut(from, "/")
		return SecretEnv(name, secret, key)
	})},
	{"config_map_env", pairs(func(name, from string) Option {
		configMap, key, _ := strings.Cut(from, "/")
		return ConfigMapEnv(name, configMap, key)
	})},
	{"env_from_secrets", each(EnvFromSecret)},
	{"env_from_config_maps", each(EnvFromConfigMap)},
	{"claims", pairs(Claim)},
	{"host_paths", pairs(HostPath)},
	{"roots", pairs(Root)},

	{"service_account", one(ServiceAccount)},
	{"run_as", one(func(text string) Option {
		user, group, _ := strings.Cut(text, ":")
		if text == "image" {
			user, group = "-1", "-1"
		}
		return parsed("RunAs", parseID, func(user int64) Option {
			return parsed("RunAs", parseID, func(group int64) Option { return RunAs(user, group) })([]string{group})
		})([]string{user})
	})},
	{"fs_group", parsed("FSGroup", parseID, FSGroup)},
	{"workload_identity_account", one(func(account string) Option { return func(s *settings) { s.usualAzure.account = account } })},
	{"workload_identity_namespaces", func(names []string) Option { return func(s *settings) { s.usualAzure.namespaces = names } }},
	{"aad_pod_identity", one(func(binding string) Option { return func(s *settings) { s.usualAzure.binding = binding } })},

	{"node_selector", pairs(NodeSelector)},
	{"node_in", pairs(func(key, values string) Option { return NodeIn(key, strings.Split(values, ",")...) })},
	{"tolerations", each(func(text string) Option {
		taint, effect, _ := strings.Cut(text, ":")
		key, value, _ := strings.Cut(taint, "=")
		return Tolerate(key, value, corev1.TaintEffect(effect))
	})},
	{"spot", parsed("Spot", strconv.ParseBool, when(Spot))},
	{"only_spot", parsed("OnlySpot", strconv.ParseBool, when(OnlySpot))},
	{"dedicated", each(Dedicated)},

	{"ttl", parsed("TTL", time.ParseDuration, TTL)},
	{"deadline", parsed("Deadline", time.ParseDuration, Deadline)},
	{"stop_grace", parsed("StopGrace", time.ParseDuration, StopGrace)},
	{"start_grace", parsed("StartGrace", time.ParseDuration, StartGrace)},
	{"room_grace", parsed("RoomGrace", time.ParseDuration, RoomGrace)},
	{"silence_grace", parsed("SilenceGrace", time.ParseDuration, SilenceGrace)},
	{"retries", parsed("Retries", strconv.Atoi, Retries)},
	{"disruptions", parsed("Disruptions", strconv.Atoi, Disruptions)},

	{"priority_class", one(PriorityClass)},
	{"queue", one(Queue)},
	{"labels", pairs(Label)},
	{"annotations", pairs(Annotation)},
	{"limit", parsed("Limit", strconv.Atoi, Limit)},
	{"pack", parsed("Pack", time.ParseDuration, Pack)},
	{"side_by_side", parsed("SideBySide", strconv.Atoi, SideBySide)},
	{"logs", parsed("Logs", func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }, Logs)},
	{"log_streams", parsed("LogStreams", strconv.Atoi, LogStreams)},
}

// Configured returns the executor under the settings of the table [k8s] of the config
// file, before which its own options count, and of variables, which count before those.
// In a pod of mops it heeds neither kubeconfig nor context nor namespace of either: the
// program is in its cluster already.
func (e *Executor) Configured(by executor.Settings) executor.Executor {
	if len(by.File) == 0 && len(by.Environ) == 0 {
		return e
	}
	return &Executor{options: e.options, settings: defaults().with([]Option{presetsOf(by.File), Options(e.options...), presetsOf(by.Environ)})}
}

// presetsOf are the settings as one option.
func presetsOf(values map[string][]string) Option {
	return func(s *settings) {
		for _, p := range presets {
			if v := values[p.key]; len(v) > 0 && !(kube.InPod() && kube.IsPlace(p.key)) {
				p.option(v)(s)
			}
		}
	}
}

// usualImage is the image of programs that name none: in a pod that knows its own,
// that one counts.
func usualImage(reference string) Option {
	source := newImage(reference)
	source.named = false
	return func(s *settings) { s.image = source }
}

func parseID(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

func one(option func(string) Option) func([]string) Option {
	return func(values []string) Option { return option(values[0]) }
}

func each(option func(string) Option) func([]string) Option {
	return func(values []string) Option {
		var all []Option
		for _, value := range values {
			all = append(all, option(value))
		}
		return Options(all...)
	}
}

func pairs(option func(key, value string) Option) func([]string) Option {
	return each(func(text string) Option {
		key, value, _ := strings.Cut(text, "=")
		return option(key, value)
	})
}

func when(option func() Option) func(bool) Option {
	return func(on bool) Option {
		if on {
			return option()
		}
		return nil
	}
}

// parsed is an option of another type than text.
func parsed[T any](name string, parse func(string) (T, error), option func(T) Option) func([]string) Option {
	return one(func(text string) Option {
		value, err := parse(text)
		if err != nil {
			return func(s *settings) { s.refuse("k8s.%s: the settings say %q: %w", name, text, err) }
		}
		return Options(option(value))
	})
}
