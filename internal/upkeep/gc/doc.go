// Package gc removes what nobody wants any longer, beside programs that go on
// using the store: calls chosen by age, pipeline or function; content that no
// record names; and what crashed programs left. The tool's command gc shows it
// to people; the packages lease, memo, source and sweep are below.
//
// No removal uses the clock of this machine: an age is the store's date
// against the store's clock.
//
// # Calls
//
// To remove a call, gc takes its lease like a program that is about to compute
// it, so that no program does meanwhile. It leaves alone a lease whose session
// lives, and a lease handed to a worker that may still start; [lease.Judge]
// says which sessions are dead. A success releases no lease, so all leases of a
// long-lived program look held: a lease is free if its own result lies there,
// and has for longer than an hour.
//
// Then gc looks at the call again, since a program may have computed it anew
// before gc had the lease. It removes the call in an order in which each step
// leaves a call that programs can deal with, should gc be killed after it:
//
//  1. the error. If it survived the result, a program that keeps errors would
//     find the error of an older, failed run;
//  2. the result. From here on the call is a miss, and a program that makes it
//     waits until gc's lease, or gc's session, is gone;
//  3. records and logs of runs;
//  4. the invocation, and files that the function returned;
//  5. the lease, once gc has seen that it still holds it.
//
// A program that got the result a moment before may be about to read the files
// that the result refers to, or to pass them on. So if a call refers to files,
// the last two steps wait for a grace to pass, and for the next run of gc that
// chooses the call. Meanwhile the lease, which is released, keeps the date, and
// what the result named, so that it stays named. Files that records of other
// calls name stay as long as those.
//
// # Content
//
// Content that calls share lies under its hash. It is removed if it is old and
// no record of any call, in any pipeline, named it. First gc lists the old
// content, then it reads all records, then it removes what none of them named.
// It reads the records before it removes any call, so content that only removed
// results named goes with a later run, after the grace.
//
// Why a program that runs beside gc loses nothing: a program that needs content
// looks whether it is there, relies on it, and then writes a record that names
// it. If the content is older than half of the storage TTL, the program writes
// it again rather than relying on it (30 days, if no TTL is set). Gc removes
// only content that is older than the whole TTL, twice that. Let the content
// have the date d, and let gc have begun at b, so d < b − TTL.
//
//   - A program relied on it: at the latest at d + TTL/2, give or take the
//     minutes for which it does not ask again, so about TTL/2 before gc began.
//     Its record is there for gc to read, unless the program took half of the
//     TTL to write it; then its lease would have had to outlive it.
//   - A program wrote it again: then gc sees another date when it looks right
//     before removing it, or the write comes in that very moment. For that
//     moment there are turns: see package sweep.
//   - A program found it gone and wrote it: gc does not come back to it. If the
//     answer to a delete is lost, gc looks at the date again before it repeats
//     the delete.
//
// A record that gc cannot read, because a newer mops wrote it, might name
// anything; then gc removes no content, and names the record. A damaged record
// is a miss to all programs, so nobody relies on what it named.
//
// # Sessions
//
// Gc removes a session that was not renewed for a week. All programs take a
// missing session for a dead one, so leases that still name it are as free as
// before. If its process comes back, it finds its session gone and its leases
// lost.
//
// # What it needs
//
// Memory: 40 bytes for each old blob of content, 16 for each file of a call
// that another one names. Lists are streamed. Gc may be killed and run again at
// any time: it does not repeat what is done.
package gc
