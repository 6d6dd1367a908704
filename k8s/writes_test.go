package k8s

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

func TestWritesGrowUntilTheyAreRefused(t *testing.T) {
	w := &writes{bound: writesAtFirst}
	now := time.Now()
	saw := func(status, times int) {
		for range times {
			w.saw(status, now)
		}
	}
	is := func(when string, want int) {
		t.Helper()
		if w.bound != want {
			t.Errorf("%s: %d at once, want %d", when, w.bound, want)
		}
	}
	saw(http.StatusCreated, 10)
	is("after 10 answers", writesAtFirst+10)
	saw(http.StatusConflict, 10_000)
	is("after many", writesAtMost)
	saw(http.StatusTooManyRequests, 200)
	is("after a burst of refusals", writesAtMost/2)
	saw(http.StatusCreated, writesAtMost/2-1)
	is("before as many answers", writesAtMost/2)
	saw(http.StatusCreated, 1)
	is("after as many", writesAtMost/2+1)
	for range 20 {
		now = now.Add(time.Second)
		saw(http.StatusTooManyRequests, 5)
	}
	is("after refusals for long", writesAtLeast)
}

// Places are given in turn, and whoever stops waiting takes none along.
func TestWritesAreTakenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writes{bound: 2}
		for range 2 {
			if err := w.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var came []int
		impatient, cancel := context.WithCancel(t.Context())
		for i, ctx := range []context.Context{t.Context(), impatient, t.Context(), t.Context()} {
			go func() {
				if w.enter(ctx) == nil {
					came = append(came, i) // one goroutine goes on at a time
				}
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		for i := range 3 {
			if len(came) != i {
				t.Fatalf("%d places were left, %v came", i, came)
			}
			w.leave()
			synctest.Wait()
		}
		if len(came) != 3 || came[0] != 0 || came[1] != 2 || came[2] != 3 || w.busy != 2 {
			t.Errorf("%v came, %d are busy", came, w.busy)
		}
		w.leave()
		w.leave()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 { // whether they get a place or not, none is lost
			if w.enter(gone) == nil {
				w.leave()
			}
		}
		if w.busy != 0 || len(w.queue) != 0 {
			t.Errorf("%d are busy, %d wait", w.busy, len(w.queue))
		}
	})
}

// The connection of a cluster that nobody uses is closed.
func TestIdleConnectionsAreClosed(t *testing.T) {
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(api.Config{
		Clusters: map[string]*api.Cluster{"here": {Server: server.URL}},
		Contexts: map[string]*api.Context{"here": {Cluster: "here"}}, CurrentContext: "here",
	}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Kubeconfig(kubeconfig)).settings.connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.BatchV1().Jobs("a").Get(t.Context(), "b", metav1.GetOptions{}); err == nil {
		t.Fatal("the server has no Jobs")
	}
	c.idle()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("the connection is open")
	}
}
