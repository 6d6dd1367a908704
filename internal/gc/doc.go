// Package gc removes what is kept and no longer wanted, beside programs that go
// on using the store: calls that are chosen by age, pipeline or function, content
// that no record names, and what crashed programs left. The tool's command gc
// shows it to people; the packages lease, memo, source and sweep are below.
//
// Nothing is removed by the clock of this machine: ages are the store's dates held
// against the store's clock.
//
// # Calls
//
// To remove a call, gc takes its lease like anybody who is about to compute it,
// so that nobody does meanwhile. A lease whose session lives is left alone, and
// so is one that was handed to a worker which may still start; [lease.Judge] says
// who is dead. A success releases no lease, so of a program that lives long all
// leases look held: one whose own result lies there, and for longer than an hour,
// is free.
//
// Then the call is looked at again, since it may have been computed anew before
// the lease was ours. It goes in an order in which each step leaves a call that
// programs can deal with, should gc be killed behind it:
//
//  1. the error. Were it to survive the result, a program that keeps errors would
//     find that of an older, failed run;
//  2. the result. From here on the call is a miss, and who makes it waits for our
//     lease: until it is gone, or our session is;
//  3. records and logs of runs;
//  4. the invocation, and files that the function returned;
//  5. the lease, once it was seen to be still ours.
//
// Whoever got a result a moment before it went may be about to read the files that
// it refers to, or to pass them on. So of a call that refers to any, the last two
// steps come when a grace has passed, with the next run of gc that chooses it. The
// lease, which is released meanwhile, has the date, and says what the result named,
// so that it stays named. Files that the records of other calls name stay as long
// as those.
//
// # Content
//
// Content that calls share lies under its hash. It is removed when it was named
// by no record of any call, in any pipeline, and is old. First the old content is
// listed, then all records are read, then what none of them named is removed. The
// records are read before any call is removed, so content that only removed
// results named goes with a later run, after the grace.
//
// Why a program that runs beside it loses nothing: whoever needs content looks
// whether it is there, relies on it, and then writes a record that names it. What
// is older than half of the storage TTL it writes again rather than relying on it
// (30 days, where no TTL is set). Gc removes only content that is older than the
// whole TTL, twice that. Let it be dated d, and let gc have begun at b, so
// d < b − TTL.
//
//   - A program relied on it: at the latest at d + TTL/2, give or take the minutes
//     for which it does not ask again, so about TTL/2 before gc began. Its record is
//     there for gc to read, unless it took the program half of the TTL to write it,
//     for which its lease would have had to outlive it.
//   - A program wrote it again: then its date is another one when gc looks at it,
//     right before removing it, or it is written in that very moment. For the
//     latter there are turns: see package sweep.
//   - A program found it gone and wrote it: gc does not come back to it. A delete
//     whose answer was lost is repeated only after another look at the date.
//
// A record that cannot be read, because a newer mops wrote it, might name anything;
// then no content is removed, and the record is named. A damaged record is a miss
// to all programs, so what it named nobody relies on.
//
// # Sessions
//
// A session that was not renewed for a week is removed. To everybody a session
// that is not there is a dead one, so leases that still name it are as free as
// before; should its process come back, it finds its session gone and its leases
// lost.
//
// # What it needs
//
// Memory: 40 bytes for each old blob of content, 16 for each file of a call that
// another one names. Lists are streamed. It may be killed and run again at any
// time: what is done needs not be done again.
package gc
