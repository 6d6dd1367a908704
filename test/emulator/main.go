// Command emulator runs the servers that stand in for cloud stores in tests: Azurite,
// gofakes3 and fake-gcs-server. A test starts it by way of internal/testkit/emulator and asks
// it for servers over HTTP, at the URL that is its first line of output. It ends when
// its standard input does.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

// server is a stand-in that runs.
type server struct {
	Name, URL, Secret string // as internal/testkit/emulator tells tests

	newRoot func(endpoint, name string) (uri string, err error)
	stop    func()
}

// errMissing is that this machine lacks what a server needs.
var errMissing = errors.New("no Azurite")

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
	go http.Serve(listener, newControl())
	fmt.Println("http://" + listener.Addr().String())
	io.Copy(io.Discard, os.Stdin)
}

// control starts and stops servers for tests, and makes roots on them.
type control struct {
	starts map[string]func() (*server, error) // by scheme

	mu      sync.Mutex
	servers map[string]*server // by URL
}

func newControl() http.Handler {
	c := &control{
		starts:  map[string]func() (*server, error){"s3": startS3, "gs": startGCS, "adls": azurite},
		servers: map[string]*server{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /start", c.start)
	mux.HandleFunc("POST /root", c.root)
	mux.HandleFunc("POST /stop", c.stop)
	return mux
}

func (c *control) start(w http.ResponseWriter, r *http.Request) {
	s, err := c.starts[r.FormValue("service")]()
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, errMissing) {
			status = http.StatusFailedDependency
		}
		http.Error(w, err.Error(), status)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[s.URL] = s
	json.NewEncoder(w).Encode(s)
}

func (c *control) root(w http.ResponseWriter, r *http.Request) {
	uri, err := c.server(r).newRoot(r.FormValue("endpoint"), r.FormValue("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(w, uri)
}

func (c *control) stop(_ http.ResponseWriter, r *http.Request) { c.server(r).stop() }

func (c *control) server(r *http.Request) *server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers[r.FormValue("server")]
}
