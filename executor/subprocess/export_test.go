package subprocess

import "time"

// IdleFor is an option of [Stay]: how long a process waits for the next function.
func IdleFor(d time.Duration) Option {
	return func(e *Executor) { e.idle.longest = d }
}
