package otelmops

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
)

// Names of attributes. They are stable.
const (
	functionKey  = attribute.Key("mops.function")         // name@version
	outcomeKey   = attribute.Key("mops.outcome")          // of a call
	uriKey       = attribute.Key("mops.memo.uri")         // of a call
	runKey       = attribute.Key("mops.run.id")           // of an attempt; of a hit, that which made it
	leaseKey     = attribute.Key("mops.lease.id")         // of an attempt
	executorKey  = attribute.Key("mops.executor")         // of an attempt
	attemptKey   = attribute.Key("mops.attempt.number")   // from 1
	workerKey    = attribute.Key("mops.worker")           // handle
	adoptedKey   = attribute.Key("mops.attempt.adopted")  // another process had started it
	detachedKey  = attribute.Key("mops.attempt.detached") // it runs on, unwatched
	waitKey      = attribute.Key("mops.wait")             // what is waited for
	waitForKey   = attribute.Key("mops.wait.for")         // whom, for people
	whyKey       = attribute.Key("mops.why")              // for people
	stateKey     = attribute.Key("mops.call.state")
	changeKey    = attribute.Key("mops.lease.change")
	recomputeKey = attribute.Key("mops.recompute.reason")
	wallKey      = attribute.Key("mops.run.duration")    // s
	cpuKey       = attribute.Key("mops.run.cpu.time")    // s
	memoryKey    = attribute.Key("mops.run.memory.peak") // By
	systemKey    = attribute.Key("mops.store.system")    // scheme of the root
	operationKey = attribute.Key("mops.store.operation")
	errorKey     = attribute.Key("error.type")
	hostKey      = attribute.Key("host.name")
	nodeKey      = attribute.Key("k8s.node.name")
)

// errorType is why a call or an attempt failed, in one of few words.
func errorType(e mops.Event) string {
	if e.Reason != "" {
		return string(e.Reason)
	}
	if _, ok := errors.AsType[*mops.FuncError](e.Err); ok {
		return "function_error"
	}
	return "_OTHER"
}

// state is what a call is doing, as far as an event says so; news is false if it says
// nothing of it. "" is nothing in particular.
func state(e mops.Event) (name string, news bool) {
	switch e.Kind {
	case mops.CallWaiting:
		return string(e.Wait), true
	case mops.AttemptStarted, mops.AttemptAdopted, mops.AttemptStage:
		if e.Stage == "" {
			return string(executor.Starting), e.Kind != mops.AttemptStage
		}
		return string(e.Stage), true
	case mops.CallAsked, mops.AttemptEnded, mops.CallEnded:
		return "", true
	}
	return "", false
}
