// Package codec turns the inputs and outputs of functions into bytes and back:
// deterministic CBOR (RFC 8949) that loses nothing. It stands between the Go
// types of a user's function and the records that orchestrator and worker
// exchange; it knows neither stores nor functions.
//
// [For] judges a type once, before any call, and refuses with a path and a mend
// what could not come back as it was. The work itself is done by
// github.com/fxamacker/cbor: a type that the library treats just as these rules
// say goes straight through it. The others are walked here, and only their
// leaves are given to the library. These are:
//
//   - interfaces, which carry the registered name of what they hold,
//   - types that contain themselves, whose depth must be watched,
//   - structs with fields that stay in the process (mops:"-"),
//   - omitzero fields whose zero value has several forms,
//   - pointers to what CBOR could not tell from a nil pointer,
//   - well-known types whose own methods lose something (see remedies),
//   - what is so large that the library would not heed a context in time.
//
// Both ways give the same bytes. When the library fails, the walk is done as
// well, only to find the path for the message.
//
// Inputs are canonical, so that equal inputs have one encoding: -0 is +0, there
// is one NaN, nil and empty are alike. Outputs are faithful: all of these are
// kept apart. Times become RFC 3339 with nanoseconds in UTC: the instant is
// kept, the location and the monotonic clock are not. Pointers that share a
// value come back as pointers to copies; how much that makes is counted before it
// is encoded. A panic in a type's own methods is an error of the value.
//
// A type may stand for a value that is encoded apart ([Types.Share]): that value
// is planned along with it, and always encoded as inputs are.
package codec
