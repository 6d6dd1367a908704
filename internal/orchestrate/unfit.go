package orchestrate

import (
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/ability"
	"github.com/TrilliantHealth/mops-go/internal/function"
)

// unfit is why a call that has no result cannot be computed where it is to run;
// nil where it can. It is judged before the lease is taken, and never keeps a
// hit from being used.
func (f *flight) unfit() error {
	c := f.call
	if ability.InProcess(c.Executor) {
		if !c.Function.Implemented() {
			return fmt.Errorf("there is no result, and the function is %w", function.ErrNotImplemented)
		}
		return nil
	}
	where := c.Executor.Name()
	switch field := c.Function.Kept(c.Local); {
	case strings.HasPrefix(c.Root, "mem:"):
		return &executor.Error{Reason: executor.LaunchFailed, Message: fmt.Sprintf(
			"the root %s is in the memory of this process, where a worker of the executor %s cannot read it: use a root such as file:///data/mops, or run the function in process",
			c.Root, where)}
	case field != "":
		return &executor.Error{Reason: executor.LaunchFailed, Message: fmt.Sprintf(
			`%s is tagged mops:"-": it stays in this process, and a worker of the executor %s would find it zero: run the function in process, or leave the field zero and make what it holds inside the function`,
			field, where)}
	}
	return nil
}
