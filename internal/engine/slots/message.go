package slots

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// message is what one process tells the other, in CBOR. The two run the same
// program, and so it needs no version. It is not net/rpc, which keeps no order: a
// Resume could overtake its Pause. Nor can that cancel a request, and it would link
// net/http and html/template into every program.
type message struct {
	_     struct{} `cbor:",toarray"`
	Op    op
	ID    uint64 // of a request, and of its answer
	Name  string // of the holder; of the pool that is opened
	Slots int    // of the pool that is opened
	Error string // in an answer
}

type op byte

const (
	opOpen    op = iota + 1 // comes first
	opAcquire               // answered
	opResume                // answered
	opPause
	opRelease
	opCancel // the request with this id; what was granted by then is undone
	opAnswer
)

func answer(id uint64, err error) message {
	m := message{Op: opAnswer, ID: id}
	if err != nil {
		m.Error = err.Error()
	}
	return m
}

// err is what an answer tells.
func (m message) err() error {
	for _, known := range []error{ErrHeld, ErrReleased, errUnknown} {
		if m.Error == known.Error() {
			return known
		}
	}
	if m.Error != "" {
		return errors.New(m.Error)
	}
	return nil
}

// receive hands on what comes by a connection, until that ends, or makes no sense.
func receive(conn net.Conn, handle func(message) (sensible bool)) {
	const longest = 1 << 16 // bytes of a message
	limited := io.LimitedReader{R: conn}
	for decoder := cbor.NewDecoder(&limited); ; {
		limited.N = longest
		var m message
		if decoder.Decode(&m) != nil || !handle(m) {
			return
		}
	}
}

// outbox sends messages in order without making the sender wait. It holds no
// more than there are requests outstanding.
type outbox struct {
	mu     sync.Mutex
	buffer []byte
	ready  chan struct{} // has room for one
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

func (o *outbox) add(m message) {
	data, _ := cbor.Marshal(m) // of strings and numbers: it cannot fail
	o.mu.Lock()
	o.buffer = append(o.buffer, data...)
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// send sends until done is closed or the connection fails, which it then closes.
func (o *outbox) send(conn net.Conn, done <-chan struct{}) {
	var sending []byte
	for {
		select {
		case <-o.ready:
		case <-done:
			return
		}
		o.mu.Lock()
		sending, o.buffer = o.buffer, sending[:0]
		o.mu.Unlock()
		if _, err := conn.Write(sending); err != nil {
			conn.Close()
			return
		}
	}
}
