package slots

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// The two processes run the same program, so that this protocol needs no
// version. Requests that want an answer have an id; an answer has the same.
const (
	opOpen    = iota + 1 // pool index, n slots, its name
	opAcquire            // answered
	opResume             // answered
	opPause
	opRelease
	opCancel // an acquire or resume with this id; what was granted by then is undone
	opAnswer // n is an answer code
)

// frame is a message, either way: op, id, pool, n, length of the text, text. The
// numbers are varints.
type frame struct {
	op   byte
	id   uint64
	pool uint64 // index in the order of opOpen
	n    uint64
	text string // the holder
}

const longestText = 1 << 16

func (f frame) append(to []byte) []byte {
	to = append(to, f.op)
	for _, n := range [...]uint64{f.id, f.pool, f.n, uint64(len(f.text))} {
		to = binary.AppendUvarint(to, n)
	}
	return append(to, f.text...)
}

func readFrame(r *bufio.Reader) (f frame, err error) {
	if f.op, err = r.ReadByte(); err != nil {
		return f, err
	}
	var size uint64
	for _, n := range [...]*uint64{&f.id, &f.pool, &f.n, &size} {
		if *n, err = binary.ReadUvarint(r); err != nil {
			return f, err
		}
	}
	if size > longestText {
		return f, fmt.Errorf("slots: a message with %d bytes of text", size)
	}
	text := make([]byte, size)
	_, err = io.ReadFull(r, text)
	f.text = string(text)
	return f, err
}

// The errors that an answer can tell, by code.
var answers = [...]error{nil, ErrHeld, ErrReleased, errUnknown}

func answerCode(err error) uint64 {
	for code, known := range answers {
		if errors.Is(err, known) {
			return uint64(code)
		}
	}
	return uint64(len(answers))
}

func answerError(code uint64) error {
	if code < uint64(len(answers)) {
		return answers[code]
	}
	return errors.New("slots: the pool refused")
}

// outbox sends frames in order without making the sender wait. It holds no more
// than there are requests outstanding.
type outbox struct {
	mu     sync.Mutex
	buffer []byte
	ready  chan struct{} // has room for one
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

func (o *outbox) add(f frame) {
	o.mu.Lock()
	o.buffer = f.append(o.buffer)
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
