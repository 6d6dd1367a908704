package mops

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/engine/config"
)

// places are those of a stack in words, but for files and variables, which know
// better.
var places = [...]string{
	byEnv: "mops.Main or mops.New", byDefine: "mops.Define", byContext: "mops.WithOptions", byWith: "With, All or Each", byForce: "mops.Force", byVariable: "",
}

// shown says on MOPS_CONFIG_SHOW what the settings are, and where they come from.
type shown struct {
	output io.Writer // for people

	mu   sync.Mutex
	said map[string][]config.Origin // of a function, by its name
}

// show begins to say it, if somebody wants to know.
func (env *Env) show(o *envOptions, in inside) error {
	if o.isolated || in.worker {
		return nil
	}
	wanted, err := config.Show(os.LookupEnv)
	if !wanted {
		return err
	}
	env.shown = &shown{output: in.output, said: map[string][]config.Origin{}}
	report := config.NewReport(env.found, env.file, os.LookupEnv, o.ofProgram())
	report.Settings = env.origins("", env.baseStack())
	functions := o.registry.all()
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		origins := env.origins(name, env.stack(name, functions[name], settings{}, nil))
		env.shown.said[name] = origins
		report.Add(name, origins)
	}
	if len(report.Executors) > 0 {
		report.Notes = append(report.Notes, "What the program says to its executors is above the file and below the variables, and is not shown.")
	}
	var all strings.Builder // written as one
	report.Write(&all)
	_, err = io.WriteString(env.shown.output, all.String()+"\n")
	return err
}

// call says what is new to a call of a function.
func (s *shown) call(name string, origins []config.Origin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := config.Differing(origins, s.said[name]); len(own) > 0 && len(s.said[name]) < mostSaid {
		var all strings.Builder
		fmt.Fprintf(&all, "settings of a call of %s\n", name)
		config.WriteOrigins(&all, own)
		_, _ = io.WriteString(s.output, all.String())
		s.said[name] = append(s.said[name], own...)
	}
}

// mostSaid bounds what is said of a function that is called with ever other options.
const mostSaid = 100

// origins says what each setting of a function is, and what set it; "" means all.
func (env *Env) origins(function string, of stack) []config.Origin {
	var levels []config.Level
	forced, plain := env.file.Levels(function)
	for i, s := range slices.Backward(of[:]) {
		switch i {
		case byVariable:
			levels = append(levels, config.Variables(s.Settings))
		case byForcedEntry:
			levels = append(levels, forced...)
		case byFile:
			levels = append(levels, plain...)
		default:
			levels = append(levels, config.Place(places[i], s.public()))
		}
	}
	all := config.Origins(levels)
	sum := of.sum()
	for i, o := range all {
		switch {
		case o.Setting != "executor":
		case sum.Off != nil && *sum.Off, sum.ReadOnly != nil && *sum.ReadOnly:
			all[i].Value, all[i].From = inProcess, "off or read_only"
		case sum.here:
			all[i].Value, all[i].From = "in this process", "mops.InProcess"
		}
	}
	for i, s := range slices.Backward(of[:]) {
		if s.detach != nil {
			all = append(all, config.Origin{Setting: "detach", Value: strconv.FormatBool(*s.detach), From: places[i]})
			break
		}
	}
	return all
}

// public are settings with the name of the executor.
func (s settings) public() config.Settings {
	switch {
	case s.by != nil:
		s.Executor = new("by the input")
	case s.on != nil:
		s.Executor = new(s.on.Name())
	}
	return s.Settings
}

// ofProgram is what options say for which there are variables, too.
func (o *envOptions) ofProgram() map[string]string {
	all := map[string]string{"MOPS_CACHE": o.cacheDir, "MOPS_EDITED": string(o.edited), "MOPS_PROGRESS": o.progress}
	if o.plan {
		all[config.PlanVariable] = "true"
	}
	if o.cacheSize != nil {
		all[config.CacheSizeVariable] = config.Size(*o.cacheSize)
	}
	if o.readCache != nil {
		all[config.ReadCacheVariable] = config.Size(*o.readCache)
	}
	if o.keepRun != nil {
		all["MOPS_RUNS"] = strconv.FormatBool(*o.keepRun)
	}
	return all
}

// warn says what in the surroundings looks like a setting and has no effect.
func (env *Env) warn(functions *Registry) {
	warnings := slices.Concat(config.Unknown(os.Environ()), env.found.Warnings())
	mistakes, others := env.file.Unmatched(slices.Collect(maps.Keys(functions.all())))
	for _, warning := range append(warnings, mistakes...) {
		env.logger.Warn(warning)
	}
	if others != "" {
		env.logger.Info(others) // a team's file may be for several programs
	}
}
