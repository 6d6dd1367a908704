// Package otelmops has the calls of a program make OpenTelemetry spans, metrics and
// log records. It is a module of its own, so programs that do not import it do not
// fetch OpenTelemetry.
//
// [Instrument] uses the providers that the program has set up; package otlp below it
// sets them up, too, and sends to a collector.
//
// # Spans
//
// A call has a span "call NAME@VERSION", a child of the span in the context in which
// it was made. Below it are "wait for …" spans and one "attempt NAME@VERSION" for each
// attempt. A worker's process has "run NAME@VERSION" below that, on another machine,
// too. So the spans that a function makes of its own are in the caller's trace. Hits
// have no spans, unless [WithHits] is given: a program may make a million of them.
//
// # Metrics
//
//   - mops.calls: how many calls ended, by mops.function and mops.outcome.
//   - mops.call.duration (s): from the call to its end, likewise.
//   - mops.call.active: calls that are under way, by mops.function and mops.call.state.
//   - mops.wait.duration (s): time spent in one such state, such as slot, lease, retry,
//     queued, pending or starting, by mops.function and mops.wait.
//   - mops.attempt.duration (s): from the hand-over to the executor to the end, by
//     mops.function, mops.executor and, of those that failed, error.type. Its count is
//     how many workers, or Jobs, ended for which reason.
//   - mops.run.duration (s), mops.run.cpu.time (s), mops.run.memory.peak (By): what
//     functions took, as far as it is known, by mops.function and mops.executor.
//   - mops.recomputed: what was computed again, by mops.function and
//     mops.recompute.reason: stale (there was a result), retry (an attempt failed),
//     taken_over (whoever computed it is dead).
//   - mops.lease.active: leases that this process holds, for calls that it computes or
//     whose workers it follows, by mops.function.
//   - mops.lease.changes: what became of leases, by mops.function and
//     mops.lease.change: taken, adopted (with a worker that had outlived its program),
//     taken_over (from whoever is dead, to be taken next), lost (others found this
//     process dead, and may compute its calls).
//   - mops.session.renewals: tries to renew, every 8 s, what shows others that this
//     process lives, by mops.store.system and, of those that failed, error.type. Leases
//     can be lost after 24 s in which all failed.
//   - mops.saved.time (s): how long the functions ran whose results were hits.
//   - mops.store.operation.duration (s): requests to stores, by mops.store.system,
//     mops.store.operation and, of those that failed, error.type. That there is no such
//     blob, or one already, is no failure.
//   - mops.events.missed: events that the metrics do not count, since there were too
//     many at once.
package otelmops
