package remote

import "time"

// Patience sets how long a machine may be out of reach before the store is asked.
func Patience(d time.Duration) Option { return func(e *Executor) { e.patience = d } }
