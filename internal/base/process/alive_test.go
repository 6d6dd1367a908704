//go:build linux || darwin

package process_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

func TestAlive(t *testing.T) {
	cmd, end := start(t, "child")
	id, err := process.Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, id process.Identity, alive, known bool) {
		t.Helper()
		if a, k := id.Alive(); a != alive || k != known {
			t.Errorf("%s: alive %t, known %t; want %t, %t", when, a, k, alive, known)
		}
	}
	check("running", id, true, true)
	check("this process", process.Self(), true, true)

	recycled := id
	recycled.Start--
	check("another process had the number", recycled, false, true)

	elsewhere := id
	elsewhere.Boot = "another"
	check("elsewhere", elsewhere, false, false)

	end.Close()
	if err := process.WaitChild(t.Context(), id.PID); err != nil {
		t.Fatal(err)
	}
	check("a zombie", id, false, true)
	cmd.Wait()
	check("reaped", id, false, true)
}

func TestWait(t *testing.T) {
	cmd, end := start(t, "child")
	id, err := process.Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	early := make(chan error)
	go func() { early <- id.Wait(ctx) }()
	cancel()
	if err := <-early; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	ended := make(chan error)
	go func() { ended <- id.Wait(t.Context()) }()
	select {
	case err := <-ended:
		t.Fatalf("Wait returned while it ran: %v", err)
	default:
	}
	end.Close()
	if err := <-ended; err != nil {
		t.Errorf("Wait: %v", err)
	}
	cmd.Wait()
	if err := id.Wait(t.Context()); err != nil {
		t.Errorf("Wait for a process that ended before: %v", err)
	}
	recycled := process.Self()
	recycled.Start--
	if err := recycled.Wait(t.Context()); err != nil {
		t.Errorf("Wait for the former owner of a number: %v", err)
	}
	id.Boot = "another"
	if err := id.Wait(t.Context()); !errors.Is(err, process.ErrElsewhere) {
		t.Errorf("Wait for a process elsewhere: %v", err)
	}
}

func TestGroupOutlivesItsLeader(t *testing.T) {
	cmd, end := start(t, "parent")
	id, err := process.Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.WaitChild(t.Context(), id.PID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- id.WaitGroup(ctx) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("WaitGroup, cancelled: %v", err)
	}
	go func() { left <- id.WaitGroup(t.Context()) }()
	stranger := id
	stranger.Start++
	if err := stranger.SignalGroup(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	select {
	case err := <-left:
		t.Fatalf("a stranger's handle killed the group: %v", err)
	default:
	}
	if err := id.SignalGroup(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if err := <-left; err != nil {
		t.Error(err)
	}
	if err := id.SignalGroup(syscall.SIGKILL); err != nil {
		t.Errorf("an empty group: %v", err)
	}
	end.Close()
}

func TestKillGroupRefusesEverybody(t *testing.T) {
	for _, id := range []int{1, 0, -1} {
		if err := process.KillGroup(id, 0); err == nil {
			t.Errorf("KillGroup(%d) was tried", id)
		}
	}
}

func TestUsage(t *testing.T) {
	memory := make([]byte, 32<<20)
	for i := range memory {
		memory[i] = byte(i)
	}
	cpu, peak := process.Usage()
	if cpu <= 0 {
		t.Errorf("CPU %v", cpu)
	}
	if peak < int64(len(memory)) || peak > 8<<30 {
		t.Errorf("peak memory %d bytes, having touched %d", peak, len(memory))
	}
}
