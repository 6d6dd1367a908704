//go:build linux

package machines_test

import (
	"context"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// short is a call that costs nothing.
var short = mops.Define("machines/short", func(_ context.Context, n int) (int, error) { return n, nil })

// calls are how long n short calls take with an executor.
func calls(b *testing.B, n int, options ...remote.Option) time.Duration {
	b.Helper()
	env, err := mops.New(b.Context(), mops.Root("file://"+b.TempDir()), mops.Isolated(), mops.CacheDir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	defer env.Close()
	inputs := make([]int, n)
	for i := range inputs {
		inputs[i] = i
	}
	began := time.Now()
	if _, err := short.With(mops.On(remote.New(options...))).All(env.Context(b.Context()), inputs); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// commands are how long n runs of a command take, eight side by side: sshd drops some of more than ten.
func commands(b *testing.B, n int, command ...string) time.Duration {
	b.Helper()
	turns := make(chan struct{}, 8)
	var all sync.WaitGroup
	began := time.Now()
	for range n {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if said, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				b.Errorf("%v: %v\n%s", command, err, said)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

const (
	each = 64   // how many calls there are where each has a worker
	many = 4000 // and in packs
)

func report(b *testing.B, name string, n int, d time.Duration, bare float64) float64 {
	rate := float64(n) / d.Seconds()
	b.ReportMetric(rate, name+"/s")
	if bare > 0 {
		b.ReportMetric(rate/bare, name+"/bare")
	}
	return rate
}

// BenchmarkSSH compares the rate of short calls, one connection each and in packs, with
// that of ssh alone.
func BenchmarkSSH(b *testing.B) {
	config := machines.StartSSH(b).Config
	for b.Loop() {
		bare := report(b, "ssh", each, commands(b, each, "ssh", "-F", config, "far", "true"), 0)
		report(b, "call", each, calls(b, each, remote.SSH("far", "-F", config)), bare)
		report(b, "packed", many, calls(b, many, remote.SSH("far", "-F", config), remote.Pack(time.Minute)), bare)
	}
}

// BenchmarkSlurm compares it with that of srun, and of an array of jobs.
func BenchmarkSlurm(b *testing.B) {
	b.Setenv("SLURM_CONF", machines.StartSlurm(b))
	b.Setenv("MOPS_CACHE", b.TempDir())
	for b.Loop() {
		bare := report(b, "srun", each, commands(b, each, "srun", "--quiet", "true"), 0)
		began := time.Now()
		commands(b, 1, "sbatch", "--array=1-"+strconv.Itoa(each), "--output=/dev/null", "--wrap=true")
		for left := "?"; left != ""; {
			out, err := exec.Command("squeue", "--noheader").Output()
			if left = string(out); err != nil {
				b.Fatal(err)
			}
		}
		report(b, "array", each, time.Since(began), bare)
		report(b, "call", each, calls(b, each, remote.Slurm("--quiet")), bare)
		report(b, "packed", many, calls(b, many, remote.Slurm("--quiet"), remote.Pack(time.Minute)), bare)
	}
}
