package agent

// sweep does nothing: there is no list of a session's processes. The worker of one
// that was killed sees that and ends by itself when it has no lease any more.
func sweep() {}
