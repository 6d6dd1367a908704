package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FromEnv reads the settings from MOPS_ROOT, MOPS_PIPELINE, MOPS_EXECUTOR,
// MOPS_OFF, MOPS_REFRESH, MOPS_READ_ONLY, MOPS_REQUIRE_RESULTS,
// MOPS_KEEP_ERRORS, MOPS_TIMEOUT, MOPS_RETRIES and MOPS_STORAGE_TTL. lookup is [os.LookupEnv] or
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
			problems = append(problems, fmt.Errorf("%s=%q: %w", s.variable(), text, err))
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

// Variables of mops that are no settings of functions.
var otherVariables = []string{
	"MOPS_CONFIG", "MOPS_PROGRESS", "MOPS_EDITED", "MOPS_LOG", "MOPS_SOAK", "MOPS_STATE", "MOPS_CACHE", CacheSizeVariable, ReadCacheVariable, "MOPS_K8S_LOGS",
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
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		short, ours := strings.CutPrefix(name, "MOPS_")
		if !ours || strings.HasPrefix(short, "WORKER") || strings.HasPrefix(short, "K8S_") || slices.Contains(known, short) {
			continue
		}
		warning := fmt.Sprintf("the environment variable %q is no setting of mops and has no effect", name)
		if meant := nearest(short, known); meant != "" {
			warning += fmt.Sprintf("; did you mean MOPS_%s?", meant)
		}
		warnings = append(warnings, warning)
	}
	slices.Sort(warnings)
	return warnings
}
