package pack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
)

// Who attaches in the moment in which the last one who waited leaves sees the end
// of the call all the same.
func TestAttachWhileLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rig
		var m *pack.Member
		attached := make(chan executor.Worker, 1)
		c := &cluster{takes: always(10 * time.Second), released: func() {
			inv := executor.Invocation{Function: "f@1", MemoURI: m.URI(), ID: executor.ID{LeaseID: m.URI()}}
			w, err := r.Packer.Attach(t.Context(), inv, m.Handle()+"group")
			if err != nil {
				t.Error(err)
			}
			attached <- w
		}}
		r = newRig(c, executor.Packing{Work: time.Minute}, func(c *pack.Config) { c.EvenOne = true })
		m = r.call("call")
		time.Sleep(5 * time.Second)
		m.Release()
		if exit, err := (<-attached).Wait(t.Context()); exit.Code != executor.ExitOK || exit.Err != nil || err != nil {
			t.Errorf("Wait = %+v, %v", exit, err)
		}
		r.owned.Wait()
	})
}
