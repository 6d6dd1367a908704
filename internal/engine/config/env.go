package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// FromEnv reads the settings from MOPS_ROOT, MOPS_PIPELINE, MOPS_EXECUTOR,
// MOPS_OFF, MOPS_REFRESH, MOPS_READ_ONLY, MOPS_REQUIRE_RESULTS,
// MOPS_KEEP_ERRORS, MOPS_TIMEOUT, MOPS_RETRIES, MOPS_RETRY_DELAY and MOPS_STORAGE_TTL. lookup is [os.LookupEnv] or
// the like. An empty variable is as good as none. The error names each variable
// that is wrong, its value and what is allowed.
func FromEnv(lookup func(string) (string, bool)) (Settings, error) {
	var found Settings
	var problems []error
	for _, s := range settings {
		text, _ := lookup(s.variable())
		if text == "" {
			continue
		}
		value, err := s.fromText(text)
		if err == nil {
			err = s.put(&found, value)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s=%q: %w", s.variable(), Public(text), err))
		}
	}
	for _, c := range contradictions {
		if c.in(found) {
			problems = append(problems, fmt.Errorf("%s and %s contradict each other: %s; unset one of them",
				setting{key: c.first}.variable(), setting{key: c.second}.variable(), c.why))
		}
	}
	if len(problems) > 0 {
		return Settings{}, errors.Join(problems...)
	}
	return found, nil
}

// Variables of mops that are no settings of functions. MOPS_STATE said where
// summaries lay before runs were kept in the root; it means nothing any more.
var otherVariables = []string{
	fileVariable, ShowVariable, "MOPS_PROGRESS", "MOPS_EDITED", "MOPS_LOG", "MOPS_SOAK", cacheVariable, "MOPS_STATE", keepRunsVariable, runFieldsVariable, CacheSizeVariable, ReadCacheVariable, PlanVariable, "MOPS_K8S_LOGS", "MOPS_K8S_IMAGE",

	"MOPS_STOP_GRACE", // of a worker on another machine

	// Those that package k8s tells a pod's program.
	"MOPS_K8S_JOB", "MOPS_K8S_NAMESPACE", "MOPS_K8S_POD", "MOPS_K8S_NODE", "MOPS_K8S_CPU_REQUEST", "MOPS_K8S_CPU_LIMIT",
	"MOPS_K8S_MEMORY_REQUEST", "MOPS_K8S_MEMORY_LIMIT", "MOPS_K8S_MEMORY_FROM", "MOPS_K8S_GPU_REQUEST", "MOPS_K8S_ON_SPOT", "MOPS_K8S_STOP_GRACE", "MOPS_K8S_USER", "MOPS_K8S_FUNCTION",
	"MOPS_K8S_CLUSTER", "MOPS_K8S_IMAGE_PLATFORMS",
}

// ExecutorsFromEnv reads what variables say of executors: MOPS_K8S_QUEUE is queue in
// the table k8s. Lists and tables are separated by commas: "zone=a,pool=b". lookup and
// the error are as for [FromEnv].
func ExecutorsFromEnv(lookup func(string) (string, bool)) (Executors, error) {
	var found Executors
	var problems []error
	for name, entries := range tables {
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			variable := entryVariable(name, key)
			text, _ := lookup(variable)
			if text == "" || entries[key].fromText == nil {
				continue
			}
			value, err := entries[key].fromText(text)
			var values []string
			if err == nil {
				values, err = entries[key].read(value)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s=%q: %w", variable, Public(text), err))
			}
			found = found.with(name, key, values)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return found, nil
}

func entryVariable(table, key string) string {
	return "MOPS_" + strings.ToUpper(table) + "_" + strings.ToUpper(key)
}

// Unknown finds the variables in environ, which is [os.Environ] or the like,
// that look like settings of mops and are none. Each comes as a sentence to warn
// with, which never shows the value.
func Unknown(environ []string) (warnings []string) {
	var known []string // without MOPS_, which would make them all look alike
	for _, s := range settings {
		known = append(known, strings.ToUpper(s.key))
	}
	for _, variable := range otherVariables {
		known = append(known, strings.TrimPrefix(variable, "MOPS_"))
	}
	for name, entries := range tables {
		for key, e := range entries {
			if e.fromText != nil {
				known = append(known, strings.TrimPrefix(entryVariable(name, key), "MOPS_"))
			}
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		short, ours := strings.CutPrefix(name, "MOPS_")
		if !ours || strings.HasPrefix(short, "WORKER") || slices.Contains(known, short) {
			continue
		}
		warning := fmt.Sprintf("the environment variable %q is no setting of mops and has no effect", name)
		if meant := words.Nearest(short, known); meant != "" {
			warning += fmt.Sprintf("; did you mean MOPS_%s?", meant)
		}
		warnings = append(warnings, warning)
	}
	slices.Sort(warnings)
	return warnings
}

// These variables are of the run of a program: whether it is a plan, whether it says
// what its settings are, whether it is kept in the root, and fields of the user's own.
const (
	PlanVariable      = "MOPS_PLAN"
	ShowVariable      = "MOPS_CONFIG_SHOW"
	keepRunsVariable  = "MOPS_RUNS"
	runFieldsVariable = "MOPS_RUN_FIELDS"
)

// Plan reads [PlanVariable]: yes or no. An empty variable is no. lookup is
// [os.LookupEnv] or the like.
func Plan(lookup func(string) (string, bool)) (bool, error) {
	plan, _, err := yesOrNo(lookup, PlanVariable)
	return plan, err
}

// Show reads [ShowVariable]: yes or no. An empty variable is no. lookup is
// [os.LookupEnv] or the like.
func Show(lookup func(string) (string, bool)) (bool, error) {
	show, _, err := yesOrNo(lookup, ShowVariable)
	return show, err
}

// KeepRuns reads MOPS_RUNS. An empty variable is as good as none: then found is
// false. lookup is [os.LookupEnv] or the like.
func KeepRuns(lookup func(string) (string, bool)) (keep, found bool, err error) {
	return yesOrNo(lookup, keepRunsVariable)
}

func yesOrNo(lookup func(string) (string, bool), variable string) (yes, found bool, err error) {
	text, _ := lookup(variable)
	if text == "" {
		return false, false, nil
	}
	value, err := textToBool(text)
	if err != nil {
		return false, false, fmt.Errorf("%s=%q: %w", variable, text, err)
	}
	return value == true, true, nil
}

// RunFields reads MOPS_RUN_FIELDS: "ticket=ML-17,by=cron".
func RunFields(lookup func(string) (string, bool)) (map[string]string, error) {
	text, _ := lookup(runFieldsVariable)
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf("%s: not all of it has the form name=value; write it such as ticket=ML-17,by=cron", runFieldsVariable)
		}
		fields[key] = strings.TrimSpace(value)
	}
	return fields, nil
}
