// Package process says who a process is and whether it still lives, across
// restarts of programs and reuse of process numbers. Sessions use it to see
// that their holder died, the subprocess executor to find its workers again.
package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Errors of this package.
var (
	// ErrElsewhere says that the process cannot be seen from here: another
	// host, another container, or a system that does not tell.
	ErrElsewhere = errors.New("the process cannot be seen from here")

	errMalformed = errors.New("not a process identity")
)

// Identity names one process for ever: numbers are used again, but not with
// the same start time in the same boot.
type Identity struct {
	Host         string // for people; nothing is decided by it
	Boot         string // id of this run of the kernel; "" where unknown
	PIDNamespace string // the namespace in which PID counts; "" where there is none
	PID          int
	Start        uint64 // when it started, in the system's own unit since its own epoch
}

var self = sync.OnceValue(func() Identity {
	id, err := Of(os.Getpid())
	if err != nil {
		// Without a boot id the identity matches nothing, which is the truth.
		id.Boot, id.Start = "", 0
	}
	return id
})

// Self returns the identity of this process.
func Self() Identity { return self() }

var host = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	return name
})

// Of returns the identity of a process on this host, a zombie included.
func Of(pid int) (Identity, error) {
	id := Identity{Host: host(), Boot: bootID(), PIDNamespace: pidNamespace(), PID: pid}
	s, err := stat(pid)
	if err != nil {
		return id, fmt.Errorf("identity of process %d: %w", pid, err)
	}
	id.Start = s.start
	return id, nil
}

// String returns the identity as Parse reads it: pid/start/namespace/boot/host.
// It has no spaces and is shorter than 150 bytes but for very long host names.
func (id Identity) String() string {
	host := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r > '~' {
			return '_'
		}
		return r
	}, id.Host)
	return fmt.Sprintf("%d/%d/%s/%s/%s", id.PID, id.Start, id.PIDNamespace, id.Boot, host)
}

// Parse reads what String wrote.
func Parse(s string) (Identity, error) {
	fields := strings.Split(s, "/")
	if len(fields) != 5 {
		return Identity{}, fmt.Errorf("%w: %q has %d fields, not 5", errMalformed, s, len(fields))
	}
	pid, err := strconv.ParseInt(fields[0], 10, 32)
	if err != nil || pid <= 0 {
		return Identity{}, fmt.Errorf("%w: %q does not begin with a process number", errMalformed, s)
	}
	start, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %q has no start time", errMalformed, s)
	}
	return Identity{PID: int(pid), Start: start, PIDNamespace: fields[2], Boot: fields[3], Host: fields[4]}, nil
}

// SameHost reports whether both processes live, or lived, under one kernel and
// in one pid namespace, so that one can see the other.
func (id Identity) SameHost(other Identity) bool {
	return id.Boot != "" && id.Boot == other.Boot && id.PIDNamespace == other.PIDNamespace
}
