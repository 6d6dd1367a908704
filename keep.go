package mops

import (
	"context"
	"os"
	"strconv"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/journal"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// KeepRun says whether this run of the program is kept in the root: who ran what,
// where and when, and its calls as they end, for mops summary, mops runs and
// mops page, and for everybody who shares the root. It lies in the root of the first
// call that may write there, so a program whose calls are [Off] or [ReadOnly]
// leaves nothing; nor does a root in memory. A goroutine writes it every few
// seconds, less often as the run grows older; a store that is away, or must not be
// written, neither fails nor slows the program. Default: MOPS_RUNS, else runs of the
// config file, else true.
func KeepRun(keep bool) EnvOption {
	return envOption(func(e *envOptions) { e.keepRun = &keep })
}

// RunField keeps a field of the user's own for this run of the program, and in the
// record of each call that it computes, in whatever process: a ticket, a link to
// logs. It encodes value at once, as [Record] does. Give it several times for
// several fields; those of MOPS_RUN_FIELDS, such as "ticket=ML-17,by=cron", win.
// Record adds fields while the program runs. Fields are for people: no secrets.
func RunField(key string, value any) EnvOption {
	text := journal.Field(value)
	return envOption(func(e *envOptions) {
		if e.runFields == nil {
			e.runFields = worker.Fields{}
		}
		e.runFields[key] = text
	})
}

// keep prepares what is kept of this run. In a worker that is what its function
// calls, and belongs to the run of the program that wanted it.
func (env *Env) keep(o *envOptions, in inside) error {
	env.runID = in.spec.ProgramRun
	env.runFields = in.spec.Fields
	if in.worker {
		if in.spec.RunRoot == "" || env.runID == "" {
			return nil
		}
		env.journal = journal.New(journal.Options{
			Head: programs.Head{ID: env.runID, Start: env.started}, Worker: in.spec.RunID, Open: openQuietly, Logger: env.logger,
		})
		env.journal.In(in.spec.RunRoot)
		return nil
	}
	env.runID = programs.NewID(env.started)
	env.runFields = o.runFields
	on := true
	if !o.isolated {
		said, found, err := config.KeepRuns(os.LookupEnv)
		if err != nil {
			return err
		}
		switch {
		case found:
			on = said
		case env.file != nil && env.file.KeepRuns != nil:
			on = *env.file.KeepRuns
		}
		more, err := config.RunFields(os.LookupEnv)
		if err != nil {
			return err
		}
		for key, value := range more {
			if env.runFields == nil {
				env.runFields = worker.Fields{}
			}
			env.runFields[key] = journal.Field(value)
		}
	}
	if o.keepRun != nil {
		on = *o.keepRun
	} else if o.isolated {
		on = false
	}
	if !on || env.plan != nil {
		return nil
	}
	env.journal = journal.New(journal.Options{Head: env.head(), Open: openQuietly, Logger: env.logger})
	return nil
}

// openQuietly opens a root for the journal, which says itself what fails.
func openQuietly(ctx context.Context, root string) (*blob.Store, error) {
	store, err := blob.Open(ctx, root)
	if err != nil {
		return nil, err
	}
	policy := blob.RetryPolicy{}
	if store.IsLocal() {
		policy.Tries = 3
	}
	return blob.Retry(store, policy), nil
}

// head says who runs what, where.
func (env *Env) head() programs.Head {
	here := worker.Whereabouts()
	h := programs.Head{
		ID: env.runID, Build: here.Program, OS: here.OS, Arch: here.Arch, Host: here.Host, User: here.User, PID: here.PID,
		Arguments: max(len(os.Args)-1, 0), Start: env.started.UTC(), Fields: env.runFields.Values(),
	}
	h.Program, _ = os.Executable()
	h.Config = env.found.Path
	if base, err := env.base(); err == nil {
		h.Pipeline, h.Options = base.Pipeline, described(base, env.baseStack().sum())
	}
	return h
}

// described are the settings that differ from the defaults, in words.
func described(base *orchestrate.Settings, s settings) map[string]string {
	all := map[string]string{}
	add := func(key, value string, given bool) {
		if given {
			all[key] = value
		}
	}
	if base.Executor != nil {
		add("executor", base.Executor.Name(), base.Executor.Name() != inProcess)
	}
	if s.Executor != nil {
		add("executor", *s.Executor, *s.Executor != inProcess)
	}
	add("timeout", text.Duration(base.Timeout), base.Timeout != 0)
	add("retries", strconv.Itoa(base.Retries), base.Retries != 0)
	add("storage_ttl", base.StorageTTL.String(), base.StorageTTL != 0)
	add("code_check", string(base.CodeCheck), s.CodeCheck != nil)
	for key, on := range map[string]bool{
		"off": base.Off, "refresh": base.Refresh, "read_only": base.ReadOnly, "require_results": base.RequireResults, "keep_errors": base.KeepErrors,
	} {
		add(key, "true", on)
	}
	return all
}

// endRun writes how the run ended.
func (env *Env) endRun(exit int, cancelled bool, failed error) {
	message := ""
	if failed != nil {
		message = programs.Line(failed.Error())
	}
	env.journal.Close(exit, cancelled, message)
}
